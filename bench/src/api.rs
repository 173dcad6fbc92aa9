//! `bench api`: the figures of the built-in Kubernetes API, and of a kube-apiserver beside it when one is named.
//!
//! One thread makes all the load, so that on two cores the server has one of its own.

mod fanout;
pub(crate) mod load;
mod objects;
mod report;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::{
    Runs,
    client::{Call, Target},
    etcd::Etcd,
    figures::{Figure, milliseconds, percentile, shown},
    platform::{IDLE_AFTER, Platform, Ports, data_folder},
    process,
};
use load::Until;
use objects::Sizes;
use report::{Figures, Row};

/// Writers at a time, each waiting for the disk.
const WRITERS: usize = 16;
/// Readers of single objects at a time.
const READERS: usize = 16;
/// Readers of lists at a time.
const LISTERS: usize = 4;
/// How long reads are measured: long enough that the kernel's hundredths of a second do not matter.
const READING: Duration = Duration::from_secs(4);
/// Reads before those that count.
const WARM_UP: Duration = Duration::from_millis(500);
/// After a load, until buffers are given back.
const SETTLING: Duration = Duration::from_secs(3);
/// How long idleness is measured.
const IDLE: Duration = Duration::from_secs(10);

/// What `bench api` is told.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    runs: Runs,
    /// A little of everything, to see that it works; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Measure only this; can be given more than once
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Run the same load on the kube-apiserver at this address, side by side
    #[arg(long, value_name = "URL", requires = "peer_token_file", requires = "peer_ca")]
    peer: Option<String>,
    /// A token that may do everything on it
    #[arg(long, value_name = "FILE")]
    peer_token_file: Option<PathBuf>,
    /// The authority of its certificate, PEM
    #[arg(long, value_name = "FILE")]
    peer_ca: Option<PathBuf>,
    /// Its process, if it runs on this machine: CPU is then counted as well
    #[arg(long, value_name = "PID", requires = "peer")]
    peer_pid: Option<u32>,
}

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Start, memory and CPU without load
    Idle,
    /// Durable creates
    Creates,
    /// Reads of one object
    Gets,
    /// Reads of 18,000 objects
    Lists,
    /// One event to 1,000 watchers
    Watches,
    /// Memory and start with 10,000 Pods
    Pods,
    /// Puts of Debian's etcd
    Etcd,
}

/// A server under load.
struct Server {
    sizes: Sizes,
    target: Target,
    process: Option<u32>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let peer = peer(arguments)?;
    let (mut ours, mut theirs) = (Figures::default(), Figures::default());
    let mut etcd = EtcdFigures::default();
    for run in 1..=arguments.runs.runs {
        eprintln!("run {run} of {}", arguments.runs.runs);
        measure_ours(&runtime, arguments, &mut ours)?;
        if let Some(peer) = &peer {
            runtime.block_on(load_on(arguments, peer, run, &mut theirs))?;
        }
        if wanted(arguments, Part::Etcd) {
            runtime.block_on(measure_etcd(sizes(arguments), &mut etcd))?;
        }
    }
    println!("\nmedians of {} runs", arguments.runs.runs);
    report::print(&ours, peer.is_some().then_some(&theirs));
    etcd.print();
    Ok(())
}

fn sizes(arguments: &Arguments) -> Sizes {
    if arguments.quick {
        Sizes::QUICK
    } else {
        Sizes::FULL
    }
}

fn wanted(arguments: &Arguments, part: Part) -> bool {
    arguments.only.is_empty() || arguments.only.contains(&part)
}

fn peer(arguments: &Arguments) -> anyhow::Result<Option<Server>> {
    let (Some(url), Some(token), Some(authority)) =
        (&arguments.peer, &arguments.peer_token_file, &arguments.peer_ca)
    else {
        return Ok(None);
    };
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    Ok(Some(Server {
        sizes: sizes(arguments),
        target: Target::with_token(url, &read(authority)?, &read(token)?)?,
        process: arguments.peer_pid,
    }))
}

