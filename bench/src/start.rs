//! How fast the platform starts, how much it needs when idle, and how fast a tool is on the web.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::bail;

use crate::{
    Runs,
    figures::{Figure, milliseconds, shown},
    platform::{Platform, Ports, data_folder},
};

/// Idle means that the work of the start has settled: caches are filled, buffers given back.
const SETTLING: Duration = Duration::from_secs(3);

pub(crate) fn run(arguments: &Runs) -> anyhow::Result<()> {
    let runs = arguments.runs;
    let mut figures = Figures::default();
    for run in 1..=runs {
        println!("run {run} of {runs}");
        measure(&arguments.program, &mut figures)?;
    }
    println!("\nmedians of {runs} runs");
    row("up to ready, fresh data", &figures.fresh, "ms");
    row("up to ready, existing data", &figures.existing, "ms");
    row(
        "webservice static start to first 200",
        &figures.first_answer,
        "ms",
    );
    row("webservice static start, whole command", &figures.command, "ms");
    row(
        "memory of the idle platform (proportional set size)",
        &figures.memory,
        "MB",
    );
    Ok(())
}

#[derive(Debug, Default)]
struct Figures {
    fresh: Figure,
    existing: Figure,
    first_answer: Figure,
    command: Figure,
    memory: Figure,
}

fn row(what: &str, figure: &Figure, unit: &str) {
    if let (Some(median), Some((least, most))) = (figure.median(), figure.range()) {
        let (median, least, most) = (shown(median), shown(least), shown(most));
        println!("  {what:<52} {median:>8} {unit}   ({least} to {most})");
    }
}

fn measure(program: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let data = data_folder()?;
    let ports = Ports::free()?;
    let (platform, fresh) = Platform::start(program, data.path(), &ports)?;
    figures.fresh.add(milliseconds(fresh));
    drop(platform);
    let (platform, existing) = Platform::start(program, data.path(), &ports)?;
    figures.existing.add(milliseconds(existing));
    std::thread::sleep(SETTLING);
    figures.memory.add(platform.memory_megabytes()?);
    let (first_answer, command) = start_tool(program, data.path(), &ports)?;
    figures.first_answer.add(milliseconds(first_answer));
    figures.command.add(milliseconds(command));
    Ok(())
}

/// From the command to the first 200 of the tool's URL, as another process sees it, and to the command's end.
fn start_tool(program: &Path, data: &Path, ports: &Ports) -> anyhow::Result<(Duration, Duration)> {
    let authority = data.join("pki/web-ca.crt");
    let began = Instant::now();
    let mut command = Command::new(program)
        .args(["become", "hello", "--data"])
        .arg(data)
        .args(["--", "webservice", "static", "start"])
        .stdout(Stdio::null())
        .spawn()?;
    let port = ports.https();
    let url = format!("https://hello.toolforge.localhost:{port}/");
    let resolve = format!("hello.toolforge.localhost:{port}:127.0.0.1");
    let first_answer = loop {
        let answer = Command::new("curl")
            .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
            .arg("--cacert")
            .arg(&authority)
            .args(["--resolve", &resolve, &url])
            .output()?;
        if answer.stdout == b"200" {
            break began.elapsed();
        }
        if began.elapsed() > Duration::from_mins(1) {
            bail!("{url} does not answer 200 after a minute");
        }
    };
    let status = command.wait()?;
    if !status.success() {
        bail!("webservice static start failed ({status})");
    }
    Ok((first_answer, began.elapsed()))
}
