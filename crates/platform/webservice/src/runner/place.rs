//! Where a tool is run: its home, its port, a folder for what only this run needs.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::Arguments;

/// The surroundings of one run.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) home: PathBuf,
    /// The port, which is never 0: a free one was taken then.
    pub(super) port: u16,
    pub(super) canonical: bool,
    pub(super) extra: Vec<String>,
    /// The run's own folder, gone at its end.
    run: tempfile::TempDir,
}

impl Place {
    /// Takes the port and makes the folder.
    pub(super) fn find(arguments: &Arguments) -> Result<Self, String> {
        let home = std::env::home_dir()
            .filter(|home| home.is_absolute())
            .ok_or("HOME is not set, so there is nothing to serve")?;
        Self::at(home, arguments)
    }

    /// As [`Place::find`], with this home.
    pub(super) fn at(home: PathBuf, arguments: &Arguments) -> Result<Self, String> {
        let port = match arguments.port {
            0 => free_port()?,
            port => port,
        };
        let run = tempfile::Builder::new()
            .prefix("webservice-")
            .tempdir()
            .map_err(|error| {
                format!(
                    "no folder can be made in {}: {error}",
                    std::env::temp_dir().display()
                )
            })?;
        Ok(Self {
            home,
            port,
            canonical: arguments.canonical,
            extra: arguments.extra.clone(),
            run,
        })
    }

    /// The tool's name, which is that of its home.
    pub(super) fn tool(&self) -> String {
        self.home
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// A folder of this run alone, which only the tool reads.
    pub(super) fn run_folder(&self) -> &Path {
        self.run.path()
    }

    /// Puts a file there.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.run_folder().join(name);
        std::fs::write(&path, text)
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        Ok(path)
    }

    /// Listens on the port, for who answers here.
    pub(super) async fn listener(&self) -> Result<tokio::net::TcpListener, String> {
        tokio::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port))
            .await
            .map_err(|error| format!("cannot listen on port {}: {error}", self.port))
    }

    /// A command in a folder, with the two names under which tools look for their port.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env("PORT", self.port.to_string())
            .env("TOOL_WEB_PORT", self.port.to_string())
            .stdin(Stdio::null());
        command
    }
}

/// A port that nobody has now. It is not held: the tool has to be able to take it.
fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no port is free: {error}"))
}
