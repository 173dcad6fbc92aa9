//! Closed loops: so many workers, each with a connection of its own, each sending the next request when the last one
//! is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::try_join_all;

use crate::{
    client::{Call, Target},
    figures::percentile,
};

/// When a loop ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After so many requests.
    Sent(u64),
    /// After so long.
    Passed(Duration),
}

/// What a loop saw.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How long each request took.
    pub(crate) latencies: Vec<Duration>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Bytes of all answers.
    pub(crate) bytes: usize,
}

impl Outcome {
    /// Requests answered.
    pub(crate) fn count(&self) -> f64 {
        f64::from(u32::try_from(self.latencies.len()).unwrap_or(u32::MAX))
    }

    /// Requests answered in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.count() / self.elapsed.as_secs_f64()
    }

    /// The latency that this share of the requests did not exceed.
    pub(crate) fn percentile(&mut self, percent: usize) -> Duration {
        percentile(&mut self.latencies, percent)
    }
}

/// Runs a loop; `call` makes the request of each number.
pub(crate) async fn run(
    target: &Target,
    workers: usize,
    until: Until,
    call: impl Fn(u64) -> Call + Clone + Send + 'static,
) -> anyhow::Result<Outcome> {
    let mut connections = Vec::with_capacity(workers);
    for _ in 0..workers {
        connections.push(target.connect().await?);
    }
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let workers = connections.into_iter().map(|mut connection| {
        let (next, call) = (next.clone(), call.clone());
        tokio::spawn(async move {
            let (mut latencies, mut bytes) = (Vec::new(), 0);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let sent = Instant::now();
                let ended = match until {
                    Until::Sent(total) => number >= total,
                    Until::Passed(time) => sent - began >= time,
                };
                if ended {
                    return anyhow::Ok((latencies, bytes));
                }
                bytes += connection.drain(&call(number)).await?;
                latencies.push(sent.elapsed());
            }
        })
    });
    let mut outcome = Outcome {
        latencies: Vec::new(),
        elapsed: Duration::ZERO,
        bytes: 0,
    };
    for worker in try_join_all(workers).await? {
        let (latencies, bytes) = worker?;
        outcome.latencies.extend(latencies);
        outcome.bytes += bytes;
    }
    outcome.elapsed = began.elapsed();
    Ok(outcome)
}
