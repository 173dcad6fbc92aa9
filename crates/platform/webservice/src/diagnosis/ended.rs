//! Processes that ended: crashes, too little memory, programs that are simply done.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

use super::{Failure, probes, waiting};
use crate::{
    exit::Exit,
    scene::{Moment, Scene, container_status},
};

/// A process that has run for this long has got over the crash of the one before.
const RECOVERED: Duration = Duration::from_mins(1);
/// The exit code of what a signal ended is this plus the signal's number.
const SIGNALLED: i32 = 128;

/// Why the process of a Pod ended, when it did and is not back.
pub(super) fn crashed(scene: &Scene, pod: &Pod, moment: Moment) -> Option<Failure> {
    let status = container_status(pod)?;
    let state = status.state.as_ref();
    let running = state.and_then(|state| state.running.as_ref());
    let before = status
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    let now = state.and_then(|state| state.terminated.as_ref());
    let (ended, previous) = now
        .map(|ended| (ended, false))
        .or(before.map(|ended| (ended, true)))?;
    // Once up, or for long enough, a restart is not a failed start.
    let over =
        running.is_some_and(|running| status.ready || moment.since(running.started_at.as_ref()) >= RECOVERED);
    if over {
        return None;
    }
    if let Some(failure) = probes::killed(scene, pod) {
        return Some(failure.with_log(pod, previous));
    }
    if let Some("StartError" | "ContainerCannotRun") = ended.reason.as_deref() {
        return Some(waiting::unstartable(ended.message.as_deref().unwrap_or_default()));
    }
    let (reason, next) = if ended.reason.as_deref() == Some("OOMKilled") {
        (
            "It needs more memory than it may have, and was ended.".to_owned(),
            "Give it more with --mem, for example `webservice restart --mem 1Gi`.",
        )
    } else if ended.exit_code == 0 {
        (
            "It ended by itself, and without an error; a webservice must go on running.".to_owned(),
            "Start a program that stays in the foreground and listens on the port that $PORT names.",
        )
    } else {
        (
            format!("It crashed: {}.", how_it_ended(ended)),
            "`webservice logs` shows all that it printed; mend it, then say `webservice restart`.",
        )
    };
    Some(Failure::new(Exit::Tool, reason, next).with_log(pod, previous))
}

/// How a process ended, in a few words.
pub(crate) fn how_it_ended(ended: &ContainerStateTerminated) -> String {
    let code = ended.exit_code;
    if ended.reason.as_deref() == Some("OOMKilled") {
        return "out of memory".to_owned();
    }
    match (ended.signal, code) {
        (Some(signal), _) if signal > 0 => format!("ended by signal {signal}"),
        (_, 126) => "exit code 126, which says that the program may not be executed".to_owned(),
        (_, 127) => "exit code 127, which says that the program was not found".to_owned(),
        (_, code) if code > SIGNALLED && code < SIGNALLED + 64 => {
            format!("exit code {code}, that is signal {}", code - SIGNALLED)
        }
        (_, code) => format!("exit code {code}"),
    }
}
