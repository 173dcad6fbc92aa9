//! What has become of a webservice, judged from what the cluster says of its Deployment and Pods. Pure, so
//! that every way to fail can be tested without one.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ContainerStatus, Pod},
};

use crate::{exit::Exit, objects::CONTAINER};

/// How long a refusal may last before it is believed: controllers try again, and a Pod of the version
/// before may be about to give its quota back.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(5);
/// How long a running process may take until something listens: interpreters with large programs need it.
const LISTEN_PATIENCE: Duration = Duration::from_secs(30);

/// Where a webservice is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is there.
    Absent,
    /// On its way; what it is doing, in a few words.
    Coming(&'static str),
    /// All Pods that were asked for are the newest and answer.
    Ready,
    /// It will not come up; why, and what to do.
    Failed(Failure),
}

/// Why a webservice will not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The kind of reason.
    pub(crate) exit: Exit,
    /// The reason, in a sentence, with the way out.
    pub(crate) sentence: String,
    /// The Pod whose last log lines belong to it, and whether they are those of the run before.
    pub(crate) log: Option<(String, bool)>,
}

/// The newest state of things, and how long they have been like this.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) deployment: Option<&'a Deployment>,
    pub(crate) pods: &'a [Pod],
    /// Since the command began to follow.
    pub(crate) waited: Duration,
}

/// The verdict.
pub(crate) fn diagnose(seen: &Seen<'_>) -> Standing {
    let Some(deployment) = seen.deployment else {
        return Standing::Absent;
    };
    let newest = newest_pods(deployment, seen.pods);
    if let Some(failure) = newest.iter().find_map(|pod| crashed(pod)) {
        return Standing::Failed(failure);
    }
    if settled(deployment) {
        return Standing::Ready;
    }
    if let Some(failure) = refused(deployment, &newest, seen.waited) {
        return Standing::Failed(failure);
    }
    coming(&newest, seen.waited)
}

/// Pods that carry the template's own start: those of the version before are on their way out.
fn newest_pods<'a>(deployment: &Deployment, pods: &'a [Pod]) -> Vec<&'a Pod> {
    let key = toolforge_model::labels::STARTED_AT;
    let template = &deployment.spec.template;
    let wanted = template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.annotations.as_ref())
        .and_then(|annotations| annotations.get(key));
    let started = |pod: &Pod| {
        pod.metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(key).cloned())
    };
    pods.iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none() && started(pod).as_ref() == wanted)
        .collect()
}

fn settled(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let Some(status) = &deployment.status else {
        return false;
    };
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|status| status.name == CONTAINER)
}

fn crashed(pod: &Pod) -> Option<Failure> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let status = container(pod)?;
    let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
    let reason = waiting
        .and_then(|waiting| waiting.reason.as_deref())
        .unwrap_or_default();
    let message = waiting
        .and_then(|waiting| waiting.message.as_deref())
        .unwrap_or_default();
    match reason {
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            return Some(Failure {
                exit: Exit::Tool,
                sentence: format!("It cannot be started: {message}."),
                log: None,
            });
        }
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" => {
            let sentence = format!("Its image {} cannot be fetched: {message}.", status.image);
            return Some(Failure {
                exit: Exit::Image,
                sentence,
                log: None,
            });
        }
        _ => {}
    }
    let ended = status
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref())
        .map(|ended| (ended, true))
        .or_else(|| {
            let ended = status.state.as_ref().and_then(|state| state.terminated.as_ref());
            ended.map(|ended| (ended, false))
        });
    let (ended, before) = ended?;
    // Once up, a restart is not a failed start.
    if status.ready && before {
        return None;
    }
    let sentence = if ended.reason.as_deref() == Some("OOMKilled") {
        "It needs more memory than it may have, and was ended. Give it more with --mem, for example --mem 1Gi."
            .to_owned()
    } else if ended.exit_code == 0 {
        "It ended by itself, and without an error; a webservice must go on running and listen on $PORT."
            .to_owned()
    } else {
        format!(
            "It crashed (exit code {}). The last lines that it printed are above.",
            ended.exit_code
        )
    };
    Some(Failure {
        exit: Exit::Tool,
        sentence,
        log: Some((name, before)),
    })
}

fn refused(deployment: &Deployment, newest: &[&Pod], waited: Duration) -> Option<Failure> {
    if waited < REFUSAL_PATIENCE {
        return None;
    }
    let conditions = deployment.status.as_ref()?.conditions.as_ref();
    let replica_failure = conditions.into_iter().flatten().find(|condition| {
        condition.type_.as_deref() == Some("ReplicaFailure") && condition.status.as_deref() == Some("True")
    });
    if let Some(condition) = replica_failure {
        let message = condition
            .message
            .as_deref()
            .unwrap_or("the cluster refuses its Pods");
        return Some(Failure {
            exit: Exit::of_refusal(message).unwrap_or(Exit::Admission),
            sentence: format!("The cluster refuses it: {message}."),
            log: None,
        });
    }
    newest.iter().find_map(|pod| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let condition = conditions.iter().find(|condition| {
            condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("Unschedulable")
        })?;
        let message = condition.message.as_deref().unwrap_or("no node takes it");
        Some(Failure {
            exit: Exit::Time,
            sentence: format!("There is no room for it: {message}."),
            log: None,
        })
    })
}

fn coming(newest: &[&Pod], waited: Duration) -> Standing {
    if newest.is_empty() {
        return Standing::Coming("waiting for its Pod");
    }
    let running = newest.iter().find(|pod| {
        let state = container(pod).and_then(|status| status.state.as_ref());
        state.is_some_and(|state| state.running.is_some())
    });
    match running {
        None => Standing::Coming("starting its process"),
        Some(pod) if container(pod).is_some_and(|status| !status.ready) => {
            if waited < LISTEN_PATIENCE {
                return Standing::Coming("waiting until it listens");
            }
            Standing::Failed(Failure {
                exit: if asks_for_a_page(pod) {
                    Exit::HealthCheck
                } else {
                    Exit::NotListening
                },
                sentence: format!(
                    "It runs, but nothing listens on port {} after {} s. It must listen on the port that the \
                     environment variable PORT names.",
                    crate::objects::PORT,
                    LISTEN_PATIENCE.as_secs()
                ),
                log: pod.metadata.name.clone().map(|name| (name, false)),
            })
        }
        Some(_) => Standing::Coming("handing over"),
    }
}

/// Whether it is ready only when a path of it answers, not when anything listens.
fn asks_for_a_page(pod: &Pod) -> bool {
    let container = pod.spec.as_ref().and_then(|spec| {
        spec.containers
            .iter()
            .find(|container| container.name == CONTAINER)
    });
    container
        .and_then(|container| container.readiness_probe.as_ref())
        .is_some_and(|probe| probe.http_get.is_some())
}

#[cfg(test)]
mod tests;
