//! What a check has found, and how findings are written.

use std::collections::BTreeSet;

/// One thing that a level does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What it is, in few words.
    pub(super) reason: String,
    /// Where it is, and what would be right.
    pub(super) detail: String,
}

impl Finding {
    pub(super) fn new(reason: &str, detail: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            detail: detail.into(),
        }
    }
}

/// `host namespaces (hostPID=true), privileged (container "a" must not ...)`.
pub(super) fn details(findings: &[Finding]) -> String {
    let texts: Vec<String> = findings
        .iter()
        .map(|finding| format!("{} ({})", finding.reason, finding.detail))
        .collect();
    texts.join(", ")
}

/// `host namespaces, privileged`.
pub(super) fn reasons(findings: &[Finding]) -> String {
    let texts: Vec<&str> = findings.iter().map(|finding| finding.reason.as_str()).collect();
    texts.join(", ")
}

/// The word for one, or for several.
pub(super) fn plural<'a>(one: &'a str, several: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { several }
}

/// `"a", "b"`.
pub(super) fn quoted<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items
        .into_iter()
        .map(|item| format!("\"{}\"", item.as_ref()))
        .collect();
    items.join(", ")
}

/// `container "a"`, `containers "a", "b"`.
pub(super) fn containers(names: &[&str]) -> String {
    format!(
        "{} {}",
        plural("container", "containers", names.len()),
        quoted(names)
    )
}

/// `pod`, `container "a"`, `pod and containers "a", "b"`.
pub(super) fn setters(pod: bool, names: &[&str]) -> String {
    match (pod, names.is_empty()) {
        (true, true) => "pod".to_owned(),
        (true, false) => format!("pod and {}", containers(names)),
        (false, _) => containers(names),
    }
}

/// Sorted, each once.
pub(super) type Set<'a> = BTreeSet<&'a str>;
