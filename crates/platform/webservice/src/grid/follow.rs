//! Follows a job until its URL answers or it is clear that it will not.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use toolforge_model::ToolName;

use super::{
    engine::Engine,
    queue::{Job, JobState},
};
use crate::{
    error::WebserviceError,
    exit::Exit,
    follow::{Following, Progress},
    url_check::UrlCheck,
};

/// How often Grid Engine is asked: it tells nobody of its own accord, and schedules every few seconds.
const LOOK: Duration = Duration::from_secs(1);
/// How often the URL is asked once the job runs.
const ASK: Duration = Duration::from_millis(200);
/// How long a job may wait for a place. It goes on waiting, and nobody looks at a spinner any more.
const PLACE_PATIENCE: Duration = Duration::from_mins(2);
/// How much of the log is shown.
const LOG_LINES: usize = 20;

/// A job that was submitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Submitted<'a> {
    pub(super) tool: &'a ToolName,
    pub(super) number: u64,
    pub(super) log: &'a Path,
    /// How long the log was before.
    pub(super) log_bytes: u64,
}

/// Waits until the job serves; the status that its URL answered with. Ctrl-C ends the waiting and nothing else.
pub(super) async fn until_it_serves(
    engine: Engine,
    submitted: Submitted<'_>,
    check: &UrlCheck,
    following: Following,
) -> Result<reqwest::StatusCode, WebserviceError> {
    let mut progress = Progress::begin(following.doing);
    tokio::select! {
        outcome = follow(engine, submitted, check, following.patience, &mut progress) => outcome,
        Ok(()) = tokio::signal::ctrl_c() => Err(WebserviceError::Interrupted),
    }
}

async fn follow(
    engine: Engine,
    submitted: Submitted<'_>,
    check: &UrlCheck,
    patience: Duration,
    progress: &mut Progress,
) -> Result<reqwest::StatusCode, WebserviceError> {
    let began = Instant::now();
    let mut runs_since = None;
    loop {
        let found = engine.find(submitted.tool).await?;
        let job = found
            .map(|(job, _)| job)
            .filter(|job| job.number == submitted.number);
        let Some(job) = job else {
            return Err(ended(submitted));
        };
        match job.state() {
            JobState::Broken => return Err(broken(engine, &job).await),
            JobState::Going => return Err(ended(submitted)),
            JobState::Waiting if began.elapsed() > PLACE_PATIENCE => {
                return Err(no_place(engine, submitted.number).await);
            }
            JobState::Waiting => {
                progress.say("waiting for a place on the grid");
                tokio::time::sleep(LOOK).await;
            }
            JobState::Running => {
                progress.say("the job runs, asking its URL");
                let since = *runs_since.get_or_insert_with(Instant::now);
                if let Some(status) = answered(check).await {
                    return Ok(status);
                }
                if since.elapsed() > patience {
                    return Err(silent(submitted, check, patience));
                }
            }
        }
        progress.tick();
    }
}

/// Asks the URL for as long as Grid Engine need not be asked.
async fn answered(check: &UrlCheck) -> Option<reqwest::StatusCode> {
    let began = Instant::now();
    while began.elapsed() < LOOK {
        match check.ask().await {
            Ok(answer) if !answer.is_in_place_of_the_tool => return Some(answer.status),
            _ => tokio::time::sleep(ASK).await,
        }
    }
    None
}

fn ended(submitted: Submitted<'_>) -> WebserviceError {
    let reason = format!("Its job, {}, has ended.", submitted.number);
    failed(
        Exit::Tool,
        &reason,
        &last_lines(submitted),
        "Mend what it says, then start it again.",
    )
}

async fn broken(engine: Engine, job: &Job) -> WebserviceError {
    let why = engine.error_reason(job.number).await;
    let why = why.unwrap_or_else(|| format!("`qstat -j {}` tells more", job.number));
    let reason = format!(
        "Its job, {}, cannot run (state {}): {why}.",
        job.number, job.letters
    );
    failed(
        Exit::Tool,
        &reason,
        &[],
        "Mend that, then say `webservice restart`.",
    )
}

async fn no_place(engine: Engine, number: u64) -> WebserviceError {
    let reason = format!(
        "After {} min its job, {number}, still waits for a place.",
        PLACE_PATIENCE.as_secs() / 60
    );
    let said = engine.scheduling(number).await;
    let next = "It goes on waiting; `webservice status` tells how it went. If nothing comes, ask the operators of the grid.";
    failed(Exit::Time, &reason, &said, next)
}

fn silent(submitted: Submitted<'_>, check: &UrlCheck, patience: Duration) -> WebserviceError {
    let lines = last_lines(submitted);
    let seconds = patience.as_secs();
    if lines
        .iter()
        .any(|line| line.starts_with(crate::runner::REGISTERED))
    {
        let reason = format!(
            "It is registered, and {} does not answer after {seconds} s.",
            check.url()
        );
        return failed(
            Exit::Url,
            &reason,
            &lines,
            "Its job runs on; `webservice stop` ends it.",
        );
    }
    let reason = format!("Its job runs, and nothing listens on $PORT after {seconds} s.");
    failed(
        Exit::NotListening,
        &reason,
        &lines,
        "Its job runs on; have it listen there, then say `webservice restart`.",
    )
}

fn failed(exit: Exit, reason: &str, lines: &[String], next: &str) -> WebserviceError {
    let mut text = format!("Your webservice does not come up. {reason}");
    for line in lines {
        text.push_str("\n    ");
        text.push_str(line);
    }
    WebserviceError::DoesNotServe {
        exit,
        sentence: format!("{text}\n{next}"),
    }
}

/// The end of what the log has more than before.
fn last_lines(submitted: Submitted<'_>) -> Vec<String> {
    let bytes = std::fs::read(submitted.log).unwrap_or_default();
    let from = usize::try_from(submitted.log_bytes).unwrap_or(0).min(bytes.len());
    let text = String::from_utf8_lossy(&bytes[from..]).into_owned();
    let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
}
