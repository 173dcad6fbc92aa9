//! How fast the platform starts, how much it needs when idle, and how fast a tool is on the web.

mod webservice;

use std::path::Path;

use crate::{
    Runs,
    figures::{Figure, milliseconds, shown},
    platform::{IDLE_AFTER, Platform, Ports, data_folder},
};

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
        "memory of the idle platform (proportional set size)",
        &figures.memory,
        "MB",
    );
    figures.webservice.print();
    Ok(())
}

#[derive(Debug, Default)]
struct Figures {
    fresh: Figure,
    existing: Figure,
    memory: Figure,
    webservice: webservice::Figures,
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
    std::thread::sleep(IDLE_AFTER);
    figures.memory.add(platform.memory_megabytes()?);
    let place = webservice::Place {
        program,
        data: data.path(),
        https_port: ports.https(),
    };
    webservice::measure(place, &mut figures.webservice)
}
