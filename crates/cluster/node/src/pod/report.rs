//! Writes a Pod's status: always the latest, again and again until it is taken.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, PodCondition, PodStatus};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The first pause after a write that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The conditions that are the node's to write.
const OWN_CONDITIONS: [&str; 4] = ["PodScheduled", "Initialized", "ContainersReady", "Ready"];

/// Writes what comes until the sender is gone and the last status is written, or the Pod is gone.
pub(super) async fn report(
    pods: Api<Pod>,
    name: String,
    uid: String,
    mut latest: watch::Receiver<Option<PodStatus>>,
) {
    while latest.changed().await.is_ok() {
        let mut pause = FIRST_PAUSE;
        loop {
            // Looked at before each try, so that an old status never overwrites a newer one.
            let Some(status) = latest.borrow_and_update().clone() else {
                break;
            };
            match pods
                .patch_status(
                    &name,
                    &PatchParams::default(),
                    &Patch::Strategic(patch(&uid, &status)),
                )
                .await
            {
                Ok(_) => break,
                Err(kube::Error::Api(refusal)) if refusal.is_not_found() => return,
                Err(error) => tracing::debug!(pod = name, %error, "the status of a Pod was not taken"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The node's part of a status. Conditions merge by type, so those of others stay; the uid keeps a new Pod of the
/// same name from getting the status of the old.
fn patch(uid: &str, status: &PodStatus) -> Value {
    let conditions: Vec<Value> = status
        .conditions
        .iter()
        .flatten()
        .filter(|condition| OWN_CONDITIONS.contains(&condition.type_.as_str()))
        .map(condition)
        .collect();
    let replaced = |list: Option<Value>| list.map(|item| json!([{"$patch": "replace"}, item]));
    json!({
        "metadata": {"uid": uid},
        "status": {
            "phase": status.phase,
            "reason": status.reason,
            "message": status.message,
            "conditions": conditions,
            "hostIP": status.host_ip,
            "hostIPs": replaced(status.host_ip.as_ref().map(|ip| json!({"ip": ip}))),
            "podIP": status.pod_ip,
            "podIPs": replaced(status.pod_ip.as_ref().map(|ip| json!({"ip": ip}))),
            "startTime": status.start_time,
            "initContainerStatuses": status.init_container_statuses,
            "containerStatuses": status.container_statuses,
            "ephemeralContainerStatuses": status.ephemeral_container_statuses,
        },
    })
}

/// With its empty fields, which take away what stood there before.
fn condition(condition: &PodCondition) -> Value {
    json!({
        "type": condition.type_,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": condition.last_transition_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nodes_own_conditions_are_written() {
        let condition = |name: &str| PodCondition {
            type_: name.to_owned(),
            status: "True".to_owned(),
            ..PodCondition::default()
        };
        let status = PodStatus {
            conditions: Some(vec![condition("Ready"), condition("example.org/gate")]),
            pod_ip: Some("127.64.0.2".to_owned()),
            ..PodStatus::default()
        };
        let patch = patch("u", &status);
        assert_eq!(patch["metadata"]["uid"], "u");
        assert_eq!(patch["status"]["conditions"].as_array().map(Vec::len), Some(1));
        assert!(
            patch["status"]["conditions"][0]["reason"].is_null(),
            "an old reason goes away"
        );
        assert_eq!(patch["status"]["podIPs"][1]["ip"], "127.64.0.2");
        assert!(patch["status"].get("qosClass").is_none(), "that is the API's");
    }
}
