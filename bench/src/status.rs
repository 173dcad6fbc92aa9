//! The public pages: how fast a page of k8s-status is with thousands of tools, what it costs in memory, how many visits
//! fourohfour answers beside Debian's nginx with a file, and how soon Prometheus has the state of all Pods.

mod load;
mod metrics;
mod nginx;
mod stub;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::Args;

use crate::figures::{Figure, or_dash, shown};
use crate::process::{self, Running};

/// Connections at a time: what a busy page has.
const CONNECTIONS: usize = 8;
/// How long a program may take until it answers.
const START: Duration = Duration::from_mins(1);
/// The pages that are measured.
const PAGES: [&str; 5] = [
    "/",
    "/namespaces/",
    "/namespaces/tool-t00042/",
    "/nodes/",
    "/search?q=t001",
];
/// A page within this time, at the 99th percentile.
const GOAL_MILLISECONDS: f64 = 20.0;

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The program to measure
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// How often
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// How long each load takes
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    seconds: u64,
    /// Tools that the cluster has
    #[arg(long, default_value_t = 3000)]
    tools: usize,
    /// Pods that it has
    #[arg(long, default_value_t = 5000)]
    pods: usize,
    /// Pods whose state Prometheus reads
    #[arg(long, value_name = "PODS", default_value_t = 10_000)]
    metrics_pods: usize,
    /// Without nginx beside it
    #[arg(long)]
    alone: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure(arguments))
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = toolforge_pki::Authority::create("bench")?;
    let api = stub::serve(arguments.tools, arguments.pods, authority.certificate_pem()).await?;
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, stub::kubeconfig(api))?;
    println!(
        "{} tools, {} Pods, {CONNECTIONS} connections; medians of {} runs\n",
        arguments.tools, arguments.pods, arguments.runs
    );
    let time = Duration::from_secs(arguments.seconds);
    pages(arguments, &kubeconfig, time).await?;
    not_there(arguments, &kubeconfig, folder.path(), time).await?;
    metrics::measure(arguments, &authority, folder.path()).await
}

async fn pages(arguments: &Arguments, kubeconfig: &Path, time: Duration) -> anyhow::Result<()> {
    let (running, port) = start(&arguments.program, "k8s-status", kubeconfig)?;
    until(port, "/index.json", &format!("\"tools\":{}", arguments.tools)).await?;
    println!(
        "{:<28} {:>10} {:>10} {:>10} {:>10}  goal p99",
        "k8s-status", "p50 ms", "p99 ms", "pages/s", "CPU ms"
    );
    for page in PAGES {
        let [mut p50, mut p99, mut rate, mut cost] = [const { Figure::new() }; 4];
        for _ in 0..arguments.runs {
            let before = process::processor_time(running.id())?;
            let outcome = load::run(port, "k8s-status.toolforge.example", page, CONNECTIONS, time).await?;
            let spent = process::processor_time(running.id())?.saturating_sub(before);
            cost.add(spent.as_secs_f64() * 1e3 / outcome.requests.max(1.0));
            p50.add(outcome.p50_milliseconds);
            p99.add(outcome.p99_milliseconds);
            rate.add(outcome.per_second);
        }
        let worst = median(&p99);
        let met = if worst <= GOAL_MILLISECONDS {
            "met"
        } else {
            "missed"
        };
        println!(
            "{page:<28} {:>10} {:>10} {:>10} {:>10}  {GOAL_MILLISECONDS} ms: {met}",
            shown(median(&p50)),
            shown(worst),
            shown(median(&rate)),
            shown(median(&cost))
        );
    }
    println!(
        "{:<28} {:>10} MB\n",
        "memory",
        shown(process::memory_megabytes(running.id())?)
    );
    Ok(())
}

async fn not_there(
    arguments: &Arguments,
    kubeconfig: &Path,
    folder: &Path,
    time: Duration,
) -> anyhow::Result<()> {
    let (ours, our_port) = start(&arguments.program, "fourohfour", kubeconfig)?;
    until(our_port, "/", "The URL you have requested").await?;
    let page = load::once(our_port, "nothing.toolforge.example", "/").await?.1;
    let mut measured = vec![(0, our_port, ours.id())];
    let peer = (!arguments.alone).then(|| nginx::start(folder, &page));
    let peer = peer.transpose()?;
    if let Some(peer) = &peer {
        until(peer.port, "/", "The URL you have requested").await?;
        measured.push((1, peer.port, peer.worker()?));
    }
    let mut table = [Sides::default(), Sides::default()];
    for _ in 0..arguments.runs {
        for &(side, port, process) in &measured {
            let before = process::processor_time(process)?;
            let outcome =
                load::run(port, "nothing.toolforge.example", "/some/page", CONNECTIONS, time).await?;
            let spent = process::processor_time(process)?.saturating_sub(before);
            let side = &mut table[side];
            side.rate.add(outcome.per_second);
            side.p99.add(outcome.p99_milliseconds);
            side.cost
                .add(spent.as_secs_f64() * 1e6 / outcome.requests.max(1.0));
            side.memory.add(process::memory_megabytes(process)?);
        }
    }
    println!(
        "{:<28} {:>10} {:>10} {:>10}",
        "fourohfour", "ours", "nginx", "ratio"
    );
    let [ours, nginx] = &table;
    for (what, one, other) in [
        ("visits/s", &ours.rate, &nginx.rate),
        ("p99 ms", &ours.p99, &nginx.p99),
        ("CPU of a visit, us", &ours.cost, &nginx.cost),
        ("memory, MB", &ours.memory, &nginx.memory),
    ] {
        let ratio = one.median().zip(other.median()).map(|(one, other)| one / other);
        let [one, other, ratio] = [one.median(), other.median(), ratio].map(or_dash);
        println!("{what:<28} {one:>10} {other:>10} {ratio:>10}");
    }
    Ok(())
}

#[derive(Default)]
struct Sides {
    rate: Figure,
    p99: Figure,
    cost: Figure,
    memory: Figure,
}

fn median(figure: &Figure) -> f64 {
    figure.median().unwrap_or_default()
}

/// Starts a component on a port of its own.
fn start(program: &Path, component: &str, kubeconfig: &Path) -> anyhow::Result<(Running, u16)> {
    start_with(program, component, kubeconfig, &["--domain", "toolforge.example"])
}

/// The same, with these words.
fn start_with(
    program: &Path,
    component: &str,
    kubeconfig: &Path,
    words: &[&str],
) -> anyhow::Result<(Running, u16)> {
    let port = free_port()?;
    let mut command = Command::new(program);
    command
        .args([component, "--listen", &format!("127.0.0.1:{port}")])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok((Running::start(&mut command)?, port))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until an answer has these words.
async fn until(port: u16, path: &str, words: &str) -> anyhow::Result<()> {
    let ends = Instant::now() + START;
    while Instant::now() < ends {
        let answer = load::once(port, "nothing.toolforge.example", path).await;
        if answer.is_ok_and(|(_, text)| text.contains(words)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("nothing at port {port} answers {path} with {words:?} within {START:?}")
}
