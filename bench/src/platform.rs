//! A platform of the bench's own: `toolforge up` on free ports and a data folder of the caller's.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::process;

const FLAGS: [&str; 7] = [
    "--https-port",
    "--http-port",
    "--api-port",
    "--ldap-port",
    "--node-port",
    "--admission-port",
    "--fourohfour-port",
];

/// How long after its start a platform is idle: by then the start is over and what it needed is given back, and everything that
/// is done from time to time has been done.
pub(crate) const IDLE_AFTER: Duration = Duration::from_mins(1);

/// A data folder that tools with user ids of their own can reach; goes when dropped.
pub(crate) fn data_folder() -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    Ok(folder)
}

/// Ports that were free a moment ago, in the order of the platform's flags.
#[derive(Debug)]
pub(crate) struct Ports(Vec<u16>);

impl Ports {
    /// Looks for free ports.
    pub(crate) fn free() -> anyhow::Result<Self> {
        let listeners: Vec<TcpListener> = FLAGS
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()?;
        let ports = listeners
            .iter()
            .map(|listener| listener.local_addr().map(|address| address.port()));
        Ok(Self(ports.collect::<Result<_, _>>()?))
    }

    /// The port of the gateway.
    pub(crate) fn https(&self) -> u16 {
        self.0[0]
    }
}

/// A running platform; ends when dropped.
#[derive(Debug)]
pub(crate) struct Platform {
    process: Child,
    data: PathBuf,
}

impl Platform {
    /// Starts it; also tells how long it took from the command to the line that says that it is ready.
    pub(crate) fn start(program: &Path, data: &Path, ports: &Ports) -> anyhow::Result<(Self, Duration)> {
        let began = Instant::now();
        let mut command = Command::new(program);
        command.arg("up").arg("--data").arg(data);
        for (flag, port) in FLAGS.iter().zip(&ports.0) {
            command.arg(flag).arg(port.to_string());
        }
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be run", program.display()))?;
        let output = process.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        let platform = Self {
            process,
            data: data.to_owned(),
        };
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

    /// The kubeconfig of its administrator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.data.join("admin.kubeconfig")
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its memory in megabytes.
    pub(crate) fn memory_megabytes(&self) -> anyhow::Result<f64> {
        process::memory_megabytes(self.id())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // SIGTERM, so that it stops as a user stops it; kill(1) is on every machine.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
