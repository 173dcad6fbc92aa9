//! The running parts of the platform: started one after the other, stopped in an order in which nobody
//! misses what it still needs.

use std::{fmt, future::Future};

use anyhow::{Context as _, anyhow};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// When a part is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// At once: whoever brings work in, or runs tools.
    First,
    /// When all of the first have ended: the API and the directory, which the others need to end well.
    Last,
}

/// Parts that run, each until it is told to stop.
pub(super) struct Parts {
    running: JoinSet<(&'static str, anyhow::Result<()>)>,
    first: CancellationToken,
    last: CancellationToken,
    firsts: usize,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

impl Parts {
    pub(super) fn new() -> Self {
        Self {
            running: JoinSet::new(),
            first: CancellationToken::new(),
            last: CancellationToken::new(),
            firsts: 0,
        }
    }

    /// Starts a part; it is handed the token that will tell it to stop.
    pub(super) fn start<F, E>(
        &mut self,
        name: &'static str,
        stop: Stop,
        part: impl FnOnce(CancellationToken) -> F,
    ) where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error> + Send + 'static,
    {
        let token = match stop {
            Stop::First => self.first.clone(),
            Stop::Last => self.last.clone(),
        };
        self.firsts += usize::from(stop == Stop::First);
        let running = part(token);
        self.running
            .spawn(async move { (name, running.await.map_err(Into::into)) });
    }

    /// Waits for the first part that ends though nobody told it to: that is an error, whatever it says.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
        match self.running.join_next().await {
            None => anyhow!("nothing is running"),
            Some(ended) => {
                self.firsts = self.firsts.saturating_sub(1);
                unexpected(ended)
            }
        }
    }

    /// Tells all parts to stop and waits until they have. Answers the first error.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        self.first.cancel();
        while self.firsts > 0 {
            let Some(ended) = self.running.join_next().await else {
                break;
            };
            self.firsts -= 1;
            outcome = outcome.and(stopped(ended));
        }
        self.last.cancel();
        while let Some(ended) = self.running.join_next().await {
            outcome = outcome.and(stopped(ended));
        }
        outcome
    }
}

type Ended = Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>;

fn unexpected(ended: Ended) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow!("the {name} ended by itself"),
        Ok((name, Err(error))) => error.context(format!("the {name} failed")),
        Err(error) => anyhow!(error).context("a part of the platform broke"),
    }
}

fn stopped(ended: Ended) -> anyhow::Result<()> {
    let (name, outcome) = ended.context("a part of the platform broke")?;
    tracing::info!(part = name, "stopped");
    outcome.with_context(|| format!("the {name} did not stop well"))
}
