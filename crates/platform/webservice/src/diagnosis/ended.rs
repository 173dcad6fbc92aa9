//! Processes that ended: crashes, too little memory, programs that are simply done.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use toolforge_standing::End;

use super::{Failure, probes, waiting};
use crate::{
    exit::Exit,
    scene::{Moment, Scene, container_status},
};

/// A process that has run for this long has got over the crash of the one before.
const RECOVERED: Duration = Duration::from_mins(1);

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
    let (reason, next) = match end(ended) {
        End::NotStarted => {
            return Some(waiting::unstartable(ended.message.as_deref().unwrap_or_default()));
        }
        End::OutOfMemory => (
            "It needs more memory than it may have, and was ended.".to_owned(),
            "Give it more with --mem, for example `webservice restart --mem 1Gi`.",
        ),
        End::Done => (
            "It ended by itself, and without an error; a webservice must go on running.".to_owned(),
            "Start a program that stays in the foreground and listens on the port that $PORT names.",
        ),
        _ => (
            format!("It crashed: {}.", how_it_ended(ended)),
            "`webservice logs` shows all that it printed; mend it, then say `webservice restart`.",
        ),
    };
    Some(Failure::new(Exit::Tool, reason, next).with_log(pod, previous))
}

/// How a process ended, in a few words.
pub(crate) fn how_it_ended(ended: &ContainerStateTerminated) -> String {
    match end(ended) {
        End::OutOfMemory => "out of memory".to_owned(),
        End::Signal(signal) => format!("ended by signal {signal}"),
        End::NotExecutable => "exit code 126, which says that the program may not be executed".to_owned(),
        End::NotFound => "exit code 127, which says that the program was not found".to_owned(),
        End::SignalCode(code, signal) => format!("exit code {code}, that is signal {signal}"),
        End::Done | End::NotStarted | End::Code(_) => format!("exit code {}", ended.exit_code),
    }
}

fn end(ended: &ContainerStateTerminated) -> End {
    End::of(
        ended.exit_code,
        ended.signal,
        ended.reason.as_deref().unwrap_or_default(),
    )
}
