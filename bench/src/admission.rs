//! `bench admission`: what the webhook server does a second, beside an echo on the same HTTP stack in the same run, and
//! what a verdict costs by itself.
//!
//! Both servers are processes of their own and read the same bodies; one thread of this process makes all the load. On a
//! small machine that thread takes processors from the server, the slower server less than the faster: the ratio of
//! reviews a second flatters the slower one, and that of reviews a second of the server's own processor time does not.

mod echo;
mod reviews;
mod verdicts;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use clap::Args;
use toolforge_model::ToolAccount;

use crate::{
    client::{Call, Target},
    figures::{Figure, or_dash, percentile, shown},
    platform::{Platform, Ports, data_folder},
    process::{self, Running},
};
pub(crate) use echo::{Echo, serve as serve_echo};
use reviews::Review;

/// Connections at once, each with one review at a time: more than an API server keeps.
const CONNECTIONS: usize = 100;
/// How long each load is measured.
const LOAD: Duration = Duration::from_secs(4);
/// Load before that which counts.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long a server may take to answer its first request.
const START: Duration = Duration::from_secs(20);
/// Between two looks whether it answers.
const LOOK: Duration = Duration::from_millis(50);

/// What `bench admission` is told.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The program to measure
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// How often
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Measure only this review; can be given more than once
    #[arg(long, value_name = "REVIEW", value_parser = reviews::NAMES)]
    only: Vec<String>,
}

/// What one load came to.
#[derive(Debug, Default)]
struct Row {
    per_second: Figure,
    /// By a second of the server's processor time.
    per_core: Figure,
    p99_milliseconds: Figure,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = data_folder()?;
    let (platform, _) = Platform::start(&arguments.program, folder.path(), &Ports::free()?)?;
    let authority = toolforge_pki::Authority::create("bench")?;
    let identity = authority.issue_server(&["127.0.0.1"])?;
    let (certificate, key) = (folder.path().join("bench.crt"), folder.path().join("bench.key"));
    toolforge_pki::write_private(&certificate, identity.certificate_pem.as_bytes())?;
    toolforge_pki::write_private(&key, identity.key_pem.as_bytes())?;

