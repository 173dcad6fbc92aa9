//! What a proxy needs of memory: with all hosts, and with many connections that stay and say nothing.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{sleep, timeout};

use super::{
    proxy::Proxy,
    stage::Stage,
    wire::{Ask, Way, Wire},
};

/// The start is over then: ours gives back what only that needed some seconds later.
const START: Duration = Duration::from_secs(7);
/// Idle means that the work of the last request is done.
const SETTLING: Duration = Duration::from_millis(700);
/// Handshakes at a time.
const AT_ONCE: usize = 32;
/// Every so-many-th connection is asked whether it has stayed.
const SAMPLE: usize = 50;
/// How long all of it may take: less than proxies leave idle connections open.
const PATIENCE: Duration = Duration::from_secs(28);

/// Megabytes, of all processes of a proxy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// With all hosts, and next to no connection.
    pub(super) alone: f64,
    /// What the idle connections add.
    pub(super) added: f64,
}

/// Measures a proxy that was started for it, with so many idle connections.
pub(super) async fn measure(
    stage: &Stage,
    proxy: &Proxy,
    way: &Way,
    connections: usize,
) -> anyhow::Result<Memory> {
    // It has to have found its tables, and its ways to the tools, at least once.
    drop(open(stage, way, 0).await?);
    sleep(START).await;
    let alone = proxy.memory_megabytes()?;
    let with = timeout(PATIENCE, with_connections(stage, proxy, way, connections));
    let with = with.await.context("idle connections take too long to open")??;
    Ok(Memory {
        alone,
        added: with - alone,
    })
}

async fn with_connections(
    stage: &Stage,
    proxy: &Proxy,
    way: &Way,
    connections: usize,
) -> anyhow::Result<f64> {
    let mut wires: Vec<(usize, Wire)> = stream::iter(0..connections)
        .map(|number| async move { anyhow::Ok((number, open(stage, way, number).await?)) })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    sleep(SETTLING).await;
    let memory = proxy.memory_megabytes()?;
    for (number, wire) in wires.iter_mut().step_by(SAMPLE) {
        let request = Ask::Page.request(&stage.host_of_connection(*number));
        wire.ask(&request)
            .await
            .context("an idle connection was closed")?;
    }
    ensure!(wires.len() == connections, "connections are missing");
    Ok(memory)
}

/// A connection that has had one request answered.
async fn open(stage: &Stage, way: &Way, number: usize) -> anyhow::Result<Wire> {
    let host = stage.host_of_connection(number);
    let mut wire = way.open(&host).await?;
    wire.ask(&Ask::Page.request(&host)).await?;
    Ok(wire)
}
