//! The account service under measurement, `toolforge accounts`: a process of its own, which tells of itself in metrics.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::process::Running;

use super::{cluster::Cluster, content::READER, directory::Directory};

/// Between two looks how far it is: seldom, since it goes over all accounts to answer.
const LOOK: Duration = Duration::from_millis(500);
/// How long it may take with all of them.
const LONGEST: Duration = Duration::from_hours(1);

/// Turns of accounts that went well.
const TURNS: &str = "toolforge_accounts_turn_seconds_count{result=\"done\"}";

/// A service; ends when dropped.
pub(super) struct Service {
    process: Running,
    address: SocketAddr,
}

impl Service {
    /// Starts it. What it says goes to standard error when it is a warning.
    pub(super) fn start(
        program: &Path,
        folder: &Path,
        homes: &Path,
        cluster: &Cluster,
        directory: &Directory,
    ) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let password = folder.join("reader-password");
        toolforge_pki::write_private(&password, READER.1.as_bytes())?;
        let mut command = Command::new(program);
        command
            .args(["accounts", "--alone", "--listen", &address.to_string()])
            .arg("--kubeconfig")
            .arg(cluster.kubeconfig())
            .args(["--ldap-url", &directory.url(), "--bind-dn", READER.0])
            .arg("--ldap-ca")
            .arg(directory.ca())
            .arg("--bind-password-file")
            .arg(password)
            .arg("--home-root")
            .arg(homes.join("project"))
            .arg("--admin-home-root")
            .arg(homes.join("home"))
            .arg("--archive")
            .arg(folder.join("archive"))
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null());
        Ok(Self {
            process: Running::start(&mut command)?,
            address,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it has looked at every account once; gives how long it took from the directory's answer, and how many
    /// turns accounts have had, as it says.
    pub(super) async fn looked(&self) -> anyhow::Result<(Duration, f64)> {
        let ends = Instant::now() + LONGEST;
        loop {
            tokio::time::sleep(LOOK).await;
            if let Ok(text) = self.metrics().await
                && value(&text, "maintain_kubeusers_run_seconds_count").is_some_and(|count| count >= 1.0)
            {
                let took =
                    value(&text, "maintain_kubeusers_run_seconds_sum").context("no time of the run")?;
                let turns = value(&text, TURNS).context("no count of turns")?;
                return Ok((Duration::from_secs_f64(took), turns));
            }
            ensure!(Instant::now() < ends, "the account service is never done");
        }
    }

    /// Makes sure that this many tools have all that they should have.
    pub(super) async fn has_all(&self, tools: u32) -> anyhow::Result<()> {
        let text = self.metrics().await?;
        let active = "toolforge_accounts_accounts{account_type=\"tool\",state=\"active\"}";
        let active = value(&text, active).context("no count of the accounts")?;
        ensure!(
            (active - f64::from(tools)).abs() < 0.5,
            "{active} of {tools} tools are as they should be"
        );
        Ok(())
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        // In this version of HTTP the answer ends with the connection.
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        ensure!(text.contains(" 200 "), "no metrics");
        Ok(text)
    }
}

/// The value of a metric, named with its labels.
fn value(text: &str, name: &str) -> Option<f64> {
    let line = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    text.lines().find_map(line)
}
