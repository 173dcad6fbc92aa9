//! Pods that the cluster does not let in, or has no room for.

use std::time::Duration;

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};

use toolforge_standing::{bare, is_refusal, is_unschedulable};

use super::Failure;
use crate::{
    exit::Exit,
    scene::{Moment, Scene, is_going},
};

/// How long a full quota may last before it is believed: what a Pod gives back when it goes is counted a moment
/// later, and the controller tries again within that time.
const QUOTA_PATIENCE: Duration = Duration::from_secs(3);
/// How long Pods on their way out may take: their grace, Kubernetes' default, and time to tidy up.
const GOING_PATIENCE: Duration = Duration::from_secs(40);
/// How long other refusals may last, such as those of a guard that cannot be reached.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(10);
/// How long there may be no room: Pods that go make some, and clusters may add machines.
const ROOM_PATIENCE: Duration = Duration::from_secs(15);

/// Why the cluster refuses to create a Pod of the newest version.
pub(super) fn refused(scene: &Scene, moment: Moment) -> Option<Failure> {
    let (message, since) = set_refusal(scene).or_else(|| deployment_refusal(scene))?;
    let exit = Exit::of_refusal(message).unwrap_or(Exit::Admission);
    // What a Pod that goes takes is free again only when it has gone.
    let has_just_gone = moment.gone.is_some_and(|gone| gone < QUOTA_PATIENCE);
    if exit == Exit::Quota && has_just_gone {
        return None;
    }
    if exit == Exit::Quota && scene.own_pods().any(is_going) && moment.since(since) < GOING_PATIENCE {
        return None;
    }
    let patience = match exit {
        // The same guard says the same again.
        Exit::Admission => Duration::ZERO,
        // The limits of one container stay.
        Exit::Quota if !message.contains("quota") => Duration::ZERO,
        Exit::Quota => QUOTA_PATIENCE,
        _ => REFUSAL_PATIENCE,
    };
    (moment.since(since) >= patience).then(|| refusal(exit, message))
}

/// A refusal, in its own words.
pub(crate) fn refusal(exit: Exit, message: &str) -> Failure {
    let message = bare(message);
    match exit {
        Exit::Quota if message.contains("minimum ") => Failure::new(
            exit,
            format!("Your tool's limits do not allow it: {message}."),
            "Ask for more with --mem or --cpu, or leave them out.",
        ),
        Exit::Quota => Failure::new(
            exit,
            format!("Your tool's quota does not allow it: {message}."),
            "Ask for less with --mem, --cpu or --replicas, or stop something else; `kubectl describe quota` shows what is used.",
        ),
        Exit::Api => Failure::new(
            exit,
            format!("The cluster cannot create its Pod: {message}."),
            "Try again in a minute; if it stays so, tell the platform's operators.",
        ),
        _ => Failure::new(
            exit,
            format!("The platform's guards do not let it in: {message}."),
            "Change what the message names, then say `webservice restart`.",
        ),
    }
}

fn set_refusal(scene: &Scene) -> Option<(&str, Option<&Time>)> {
    let conditions = scene.newest_set()?.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions
        .iter()
        .find(|one| is_refusal(one.type_.as_deref(), one.status.as_deref()))?;
    let since = condition.last_transition_time.as_ref();
    Some((condition.message.as_deref()?, since))
}

fn deployment_refusal(scene: &Scene) -> Option<(&str, Option<&Time>)> {
    scene.newest_set()?;
    let conditions = scene.deployment.as_ref()?.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions
        .iter()
        .find(|one| is_refusal(one.type_.as_deref(), one.status.as_deref()))?;
    let since = condition.last_transition_time.as_ref();
    Some((condition.message.as_deref()?, since))
}

/// Why no machine takes a Pod.
pub(super) fn homeless(newest: &[&Pod], moment: Moment) -> Option<Failure> {
    newest.iter().find_map(|pod| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let condition = conditions.iter().find(|condition| {
            is_unschedulable(&condition.type_, &condition.status, condition.reason.as_deref())
        })?;
        if moment.since(condition.last_transition_time.as_ref()) < ROOM_PATIENCE {
            return None;
        }
        let message = bare(condition.message.as_deref().unwrap_or("no machine takes it"));
        // The scheduler's word for what there is too little of; all else, no tool can change.
        let next = if message.contains("Insufficient") {
            "Ask for less with --mem or --cpu, or wait until there is room: it goes on trying by itself."
        } else {
            "It goes on trying by itself; if it stays so, tell the platform's operators."
        };
        Some(Failure::new(
            Exit::Time,
            format!("There is no room for it: {message}."),
            next,
        ))
    })
}
