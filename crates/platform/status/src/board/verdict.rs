//! Is a tool up, and if not, why: in one sentence, judged from what the cluster says of it. Pure.

use std::borrow::Cow;

use serde::Serialize;
use toolforge_standing::{End, Refusal, Waiting, bare, is_unschedulable};

use crate::board::seen::{ContainerState, PodSeen, Role, ServiceSeen, WorkloadSeen};
use crate::board::world::{World, on};

/// How a namespace is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    pub(crate) standing: Standing,
    /// One sentence, for everybody.
    pub(crate) sentence: Cow<'static, str>,
}

/// The same in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Standing {
    /// Visitors are not served though they should be.
    Down,
    /// They are, but not as it should be.
    Impaired,
    /// On its way up.
    Starting,
    /// All is as it should be.
    Up,
    /// Something runs, but nothing is offered to visitors.
    NoWebservice,
    /// Nothing runs, and nothing should.
    Idle,
}

impl Standing {
    /// As pages write it; colour alone tells nobody.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Impaired => "impaired",
            Self::Starting => "starting",
            Self::Up => "up",
            Self::NoWebservice => "no webservice",
            Self::Idle => "idle",
        }
    }

    /// As the style sheet knows it.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::NoWebservice => "no-webservice",
            other => other.word(),
        }
    }
}

fn verdict(standing: Standing, sentence: impl Into<Cow<'static, str>>) -> Verdict {
    Verdict {
        standing,
        sentence: sentence.into(),
    }
}

/// Of a namespace in which nothing is.
pub(crate) const IDLE: Verdict = Verdict {
    standing: Standing::Idle,
    sentence: Cow::Borrowed("Idle: it has no webservice, and nothing of it runs."),
};

/// Judges a namespace.
pub(crate) fn judge(world: &World, namespace: &str) -> Verdict {
    let offered: Vec<&ServiceSeen> = on(&world.ingresses, namespace)
        .flat_map(|ingress| &ingress.rules)
        .filter_map(|rule| world.services.get(namespace)?.get(&rule.service))
        .collect();
    if let Some(broken) = missing_service(world, namespace) {
        return verdict(Standing::Down, broken);
    }
    if offered.is_empty() {
        return without_webservice(world, namespace);
    }
    let behind: Vec<&PodSeen> = on(&world.pods, namespace)
        .filter(|pod| {
            offered
                .iter()
                .any(|service| pod.meta.is_selected_by(&service.selector))
        })
        .collect();
    // A Service without selector leads where somebody else says.
    if behind.is_empty() && offered.iter().any(|service| service.selector.is_empty()) {
        return verdict(
            Standing::Up,
            "Up: visitors are led to an address outside of its Pods.",
        );
    }
    let wanted = on(&world.deployments, namespace).find(|deployment| serves(deployment, &offered));
    of_webservice(wanted, &behind)
}

/// An Ingress that leads nowhere.
fn missing_service(world: &World, namespace: &str) -> Option<String> {
    on(&world.ingresses, namespace).find_map(|ingress| {
        let rule = ingress.rules.iter().find(|rule| {
            let services = world.services.get(namespace);
            !rule.service.is_empty() && services.is_none_or(|services| !services.contains_key(&rule.service))
        })?;
        Some(format!(
            "Down: Ingress {} leads to the Service {}, which is not there.",
            ingress.meta.name, rule.service
        ))
    })
}

/// Whether the Pods of a Deployment stand behind one of these Services; they have at least its labels.
fn serves(deployment: &WorkloadSeen, services: &[&ServiceSeen]) -> bool {
    services
        .iter()
        .any(|service| deployment.meta.is_selected_by(&service.selector))
}

fn without_webservice(world: &World, namespace: &str) -> Verdict {
    let running = on(&world.pods, namespace)
        .filter(|pod| pod.phase == "Running")
        .count();
    let schedules = on(&world.cron_jobs, namespace).count();
    match (running, schedules) {
        (0, 0) => IDLE,
        (0, schedules) => verdict(
            Standing::NoWebservice,
            format!(
                "It has no webservice; {} {} Jobs for it.",
                schedules,
                plural(schedules, "schedule starts", "schedules start")
            ),
        ),
        (running, _) => verdict(
            Standing::NoWebservice,
            format!(
                "It has no webservice; {running} {} of it {}.",
                plural(running, "Pod", "Pods"),
                plural(running, "runs", "run")
            ),
        ),
    }
}

