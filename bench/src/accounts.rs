//! `bench accounts`: how fast tools come to life from a directory with thousands of them, what a look at all costs when
//! nothing is to be done, how long a change of the directory takes to a kubeconfig that works, and the memory.
//!
//! The account service is a process of its own, as on a cluster. The API with its controllers runs in the process of the
//! bench, so that the processor time of this process is theirs.

mod changes;
mod cluster;
mod content;
mod directory;
mod report;
mod service;
mod slapd;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::ensure;
use clap::{Args, ValueEnum};

use crate::{Runs, figures::milliseconds, platform::data_folder, process};
use cluster::Cluster;
use directory::Directory;
use report::Figures;
use service::Service;

/// Where homes lie that no disk is asked for.
const MEMORY: &str = "/dev/shm";
/// Keys that are made to learn what one costs.
const KEYS: u32 = 200;
/// Tools and changes with `--quick`.
const QUICK: (u32, u32) = (50, 10);

/// What `bench accounts` is told.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    runs: Runs,
    /// A little of everything, to see that it works; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// How many tools the directory has
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=99_999))]
    tools: u32,
    /// How many changes of the directory are waited for
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=9999))]
    changes: u32,
    /// Which directory: Debian's slapd, or the one that is in the program
    #[arg(long, value_enum, default_value_t = Kind::Slapd)]
    directory: Kind,
}

/// Which directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Slapd,
    Embedded,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    toolforge_pki::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut figures = Figures::default();
    figures.key.add(milliseconds(key()?));
    let in_memory = tempfile::tempdir_in(MEMORY)?;
    runtime.block_on(async {
        eprintln!("first fill, homes in memory");
        let (_, fill) = Stage::fill(arguments, Some(in_memory.path())).await?;
        figures.fill_in_memory.add(fill.took.as_secs_f64());
        eprintln!("first fill, homes on the disk");
        let (mut stage, fill) = Stage::fill(arguments, None).await?;
        figures.filled(fill);
        stage.look_again(arguments, &mut figures).await?;
        eprintln!("changes of the directory");
        stage.change(arguments, &mut figures).await
    })?;
    figures.print();
    Ok(())
}

fn tools(arguments: &Arguments) -> u32 {
    if arguments.quick { QUICK.0 } else { arguments.tools }
}

/// How long one key of a tool takes to make, with the request for its certificate.
fn key() -> anyhow::Result<Duration> {
    let began = Instant::now();
    for _ in 0..KEYS {
        toolforge_pki::new_request("bench", &["toolforge"])?;
    }
    Ok(began.elapsed() / KEYS)
}

/// What a first fill came to.
struct Fill {
    tools: u32,
    took: Duration,
    turns: f64,
    writes: u64,
    /// Processor time of the API with its controllers.
    api: Duration,
    /// Processor time of the service.
    service: Duration,
    memory_megabytes: f64,
}

/// A cluster and a directory full of tools, and the service between them.
struct Stage {
    // Ends first.
    service: Option<Service>,
    cluster: Cluster,
    directory: Directory,
    homes: PathBuf,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Starts all and waits until every tool has what it should have.
    async fn fill(arguments: &Arguments, homes: Option<&Path>) -> anyhow::Result<(Self, Fill)> {
        let folder = data_folder()?;
        let root = homes.unwrap_or(folder.path()).to_owned();
        for name in ["project", "home"] {
            std::fs::create_dir(root.join(name))?;
        }
        let count = tools(arguments);
        let ldif = content::ldif(&root, count);
        let directory = Directory::start(arguments.directory, folder.path(), &ldif)?;
        let cluster = Cluster::start(folder.path(), &arguments.runs.program).await?;
        let mut stage = Self {
            service: None,
            cluster,
            directory,
            homes: root,
            folder,
        };
        stage.cluster.settled().await?;
        let before = (
            stage.cluster.revision().await?,
            process::processor_time(std::process::id())?,
        );
        let service = stage.serve(&arguments.runs.program)?;
        let (looked, turns) = service.looked().await?;
        let fill = Fill {
            tools: count,
            took: looked,
            turns,
            writes: stage.cluster.revision().await? - before.0,
            api: process::processor_time(std::process::id())?.saturating_sub(before.1),
            service: process::processor_time(service.id())?,
            memory_megabytes: process::memory_megabytes(service.id())?,
        };
        service.has_all(count).await?;
        stage.service = Some(service);
        Ok((stage, fill))
    }

    fn serve(&self, program: &Path) -> anyhow::Result<Service> {
        Service::start(
            program,
            self.folder.path(),
            &self.homes,
            &self.cluster,
            &self.directory,
        )
    }

    /// Starts the service again, with nothing to do, as often as is asked for.
    async fn look_again(&mut self, arguments: &Arguments, figures: &mut Figures) -> anyhow::Result<()> {
        let runs = if arguments.quick { 1 } else { arguments.runs.runs };
        for run in 1..=runs {
            eprintln!("a look with nothing to do, {run} of {runs}");
            self.service = None;
            let revision = self.cluster.settled().await?;
            let began = Instant::now();
            let service = self.serve(&arguments.runs.program)?;
            let (looked, turns) = service.looked().await?;
            figures.restart_at_most.add(began.elapsed().as_secs_f64());
            figures.look.add(milliseconds(looked));
            figures.look_turns.add(turns / f64::from(tools(arguments)));
            let written = self.cluster.revision().await? - revision;
            ensure!(
                written == 0,
                "a look with nothing to do has made {written} writes"
            );
            figures
                .memory_after_restart
                .add(process::memory_megabytes(service.id())?);
            self.service = Some(service);
        }
        Ok(())
    }

    /// New tools in the directory, one after the other, each until its kubeconfig works.
    async fn change(&self, arguments: &Arguments, figures: &mut Figures) -> anyhow::Result<()> {
        let count = if arguments.quick {
            QUICK.1
        } else {
            arguments.changes
        };
        let mut ldap = self.directory.administrator().await?;
        for number in 1..=count {
            let took = changes::until_it_works(&mut ldap, &self.homes, number).await?;
            figures.changes.push(took);
        }
        Ok(())
    }
}
