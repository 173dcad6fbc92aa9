//! What `webservice` does with a job.

use std::time::{Duration, Instant};

use toolforge_model::ToolName;

use super::{
    engine::Engine,
    follow::{self, Submitted},
    job::{self, Submission},
    queue::{Job, JobState},
};
use crate::{
    error::WebserviceError, exit::Exit, follow::Following, session::Session, settings::Settings,
    types::check_home, url_check::UrlCheck,
};

/// A minute is what queues leave between the word and SIGKILL unless told otherwise; then it must be gone.
const GONE_PATIENCE: Duration = Duration::from_secs(75);
const LOOK: Duration = Duration::from_millis(250);

/// The webservices of one tool on a grid.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    engine: Engine,
    session: &'a Session,
}

/// How a webservice on a grid is.
#[derive(Debug, Clone)]
pub(crate) struct GridStatus {
    pub(crate) kind: &'static str,
    pub(crate) job: Job,
    /// Why it has an error, if it has.
    pub(crate) problem: Option<String>,
}

impl<'a> Grid<'a> {
    pub(crate) fn of(session: &'a Session) -> Self {
        Self {
            engine: Engine,
            session,
        }
    }

    /// What is there of it.
    pub(crate) async fn look(&self) -> Result<Option<GridStatus>, WebserviceError> {
        let Some((job, kind)) = self.engine.find(&self.session.tool).await? else {
            return Ok(None);
        };
        let problem = match job.state() {
            JobState::Broken => self.engine.error_reason(job.number).await,
            _ => None,
        };
        Ok(Some(GridStatus { kind, job, problem }))
    }

    /// What keeps a job for these settings from running, whatever Grid Engine has.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), WebserviceError> {
        let kind = settings.kind.as_deref().unwrap_or_default();
        job::queue(kind)?;
        check_home(kind, &self.session.home, &settings.extra)
    }

    /// Submits a job for these settings, and follows it where `following` says how.
    pub(crate) async fn start(
        &self,
        settings: &Settings,
        check: &UrlCheck,
        following: Option<Following>,
    ) -> Result<Option<reqwest::StatusCode>, WebserviceError> {
        let Session { tool, home, .. } = self.session;
        let kind = settings.kind.as_deref().unwrap_or_default();
        self.check(settings)?;
        let program = std::env::current_exe().map_err(WebserviceError::Start)?;
        let log = home.join("error.log");
        let log_bytes = log.metadata().map_or(0, |log| log.len());
        let submission = Submission {
            tool,
            home,
            kind,
            memory: &job::memory(home, tool)?,
            release: settings.release.as_deref(),
            extra: &settings.extra,
            program: &program.to_string_lossy(),
        };
        let number = self.engine.submit(&submission).await?;
        let Some(following) = following else {
            return Ok(None);
        };
        let submitted = Submitted {
            tool,
            number,
            log: &log,
            log_bytes,
        };
        follow::until_it_serves(self.engine, submitted, check, following)
            .await
            .map(Some)
    }

    /// Has the job end, and waits until it has; whether there was one.
    pub(crate) async fn stop(&self, began: impl FnOnce()) -> Result<bool, WebserviceError> {
        let Some((job, _)) = self.engine.find(&self.session.tool).await? else {
            return Ok(false);
        };
        began();
        self.engine.delete(job.number).await?;
        self.until_gone(&self.session.tool, job.number).await?;
        Ok(true)
    }

    async fn until_gone(&self, tool: &ToolName, number: u64) -> Result<(), WebserviceError> {
        let began = Instant::now();
        while let Some((job, _)) = self.engine.find(tool).await? {
            if job.number != number {
                return Ok(());
            }
            if began.elapsed() > GONE_PATIENCE {
                return Err(WebserviceError::DoesNotServe {
                    exit: Exit::Time,
                    sentence: format!(
                        "Its job, {number}, is still there after {} s. `qdel -f {number}` removes it; if not, tell the operators of the grid.",
                        GONE_PATIENCE.as_secs()
                    ),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}
