//! What Prometheus scrapes on one machine: the file of targets that `up` writes at each start, since most ports are others
//! each time. No secret is in it. The jobs are called as in `deploy/prometheus/cluster.yml`, so that rules and dashboards
//! are the same on a cluster.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::Context as _;
use serde_json::{Value, json};

/// What series of this machine say of where they are from; it has to outlive ports.
const INSTANCE: &str = "localhost";
const OPEN_FOLDER: u32 = 0o755;
const OPEN_FILE: u32 = 0o644;

/// One place to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    job: &'static str,
    scheme: &'static str,
    path: &'static str,
    address: SocketAddr,
}

impl Target {
    /// Figures at `/metrics`, over HTTP.
    pub(crate) fn plain(job: &'static str, address: SocketAddr) -> Self {
        Self {
            job,
            scheme: "http",
            path: "/metrics",
            address,
        }
    }

    /// The same over HTTPS, with a certificate of the cluster's authority.
    pub(crate) fn secure(job: &'static str, address: SocketAddr) -> Self {
        Self {
            scheme: "https",
            ..Self::plain(job, address)
        }
    }

    /// At another path.
    pub(crate) fn at(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    fn group(&self) -> Value {
        json!({
            "targets": [self.address.to_string()],
            "labels": {
                "job": self.job,
                "instance": INSTANCE,
                "__scheme__": self.scheme,
                "__metrics_path__": self.path,
            },
        })
    }
}

/// Puts the file in its place at once, so that nobody reads half of it.
pub(crate) fn write(path: &Path, targets: &[Target]) -> anyhow::Result<()> {
    let groups: Vec<Value> = targets.iter().map(Target::group).collect();
    let text = format!("{:#}\n", Value::from(groups));
    let written = || {
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(OPEN_FOLDER))?;
        let beside = path.with_extension("new");
        fs::write(&beside, &text)?;
        fs::set_permissions(&beside, fs::Permissions::from_mode(OPEN_FILE))?;
        fs::rename(&beside, path)
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_finds_what_it_asks_for_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prometheus/targets.json");
        let address: SocketAddr = "127.0.0.1:10250".parse().unwrap();
        let cadvisor = Target::secure("cadvisor", address).at("/metrics/cadvisor");
        for targets in [&[][..], &[Target::plain("gateway", address), cadvisor]] {
            write(&path, targets).unwrap();
        }
        let read: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let labels = |job: &str, scheme: &str, path: &str| {
            json!({ "targets": ["127.0.0.1:10250"], "labels": {
                "job": job, "instance": "localhost", "__scheme__": scheme, "__metrics_path__": path } })
        };
        let cadvisor = labels("cadvisor", "https", "/metrics/cadvisor");
        assert_eq!(read, json!([labels("gateway", "http", "/metrics"), cadvisor]));
    }
}
