//! Webservices that the original made before 0.77: their Deployments cannot get today's labels, because what a
//! Deployment selects never changes. Theirs goes and leaves its Pods, which serve until those of the new one do.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams, PropagationPolicy},
    runtime::wait::{await_condition, conditions::is_deleted},
};
use toolforge_model::labels;

use crate::{error::WebserviceError, exit::Exit, objects::LEGACY_LABEL, session::Session};

const DOING: &str = "taking over your old webservice";
/// The garbage collector of a busy cluster takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Takes an old Deployment away from its Pods; whether there was one.
pub(super) async fn let_go(session: &Session) -> Result<bool, WebserviceError> {
    let deployments = session.api::<Deployment>();
    let name = session.tool.as_str();
    let old = deployments
        .get_opt(name)
        .await
        .map_err(WebserviceError::api(DOING))?
        .filter(is_old);
    let Some(old) = old else {
        return Ok(false);
    };
    let options = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    deployments
        .delete(name, &options)
        .await
        .map_err(WebserviceError::api(DOING))?;
    let uid = old.uid().unwrap_or_default();
    let gone = await_condition(deployments, name, is_deleted(&uid));
    match tokio::time::timeout(PATIENCE, gone).await {
        Ok(Ok(_)) => Ok(true),
        _ => Err(WebserviceError::DoesNotServe {
            exit: Exit::Time,
            sentence: format!(
                "The Deployment of your old webservice is still there after {} s; say it again in a minute.",
                PATIENCE.as_secs()
            ),
        }),
    }
}

/// Takes away what the old Deployment left, when the new one serves.
pub(super) async fn clear(session: &Session) -> Result<(), WebserviceError> {
    let replica_sets = session.api::<ReplicaSet>();
    let labelled = ListParams::default().labels(&format!("{LEGACY_LABEL}=true"));
    replica_sets
        .delete_collection(&DeleteParams::background(), &labelled)
        .await
        .map_err(WebserviceError::api(DOING))?;
    Ok(())
}

fn is_old(deployment: &Deployment) -> bool {
    let selected = deployment.spec.selector.match_labels.as_ref();
    !selected.is_some_and(|selected| selected.contains_key(labels::COMPONENT))
}
