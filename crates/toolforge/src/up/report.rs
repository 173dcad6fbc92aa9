//! What `up` says to the person who typed it.

use std::time::Instant;

use anstyle::{AnsiColor, Style};
use toolforge_accounts::Summary;

use super::layout::Layout;
use crate::settings::Settings;

const STRONG: Style = Style::new().bold();
const GOOD: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const CAREFUL: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// The platform as it runs.
pub(super) struct Running<'a> {
    pub(super) layout: &'a Layout,
    pub(super) settings: &'a Settings,
    pub(super) summary: &'a Summary,
    /// What this machine does not protect tools from, in sentences.
    pub(super) missing: &'a [String],
    pub(super) began: Instant,
}

/// What runs where, and what to type next.
pub(super) fn ready(running: &Running<'_>) {
    let Running {
        layout,
        settings,
        summary,
        missing,
        began,
    } = running;
    let ports = &settings.ports;
    anstream::println!();
    for (what, place) in [
        ("Tools", settings.url("TOOL")),
        ("Status", settings.url("k8s-status")),
        (
            "Plain HTTP",
            format!("http://127.0.0.1:{} (redirects to HTTPS)", ports.http),
        ),
        ("Kubernetes API", format!("https://127.0.0.1:{}", ports.api)),
        (
            "Directory",
            format!("ldaps://127.0.0.1:{} ({})", ports.ldap, settings.base),
        ),
        (
            "Webhooks, node, pages",
            format!(
                "127.0.0.1, ports {}, {}, {}",
                ports.admission, ports.node, ports.fourohfour
            ),
        ),
        ("Data", layout.root().display().to_string()),
        ("kubeconfig", layout.admin_kubeconfig().display().to_string()),
    ] {
        anstream::println!("  {STRONG}{what:<22}{STRONG:#} {place}");
    }
    anstream::println!();
    for (account, reason) in &summary.failing {
        warn(&format!("{account} is not ready: {reason}"));
    }
    for sentence in *missing {
        warn(sentence);
    }
    anstream::println!(
        "{GOOD}Ready{GOOD:#} in {:.2} s, with {}. Ctrl-C stops everything.",
        began.elapsed().as_secs_f64(),
        counted(summary.tools, "tool")
    );
    let (program, data) = (layout.bin().join("toolforge"), layout.flag());
    anstream::println!();
    anstream::println!("Next, in another terminal:");
    anstream::println!(
        "  {} become{data} hello -- webservice static start",
        program.display()
    );
    anstream::println!("  {} trust{data}", program.display());
}

/// Something that the user should know, but that holds nothing up.
pub(super) fn warn(sentence: &str) {
    anstream::eprintln!("{CAREFUL}warning:{CAREFUL:#} {sentence}");
}

pub(super) fn stopping() {
    anstream::println!("Stopping; tools are given a moment to end ...");
}

pub(super) fn stopped() {
    anstream::println!("Stopped. `toolforge up` brings everything back as it was.");
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}
