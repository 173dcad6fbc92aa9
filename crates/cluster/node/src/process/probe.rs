//! Runs a command inside a container, for a probe: same user, cgroup, folder and environment, with a time limit.

use std::{
    process::ExitStatus,
    sync::Arc,
    time::{Duration, Instant},
};

use toolforge_streams::Wanted;

use super::{
    command::{self, CommandLine},
    container::Running,
    ending::end_session,
    launch::{Launched, launch},
    spawner::Spawner,
    streams::{Followed, Streams},
};
use crate::runtime::ProbeOutcome;

/// How much of a probe's output is kept, in bytes; Kubernetes keeps as much.
const OUTPUT_BYTES: usize = 10 << 10;

/// A probe's command reads nothing.
const OUTPUTS: Wanted = Wanted {
    stdin: false,
    stdout: true,
    stderr: true,
    tty: false,
};

/// Runs the command; after `limit` it and what it started are killed.
pub(super) async fn run(
    spawner: &Spawner,
    running: Arc<Running>,
    command: &[String],
    limit: Duration,
) -> ProbeOutcome {
    let until = Instant::now() + limit;
    let Some((program, arguments)) = command.split_first() else {
        return failed("the probe has no command".to_owned());
    };
    let plan = &running.plan;
    let line = CommandLine {
        program: program.clone(),
        arguments: arguments.to_vec(),
        ..plan.line.clone()
    };
    let path = match command::find_program(&line) {
        Ok(path) => path,
        Err(error) => return failed(error.0),
    };
    let start = move || {
        launch(
            &line,
            &path,
            running.plan.credentials.as_ref(),
            running.cgroup.as_ref(),
            false,
            OUTPUTS,
        )
    };
    let launched = spawner
        .run(start, |unwanted| drop(finish(unwanted, Instant::now())))
        .await;
    let launched = match launched {
        Ok(launched) => launched,
        Err(error) => return failed(format!("exec: \"{program}\": {error}")),
    };
    let finished = tokio::task::spawn_blocking(move || finish(launched, until)).await;
    match finished {
        Ok(Ok((Some(status), output))) => ProbeOutcome {
            success: status.success(),
            output,
        },
        Ok(Ok((None, output))) => failed(format!("command timed out after {} s\n{output}", limit.as_secs())),
        Ok(Err(error)) => failed(format!("exec: \"{program}\": {error}")),
        Err(_) => failed("the node is ending".to_owned()),
    }
}

/// An outcome that only tells why.
pub(super) fn failed(output: String) -> ProbeOutcome {
    ProbeOutcome {
        success: false,
        output,
    }
}

/// Sees a command to its end; no status when that had to be forced.
fn finish(launched: Launched, until: Instant) -> std::io::Result<(Option<ExitStatus>, String)> {
    let Launched {
        mut child,
        pid,
        pidfd,
        ..
    } = launched;
    let mut kept = Vec::new();
    let mut keep = |_: bool, bytes: &[u8]| {
        let room = OUTPUT_BYTES - kept.len().min(OUTPUT_BYTES);
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    };
    let mut streams = Streams::of(&mut child, None);
    let followed = streams.follow(&pidfd, Some(until), &mut keep);
    if !matches!(followed, Ok(Followed::Ended)) {
        let _ = child.kill();
    }
    end_session(pid);
    streams.drain(&mut keep);
    let status = child.wait()?;
    let in_time = followed? == Followed::Ended;
    Ok((
        in_time.then_some(status),
        String::from_utf8_lossy(&kept).into_owned(),
    ))
}
