//! `webservice exec [POD] [-- COMMAND]`: a shell or a command in a replica that runs.

use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};

use super::only_kubernetes;
use crate::{
    cli::ExecArgs,
    error::WebserviceError,
    inside::{self, Place, Signals, command_or_shell},
    objects::{CONTAINER, selector},
    session::Session,
};

pub(super) async fn run(session: &Session, arguments: &ExecArgs) -> Result<u8, WebserviceError> {
    only_kubernetes::check(
        session,
        "exec",
        "`webservice logs` shows what the job prints; its home is the one that you are in.",
    )?;
    let mut signals = Signals::listen().map_err(WebserviceError::Start)?;
    let pods = session.api::<Pod>();
    let found = pods
        .list(&ListParams::default().labels(&selector()))
        .await
        .map_err(WebserviceError::api("looking at your webservice"))?;
    let pod = choose(found.items, arguments)?;
    let place = Place {
        pods: &pods,
        pod: &pod,
        container: CONTAINER,
    };
    tokio::select! {
        code = inside::run(place, command_or_shell(&arguments.command)) => code,
        code = signals.next() => Ok(code),
    }
}

/// The Pod that is meant, by its name.
fn choose(pods: Vec<Pod>, arguments: &ExecArgs) -> Result<String, WebserviceError> {
    let mut running: Vec<Pod> = pods.into_iter().filter(runs).collect();
    running.sort_by_key(ResourceExt::name_any);
    if running.is_empty() {
        return Err(WebserviceError::Failed(
            "Your webservice is not running; `webservice TYPE shell` gives you a Pod of its own".to_owned(),
        ));
    }
    let chosen = match (&arguments.pod, arguments.replica) {
        (Some(asked), _) => running.iter().find(|pod| pod.name_any() == *asked),
        (None, Some(number)) => running.get(usize::from(number) - 1),
        (None, None) => running
            .iter()
            .find(|pod| is_ready(pod))
            .or_else(|| running.first()),
    };
    chosen.map(ResourceExt::name_any).ok_or_else(|| {
        let names: Vec<String> = running.iter().map(ResourceExt::name_any).collect();
        WebserviceError::Failed(format!(
            "there is no such replica; those that run are:\n  {}",
            names.join("\n  ")
        ))
    })
}

/// Whether its container runs, and is to go on.
fn runs(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    let running = statuses
        .into_iter()
        .flatten()
        .filter(|status| status.name == CONTAINER)
        .any(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()));
    running && pod.metadata.deletion_timestamp.is_none()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, runs: bool, ready: bool) -> Pod {
        let state = if runs {
            json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } })
        } else {
            json!({ "waiting": {} })
        };
        serde_json::from_value(json!({
            "metadata": { "name": name },
            "status": {
                "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }],
                "containerStatuses": [{ "name": CONTAINER, "image": "", "imageID": "", "ready": ready,
                    "restartCount": 0, "state": state }],
            },
        }))
        .unwrap()
    }

    fn chosen(pod: Option<&str>, replica: Option<u16>) -> Result<String, String> {
        let pods = vec![
            self::pod("c", true, true),
            self::pod("b", true, false),
            self::pod("a", false, false),
        ];
        let arguments = ExecArgs {
            pod: pod.map(ToOwned::to_owned),
            replica,
            command: Vec::new(),
        };
        choose(pods, &arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn a_ready_replica_is_chosen_unless_one_is_named() {
        assert_eq!(chosen(None, None).unwrap(), "c");
        assert_eq!(chosen(None, Some(1)).unwrap(), "b");
        assert_eq!(chosen(Some("b"), None).unwrap(), "b");
        for refused in [
            chosen(Some("a"), None),
            chosen(None, Some(3)),
            chosen(Some("x"), None),
        ] {
            assert!(refused.unwrap_err().contains("those that run are:\n  b\n  c"));
        }
    }
}
