//! Webservices as jobs of Grid Engine (facts section 8): the job is the runner, which registers the tool's host with
//! the gateway for as long as it runs. What is submitted and what Grid Engine says of it are pure (`job`, `queue`);
//! `engine` runs its programs.

mod actions;
mod engine;
mod follow;
mod job;
mod queue;

pub(crate) use actions::{Grid, GridStatus};
pub(crate) use queue::{Job, JobState};