/// One run on a platform of our own: without load, under load, and with many Pods.
fn measure_ours(
    runtime: &tokio::runtime::Runtime,
    arguments: &Arguments,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let program = &arguments.runs.program;
    let (data, ports) = (data_folder()?, Ports::free()?);
    let (platform, ready) = Platform::start(program, data.path(), &ports)?;
    if wanted(arguments, Part::Idle) {
        figures.add(Row::ReadyFresh, milliseconds(ready));
        std::thread::sleep(IDLE_AFTER);
        figures.add(Row::IdleMemory, platform.memory_megabytes()?);
        let before = process::processor_time(platform.id())?;
        std::thread::sleep(IDLE);
        let spent = process::processor_time(platform.id())?.saturating_sub(before);
        figures.add(
            Row::IdleProcessor,
            spent.as_secs_f64() / IDLE.as_secs_f64() * 100.0,
        );
    }
    let server = Server {
        sizes: sizes(arguments),
        target: Target::of_kubeconfig(&platform.kubeconfig())?,
        process: Some(platform.id()),
    };
    runtime.block_on(load_on(arguments, &server, 1, figures))?;
    drop(platform);
    if wanted(arguments, Part::Pods) {
        measure_pods(runtime, program, sizes(arguments).pods, figures)?;
    }
    Ok(())
}

fn measure_pods(
    runtime: &tokio::runtime::Runtime,
    program: &std::path::Path,
    pods: u64,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let (data, ports) = (data_folder()?, Ports::free()?);
    let (platform, _) = Platform::start(program, data.path(), &ports)?;
    let target = Target::of_kubeconfig(&platform.kubeconfig())?;
    runtime.block_on(load::run(&target, WRITERS, Until::Sent(pods), objects::pod))?;
    std::thread::sleep(SETTLING);
    figures.add(Row::PodMemory, platform.memory_megabytes()?);
    drop(platform);
    let (platform, ready) = Platform::start(program, data.path(), &ports)?;
    figures.add(Row::ReadyFilled, milliseconds(ready));
    std::thread::sleep(SETTLING);
    figures.add(Row::FilledMemory, platform.memory_megabytes()?);
    Ok(())
}

/// The load that every server gets, in namespaces that nobody else uses and that go afterwards.
async fn load_on(
    arguments: &Arguments,
    server: &Server,
    run: u32,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let parts = [Part::Creates, Part::Gets, Part::Lists, Part::Watches];
    if !parts.iter().any(|part| wanted(arguments, *part)) {
        return Ok(());
    }
    let namespace = format!("bench-{}-{run}", std::process::id());
    let warm = format!("{namespace}-warm");
    let mut connection = server.target.connect().await?;
    for name in [&namespace, &warm] {
        connection.drain(&objects::namespace(name)).await?;
    }
    creates(server, &warm, &namespace, figures).await?;
    if wanted(arguments, Part::Gets) {
        gets(server, &namespace, figures).await?;
    }
    if wanted(arguments, Part::Lists) {
        lists(server, &namespace, figures).await?;
    }
    if wanted(arguments, Part::Watches) {
        watches(server, &namespace, figures).await?;
    }
    // A server closes connections that were silent for as long as the load took.
    let mut connection = server.target.connect().await?;
    for name in [&namespace, &warm] {
        connection.drain(&objects::remove_namespace(name)).await?;
    }
    Ok(())
}