fn of_webservice(wanted: Option<&WorkloadSeen>, pods: &[&PodSeen]) -> Verdict {
    let ready = pods.iter().filter(|pod| pod.ready && !pod.meta.deleting).count();
    let replicas = wanted.map_or(pods.len(), |wanted| usize::try_from(wanted.wanted).unwrap_or(0));
    if replicas == 0 && ready == 0 {
        return verdict(Standing::Down, "Down: its webservice is scaled to 0 replicas.");
    }
    let reason = refusal(wanted).or_else(|| pods.iter().find_map(|pod| trouble(pod)));
    let answers = format!(
        "{ready} of {replicas} {}",
        plural(replicas, "replica", "replicas")
    );
    match (ready, reason) {
        (0, Some(Trouble::Lasting(why))) => verdict(Standing::Down, format!("Down: {why}.")),
        (0, Some(Trouble::Passing(why))) => verdict(Standing::Starting, format!("Starting: {why}.")),
        (0, None) if pods.is_empty() => verdict(
            Standing::Down,
            "Down: no Pod stands behind its Service, so nothing can answer.",
        ),
        (0, None) => verdict(Standing::Starting, "Starting: its Pods do not answer yet."),
        (ready, Some(Trouble::Lasting(why))) if ready < replicas => verdict(
            Standing::Impaired,
            format!("Up, but only {answers} answer: {why}."),
        ),
        // While a new version takes the place of the old one, visitors notice nothing.
        (_, Some(Trouble::Lasting(why))) => verdict(
            Standing::Impaired,
            format!("Up: {answers} answer; but of another Pod: {why}."),
        ),
        (ready, _) if ready < replicas => verdict(
            Standing::Starting,
            format!("Up: {answers} answer, the others are starting."),
        ),
        (ready, _) => verdict(
            Standing::Up,
            format!(
                "Up: {ready} {} {}.",
                plural(ready, "replica", "replicas"),
                plural(ready, "answers", "answer")
            ),
        ),
    }
}

/// What is wrong, and whether it passes by itself.
enum Trouble {
    Lasting(String),
    Passing(String),
}

/// Pods that the API does not let be made.
fn refusal(wanted: Option<&WorkloadSeen>) -> Option<Trouble> {
    let message = wanted?.refusal.as_deref()?;
    Some(Trouble::Lasting(match Refusal::of(message) {
        Some(quota @ Refusal::Quota) => {
            format!(
                "its quota has no room for its Pods ({})",
                bare(quota.reason(message))
            )
        }
        Some(other) => format!("its Pods are refused: {}", bare(other.reason(message))),
        None => format!("its Pods are refused: {}", bare(message)),
    }))
}

fn trouble(pod: &PodSeen) -> Option<Trouble> {
    if pod.meta.deleting || pod.ready {
        return None;
    }
    let unschedulable = pod
        .conditions
        .iter()
        .find(|condition| is_unschedulable(&condition.kind, &condition.status, Some(&condition.reason)));
    if let Some(condition) = unschedulable {
        return Some(Trouble::Lasting(format!(
            "no node has room for it ({})",
            bare(&condition.message)
        )));
    }
    let mut containers = pod
        .containers
        .iter()
        .filter(|container| container.role != Role::Ephemeral && !container.ready);
    let container = containers.next()?;
    match &container.state {
        ContainerState::Waiting { reason, message } => Some(waiting(
            reason,
            message,
            &container.image,
            container.last_state.as_ref(),
        )),
        ContainerState::Ended { code, reason, .. } if container.role == Role::Main => {
            Some(Trouble::Lasting(ended(*code, reason)))
        }
        ContainerState::Ended { .. } => None,
        ContainerState::Running { .. } => match &container.last_state {
            Some(ContainerState::Ended { code, reason, .. }) if container.restarts > 0 => {
                Some(Trouble::Lasting(format!(
                    "{}, and it does not answer yet since it was started again",
                    ended(*code, reason)
                )))
            }
            _ => Some(Trouble::Passing(
                "it runs, but nothing answers on its port or its health check yet".to_owned(),
            )),
        },
    }
}

fn waiting(reason: &str, message: &str, image: &str, last: Option<&ContainerState>) -> Trouble {
    Trouble::Lasting(match (Waiting::of(reason, message), last) {
        (Waiting::CrashLoop, Some(ContainerState::Ended { code, reason, .. })) => {
            format!("{}, again and again", ended(*code, reason))
        }
        (Waiting::CrashLoop, _) => "its program ends again and again".to_owned(),
        (Waiting::NoImage | Waiting::ImageRefused | Waiting::ImageBackOff, _) => {
            format!("its image {image} cannot be had ({reason})")
        }
        (Waiting::Unstartable, _) => format!("its container cannot be made ({})", bare(message)),
        (Waiting::Creating | Waiting::Other, _) => {
            return Trouble::Passing("its container is being made".to_owned());
        }
    })
}

/// How a program came to its end.
fn ended(code: i32, reason: &str) -> String {
    match End::of(code, None, reason) {
        End::OutOfMemory => "its program took more memory than its limit and was ended".to_owned(),
        End::Done => "its program ended by itself, without an error".to_owned(),
        End::NotStarted => "its program could not be started".to_owned(),
        End::NotExecutable => "its program may not be executed (exit code 126)".to_owned(),
        End::NotFound => "its program was not found (exit code 127)".to_owned(),
        End::SignalCode(code, signal) => {
            format!("its program ended with exit code {code}, that is signal {signal}")
        }
        End::Signal(_) | End::Code(_) => format!("its program ended with exit code {code}"),
    }
}

fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests;
