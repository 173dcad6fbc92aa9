//! The processes of a measurement: that they end, and what the kernel says of their memory and processor time.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

/// The kernel counts processor time in hundredths of a second on every Linux that we know.
const TICK: Duration = Duration::from_millis(10);
/// How long a process may take to end when it is told to.
const STOP: Duration = Duration::from_secs(15);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// A process that ends with this: it is told to, as an operator tells it, and killed when it does not listen.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let process = command.spawn();
        let process =
            process.with_context(|| format!("{} cannot be run", command.get_program().display()))?;
        Ok(Self(process))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Tells it to end, and waits until it has.
    fn stop(&mut self) -> anyhow::Result<()> {
        terminate(self.id());
        let ends = Instant::now() + STOP;
        while self.ended()?.is_none() {
            if Instant::now() > ends {
                self.0.kill()?;
                self.0.wait()?;
                bail!("it does not end within {STOP:?}");
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The same, for whom it matters that it ends by itself.
    pub(crate) fn stopped(mut self) -> anyhow::Result<()> {
        self.stop()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends, is killed, or was gone already.
        let _ = self.stop();
    }
}

/// Proportional set size in megabytes: shared pages are counted once, however many processes share them.
pub(crate) fn memory_megabytes(process: u32) -> anyhow::Result<f64> {
    let path = PathBuf::from(format!("/proc/{process}/smaps_rollup"));
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .context("no Pss in smaps_rollup")?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// Processor time of all threads since the start, in user space and in the kernel.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let path = PathBuf::from(format!("/proc/{process}/stat"));
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    // The name, in parentheses, may hold anything; fields are counted behind it.
    let fields = text.rsplit_once(')').context("no name in stat")?.1;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    let user = times.next().context("no user time in stat")??;
    let system = times.next().context("no system time in stat")??;
    Ok(TICK * (user + system))
}

/// The processes that a process has started itself and that still run.
pub(crate) fn children(process: u32) -> anyhow::Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let path = thread?.path().join("children");
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        for id in text.split_whitespace() {
            children.push(id.parse()?);
        }
    }
    Ok(children)
}

/// Tells a process to end, as an operator does. One that has ended already is none of anybody's business.
fn terminate(process: u32) {
    let id = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        rustix::process::kill_process(id, rustix::process::Signal::TERM).ok();
    }
}

/// Lets this process, and what it starts, have as many files open as the machine allows it; gives how many.
pub(crate) fn raise_file_limit() -> anyhow::Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit)?;
    Ok(maximum.unwrap_or(u64::MAX))
}

/// Where a program is found on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder: PathBuf| folder.join(Path::new(program)))
        .find(|file| file.is_file())
}
