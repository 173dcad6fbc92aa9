//! Grid Engine's own programs, run.

use std::{io, process::Stdio, time::Duration};

use tokio::process::Command;
use toolforge_model::ToolName;

use super::{
    job::{self, Submission},
    queue::{self, Job},
};
use crate::{error::WebserviceError, exit::Exit};

/// A master that does not answer within this time is in trouble.
const PATIENCE: Duration = Duration::from_secs(30);
/// How `qdel` says that a job is not there; it ends with 1 for everything that goes wrong.
const NOT_THERE: &str = "does not exist";

/// Grid Engine, as this machine reaches it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Engine;

impl Engine {
    /// Submits a job; its number.
    pub(super) async fn submit(self, submission: &Submission<'_>) -> Result<u64, WebserviceError> {
        let arguments = job::arguments(submission)?;
        let said = run("qsub", &arguments).await?.printed("qsub")?;
        // Warnings come before it.
        let number = said
            .lines()
            .filter_map(|line| line.trim().parse().ok())
            .next_back();
        number.ok_or_else(|| trouble(&format!("qsub named no job; it said {said:?}")))
    }

    /// The webservice of this tool with its type, if there is one. Of several, one that is not going.
    pub(crate) async fn find(self, tool: &ToolName) -> Result<Option<(Job, &'static str)>, WebserviceError> {
        let said = run("qstat", &["-xml".to_owned()]).await?.printed("qstat")?;
        let jobs =
            queue::jobs(&said).map_err(|error| trouble(&format!("qstat cannot be understood: {error}")))?;
        let own = jobs.into_iter().filter_map(|job| {
            let kind = job::kind_of(&job.name, tool)?;
            Some((job, kind))
        });
        Ok(own.min_by_key(|(job, _)| (job.state() == queue::JobState::Going, job.number)))
    }

    /// Has a job end; one that has ended is well.
    pub(crate) async fn delete(self, number: u64) -> Result<(), WebserviceError> {
        let ended = run("qdel", &[number.to_string()]).await?;
        if [&ended.said, &ended.complaint]
            .iter()
            .any(|text| text.contains(NOT_THERE))
        {
            return Ok(());
        }
        ended.printed("qdel").map(drop)
    }

    /// Why a job has an error.
    pub(super) async fn error_reason(self, number: u64) -> Option<String> {
        queue::error_reason(&self.explain(number).await?)
    }

    /// What the scheduler says of it.
    pub(super) async fn scheduling(self, number: u64) -> Vec<String> {
        let text = self.explain(number).await.unwrap_or_default();
        queue::scheduling(&text)
    }

    async fn explain(self, number: u64) -> Option<String> {
        let words = ["-j".to_owned(), number.to_string()];
        run("qstat", &words).await.ok()?.printed("qstat").ok()
    }
}

/// How a program ended.
struct Ended {
    is_well: bool,
    said: String,
    complaint: String,
}

impl Ended {
    /// What it printed, if it went well; else what it complained of.
    fn printed(self, program: &str) -> Result<String, WebserviceError> {
        if self.is_well {
            return Ok(self.said);
        }
        let complaint = if self.complaint.trim().is_empty() {
            self.said
        } else {
            self.complaint
        };
        let complaint: Vec<&str> = complaint
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && *line != "Exiting.")
            .collect();
        Err(trouble(&format!("{program} says: {}", complaint.join(" "))))
    }
}

async fn run(program: &str, arguments: &[String]) -> Result<Ended, WebserviceError> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .map_err(|_| {
            trouble(&format!(
                "{program} does not answer within {} s",
                PATIENCE.as_secs()
            ))
        })?
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => WebserviceError::NoGrid(program.to_owned()),
            _ => trouble(&format!("{program} cannot be run: {error}")),
        })?;
    Ok(Ended {
        is_well: output.status.success(),
        said: String::from_utf8_lossy(&output.stdout).into_owned(),
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn trouble(what: &str) -> WebserviceError {
    WebserviceError::DoesNotServe {
        exit: Exit::Api,
        sentence: format!(
            "Grid Engine does not do it: {what}.\nTry again in a minute; if it stays so, tell the operators of the grid."
        ),
    }
}
