//! The API driven by the machine's kubectl.

mod custom;
mod pruning;
mod reading;
mod refusals;
mod rollouts;
mod tokens;
mod verbs;
mod writing;

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::harness::{DEADLINE, Harness};

struct Kubectl {
    home: PathBuf,
    kubeconfig: PathBuf,
}

/// How a command ended.
struct Ended {
    success: bool,
    out: String,
    err: String,
}

impl Kubectl {
    fn of(api: &Harness, user: &str, groups: &[&str]) -> Self {
        let home = api.folder.path().join(format!("home-{user}"));
        std::fs::create_dir_all(&home).unwrap();
        let kubeconfig = home.join("config");
        std::fs::write(&kubeconfig, api.kubeconfig(user, groups, "default")).unwrap();
        Self { home, kubeconfig }
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(line)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn ended(&self, mut command: Command, input: Option<&str>) -> Ended {
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl 1.30 or newer must be in PATH (`cargo xtask test` installs it)");
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin.write_all(input.as_bytes()).await.unwrap();
        }
        let output = tokio::time::timeout(DEADLINE, child.wait_with_output())
            .await
            .expect("kubectl ends")
            .unwrap();
        Ended {
            success: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    async fn try_run(&self, line: &[&str]) -> Ended {
        self.ended(self.command(line), None).await
    }

    async fn run(&self, line: &[&str]) -> String {
        let ended = self.try_run(line).await;
        assert!(
            ended.success,
            "kubectl {line:?} failed:\n{}{}",
            ended.out, ended.err
        );
        ended.out
    }

    /// Runs a line whose words are separated by single blanks.
    async fn line(&self, line: &str) -> String {
        self.run(&line.split(' ').collect::<Vec<_>>()).await
    }

    async fn run_with(&self, line: &[&str], input: &str) -> String {
        let ended = self.ended(self.command(line), Some(input)).await;
        assert!(
            ended.success,
            "kubectl {line:?} failed:\n{}{}",
            ended.out, ended.err
        );
        ended.out
    }
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: registry/one:latest
        ports: [{containerPort: 8000}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 8000}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {color: blue}
";

async fn start() -> (Harness, Kubectl) {
    let api = Harness::start().await;
    let kubectl = Kubectl::of(&api, "admin", &["system:masters"]);
    (api, kubectl)
}
