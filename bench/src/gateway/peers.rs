//! Debian's nginx and haproxy, configured as fairly as can be: the configurations lie beside this file, only addresses
//! are filled in.

use std::{
    fmt::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::Context as _;

use super::{proxy::Doors, stage::Stage};
use crate::process;

const NGINX: &str = include_str!("nginx.conf");
const HAPROXY: &str = include_str!("haproxy.cfg");
/// The most connections that a peer takes.
pub(super) const CONNECTIONS: u64 = 5500;
/// Idle connections that nginx keeps to one server; the gateway keeps as many.
const KEPT_ALIVE: usize = 64;

/// What starts nginx.
pub(super) fn nginx(stage: &Stage, doors: Doors) -> anyhow::Result<Command> {
    let mut upstreams = String::new();
    for (number, port) in stage.upstream.ports().iter().enumerate() {
        writeln!(
            upstreams,
            "    upstream tools{number} {{\n        server 127.0.0.1:{port};\n        keepalive {KEPT_ALIVE};\n        \
             keepalive_requests 10000000;\n    }}"
        )?;
    }
    std::fs::write(stage.folder().join("nginx.map"), map(stage, ";"))?;
    // As anybody but root it has one user anyway, and warns of the word.
    let is_root = rustix::process::geteuid().is_root();
    let configuration = filled(NGINX, stage, doors)
        .replace("@USER@", if is_root { "user root;" } else { "" })
        .replace("@UPSTREAMS@", upstreams.trim_end());
    let file = stage.folder().join("nginx.conf");
    std::fs::write(&file, configuration)?;
    let mut command = Command::new(found("nginx")?);
    command
        .arg("-p")
        .arg(stage.folder())
        .args(["-e", "stderr", "-c"])
        .arg(file);
    Ok(command)
}

/// What starts haproxy.
pub(super) fn haproxy(stage: &Stage, doors: Doors) -> anyhow::Result<Command> {
    let mut backends = String::new();
    for (number, port) in stage.upstream.ports().iter().enumerate() {
        writeln!(
            backends,
            "backend tools{number}\n    server tool 127.0.0.1:{port}\n"
        )?;
    }
    std::fs::write(stage.folder().join("haproxy.map"), map(stage, ""))?;
    let file = stage.folder().join("haproxy.cfg");
    let configuration = filled(HAPROXY, stage, doors).replace("@BACKENDS@", backends.trim_end());
    std::fs::write(&file, configuration + "\n")?;
    let mut command = Command::new(found("haproxy")?);
    // In the foreground, and quiet about what is no error.
    command.args(["-db", "-q", "-f"]).arg(file);
    command.stdout(Stdio::null());
    Ok(command)
}

/// Which host goes to which server, a line each.
fn map(stage: &Stage, end: &str) -> String {
    let servers = stage.upstream.ports().len();
    let mut map = String::new();
    for number in 0..stage.hosts {
        let host = Stage::host(number);
        let _ = writeln!(map, "{host} tools{}{end}", number % servers);
    }
    map
}

fn filled(template: &str, stage: &Stage, doors: Doors) -> String {
    template
        .replace("@FOLDER@", &stage.folder().display().to_string())
        .replace("@CONNECTIONS@", &CONNECTIONS.to_string())
        .replace("@PLAIN@", &doors.plain.port().to_string())
        .replace("@TLS@", &doors.tls.port().to_string())
}

fn found(name: &str) -> anyhow::Result<PathBuf> {
    process::find(name).with_context(|| format!("there is no {name}; install Debian's package {name}"))
}
