//! The actions on a webservice that runs, or is to run, on a grid; each of the others comes here when that is so.

use std::{
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    time::Duration,
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{
    intent::{self, Intent},
    status::told,
};
use crate::{
    cli::{FollowArgs, LogsArgs, OutputArgs, StartArgs},
    error::WebserviceError,
    exit::Exit,
    follow::Following,
    grid::{Grid, GridStatus, Job, JobState},
    platform::Platform,
    report::{Measure, Problem, Report, State},
    session::Session,
    url_check::UrlCheck,
};

/// How often the log is looked at for more.
const LOOK: Duration = Duration::from_millis(250);

pub(super) async fn start(
    session: &Session,
    intent: &Intent,
    arguments: &StartArgs,
) -> Result<(), WebserviceError> {
    // What can be said without a grid is said first.
    check(arguments)?;
    let grid = Grid::of(session);
    grid.check(&intent.resolve_grid()?)?;
    if grid.look().await?.is_some() {
        return Err(WebserviceError::AlreadyRunning);
    }
    bring(session, intent, "Starting webservice", arguments.follow).await
}

pub(super) async fn restart(
    session: &Session,
    intent: &Intent,
    arguments: &StartArgs,
) -> Result<(), WebserviceError> {
    // Before anything is ended.
    check(arguments)?;
    let grid = Grid::of(session);
    grid.check(&intent.resolve_grid()?)?;
    let was_there = grid
        .stop(|| {
            anstream::eprintln!(
                "Its job ends before a new one begins; until then its URL says that it is not running."
            );
        })
        .await?;
    if was_there {
        return bring(session, intent, "Restarting", arguments.follow).await;
    }
    anstream::eprintln!("Your job is not running, starting");
    bring(session, intent, "Starting webservice", arguments.follow).await
}

/// What no setting is, and a job cannot have.
fn check(arguments: &StartArgs) -> Result<(), WebserviceError> {
    if arguments.env.is_empty() {
        return Ok(());
    }
    Err(WebserviceError::Precondition(
        "--env is only for --backend=kubernetes".to_owned(),
    ))
}

async fn bring(
    session: &Session,
    intent: &Intent,
    words: &'static str,
    arguments: FollowArgs,
) -> Result<(), WebserviceError> {
    let settings = intent.resolve_grid()?;
    let kind = settings.kind.clone().unwrap_or_default();
    let platform = Platform::read(&session.client).await?;
    if platform.register_url.is_none() && platform.register_lines.is_none() {
        return Err(WebserviceError::Precondition(
            "this platform leads no visitors to webservices on a grid; use --backend=kubernetes, or ask its operators to \
             have the gateway take registrations"
                .to_owned(),
        ));
    }
    let check = UrlCheck::new(&platform, &session.tool)?;
    let following = (!arguments.no_wait).then(|| Following {
        doing: words,
        patience: arguments.patience(),
    });
    if following.is_none() {
        anstream::println!("{words}...");
    }
    let grid = Grid::of(session);
    let started = grid.start(&settings, &check, following).await;
    // Also of a job that does not come up: it is there, and it is what `restart` is for.
    if !matches!(started, Err(WebserviceError::NoGrid(_))) {
        intent::record(&session.home, &settings);
    }
    match started? {
        None => anstream::println!("Your webservice of type {kind} will be at {}", check.url()),
        Some(status) => {
            anstream::println!("Your webservice of type {kind} is running at {}", check.url());
            if status.is_client_error() || status.is_server_error() {
                anstream::eprintln!("It answers with {status}; `webservice logs` shows what it printed.");
            }
        }
    }
    Ok(())
}

/// Whether there was anything to stop. Nothing runs on a grid that is not there.
pub(super) async fn stop(session: &Session) -> Result<bool, WebserviceError> {
    let stopped = Grid::of(session)
        .stop(|| anstream::println!("Stopping webservice..."))
        .await;
    match stopped {
        Err(WebserviceError::NoGrid(_)) => Ok(false),
        stopped => stopped,
    }
}

pub(super) async fn status(session: &Session, arguments: OutputArgs) -> Result<(), WebserviceError> {
    let found = Grid::of(session).look().await?;
    let platform = Platform::read(&session.client).await?;
    let report = report(session, platform.url_of(&session.tool), found.as_ref());
    if let Some(format) = arguments.output {
        return format.print(&report);
    }
    anstream::print!("{}", told(&report, Timestamp::now()));
    Ok(())
}

fn report(session: &Session, url: String, found: Option<&GridStatus>) -> Report {
    let job = found.map(|found| &found.job);
    let state = job.map(Job::state);
    let problem = found.filter(|_| state == Some(JobState::Broken)).map(|found| {
        let job = &found.job;
        let why = found.problem.clone();
        let why = why.unwrap_or_else(|| format!("`qstat -j {}` tells more", job.number));
        Problem {
            exit_code: Exit::Tool.code(),
            reason: format!(
                "Its job, {}, cannot run (state {}): {why}.",
                job.number, job.letters
            ),
            next: "Mend that, then say `webservice restart`.".to_owned(),
        }
    });
    Report {
        tool: session.tool.to_string(),
        state: match state {
            None => State::Stopped,
            Some(JobState::Running) => State::Running,
            Some(JobState::Waiting | JobState::Going) => State::Starting,
            Some(JobState::Broken) => State::Failed,
        },
        kind: found.map(|found| found.kind.to_owned()),
        backend: "gridengine",
        url,
        since: job.and_then(|job| when(job.since.as_deref()?)),
        replicas_wanted: i32::from(found.is_some()),
        replicas_ready: i32::from(state == Some(JobState::Running)),
        restarts: 0,
        cpu: Measure::default(),
        memory: Measure::default(),
        older_version_serves: false,
        now: match state {
            Some(JobState::Waiting) => Some("waiting for a place on the grid"),
            Some(JobState::Going) => Some("ending"),
            _ => None,
        },
        problem,
        last_error: None,
        differs_from_manifest: Vec::new(),
    }
}

/// Grid Engine's times are those of the machine's zone.
fn when(text: &str) -> Option<Timestamp> {
    let time: DateTime = text.parse().ok()?;
    Some(time.to_zoned(TimeZone::system()).ok()?.timestamp())
}

/// `~/error.log`, which has all that the job prints.
pub(super) async fn logs(session: &Session, arguments: &LogsArgs) -> Result<(), WebserviceError> {
    if arguments.since.is_some() || arguments.previous {
        let option = if arguments.previous {
            "--previous"
        } else {
            "--since"
        };
        return Err(WebserviceError::Precondition(format!(
            "{option} is only for --backend=kubernetes; on the grid ~/error.log has everything, without times"
        )));
    }
    let path = session.home.join("error.log");
    let broken = |error: std::io::Error| {
        WebserviceError::Failed(format!("{} cannot be read: {error}", path.display()))
    };
    let mut file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            anstream::println!("No logs found!");
            return Ok(());
        }
        Err(error) => return Err(broken(error)),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(broken)?;
    if bytes.is_empty() && !arguments.follow {
        anstream::println!("No logs found!");
    }
    if !print(last(&bytes, arguments.last)) || !arguments.follow {
        return Ok(());
    }
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let here = file.stream_position().map_err(broken)?;
        // One that has been emptied begins anew.
        if file.metadata().map_err(broken)?.len() < here {
            file.seek(SeekFrom::Start(0)).map_err(broken)?;
        }
        bytes.clear();
        file.read_to_end(&mut bytes).map_err(broken)?;
        if !print(&bytes) {
            return Ok(());
        }
    }
}

/// Whether anybody still reads it.
fn print(bytes: &[u8]) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).is_ok()
}

/// The last lines, or all.
fn last(bytes: &[u8], lines: Option<u32>) -> &[u8] {
    let Some(lines) = lines.and_then(|lines| usize::try_from(lines).ok()) else {
        return bytes;
    };
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let ends = whole.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    match ends.map(|(at, _)| at).nth(lines.saturating_sub(1)) {
        _ if lines == 0 => &[],
        Some(at) => &bytes[at + 1..],
        None => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::last;

    #[test]
    fn the_last_lines_are_whole_lines() {
        for (lines, expected) in [
            (None, "a\nb\nc\n"),
            (Some(0), ""),
            (Some(1), "c\n"),
            (Some(2), "b\nc\n"),
            (Some(3), "a\nb\nc\n"),
            (Some(9), "a\nb\nc\n"),
        ] {
            assert_eq!(last(b"a\nb\nc\n", lines), expected.as_bytes(), "{lines:?}");
        }
        assert_eq!(last(b"a\nb", Some(1)), b"b");
    }
}