fn config_maps_in(namespace: &str, prefix: &'static str) -> impl Fn(u64) -> Call + Clone + Send + 'static {
    let namespace = namespace.to_owned();
    move |number| objects::config_map(&namespace, prefix, number)
}

async fn creates(server: &Server, warm: &str, namespace: &str, figures: &mut Figures) -> anyhow::Result<()> {
    let target = &server.target;
    load::run(
        target,
        WRITERS,
        Until::Sent(server.sizes.warm_up),
        config_maps_in(warm, "w"),
    )
    .await?;
    let meter = Meter::start(server)?;
    let total = Until::Sent(server.sizes.config_maps);
    let mut outcome = load::run(target, WRITERS, total, config_maps_in(namespace, "c")).await?;
    meter.stop(figures, Row::CreateProcessor, outcome.count())?;
    figures.add(Row::Creates, outcome.per_second());
    figures.add(Row::CreateMedian, milliseconds(outcome.percentile(50)));
    figures.add(Row::CreateSlowest, milliseconds(outcome.percentile(99)));
    Ok(())
}

async fn gets(server: &Server, namespace: &str, figures: &mut Figures) -> anyhow::Result<()> {
    let namespace = namespace.to_owned();
    let of = server.sizes.config_maps;
    let call = move |number| objects::read(&namespace, number, of);
    load::run(&server.target, READERS, Until::Passed(WARM_UP), call.clone()).await?;
    let meter = Meter::start(server)?;
    let mut outcome = load::run(&server.target, READERS, Until::Passed(READING), call).await?;
    meter.stop(figures, Row::GetProcessor, outcome.count())?;
    figures.add(Row::Gets, outcome.per_second());
    figures.add(Row::GetSlowest, milliseconds(outcome.percentile(99)));
    Ok(())
}

async fn lists(server: &Server, namespace: &str, figures: &mut Figures) -> anyhow::Result<()> {
    for (gzip, row, processor) in [
        (false, Row::Lists, Row::ListProcessor),
        (true, Row::GzipLists, Row::GzipListProcessor),
    ] {
        let mut call = Call::get(objects::config_maps(namespace));
        call.gzip = gzip;
        let call = move |_| call.clone();
        load::run(&server.target, LISTERS, Until::Passed(WARM_UP), call.clone()).await?;
        let meter = Meter::start(server)?;
        let outcome = load::run(&server.target, LISTERS, Until::Passed(READING), call).await?;
        meter.stop(figures, processor, outcome.count())?;
        figures.add(row, outcome.per_second());
        let megabytes = f64::from(u32::try_from(outcome.bytes / 1000)?) / 1e3 / outcome.count();
        let how = if gzip { ", compressed" } else { "" };
        eprintln!("  a list has {} MB{how}", shown(megabytes));
    }
    Ok(())
}

async fn watches(server: &Server, namespace: &str, figures: &mut Figures) -> anyhow::Result<()> {
    let Sizes { watchers, events, .. } = server.sizes;
    let meter = Meter::start(server)?;
    let warm = || meter.restart();
    let mut outcome = fanout::run(&server.target, namespace, watchers, events, warm).await?;
    let events = f64::from(u32::try_from(outcome.last.len())?);
    meter.stop(figures, Row::EventProcessor, events)?;
    figures.add(Row::EventMedian, milliseconds(percentile(&mut outcome.each, 50)));
    figures.add(Row::EventSlowest, milliseconds(percentile(&mut outcome.each, 99)));
    figures.add(Row::EventLast, milliseconds(percentile(&mut outcome.last, 50)));
    Ok(())
}

/// Counts a server's processor time, when its process is known.
struct Meter {
    process: Option<u32>,
    before: std::cell::Cell<Duration>,
}

impl Meter {
    fn start(server: &Server) -> anyhow::Result<Self> {
        let meter = Self {
            process: server.process,
            before: std::cell::Cell::default(),
        };
        meter.restart()?;
        Ok(meter)
    }

    fn restart(&self) -> anyhow::Result<()> {
        if let Some(process) = self.process {
            self.before.set(process::processor_time(process)?);
        }
        Ok(())
    }

    fn stop(&self, figures: &mut Figures, row: Row, count: f64) -> anyhow::Result<()> {
        if let Some(process) = self.process {
            let spent = process::processor_time(process)?.saturating_sub(self.before.get());
            figures.add(row, milliseconds(spent) / count);
        }
        Ok(())
    }
}

/// What etcd did in all runs.
#[derive(Debug, Default)]
struct EtcdFigures {
    per_second: Figure,
    slowest: Figure,
    processor: Figure,
}

async fn measure_etcd(sizes: Sizes, figures: &mut EtcdFigures) -> anyhow::Result<()> {
    let Some(etcd) = Etcd::start().await? else {
        return Ok(());
    };
    etcd.puts(WRITERS, sizes.warm_up).await?;
    let mut outcome = etcd.puts(WRITERS, sizes.config_maps).await?;
    figures.per_second.add(outcome.per_second);
    figures
        .slowest
        .add(milliseconds(percentile(&mut outcome.latencies, 99)));
    figures.processor.add(outcome.processor_milliseconds);
    Ok(())
}

impl EtcdFigures {
    fn print(&self) {
        let (Some(puts), Some(slowest), Some(processor)) = (
            self.per_second.median(),
            self.slowest.median(),
            self.processor.median(),
        ) else {
            println!("etcd is not installed (Debian: etcd-server), so its puts are not measured beside ours");
            return;
        };
        println!(
            "etcd on this machine in the same run, durable puts with {WRITERS} writers: {}/s, p99 {} ms, {} ms of CPU each; \
             an API over it creates less",
            shown(puts),
            shown(slowest),
            shown(processor)
        );
    }
}
