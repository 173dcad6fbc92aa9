//! The environment that a tool gives its programs: one Secret, of which a Deployment knows only the name and the version.
//! Values are never printed unless somebody asks for them, and appear in no other object.

mod assignment;

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use toolforge_model::labels;

use crate::{error::WebserviceError, session::Session};

pub(crate) use assignment::Assignment;

/// The Secret, in the namespace of the tool.
pub(crate) const SECRET: &str = "webservice-env";
/// The annotation of a Pod template that changes with the Secret, so that its Pods are replaced. It says nothing of
/// the values, as a hash of them would to who guesses.
pub(crate) const VERSION_ANNOTATION: &str = "toolforge.org/webservice-env-version";
const DOING: &str = "changing the environment of your webservice";
/// How often a change is tried while others make and remove the Secret.
const TRIES: usize = 4;

/// How a container gets all of it; whether there is any is known when it starts.
pub(crate) fn env_from() -> Value {
    json!([{ "secretRef": { "name": SECRET, "optional": true } }])
}

/// Which version there is; none without an environment.
pub(crate) async fn version(session: &Session) -> Result<Option<String>, WebserviceError> {
    let secret = session.api::<Secret>().get_metadata_opt(SECRET).await;
    Ok(secret
        .map_err(WebserviceError::api(
            "looking at the environment of your webservice",
        ))?
        .and_then(|secret| secret.resource_version()))
}

/// All variables.
pub(crate) async fn read(session: &Session) -> Result<BTreeMap<String, Vec<u8>>, WebserviceError> {
    let secret = session.api::<Secret>().get_opt(SECRET).await;
    let data = secret
        .map_err(WebserviceError::api("reading the environment of your webservice"))?
        .and_then(|secret| secret.data)
        .unwrap_or_default();
    Ok(data
        .into_iter()
        .map(|(name, ByteString(value))| (name, value))
        .collect())
}

/// Sets variables, and takes away those without a value; the others stay, whoever sets them meanwhile.
pub(crate) async fn change(
    session: &Session,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(), WebserviceError> {
    let secrets = session.api::<Secret>();
    let data: BTreeMap<&str, Option<ByteString>> = changes
        .iter()
        .map(|(name, value)| {
            let value = value.as_ref().map(|value| ByteString(value.clone().into_bytes()));
            (name.as_str(), value)
        })
        .collect();
    let patch = json!({ "data": data });
    for _ in 0..TRIES {
        match secrets
            .patch(SECRET, &PatchParams::default(), &Patch::Merge(&patch))
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) if has_code(&error, 404) => {}
            Err(error) => return Err(WebserviceError::api(DOING)(error)),
        }
        match create(&secrets, session, changes).await {
            Ok(()) => return Ok(()),
            // Somebody else was faster; it is changed in the next round.
            Err(error) if has_code(&error, 409) => {}
            Err(error) => return Err(WebserviceError::api(DOING)(error)),
        }
    }
    Err(WebserviceError::Failed(
        "the environment is being changed by others all the time; try again in a moment".to_owned(),
    ))
}

async fn create(
    secrets: &Api<Secret>,
    session: &Session,
    changes: &BTreeMap<String, Option<String>>,
) -> kube::Result<()> {
    let data: BTreeMap<String, ByteString> = changes
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), ByteString(value.clone()?.into_bytes()))))
        .collect();
    if data.is_empty() {
        return Ok(());
    }
    let mut secret = Secret {
        type_: Some("Opaque".to_owned()),
        data: Some(data),
        ..Secret::default()
    };
    secret.metadata.name = Some(SECRET.to_owned());
    secret.metadata.namespace = Some(session.tool.namespace().as_str().to_owned());
    secret.labels_mut().insert(
        labels::MANAGED_BY.to_owned(),
        labels::MANAGED_BY_WEBSERVICE.to_owned(),
    );
    secrets.create(&PostParams::default(), &secret).await.map(drop)
}

fn has_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
