//! Debian's nginx, which answers everything with 404 and one file.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Context as _;

use crate::process::{self, Running};

/// The program and its package.
const PEER: &str = "nginx";

/// An nginx that is ended when dropped.
pub(super) struct Nginx {
    master: Running,
    pub(super) port: u16,
}

impl Nginx {
    /// The process that answers.
    pub(super) fn worker(&self) -> anyhow::Result<u32> {
        let workers = process::children(self.master.id())?;
        workers.first().copied().context("nginx has no worker")
    }
}

/// Starts it with this page.
pub(super) fn start(folder: &Path, page: &str) -> anyhow::Result<Nginx> {
    let port = super::free_port()?;
    std::fs::write(folder.join("404.html"), page)?;
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let configuration = format!(
        "{user}\ndaemon off;\nworker_processes 1;\npid {0}/nginx.pid;\nevents {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  default_type text/html;\n  client_body_temp_path {0}/body;\n  proxy_temp_path {0}/proxy;\n  \
         fastcgi_temp_path {0}/fastcgi;\n  uwsgi_temp_path {0}/uwsgi;\n  scgi_temp_path {0}/scgi;\n  open_file_cache max=10;\n  \
         keepalive_requests 10000000;\n  server {{\n    listen 127.0.0.1:{port};\n    root {0};\n    error_page 404 /404.html;\n    \
         location = /404.html {{ internal; }}\n    location / {{ return 404; }}\n  }}\n}}\n",
        folder.display(),
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, configuration)?;
    let program = process::find(PEER).context("nginx is not there; install Debian's package nginx")?;
    let mut command = Command::new(program);
    command
        .arg("-p")
        .arg(folder)
        .args(["-e", "stderr", "-c"])
        .arg(file)
        .stderr(Stdio::null());
    let master = Running::start(&mut command)?;
    Ok(Nginx { master, port })
}
