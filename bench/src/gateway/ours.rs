//! The gateway under measurement: the real program without an API. It serves the table that is kept on disk, and the
//! bench writes that file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use toolforge_routing::{Change, Snapshot};

use super::{
    objects,
    proxy::{Doors, Proxy},
    stage::{DOMAIN, Stage},
};

/// An address at which no API is.
const NOWHERE: &str = "https://127.0.0.1:1";

/// What starts it on the table of all hosts.
pub(super) async fn command(stage: &Stage, doors: Doors) -> anyhow::Result<Command> {
    let table = stage.folder().join("table.json");
    if !table.exists() {
        write_table(stage, &table).await?;
    }
    Ok(started(stage, doors, &nowhere(stage)?, &table))
}

/// What starts it on this table, as a client of the API of this kubeconfig.
pub(super) fn started(stage: &Stage, doors: Doors, kubeconfig: &Path, table: &Path) -> Command {
    let mut command = Command::new(&stage.program);
    command
        .arg("gateway")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--table")
        .arg(table)
        .args(["--domain", DOMAIN, "--https", &doors.tls.to_string()])
        .args(["--http", &doors.plain.to_string(), "--plain-http", "serve"])
        .args(["--workers", "1"])
        .arg("--tls-cert")
        .arg(stage.folder().join("tls.crt"))
        .arg("--tls-key")
        .arg(stage.folder().join("tls.key"))
        .env("RUST_LOG", "off")
        .stdout(Stdio::null());
    command
}

/// A kubeconfig that leads nowhere.
fn nowhere(stage: &Stage) -> anyhow::Result<PathBuf> {
    let path = stage.folder().join("nowhere.kubeconfig");
    if !path.exists() {
        let identity = stage.authority().issue_client("bench", &[])?;
        let ca = stage.authority().certificate_pem();
        let text = toolforge_serve::kubeconfig(NOWHERE, ca, &identity, "bench", "default");
        toolforge_pki::write_private(&path, text.as_bytes())?;
    }
    Ok(path)
}

/// A gateway that has heard nothing leaves an empty table behind, with the settings that a table must have; it is filled.
async fn write_table(stage: &Stage, path: &Path) -> anyhow::Result<()> {
    let doors = Doors::free()?;
    let empty = Proxy::run(started(stage, doors, &nowhere(stage)?, path), doors).await?;
    empty.stopped()?;
    let text = fs::read(path).context("the gateway has left no table behind")?;
    let table = serde_json::from_slice::<Snapshot>(&text)?.into_kept_table()?;
    let mut changes = Vec::new();
    for number in 0..stage.hosts {
        let objects = objects::kept(number, stage.upstream.port_of(number))?;
        changes.extend(objects.map(Change::Put));
    }
    let table = table.with(changes);
    let text = serde_json::to_vec(&Snapshot::of(&table))?;
    ensure!(text.len() > stage.hosts, "the table is empty");
    Ok(fs::write(path, text)?)
}
