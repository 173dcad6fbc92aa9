//! A running proxy, whichever it is: its doors, its processes, what they cost.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tokio::time::sleep;

use super::{ours, peers, stage::Stage};
use crate::process::{self, Running};

/// How long a proxy may take until it listens, with all hosts.
const START: Duration = Duration::from_mins(1);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(10);

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Ours,
    Nginx,
    Haproxy,
}

impl Kind {
    /// All, in the order of the report.
    pub(super) const ALL: [Self; 3] = [Self::Ours, Self::Nginx, Self::Haproxy];

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }
}

/// Where a proxy listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doors {
    pub(super) plain: SocketAddr,
    pub(super) tls: SocketAddr,
}

impl Doors {
    /// Ports that were free a moment ago.
    pub(super) fn free() -> anyhow::Result<Self> {
        let (plain, tls) = (
            TcpListener::bind("127.0.0.1:0")?,
            TcpListener::bind("127.0.0.1:0")?,
        );
        Ok(Self {
            plain: plain.local_addr()?,
            tls: tls.local_addr()?,
        })
    }
}

/// A proxy that runs until this is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    process: Running,
    doors: Doors,
}

impl Proxy {
    /// A proxy of this kind that knows all hosts.
    pub(super) async fn start(kind: Kind, stage: &Stage) -> anyhow::Result<Self> {
        let doors = Doors::free()?;
        let command = match kind {
            Kind::Ours => ours::command(stage, doors).await,
            Kind::Nginx => peers::nginx(stage, doors),
            Kind::Haproxy => peers::haproxy(stage, doors),
        };
        let started = Self::run(command?, doors).await;
        started.with_context(|| format!("{} does not start", kind.name()))
    }

    /// Runs this command and waits until it listens at its doors.
    pub(super) async fn run(mut command: Command, doors: Doors) -> anyhow::Result<Self> {
        let mut proxy = Self {
            process: Running::start(&mut command)?,
            doors,
        };
        let ends = Instant::now() + START;
        for door in [doors.plain, doors.tls] {
            while TcpStream::connect(door).is_err() {
                let ended = proxy.process.ended()?;
                ensure!(ended.is_none(), "it has ended at once");
                ensure!(Instant::now() < ends, "it does not listen");
                sleep(LOOK).await;
            }
        }
        Ok(proxy)
    }

    /// Where it listens.
    pub(super) fn doors(&self) -> Doors {
        self.doors
    }

    /// Processor time of all its processes since their start.
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        self.processes()?.into_iter().map(process::processor_time).sum()
    }

    /// Memory of all its processes (PSS).
    pub(super) fn memory_megabytes(&self) -> anyhow::Result<f64> {
        self.processes()?.into_iter().map(process::memory_megabytes).sum()
    }

    /// Stops it as an operator does, and waits for its end.
    pub(super) fn stopped(self) -> anyhow::Result<()> {
        self.process.stopped()
    }

    /// The process that was started, and its workers.
    fn processes(&self) -> anyhow::Result<Vec<u32>> {
        let main = self.process.id();
        let mut all = process::children(main)?;
        all.push(main);
        Ok(all)
    }
}
