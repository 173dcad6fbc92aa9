//! Debian's Prometheus on a port of its own, and what its API says.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use toolforge_testkit::{Visitor, free_port};

/// A running Prometheus, stopped when dropped.
pub(super) struct Server {
    process: Child,
    url: String,
    client: Visitor,
}

impl Server {
    /// Starts it with the configuration of a folder, below which it keeps its data and its log.
    pub(super) fn start(folder: &Path, visitor: Visitor) -> Self {
        let log = folder.join("prometheus.log");
        let address = format!("127.0.0.1:{}", free_port());
        let process = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                folder.join("prometheus.yml").display()
            ))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log).unwrap())
            .spawn()
            .expect("Prometheus, of the Debian package prometheus, can be run");
        Self {
            process,
            url: format!("http://{address}"),
            client: visitor,
        }
    }

    /// `data` of an answer of the API.
    pub(super) fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let url =
            reqwest::Url::parse_with_params(&format!("{}/api/v1/{path}", self.url), parameters).unwrap();
        let answer = self.client.get(url.as_str())?;
        let read: Value =
            serde_json::from_str(&answer.text).map_err(|error| format!("{error}: {}", answer.text))?;
        match read["status"].as_str() {
            Some("success") => Ok(read["data"].clone()),
            _ => Err(read.to_string()),
        }
    }

    /// The series that a query has now.
    pub(super) fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let data = self.ask("query", &[("query", query)])?;
        Ok(match data["resultType"].as_str() {
            Some("scalar") => vec![data["result"].clone()],
            _ => data["result"].as_array().cloned().unwrap_or_default(),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and its data go with the folder.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder as `toolforge prometheus` made it, with alerts that wait for nothing: what is changed is `for:`, nothing else.
pub(super) fn without_waiting(folder: &Path) {
    for entry in fs::read_dir(folder.join("rules")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| {
            let is_wait = line.trim_start().starts_with("for:");
            format!("{}\n", if is_wait { "" } else { line })
        });
        fs::write(&path, lines.collect::<String>()).unwrap();
    }
}
