//! `/metrics`: how long Prometheus waits for the state of all objects, over the door that there is: TLS, a token that the
//! API is asked about, and rights that it is asked about too.

use std::{path::Path, time::Instant};

use anyhow::{Context as _, bail};
use toolforge_pki::{Authority, write_private};

use super::{Arguments, START, median, start_with, stub};
use crate::{
    client::{Call, Target},
    figures::{Figure, milliseconds, shown},
    process,
};

/// The whole page within this time.
const GOAL_MILLISECONDS: f64 = 50.0;
/// How often the page is read in each run.
const READS: usize = 10;

/// Measures, and prints the table.
pub(super) async fn measure(
    arguments: &Arguments,
    authority: &Authority,
    folder: &Path,
) -> anyhow::Result<()> {
    let pods = arguments.metrics_pods;
    let api = stub::serve(arguments.tools, pods, authority.certificate_pem()).await?;
    let kubeconfig = folder.join("metrics.kubeconfig");
    std::fs::write(&kubeconfig, stub::kubeconfig(api))?;
    let identity = authority.issue_server(&["127.0.0.1"])?;
    let (certificate, key) = (folder.join("metrics.crt"), folder.join("metrics.key"));
    write_private(&certificate, identity.certificate_pem.as_bytes())?;
    write_private(&key, identity.key_pem.as_bytes())?;
    let word = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .context("a folder without a name")
    };
    let words = ["--tls-cert", &word(&certificate)?, "--tls-key", &word(&key)?];
    let (running, port) = start_with(&arguments.program, "metrics", &kubeconfig, &words)?;
    let url = format!("https://127.0.0.1:{port}");
    let target = Target::with_token(&url, authority.certificate_pem(), "bench")?;
    whole(&target, pods).await?;
    println!(
        "\n{:<36} {:>10} {:>10} {:>10} {:>10}  goal",
        "metrics", "ms", "most ms", "CPU ms", "MB"
    );
    for (what, gzip) in [("as Prometheus asks", true), ("without gzip", false)] {
        let [mut took, mut cost, mut size] = [const { Figure::new() }; 3];
        for _ in 0..arguments.runs {
            let mut connection = target.connect().await?;
            for _ in 0..READS {
                let call = Call {
                    gzip,
                    ..Call::get("/metrics")
                };
                let before = process::processor_time(running.id())?;
                let began = Instant::now();
                let bytes = connection.drain(&call).await?;
                took.add(milliseconds(began.elapsed()));
                size.add(f64::from(u32::try_from(bytes)?) / 1e6);
                let spent = process::processor_time(running.id())?.saturating_sub(before);
                cost.add(milliseconds(spent));
            }
        }
        let typical = median(&took);
        let met = match typical <= GOAL_MILLISECONDS {
            true if gzip => format!("{GOAL_MILLISECONDS} ms: met"),
            false if gzip => format!("{GOAL_MILLISECONDS} ms: missed"),
            _ => String::new(),
        };
        println!(
            "{:<36} {:>10} {:>10} {:>10} {:>10}  {met}",
            format!("{pods} Pods, {what}"),
            shown(typical),
            shown(took.range().map_or(0.0, |(_, most)| most)),
            shown(median(&cost)),
            shown(median(&size))
        );
    }
    println!(
        "{:<36} {:>10} MB",
        "memory",
        shown(process::memory_megabytes(running.id())?)
    );
    Ok(())
}

/// Waits until all Pods are there.
async fn whole(target: &Target, pods: usize) -> anyhow::Result<()> {
    let ends = Instant::now() + START;
    let all = format!("toolforge_metrics_objects{{resource=\"pods\"}} {pods}\n");
    while Instant::now() < ends {
        if let Ok(mut connection) = target.connect().await
            && let Ok(text) = connection.text(&Call::get("/metrics")).await
            && text.contains(&all)
        {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    bail!("the state of {pods} Pods is not there within {START:?}")
}
