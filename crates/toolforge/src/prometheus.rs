//! `toolforge prometheus`: everything that Prometheus needs to watch the platform of this machine, in one folder:
//! configuration, rules, and a certificate with which it may read figures and nothing else.
//!
//! Paths in the configuration are relative to it, so the folder may be moved.

pub(crate) mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;
use toolforge_pki::{Authority, read_certificate_pem, write_private};

use crate::{cli::DataArgs, objects::PROMETHEUS_USER, settings::Settings, up::layout::Layout};

/// The configuration with places to fill in.
const CONFIGURATION: &str = include_str!("../../../deploy/prometheus/machine.yml");
/// A rule file by its name.
macro_rules! rules {
    ($($name:literal),+) => {
        [$(($name, include_str!(concat!("../../../deploy/prometheus/rules/", $name)))),+]
    };
}

/// The rules.
const RULES: [(&str, &str); 8] = rules![
    "accounts.yaml",
    "admission.yaml",
    "cluster.yaml",
    "components.yaml",
    "gateway.yaml",
    "records.yaml",
    "targets.yaml",
    "tools.yaml"
];

#[derive(Debug, Args)]
pub(crate) struct PrometheusArgs {
    /// The folder to write into; it is made when it is not there
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    /// How often Prometheus looks, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=300))]
    interval_seconds: u32,
    /// An Alertmanager that is told of alerts; can be given more than once
    #[arg(long = "alertmanager", value_name = "HOST:PORT")]
    alertmanagers: Vec<String>,
    #[command(flatten)]
    data: DataArgs,
}

pub(crate) fn run(arguments: &PrometheusArgs) -> anyhow::Result<ExitCode> {
    let layout = Layout::settle(arguments.data.data.as_deref())?;
    if Settings::read(&layout.settings())?.is_none() {
        bail!(
            "there is no platform in {}; start one with `toolforge up`, or name its folder with --data DIR",
            layout.root().display()
        );
    }
    let cluster = Authority::load_or_create(&layout.pki(), "cluster-ca", "toolforge cluster")?;
    let identity = cluster.issue_client(PROMETHEUS_USER, &[])?;
    let ends = read_certificate_pem(&identity.certificate_pem)?.not_after;
    let folder = &arguments.into;
    let configuration = configuration(
        &layout.targets(),
        arguments.interval_seconds,
        &arguments.alertmanagers,
    );
    let mut files = vec![
        ("prometheus.yml".to_owned(), configuration),
        ("ca.crt".to_owned(), cluster.certificate_pem().to_owned()),
        ("client.crt".to_owned(), identity.certificate_pem),
    ];
    files.extend(RULES.map(|(name, text)| (format!("rules/{name}"), text.to_owned())));
    fs::create_dir_all(folder.join("rules"))
        .with_context(|| format!("--into: {} cannot be made", folder.display()))?;
    write_private(&folder.join("client.key"), identity.key_pem.as_bytes())?;
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("--into: {} cannot be written", path.display()))?;
    }
    say(folder, ends);
    Ok(ExitCode::SUCCESS)
}

fn say(folder: &Path, ends: SystemTime) {
    let path = folder.join("prometheus.yml");
    let until = Timestamp::try_from(ends).map_or_else(|_| "a year from now".to_owned(), day);
    anstream::println!(
        "Prometheus can watch this platform now:\n\n  prometheus --config.file={}\n\n\
         Its certificate, with which it may read figures and nothing else, ends on {until}: run this command again\n\
         before that day, also while Prometheus runs. Only the owner of the folder's key can read it; where Prometheus\n\
         is another user, give the folder to that user (chown -R).",
        path.display()
    );
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// The configuration for these targets.
fn configuration(targets: &Path, interval_seconds: u32, alertmanagers: &[String]) -> String {
    // JSON's strings are YAML's.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!(
        "# Written by `toolforge prometheus`, which writes it anew when it is run again; the options of the command last.\n\
         {CONFIGURATION}"
    )
    .replace("<INTERVAL>", &format!("{interval_seconds}s"))
    .replace("<TARGETS>", &quoted(&targets.to_string_lossy()));
    if !alertmanagers.is_empty() {
        let addresses: Vec<String> = alertmanagers.iter().map(|address| quoted(address)).collect();
        text += "\nalerting:\n  alertmanagers:\n    - static_configs:\n        - targets: [";
        text += &addresses.join(", ");
        text += "]\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_rule_file_is_written() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/prometheus/rules");
        let mut there: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        assert_eq!(there, RULES.map(|(name, _)| name));
    }

    #[test]
    fn what_the_operator_says_is_in_the_configuration() {
        let alertmanagers = ["localhost:9093".to_owned()];
        let text = configuration(Path::new("/var/lib/a \"b\"/targets.json"), 30, &alertmanagers);
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read["global"]["scrape_interval"], "30s");
        assert_eq!(
            read["scrape_configs"][0]["file_sd_configs"],
            json!([{ "files": ["/var/lib/a \"b\"/targets.json"] }])
        );
        assert_eq!(
            read.pointer("/alerting/alertmanagers/0/static_configs/0/targets"),
            Some(&json!(["localhost:9093"]))
        );
        assert!(!text.contains('<'), "{text}");
    }
}
