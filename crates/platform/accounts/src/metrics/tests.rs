use std::{collections::BTreeMap, time::Duration};

use prometheus_client::encoding::text::encode;
use toolforge_figures::{PROCESS, Process};

use super::{Done, FAMILIES, Metrics};
use crate::{cause::Cause, report::Report};

fn text(metrics: &Metrics, report: Option<&Report>) -> String {
    let mut text = String::new();
    encode(&mut text, metrics.registry(report)).unwrap();
    let undeclared = toolforge_exposition::undeclared(&text, &[FAMILIES, PROCESS].concat());
    assert!(undeclared.is_empty(), "{undeclared:?}");
    text
}

#[test]
fn has_the_names_of_the_original() {
    let metrics = Metrics::new(Process::Own);
    metrics.count("tool", Done::Created);
    metrics.run_ended(Duration::from_secs(2));
    let text = text(&metrics, None);
    for line in [
        "maintain_kubeusers_run_seconds_sum 2.0",
        "maintain_kubeusers_run_seconds_count 1",
        "maintain_kubeusers_accounts_created_total{account_type=\"tool\"} 1",
        "maintain_kubeusers_accounts_renewed_total{account_type=\"admin\"} 0",
        "maintain_kubeusers_accounts_disabled_total{account_type=\"tool\"} 0",
        "maintain_kubeusers_accounts_removed_total{account_type=\"admin\"} 0",
        "toolforge_accounts_leading 0",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
    assert!(text.contains("\nmaintain_kubeusers_run_finished "), "{text}");
}

#[test]
fn forgets_the_accounts_when_it_does_not_lead_any_more() {
    let metrics = Metrics::new(Process::Own);
    let report = Report {
        accounts: BTreeMap::from([(("tool", "failing"), 3)]),
        ..Report::default()
    };
    let line = "toolforge_accounts_accounts{account_type=\"tool\",state=\"failing\"} 3";
    assert!(text(&metrics, Some(&report)).contains(line));
    assert!(!text(&metrics, None).contains("failing"));
}

#[test]
fn the_alerts_ask_for_figures_that_there_are() {
    let rules = include_str!("../../../../../deploy/prometheus/rules/accounts.yaml");
    let metrics = Metrics::new(Process::Own);
    metrics.turn_ended(true, Duration::ZERO);
    let report = Report {
        accounts: BTreeMap::from([(("tool", "failing"), 3)]),
        ..Report::default()
    };
    let text = text(&metrics, Some(&report));
    let names: Vec<&str> = rules
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("toolforge_accounts_") || word.starts_with("maintain_kubeusers_"))
        .collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        let is_this = |line: &str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{']))
        };
        assert!(text.lines().any(is_this), "{name} is not in\n{text}");
    }
}

#[test]
fn failures_are_counted_by_causes_of_a_fixed_list() {
    let metrics = Metrics::new(Process::Own);
    metrics.turn_failed(Cause::CertificateRefused);
    let text = text(&metrics, None);
    let lines = text
        .lines()
        .filter(|line| line.starts_with("toolforge_accounts_turn_failures_total"));
    let counted: Vec<(&str, &str)> = lines.map(|line| line.rsplit_once(' ').unwrap()).collect();
    let causes: std::collections::BTreeSet<&str> = counted.iter().map(|(cause, _)| *cause).collect();
    assert_eq!(causes.len(), Cause::ALL.len(), "{text}");
    for (cause, count) in counted {
        let wanted = if cause.contains("\"certificate_refused\"") {
            "1"
        } else {
            "0"
        };
        assert_eq!(count, wanted, "{cause}");
    }
}