    let guards = Server::start(
        &arguments.program,
        "admission",
        &certificate,
        &key,
        &[
            "--kubeconfig".into(),
            platform.kubeconfig().into(),
            "--domain".into(),
            "toolforge.org".into(),
            "--registry".into(),
            "registry.example".into(),
        ],
    )?;
    let own = std::env::current_exe()?;
    let echo = Server::start(&own, "echo", &certificate, &key, &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ca = authority.certificate_pem();
    runtime.block_on(guards.ready(ca))?;
    runtime.block_on(echo.ready(ca))?;
    let idle = process::memory_megabytes(guards.process.id())?;

    let account = runtime.block_on(account(&platform))?;
    let mut reviews = reviews::all(&account);
    let only = &arguments.only;
    reviews.retain(|review| only.is_empty() || only.iter().any(|name| name == review.name));
    for review in &reviews {
        runtime.block_on(guards.allows(ca, review))?;
    }
    let mut rows: Vec<(Row, Row)> = reviews.iter().map(|_| <(Row, Row)>::default()).collect();
    for _ in 0..arguments.runs {
        for (review, (ours, theirs)) in reviews.iter().zip(&mut rows) {
            runtime.block_on(load(&guards, ca, review.path, review, ours))?;
            runtime.block_on(load(&echo, ca, "/echo", review, theirs))?;
        }
    }
    report(&reviews, &rows);
    let loaded = process::memory_megabytes(guards.process.id())?;
    println!(
        "memory of the server (PSS): {} MB at the start, {} MB after the load",
        shown(idle),
        shown(loaded)
    );
    verdicts::measure(&account)
}

fn report(reviews: &[Review], rows: &[(Row, Row)]) {
    let value = |figure: &Figure| or_dash(figure.median());
    let ratio = |ours: &Figure, theirs: &Figure| {
        let medians = ours.median().zip(theirs.median());
        or_dash(medians.map(|(ours, theirs)| ours / theirs))
    };
    println!(
        "{:<15} {:>6} {:>10} {:>10} {:>7} {:>10} {:>10} {:>7} {:>9} {:>9}",
        "review", "bytes", "reviews/s", "echo/s", "ratio", "per core", "echo", "ratio", "p99 ms", "echo"
    );
    for (review, (ours, theirs)) in reviews.iter().zip(rows) {
        println!(
            "{:<15} {:>6} {:>10} {:>10} {:>7} {:>10} {:>10} {:>7} {:>9} {:>9}",
            review.name,
            review.body.len(),
            value(&ours.per_second),
            value(&theirs.per_second),
            ratio(&ours.per_second, &theirs.per_second),
            value(&ours.per_core),
            value(&theirs.per_core),
            ratio(&ours.per_core, &theirs.per_core),
            value(&ours.p99_milliseconds),
            value(&theirs.p99_milliseconds),
        );
    }
}

/// The account of the tool in whose name everything is asked; the platform makes it at its start.
async fn account(platform: &Platform) -> anyhow::Result<ToolAccount> {
    let api = Target::of_kubeconfig(&platform.kubeconfig())?;
    let path = format!("/api/v1/namespaces/{}", reviews::NAMESPACE);
    let namespace = api.connect().await?.json(&Call::get(path)).await?;
    let annotations = serde_json::from_value(namespace["metadata"]["annotations"].clone())?;
    Ok(ToolAccount::from_annotations(&annotations)?)
}

/// Posts the review over all connections, each as fast as it is answered.
async fn load(server: &Server, ca: &str, path: &str, review: &Review, row: &mut Row) -> anyhow::Result<()> {
    let target = Target::public(&server.url(), ca)?;
    let begins = Instant::now() + WARM_UP;
    let ends = begins + LOAD;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = target.connect().await?;
        let call = Call::post(path, review.body.clone());
        tasks.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < ends {
                let sent = Instant::now();
                connection.drain(&call).await?;
                if sent >= begins {
                    took.push(sent.elapsed());
                }
            }
            anyhow::Ok(took)
        });
    }
    tokio::time::sleep_until(begins.into()).await;
    let before = process::processor_time(server.process.id())?;
    tokio::time::sleep_until(ends.into()).await;
    let worked = process::processor_time(server.process.id())?.saturating_sub(before);
    let mut took = Vec::new();
    while let Some(done) = tasks.join_next().await {
        took.extend(done??);
    }
    let count = u32::try_from(took.len()).map(f64::from)?;
    row.per_second.add(count / LOAD.as_secs_f64());
    row.per_core.add(count / worked.as_secs_f64());
    row.p99_milliseconds
        .add(percentile(&mut took, 99).as_secs_f64() * 1e3);
    Ok(())
}

/// A server under measurement; ends when dropped.
struct Server {
    process: Running,
    address: SocketAddr,
}

impl Server {
    fn start(
        program: &Path,
        command: &str,
        certificate: &Path,
        key: &Path,
        arguments: &[std::ffi::OsString],
    ) -> anyhow::Result<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut server = Command::new(program);
        server
            .arg(command)
            .args(["--listen", &address.to_string(), "--tls-cert"])
            .arg(certificate)
            .arg("--tls-key")
            .arg(key)
            .args(arguments)
            .env("RUST_LOG", "error")
            .stdout(Stdio::null());
        Ok(Self {
            process: Running::start(&mut server)?,
            address,
        })
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Makes sure that what is measured is the whole way to a yes, and not a short one to a refusal.
    async fn allows(&self, ca: &str, review: &Review) -> anyhow::Result<()> {
        let mut connection = Target::public(&self.url(), ca)?.connect().await?;
        let call = Call::post(review.path, review.body.clone());
        let answer = &connection.json(&call).await?["response"];
        let as_meant = answer["allowed"] == true && answer["patch"].is_string() == review.changes;
        ensure!(as_meant, "the review {} is answered {answer}", review.name);
        Ok(())
    }

    async fn ready(&self, ca: &str) -> anyhow::Result<()> {
        let target = Target::public(&self.url(), ca)?;
        let ends = Instant::now() + START;
        while Instant::now() < ends {
            if let Ok(mut connection) = target.connect().await
                && connection.drain(&Call::get("/readyz")).await.is_ok()
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("the server at {} did not get ready", self.address)
    }
}
