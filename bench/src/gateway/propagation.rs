//! How long a changed endpoint takes to be in effect: from the API's saying so until a request is answered by the new one.
//!
//! The beginning is the earliest that anybody but the gateway can know of the change: its event on another watch, or the
//! answer to its write. The end is the end of the first answer by the new endpoint, asked for without a pause.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    cluster::{Cluster, change},
    events::Events,
    ours,
    proxy::{Doors, Proxy},
    stage::{Groups, Stage},
    wire::{Ask, Way, Wire},
};
use crate::{
    client::{Call, Connection},
    figures::{milliseconds, percentile},
};

/// Changes that may be under way at once.
const AT_ONCE: usize = 16;
/// Between two changes at 100 a second.
const PACE: Duration = Duration::from_millis(10);
/// How long a change may take until it counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the API may take to be told of all hosts.
const FILLING: Duration = Duration::from_mins(3);
/// How long the gateway may take to learn of all hosts.
const START: Duration = Duration::from_mins(1);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(50);
/// After the start and between rounds, so that work of the one before is done.
const SETTLING: Duration = Duration::from_secs(2);

/// Milliseconds of one round of changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) median: f64,
    pub(super) p99: f64,
    /// With the write before it, from its being sent.
    pub(super) p99_with_write: f64,
}

/// A gateway on an API that knows all hosts.
pub(super) struct Propagation<'a> {
    stage: &'a Stage,
    events: Events,
    pairs: (mpsc::Sender<Pair>, mpsc::Receiver<Pair>),
    /// By host: how often it was changed.
    changed: Vec<usize>,
    next: usize,
    _gateway: Proxy,
    _cluster: Cluster,
}

/// What a change is made and seen with.
struct Pair {
    api: Connection,
    visitor: Wire,
}

/// When what happened of one change.
struct Seen {
    number: usize,
    sent: Instant,
    written: Instant,
    in_effect: Instant,
}

impl<'a> Propagation<'a> {
    /// Starts all and waits until every host is there.
    pub(super) async fn start(stage: &'a Stage) -> anyhow::Result<Self> {
        let cluster = timeout(FILLING, Cluster::start(stage))
            .await
            .context("the API takes too long to be told of all hosts")??;
        let doors = Doors::free()?;
        let table = stage.folder().join("cluster/table.json");
        let command = ours::started(stage, doors, cluster.kubeconfig(), &table);
        let gateway = Proxy::run(command, doors).await?;
        let way = Way {
            address: doors.tls,
            tls: Some(stage.client(&[b"http/1.1"], Groups::AsBrowsers)?),
        };
        timeout(START, knows_all(stage, &way))
            .await
            .context("the gateway does not learn of all hosts")??;
        let (give, take) = mpsc::channel(AT_ONCE);
        for _ in 0..AT_ONCE {
            let api = cluster.target().connect().await?;
            let visitor = way.open(&Stage::host(0)).await?;
            give.send(Pair { api, visitor }).await.ok();
        }
        Ok(Self {
            stage,
            events: Events::follow(&cluster).await?,
            pairs: (give, take),
            changed: vec![0; stage.hosts],
            next: 0,
            _gateway: gateway,
            _cluster: cluster,
        })
    }

    /// So many changes, one after the other or at 100 a second.
    pub(super) async fn round(&mut self, changes: usize, at_a_pace: bool) -> anyhow::Result<Round> {
        ensure!(changes <= self.stage.hosts, "there are not so many hosts");
        sleep(SETTLING).await;
        self.events.forget();
        let mut seen = Vec::new();
        let mut running = JoinSet::new();
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..changes {
            if at_a_pace {
                pace.tick().await;
            }
            running.spawn(self.change().await?);
            if !at_a_pace {
                while let Some(done) = running.join_next().await {
                    seen.push(done??);
                }
            }
        }
        while let Some(done) = running.join_next().await {
            seen.push(done??);
        }
        self.summed(&seen)
    }

    /// The next change, ready to be made.
    async fn change(
        &mut self,
    ) -> anyhow::Result<impl Future<Output = anyhow::Result<Seen>> + Send + 'static> {
        let number = self.next;
        self.next = (self.next + 1) % self.stage.hosts;
        self.changed[number] += 1;
        let port = self.stage.upstream.port_of(number + self.changed[number]);
        let call = change(number, port);
        let pair = timeout(PATIENCE, self.pairs.1.recv()).await;
        let mut pair = pair
            .context("changes take too long")?
            .context("nothing to make changes with")?;
        let back = self.pairs.0.clone();
        Ok(async move {
            let seen = timeout(PATIENCE, pair.make(number, port, &call)).await;
            let seen = seen.with_context(|| format!("the change of {} is lost", Stage::host(number)))??;
            back.send(pair).await.ok();
            Ok(seen)
        })
    }

    fn summed(&self, seen: &[Seen]) -> anyhow::Result<Round> {
        let mut from_event = Vec::new();
        for seen in seen {
            let event = self.events.of(seen.number).context("an event has not come")?;
            let known = event.min(seen.written);
            from_event.push(seen.in_effect.saturating_duration_since(known));
        }
        let mut from_write: Vec<Duration> = seen.iter().map(|seen| seen.in_effect - seen.sent).collect();
        Ok(Round {
            median: milliseconds(percentile(&mut from_event, 50)),
            p99: milliseconds(percentile(&mut from_event, 99)),
            p99_with_write: milliseconds(percentile(&mut from_write, 99)),
        })
    }
}

impl Pair {
    async fn make(&mut self, number: usize, port: u16, call: &Call) -> anyhow::Result<Seen> {
        let request = Ask::Page.request(&Stage::host(number));
        let sent = Instant::now();
        self.api.drain(call).await?;
        let written = Instant::now();
        // Not before: on few processors the asking would keep the API from its work.
        loop {
            self.visitor.ask(&request).await?;
            if self.visitor.answered_by() == Some(port) {
                return Ok(Seen {
                    number,
                    sent,
                    written,
                    in_effect: Instant::now(),
                });
            }
        }
    }
}

/// Waits until hosts from all over the table lead to their servers.
async fn knows_all(stage: &Stage, way: &Way) -> anyhow::Result<()> {
    let mut wire = way.open(&Stage::host(0)).await?;
    for number in (0..stage.hosts).step_by(97).chain([stage.hosts - 1]) {
        let request = Ask::Page.request(&Stage::host(number));
        loop {
            let status = wire.ask_for_any(&request).await?;
            if status == 200 && wire.answered_by() == Some(stage.upstream.port_of(number)) {
                break;
            }
            sleep(LOOK).await;
        }
    }
    Ok(())
}
