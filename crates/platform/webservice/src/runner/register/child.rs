//! The runner that runs the tool, as a process below this one.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::Command;

/// The parent of a runner that is to end with it.
const PARENT: &str = "WEBSERVICE_RUNNER_PARENT";
/// How long a tool may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The process.
pub(super) struct Child {
    process: tokio::process::Child,
}

impl Child {
    /// Starts it, in a group of its own: what the grid announces to this group must not end the tool.
    pub(super) fn start(arguments: &[OsString], port: u16) -> Result<Self, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
        let process = Command::new(&program)
            // Whatever the file is called.
            .arg0("toolforge")
            .arg("webservice-runner")
            .args(arguments)
            .env("PORT", port.to_string())
            .env(PARENT, std::process::id().to_string())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        Ok(Self { process })
    }

    /// Its end, with its code.
    pub(super) async fn ended(&mut self) -> ExitCode {
        match self.process.wait().await {
            Ok(status) => code_of(status),
            Err(_) => ExitCode::FAILURE,
        }
    }

    /// Ends it, however it takes it.
    pub(super) async fn stop(&mut self) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(PATIENCE, self.process.wait()).await.is_err() {
            self.signal(Signal::KILL);
            let _ = self.process.wait().await;
        }
    }

    fn signal(&self, signal: Signal) {
        // One that has ended has no number any more.
        let group = self
            .process
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        // The runner passes on what it is told: by its group the tool would be told twice.
        let _ = match group {
            Some(group) if signal == Signal::KILL => kill_process_group(group, signal),
            Some(process) => kill_process(process, signal),
            None => Ok(()),
        };
    }
}

/// In a runner below another: ends when that one ends, even by SIGKILL.
pub(crate) fn end_with_parent() -> std::io::Result<()> {
    let Some(parent) = std::env::var(PARENT).ok().and_then(|parent| parent.parse().ok()) else {
        return Ok(());
    };
    if rustix::process::getppid()
        .map(Pid::as_raw_nonzero)
        .map(std::num::NonZero::get)
        != Some(parent)
    {
        // Another runner somewhere below a tool, or one whose parent has ended already: the first lives on.
        return Ok(());
    }
    Ok(rustix::process::set_parent_process_death_signal(Some(
        Signal::TERM,
    ))?)
}

fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
