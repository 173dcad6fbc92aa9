//! `bench gateway`: what the gateway costs beside Debian's nginx and haproxy, in one run, each measured in turn.
//!
//! Every proxy has one worker, knows the same hosts, sets the same headers and leads to the same servers. Load and servers are
//! in this process; what counts is the processor time of the proxy's own processes.

mod cluster;
mod events;
mod load;
mod measure;
mod memory;
mod objects;
mod ours;
mod peers;
mod propagation;
mod proxy;
mod report;
mod stage;
mod upstream;
mod wire;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::process;
use load::Load;
use measure::Measure;
use propagation::Propagation;
use proxy::{Kind, Proxy};
use report::Figures;
use stage::{Groups, Stage};
use wire::{Ask, Way};

/// Files that everybody must be able to have open: haproxy wants two for each connection that it may get, and some more.
const FILES: u64 = 2 * peers::CONNECTIONS + 200;

/// HTTP/1.1, as browsers speak it.
const HTTP1: (&[u8], Groups) = (b"http/1.1", Groups::AsBrowsers);

/// What `bench gateway` is told.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The program to measure
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// How often
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// For how long each load
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// A little of everything, to see that it works; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Measure only this; can be given more than once
    #[arg(long, value_enum, value_name = "MEASURE")]
    only: Vec<Measure>,
    /// Without nginx and haproxy beside it
    #[arg(long)]
    alone: bool,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    runs: u32,
    /// Of each load.
    time: Duration,
    hosts: usize,
    idle_connections: usize,
    /// One after the other, and at 100 a second.
    changes: (usize, usize),
}

impl Arguments {
    fn sizes(&self) -> Sizes {
        if self.quick {
            return Sizes {
                runs: 1,
                time: Duration::from_millis(500),
                hosts: 500,
                idle_connections: 200,
                changes: (20, 50),
            };
        }
        Sizes {
            runs: self.runs,
            time: Duration::from_secs(self.seconds.into()),
            hosts: 10_000,
            idle_connections: 5000,
            changes: (300, 500),
        }
    }

    fn kinds(&self) -> &'static [Kind] {
        if self.alone { &[Kind::Ours] } else { &Kind::ALL }
    }

    fn wants(&self, measure: Measure) -> bool {
        self.only.is_empty() || self.only.contains(&measure)
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    toolforge_pki::install_provider();
    let files = process::raise_file_limit()?;
    ensure!(
        files >= FILES,
        "a process may have {files} files open here, and {FILES} are needed (ulimit -Hn)"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Whatever ends this, all that was started ends with it.
    let figures = runtime.block_on(async {
        tokio::select! {
            figures = measure(arguments) => figures,
            stopped = told_to_stop() => stopped,
        }
    })?;
    figures.print();
    ensure!(figures.failures().is_empty(), "not everything could be measured");
    Ok(())
}

async fn told_to_stop() -> anyhow::Result<Figures> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    bail!("stopped by a signal")
}

async fn measure(arguments: &Arguments) -> anyhow::Result<Figures> {
    let sizes = arguments.sizes();
    let stage = Stage::set(&arguments.program, sizes.hosts)?;
    let mut bench = Bench {
        figures: Figures::new(sizes.hosts, sizes.idle_connections, sizes.runs),
        kinds: arguments.kinds(),
        sizes,
        stage,
    };
    bench.loads(arguments).await?;
    if arguments.wants(Measure::Memory) {
        bench.memory().await;
    }
    if arguments.wants(Measure::Propagation) {
        eprintln!("propagation, {} hosts", sizes.hosts);
        if let Err(error) = bench.propagation().await {
            bench
                .figures
                .failed(Measure::Propagation.what(), Kind::Ours, &error);
        }
    }
    Ok(bench.figures)
}

struct Bench {
    stage: Stage,
    kinds: &'static [Kind],
    sizes: Sizes,
    figures: Figures,
}

