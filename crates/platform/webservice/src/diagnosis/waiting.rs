//! Containers that do not start: the image, the configuration, the start itself, what they are to mount.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use toolforge_standing::{Waiting, bare};

use super::Failure;
use crate::{
    exit::Exit,
    scene::{Moment, Scene, container_status},
};

/// How long a registry or a mount may be in trouble before it is believed. The kubelet tries again after 10 s;
/// what fails twice was no accident.
const RETRY_PATIENCE: Duration = Duration::from_secs(15);

/// What keeps a container from starting, when that is certain.
pub(super) fn stuck(scene: &Scene, pod: &Pod, moment: Moment) -> Option<Failure> {
    let age = moment.since(pod.metadata.creation_timestamp.as_ref());
    let Some(status) = container_status(pod) else {
        return unmounted(scene, pod, age);
    };
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let message = waiting.message.as_deref().unwrap_or_default();
    let image = &status.image;
    match Waiting::of(waiting.reason.as_deref().unwrap_or_default(), message) {
        // The first refusal of a registry may be an accident, unless it says that there is no such thing.
        Waiting::ImageRefused if age < RETRY_PATIENCE => None,
        Waiting::NoImage => Some(unusable_image(image, message)),
        Waiting::ImageRefused | Waiting::ImageBackOff => {
            Some(unusable_image(image, &pull_message(scene, pod, message)))
        }
        Waiting::Unstartable => Some(unstartable(message)),
        Waiting::Creating => unmounted(scene, pod, age),
        Waiting::CrashLoop | Waiting::Other => None,
    }
}

/// What a container that does not run yet is doing.
pub(super) fn doing(scene: &Scene, pod: &Pod) -> &'static str {
    let scheduled = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    let pulling = scene
        .events_of(&pod.metadata)
        .last()
        .is_some_and(|event| event.reason.as_deref() == Some("Pulling"));
    match (scheduled, pulling) {
        (false, _) => "looking for a place to run",
        (true, true) => "fetching its image",
        (true, false) => "starting its process",
    }
}

/// A container that could not be started, in the words of the node.
pub(super) fn unstartable(message: &str) -> Failure {
    Failure::new(
        Exit::Tool,
        format!("It cannot be started: {}.", bare(message)),
        "Mend what the message names, then say `webservice restart`.",
    )
}

fn unusable_image(image: &str, message: &str) -> Failure {
    Failure::new(
        Exit::Image,
        format!("Its image {image} cannot be used: {}.", bare(message)),
        "Check the name, and that the image was built; if it is one of the platform's own, tell the operators.",
    )
}

/// `ImagePullBackOff` only says that it waits; the event before says why.
fn pull_message(scene: &Scene, pod: &Pod, message: &str) -> String {
    let failed = scene
        .events_of(&pod.metadata)
        .into_iter()
        .rev()
        .filter(|event| event.reason.as_deref() == Some("Failed"))
        .filter_map(|event| event.message.clone())
        .find(|message| message.contains("pull"));
    failed.unwrap_or_else(|| message.to_owned())
}

fn unmounted(scene: &Scene, pod: &Pod, age: Duration) -> Option<Failure> {
    if age < RETRY_PATIENCE {
        return None;
    }
    let last = scene.events_of(&pod.metadata).into_iter().next_back()?;
    let reason = last.reason.as_deref().unwrap_or_default();
    if !["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"].contains(&reason) {
        return None;
    }
    Some(unstartable(last.message.as_deref().unwrap_or(reason)))
}
