//! The sign of life: a Lease that is renewed every ten seconds.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Where nodes' Leases are.
const NAMESPACE: &str = "kube-node-lease";
/// How often it is renewed; kubelet's interval.
const RENEW: Duration = Duration::from_secs(10);
/// How long it holds, in seconds; kubelet's.
const HOLDS_SECONDS: u32 = 40;
/// The pause after a write that failed: at first the namespace may not be there.
const RETRY: Duration = Duration::from_secs(1);

/// Renews the node's Lease until `shutdown`.
pub(crate) async fn renew(client: Client, name: &str, shutdown: CancellationToken) {
    let leases: Api<Lease> = Api::namespaced(client, NAMESPACE);
    while !shutdown.is_cancelled() {
        let pause = match write(&leases, name, Timestamp::now()).await {
            Ok(()) => RENEW,
            Err(error) => {
                tracing::debug!(%error, "the node's Lease cannot be renewed, trying again");
                RETRY
            }
        };
        shutdown.run_until_cancelled(sleep(pause)).await;
    }
}

async fn write(leases: &Api<Lease>, name: &str, now: Timestamp) -> Result<(), kube::Error> {
    let lease = lease(name, now);
    match leases
        .patch(name, &PatchParams::default(), &Patch::Merge(&lease))
        .await
    {
        Err(kube::Error::Api(refusal)) if refusal.is_not_found() => {
            let lease = serde_json::from_value(lease).map_err(kube::Error::SerdeError)?;
            leases.create(&PostParams::default(), &lease).await.map(drop)
        }
        patched => patched.map(drop),
    }
}

fn lease(name: &str, now: Timestamp) -> Value {
    let now = now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    json!({
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": HOLDS_SECONDS, "renewTime": now},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_microseconds() {
        let lease = lease("one", "2026-01-02T03:04:05.6Z".parse().expect("time"));
        assert_eq!(lease["spec"]["renewTime"], "2026-01-02T03:04:05.600000Z");
        serde_json::from_value::<Lease>(lease).expect("a Lease");
    }
}
