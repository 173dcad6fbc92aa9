//! How fast the platform starts, how much it needs when idle, and how fast a tool is on the web.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::process;

/// Idle means that the work of the start has settled: caches are filled, buffers given back.
const SETTLING: Duration = Duration::from_secs(3);

pub(crate) fn run(runs: u32) -> anyhow::Result<()> {
    process::run(process::cargo().args(["build", "--release", "--package", "toolforge"]))?;
    let program = process::root().join("target/release/toolforge");
    let mut figures = Figures::default();
    for run in 1..=runs {
        println!("run {run} of {runs}");
        measure(&program, &mut figures)?;
    }
    println!("\nmedians of {runs} runs");
    row("up to ready, fresh data", &mut figures.fresh, "ms");
    row("up to ready, existing data", &mut figures.existing, "ms");
    row(
        "webservice static start to first 200",
        &mut figures.first_answer,
        "ms",
    );
    row(
        "webservice static start, whole command",
        &mut figures.command,
        "ms",
    );
    row(
        "memory of the idle platform (proportional set size)",
        &mut figures.memory,
        "KiB",
    );
    Ok(())
}

#[derive(Debug, Default)]
struct Figures {
    fresh: Vec<u128>,
    existing: Vec<u128>,
    first_answer: Vec<u128>,
    command: Vec<u128>,
    memory: Vec<u128>,
}

fn row(what: &str, figures: &mut [u128], unit: &str) {
    figures.sort_unstable();
    let (Some(least), Some(most)) = (figures.first(), figures.last()) else {
        return;
    };
    println!(
        "  {what:<52} {:>8} {unit}   ({least} to {most})",
        figures[figures.len() / 2]
    );
}

fn measure(program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    open_to_tools(data.path())?;
    let ports = free_ports()?;
    let (platform, fresh) = Platform::start(program, data.path(), &ports)?;
    figures.fresh.push(fresh.as_millis());
    drop(platform);
    let (platform, existing) = Platform::start(program, data.path(), &ports)?;
    figures.existing.push(existing.as_millis());
    std::thread::sleep(SETTLING);
    figures.memory.push(platform.memory_kib()?);
    let (first_answer, command) = Platform::start_tool(program, data.path(), &ports)?;
    figures.first_answer.push(first_answer.as_millis());
    figures.command.push(command.as_millis());
    Ok(())
}

/// Tools have user ids of their own, and must reach their homes.
fn open_to_tools(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(
        folder,
        PermissionsExt::from_mode(0o755),
    )?)
}

const FLAGS: [&str; 7] = [
    "--https-port",
    "--http-port",
    "--api-port",
    "--ldap-port",
    "--node-port",
    "--admission-port",
    "--fourohfour-port",
];

fn free_ports() -> anyhow::Result<Vec<u16>> {
    let listeners: Vec<TcpListener> = FLAGS
        .iter()
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()?;
    Ok(listeners
        .iter()
        .map(TcpListener::local_addr)
        .map(|address| address.map(|a| a.port()))
        .collect::<Result<_, _>>()?)
}

/// A running platform; ends when dropped.
struct Platform {
    process: Child,
}

impl Platform {
    fn start(program: &Path, data: &Path, ports: &[u16]) -> anyhow::Result<(Self, Duration)> {
        let began = Instant::now();
        let mut command = Command::new(program);
        command.arg("up").arg("--data").arg(data);
        for (flag, port) in FLAGS.iter().zip(ports) {
            command.arg(flag).arg(port.to_string());
        }
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        let platform = Self { process };
        for line in lines.by_ref() {
            if line?.starts_with("Ready") {
                let took = began.elapsed();
                // Somebody must go on reading, or the platform would stop at a full pipe.
                std::thread::spawn(move || lines.count());
                return Ok((platform, took));
            }
        }
        bail!("the platform did not get ready")
    }

    /// Shared pages are counted once, however many processes share them.
    fn memory_kib(&self) -> anyhow::Result<u128> {
        let path = PathBuf::from(format!("/proc/{}/smaps_rollup", self.process.id()));
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .context("no Pss in smaps_rollup")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// From the command to the first 200 of the tool's URL, as another process sees it, and to the command's end.
    fn start_tool(program: &Path, data: &Path, ports: &[u16]) -> anyhow::Result<(Duration, Duration)> {
        let authority = data.join("pki/web-ca.crt");
        let began = Instant::now();
        let mut command = Command::new(program)
            .args(["become", "hello", "--data"])
            .arg(data)
            .args(["--", "webservice", "static", "start"])
            .stdout(Stdio::null())
            .spawn()?;
        let url = format!("https://hello.toolforge.localhost:{}/", ports[0]);
        let resolve = format!("hello.toolforge.localhost:{}:127.0.0.1", ports[0]);
        let first_answer = loop {
            let answer = process::output(
                Command::new("curl")
                    .args([
                        "--silent",
                        "--output",
                        "/dev/null",
                        "--write-out",
                        "%{http_code}",
                        "--cacert",
                    ])
                    .arg(&authority)
                    .args(["--resolve", &resolve, &url]),
            )?;
            if answer == "200" {
                break began.elapsed();
            }
            if began.elapsed() > Duration::from_mins(1) {
                bail!("{url} still answers {answer} after a minute");
            }
        };
        let status = command.wait()?;
        if !status.success() {
            bail!("webservice static start failed ({status})");
        }
        Ok((first_answer, began.elapsed()))
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // SIGTERM, so that it stops as a user stops it; kill(1) is on every machine.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
