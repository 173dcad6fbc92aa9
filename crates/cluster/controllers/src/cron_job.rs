//! `CronJobs`: Jobs at their times.

pub(crate) mod controller;
mod job;
mod plan;
mod starts;

#[cfg(test)]
mod tests;
