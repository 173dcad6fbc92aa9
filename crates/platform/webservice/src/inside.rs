//! Runs a command in a container as if it ran here: its terminal, its streams, its exit code.

mod signals;
mod streams;
mod terminal;
mod verdict;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{AttachParams, AttachedProcess},
};

use crate::{error::WebserviceError, exit::Exit};

pub(crate) use signals::Signals;

/// What a command is when nothing else is said: a shell that reads what shells read at their start.
const SHELL: [&str; 2] = ["/bin/bash", "-il"];
/// How much of a stream may be under way, bytes.
const BUFFER: usize = 64 << 10;
/// What a program ends with that writes to nobody: 128 and the number of SIGPIPE.
const BROKEN_PIPE: u8 = 128 + 13;

/// The command to run: the one that is asked for, or a shell; told what kind of terminal it has.
pub(crate) fn command_or_shell(asked: &[String]) -> Vec<String> {
    let mut command = Vec::new();
    if terminal::is_here() {
        command.extend(["env".to_owned(), format!("TERM={}", terminal::term())]);
    }
    if asked.is_empty() {
        command.extend(SHELL.map(ToOwned::to_owned));
    } else {
        command.extend_from_slice(asked);
    }
    command
}

/// Where a command runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) pods: &'a Api<Pod>,
    pub(crate) pod: &'a str,
    pub(crate) container: &'a str,
}

/// Runs a command to its end, with a terminal where there is one here; its exit code.
pub(crate) async fn run(place: Place<'_>, command: Vec<String>) -> Result<u8, WebserviceError> {
    let terminal = terminal::is_here();
    let parameters = AttachParams {
        container: Some(place.container.to_owned()),
        stdin: true,
        stdout: true,
        // Of a terminal there is but one output.
        stderr: !terminal,
        tty: terminal,
        max_stdin_buf_size: Some(BUFFER),
        max_stdout_buf_size: Some(BUFFER),
        max_stderr_buf_size: Some(BUFFER),
    };
    let process = place
        .pods
        .exec(place.pod, command, &parameters)
        .await
        .map_err(WebserviceError::api("running a command in your Pod"))?;
    // Restored when this is dropped, however it ends.
    let raw = terminal
        .then(terminal::Raw::enter)
        .transpose()
        .map_err(no_terminal)?;
    let code = bring_together(process, raw.as_ref()).await;
    drop(raw);
    code
}

async fn bring_together(
    mut process: AttachedProcess,
    raw: Option<&terminal::Raw>,
) -> Result<u8, WebserviceError> {
    let (stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
    let status = process.take_status();
    let resize = process.terminal_size();
    let outputs = async {
        tokio::try_join!(
            streams::pass_out(stdout, tokio::io::stdout()),
            streams::pass_out(stderr, tokio::io::stderr()),
        )
    };
    let inputs = async {
        tokio::join!(streams::pass_in(stdin), terminal::pass_sizes(raw, resize));
        std::future::pending::<()>().await;
    };
    let passed = tokio::select! {
        passed = outputs => passed.map(drop),
        () = inputs => Ok(()),
    };
    match passed {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(BROKEN_PIPE),
        Err(source) => {
            return Err(WebserviceError::Output {
                doing: "passing on what the command says",
                source,
            });
        }
    }
    // All that was written has come before.
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    verdict::code_of(status.as_ref())
}

fn no_terminal(source: std::io::Error) -> WebserviceError {
    WebserviceError::Output {
        doing: "using your terminal",
        source,
    }
}

/// The connection to a command is gone, and nobody knows how it ended.
fn lost() -> WebserviceError {
    WebserviceError::DoesNotServe {
        exit: Exit::Api,
        sentence:
            "The connection to your Pod broke off, so how the command ended is not known. Say it again; \
                   `webservice status` shows whether the platform answers."
                .to_owned(),
    }
}
