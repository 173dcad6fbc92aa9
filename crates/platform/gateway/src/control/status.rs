//! Writes into the status of Ingresses where they are served.

use std::time::Duration;

use k8s_openapi::api::networking::v1::Ingress;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toolforge_routing::ObjectKey;

use super::watch::desired_status;
use crate::Published;

/// The pause after a failed write, so that an API that is gone is not asked in a loop: nobody waits for a status.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Writes the status of each Ingress that comes in, until `shutdown`.
pub(crate) async fn write_statuses(
    client: Client,
    published: Published,
    mut unpublished: mpsc::UnboundedReceiver<ObjectKey>,
    shutdown: CancellationToken,
) {
    let body = json!({ "status": { "loadBalancer": { "ingress": [desired_status(&published)] } } });
    let patch = Patch::Merge(&body);
    loop {
        let key = tokio::select! {
            () = shutdown.cancelled() => return,
            key = unpublished.recv() => key,
        };
        let Some(key) = key else { return };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = write_status(&client, &key, &patch) => {}
        }
    }
}

/// Writes one status, again and again until it is there, or the Ingress is gone, or nobody may write it.
async fn write_status(client: &Client, key: &ObjectKey, patch: &Patch<&serde_json::Value>) {
    let api = Api::<Ingress>::namespaced(client.clone(), &key.namespace);
    loop {
        let Err(error) = api.patch_status(&key.name, &PatchParams::default(), patch).await else {
            return;
        };
        if let kube::Error::Api(answer) = &error
            && (400..500).contains(&answer.code)
        {
            if answer.code != 404 {
                tracing::warn!(namespace = key.namespace.as_str(), ingress = key.name.as_str(), %error, "status not written");
            }
            return;
        }
        tracing::debug!(namespace = key.namespace.as_str(), ingress = key.name.as_str(), %error, "status not written yet");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