impl Bench {
    /// All loads that are wanted, on proxies that stay.
    async fn loads(&mut self, arguments: &Arguments) -> anyhow::Result<()> {
        let wanted = measure::LOADS
            .iter()
            .filter(|(measure, ..)| arguments.wants(*measure));
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut proxies = Vec::new();
        for kind in self.kinds {
            proxies.push((*kind, self.start(*kind).await?));
        }
        for run in 1..=self.sizes.runs {
            for (measure, load, is_secure) in &wanted {
                eprintln!("run {run} of {}: {}", self.sizes.runs, measure.what());
                for (kind, proxy) in proxies.iter().filter(|(kind, _)| measure.is_known_to(*kind)) {
                    self.load(*measure, *load, *is_secure, *kind, proxy).await;
                }
                // Nobody is always the first.
                proxies.rotate_left(1);
            }
        }
        Ok(())
    }

    async fn load(&mut self, measure: Measure, load: Load, is_secure: bool, kind: Kind, proxy: &Proxy) {
        let done = async {
            let protocol: &[u8] = if measure == Measure::H2 {
                b"h2"
            } else {
                b"http/1.1"
            };
            let way = self.way(proxy, is_secure, (protocol, measure.groups()))?;
            load.run(&self.stage, proxy, &way, self.sizes.time).await
        };
        match done.await {
            Ok(outcome) => self.figures.loaded(measure, kind, outcome),
            Err(error) => self.figures.failed(measure.what(), kind, &error),
        }
    }

    /// Memory of proxies that are started for it.
    async fn memory(&mut self) {
        for run in 1..=self.sizes.runs {
            for is_secure in [false, true] {
                eprintln!(
                    "run {run} of {}: memory, {}",
                    self.sizes.runs,
                    if is_secure { "TLS" } else { "plain" }
                );
                for kind in self.kinds {
                    match self.memory_of(*kind, is_secure).await {
                        Ok(memory) => self.figures.remembered(*kind, is_secure, memory),
                        Err(error) => self.figures.failed("memory", *kind, &error),
                    }
                }
            }
        }
    }

    async fn memory_of(&self, kind: Kind, is_secure: bool) -> anyhow::Result<memory::Memory> {
        let proxy = self.start(kind).await?;
        let way = self.way(&proxy, is_secure, HTTP1)?;
        memory::measure(&self.stage, &proxy, &way, self.sizes.idle_connections).await
    }

    /// Starts a proxy, and sees that its hosts lead where they should.
    async fn start(&self, kind: Kind) -> anyhow::Result<Proxy> {
        let proxy = Proxy::start(kind, &self.stage).await?;
        let way = self.way(&proxy, true, HTTP1)?;
        for number in [0, self.sizes.hosts / 2 + 1, self.sizes.hosts - 1] {
            let host = Stage::host(number);
            let mut wire = way.open(&host).await?;
            wire.ask(&Ask::Page.request(&host))
                .await
                .with_context(|| kind.name())?;
            let right = Some(self.stage.upstream.port_of(number));
            ensure!(
                wire.answered_by() == right,
                "{} leads {host} to a wrong server",
                kind.name()
            );
        }
        Ok(proxy)
    }

    /// Changes of endpoints on a cluster that is started for them; there is no such thing with the others.
    async fn propagation(&mut self) -> anyhow::Result<()> {
        let mut propagation = Propagation::start(&self.stage).await?;
        for run in 1..=self.sizes.runs {
            for (at_a_pace, changes) in [(false, self.sizes.changes.0), (true, self.sizes.changes.1)] {
                let pace = if at_a_pace {
                    "at 100 a second"
                } else {
                    "one by one"
                };
                eprintln!("run {run} of {}: {changes} changes, {pace}", self.sizes.runs);
                let round = propagation.round(changes, at_a_pace).await?;
                self.figures.propagated(at_a_pace, round);
            }
        }
        Ok(())
    }

    fn way(
        &self,
        proxy: &Proxy,
        is_secure: bool,
        (protocol, groups): (&[u8], Groups),
    ) -> anyhow::Result<Way> {
        let doors = proxy.doors();
        Ok(if is_secure {
            Way {
                address: doors.tls,
                tls: Some(self.stage.client(&[protocol], groups)?),
            }
        } else {
            Way {
                address: doors.plain,
                tls: None,
            }
        })
    }
}
