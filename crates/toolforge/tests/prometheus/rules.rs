//! The rule files of `deploy/prometheus`, as they are shipped.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;

/// `deploy/prometheus`.
pub(super) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/prometheus"))
}

/// Every rule of every file.
pub(super) fn all() -> Vec<Value> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder().join("rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let groups = files.iter().flat_map(|path| {
        let file: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        file["groups"].as_array().cloned().unwrap_or_default()
    });
    groups
        .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
        .collect()
}

/// The names of the rules of a kind: `alert` or `record`.
pub(super) fn names(kind: &str) -> BTreeSet<String> {
    all()
        .iter()
        .filter_map(|rule| rule[kind].as_str().map(str::to_owned))
        .collect()
}

/// How the names of the series begin that the platform tells.
const OURS: [&str; 9] = [
    "toolforge_",
    "maintain_kubeusers_",
    "kube_",
    "container_",
    "machine_",
    "node_",
    "kubelet_",
    "apiserver_",
    "process_",
];

/// The series that a query names.
pub(super) fn series(query: &str) -> BTreeSet<String> {
    // Names of labels stand in braces; behind `by` and its like none begins like a series.
    let mut plain = String::new();
    let mut depth = 0_u32;
    let mut is_text = false;
    for letter in query.chars() {
        match letter {
            '"' => is_text = !is_text,
            '{' if !is_text => depth += 1,
            '}' if !is_text => depth -= 1,
            _ if depth == 0 && !is_text => plain.push(letter),
            _ => {}
        }
    }
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let words = plain.split(|letter| !is_of_name(letter));
    words
        .filter(|word| OURS.iter().any(|ours| word.starts_with(ours)) && !word.contains(':'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_series_of_a_query_are_found() {
    let found = series(r#"sum by (namespace) (rate(toolforge_a_total{code="kube_no"}[5m])) / kube_b"#);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["kube_b", "toolforge_a_total"]);
}
