//! The alerts that are shipped for the account service, as Prometheus reads them, and what they say to given figures.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    path::PathBuf,
    process::{Command, Output},
};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../deploy/alerts"))
}

/// None where there is no Prometheus. `cargo xtask test` installs it.
fn promtool(arguments: &[&str]) -> Option<Output> {
    match Command::new("promtool")
        .args(arguments)
        .current_dir(folder())
        .output()
    {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("promtool is not installed: the alerts are not checked");
            None
        }
        other => Some(other.unwrap()),
    }
}

#[test]
fn prometheus_takes_the_alerts_and_they_say_what_they_should() {
    for arguments in [
        ["check", "rules", "accounts.yaml"],
        ["test", "rules", "accounts_test.yaml"],
    ] {
        let Some(Output {
            status,
            stdout,
            stderr,
        }) = promtool(&arguments)
        else {
            return;
        };
        let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{said}");
    }
}

#[test]
fn every_alert_is_tried_and_explained() {
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let rules = read(folder().join("accounts.yaml"));
    let tests = read(folder().join("accounts_test.yaml"));
    let docs = read(folder().join("../../docs/accounts.md"));
    let names: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(
            tests.contains(&format!("alertname: {name}\n")),
            "{name} is not tried"
        );
        assert!(
            docs.contains(&format!("#### {name}\n")),
            "{name} is not in docs/accounts.md"
        );
    }
}
