//! A new key, and its certificate through the cluster's own API for certificate requests.
//!
//! The key is made here and goes nowhere but into the home. A request left over from an interrupted attempt is
//! replaced; ours is removed when it has served.

use std::time::Duration;

use k8s_openapi::{
    ByteString,
    api::certificates::v1::{
        CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
        CertificateSigningRequestStatus,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
    runtime::wait::{Condition, await_condition},
};
use toolforge_pki::{Identity, PkiError};

/// The signer of certificates for clients of the API.
const SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// How long a signer may take before the attempt counts as failed; it is repeated later.
const SIGNING: Duration = Duration::from_mins(1);

/// Attempts to put our request in the place of a stale one that comes back.
const ATTEMPTS: usize = 5;

/// What a certificate is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) object: String,
    pub(crate) common_name: String,
    pub(crate) organization: &'static str,
    pub(crate) lifetime: Option<Duration>,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("cannot make a key")]
    Key(#[source] PkiError),
    #[error("cannot {step} the certificate request {name}")]
    Api {
        step: &'static str,
        name: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("cannot watch the certificate request {name}")]
    Watch {
        name: String,
        #[source]
        source: Box<kube::runtime::wait::Error>,
    },
    #[error(
        "the certificate request {name} comes back as fast as it is removed; something else uses this name"
    )]
    Stale { name: String },
    #[error("no signer issued a certificate for {name} within {} seconds; look at the cluster's signer of {SIGNER}", SIGNING.as_secs())]
    NotSigned { name: String },
    #[error("the certificate request {name} was refused: {reason}")]
    Refused { name: String, reason: String },
    #[error("the signer's certificate for {name} is not usable")]
    Certificate {
        name: String,
        #[source]
        source: PkiError,
    },
    #[error("the signer's certificate for {name} is made out to {found:?}")]
    WrongName { name: String, found: String },
}

/// Makes a key and gets its certificate.
pub(crate) async fn issue(client: &Client, request: &Request) -> Result<Identity, CredentialsError> {
    let (key_pem, csr_pem) = toolforge_pki::new_request(&request.common_name, &[request.organization])
        .map_err(CredentialsError::Key)?;
    let api: Api<CertificateSigningRequest> = Api::all(client.clone());
    let created = create(&api, &desired(request, csr_pem)).await?;
    let signed = approve_and_wait(&api, created).await;
    // Whatever came of it: the request has no further use. One that stays is replaced next time.
    let _ = api.delete(&request.object, &DeleteParams::default()).await;
    let certificate_pem = signed?;
    check(&request.common_name, &certificate_pem)?;
    Ok(Identity {
        certificate_pem,
        key_pem,
    })
}

fn desired(request: &Request, csr_pem: String) -> CertificateSigningRequest {
    let usages = ["digital signature", "key encipherment", "client auth"];
    CertificateSigningRequest {
        metadata: ObjectMeta {
            name: Some(request.object.clone()),
            ..ObjectMeta::default()
        },
        spec: CertificateSigningRequestSpec {
            request: ByteString(csr_pem.into_bytes()),
            signer_name: SIGNER.to_owned(),
            usages: Some(usages.map(str::to_owned).to_vec()),
            // Ten minutes is the least that the API accepts.
            expiration_seconds: request
                .lifetime
                .map(|lifetime| i32::try_from(lifetime.as_secs()).unwrap_or(i32::MAX).max(600)),
            ..CertificateSigningRequestSpec::default()
        },
        status: None,
    }
}

async fn create(
    api: &Api<CertificateSigningRequest>,
    request: &CertificateSigningRequest,
) -> Result<CertificateSigningRequest, CredentialsError> {
    let name = request.metadata.name.clone().unwrap_or_default();
    for _ in 0..ATTEMPTS {
        match api.create(&PostParams::default(), request).await {
            Ok(created) => return Ok(created),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                tracing::info!(request = name, "a stale certificate request is replaced");
                match api.delete(&name, &DeleteParams::default()).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    other => {
                        other.map_err(api_error("remove", &name))?;
                    }
                }
            }
            Err(error) => return Err(api_error("create", &name)(error)),
        }
    }
    Err(CredentialsError::Stale { name })
}

async fn approve_and_wait(
    api: &Api<CertificateSigningRequest>,
    mut request: CertificateSigningRequest,
) -> Result<String, CredentialsError> {
    let name = request.metadata.name.clone().unwrap_or_default();
    request
        .status
        .get_or_insert_default()
        .conditions
        .get_or_insert_default()
        .push(CertificateSigningRequestCondition {
            type_: "Approved".to_owned(),
            status: "True".to_owned(),
            reason: Some("AuthorizedUser".to_owned()),
            message: Some("the account service made this request itself".to_owned()),
            ..CertificateSigningRequestCondition::default()
        });
    let uid = request.metadata.uid.clone();
    api.replace_subresource("approval", &name, &PostParams::default(), &request)
        .await
        .map_err(api_error("approve", &name))?;
    let settled = tokio::time::timeout(SIGNING, await_condition(api.clone(), &name, Settled { uid })).await;
    let settled = settled
        .map_err(|_| CredentialsError::NotSigned { name: name.clone() })?
        .map_err(|source| CredentialsError::Watch {
            name: name.clone(),
            source: Box::new(source),
        })?;
    let status = settled.and_then(|request| request.status).unwrap_or_default();
    if let Some(reason) = refusal(&status) {
        return Err(CredentialsError::Refused { name, reason });
    }
    match status
        .certificate
        .and_then(|bytes| String::from_utf8(bytes.0).ok())
    {
        Some(pem) => Ok(pem),
        None => Err(CredentialsError::Refused {
            name,
            reason: "it was removed before it was signed".to_owned(),
        }),
    }
}

/// A request that needs no more waiting: signed, refused, or gone.
struct Settled {
    uid: Option<String>,
}

impl Condition<CertificateSigningRequest> for Settled {
    fn matches_object(&self, request: Option<&CertificateSigningRequest>) -> bool {
        let Some(request) = request else { return true };
        let status = request.status.as_ref();
        request.metadata.uid != self.uid
            || status.is_some_and(|status| status.certificate.is_some() || refusal(status).is_some())
    }
}

fn refusal(status: &CertificateSigningRequestStatus) -> Option<String> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| matches!(condition.type_.as_str(), "Denied" | "Failed"))
        .map(|condition| {
            condition
                .message
                .clone()
                .or_else(|| condition.reason.clone())
                .unwrap_or_else(|| condition.type_.clone())
        })
}

fn check(name: &str, certificate_pem: &str) -> Result<(), CredentialsError> {
    let certified = toolforge_pki::read_certificate_pem(certificate_pem).map_err(|source| {
        CredentialsError::Certificate {
            name: name.to_owned(),
            source,
        }
    })?;
    if certified.common_name == name {
        return Ok(());
    }
    Err(CredentialsError::WrongName {
        name: name.to_owned(),
        found: certified.common_name,
    })
}

fn api_error(step: &'static str, name: &str) -> impl FnOnce(kube::Error) -> CredentialsError {
    let name = name.to_owned();
    move |source| CredentialsError::Api {
        step,
        name,
        source: Box::new(source),
    }
}
