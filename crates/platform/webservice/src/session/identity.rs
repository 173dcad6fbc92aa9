//! The client certificate of a kubeconfig.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use kube::config::AuthInfo;
use toolforge_pki::Identity;

use crate::error::WebserviceError;

/// Certificate and key, whether they stand in the kubeconfig or in files that it names.
pub(super) fn of(auth: &AuthInfo) -> Result<Option<Identity>, WebserviceError> {
    // A kubeconfig is the only form in which the key is let out.
    let fields = serde_json::to_value(auth).map_err(|error| WebserviceError::Credentials(error.into()))?;
    let field = |name: &str| fields[name].as_str();
    let certificate = text(field("client-certificate-data"), field("client-certificate"))?;
    let key = text(field("client-key-data"), field("client-key"))?;
    Ok(certificate.zip(key).map(|(certificate_pem, key_pem)| Identity {
        certificate_pem,
        key_pem,
    }))
}

fn text(data: Option<&str>, file: Option<&str>) -> Result<Option<String>, WebserviceError> {
    let unusable = |error: Box<dyn std::error::Error + Send + Sync>| WebserviceError::Credentials(error);
    match (data, file) {
        (Some(data), _) => {
            let bytes = BASE64_STANDARD
                .decode(data.trim())
                .map_err(|error| unusable(error.into()))?;
            String::from_utf8(bytes)
                .map(Some)
                .map_err(|error| unusable(error.into()))
        }
        (None, Some(file)) => std::fs::read_to_string(file)
            .map(Some)
            .map_err(|error| unusable(format!("{file} cannot be read: {error}").into())),
        (None, None) => Ok(None),
    }
}
