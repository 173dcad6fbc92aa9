//! The queries of the dashboards in `deploy/grafana`, with their variables filled in.

use std::{fs, path::PathBuf};

use serde_json::Value;

/// How the description of a panel ends that shows nothing as long as all is well: its queries only have to be understood.
const MAY_BE_EMPTY: &str = "Empty while all is well.";
/// What variables stand for in the test; anything else stands for everything.
const VALUES: [(&str, &str); 8] = [
    ("__rate_interval", "1m"),
    ("__interval", "1m"),
    ("__range", "5m"),
    ("namespace", "tool-hello"),
    ("tool", "hello"),
    ("node", "localhost"),
    ("instance", "localhost"),
    ("deployment", "hello"),
];
const EVERYTHING: &str = ".+";

/// A query, where it is from, and whether it has to have an answer.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) place: String,
    pub(super) text: String,
    pub(super) must_answer: bool,
}

/// All queries of all dashboards.
pub(super) fn queries() -> Vec<Query> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/grafana"));
    let Ok(entries) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{name} is no JSON: {error}"));
            of_panels(&name, &dashboard["panels"], &mut found);
            of_variables(&name, &dashboard["templating"]["list"], &mut found);
        }
    }
    found
}

/// Panels may be folded into rows.
fn of_panels(place: &str, panels: &Value, found: &mut Vec<Query>) {
    for panel in panels.as_array().into_iter().flatten() {
        let title = panel["title"].as_str().unwrap_or("a panel");
        let may_be_empty = panel["description"]
            .as_str()
            .is_some_and(|description| description.trim_end().ends_with(MAY_BE_EMPTY));
        for target in panel["targets"].as_array().into_iter().flatten() {
            if let Some(text) = target["expr"].as_str() {
                found.push(Query {
                    place: format!("{place}, {title}"),
                    text: filled(text),
                    must_answer: !may_be_empty,
                });
            }
        }
        of_panels(place, &panel["panels"], found);
    }
}

/// `label_values(SERIES, LABEL)` asks for series as well.
fn of_variables(place: &str, variables: &Value, found: &mut Vec<Query>) {
    for variable in variables.as_array().into_iter().flatten() {
        let query = &variable["query"];
        let Some(text) = query.as_str().or_else(|| query["query"].as_str()) else {
            continue;
        };
        let series = text
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|rest| rest.rsplit_once(','));
        let asked = text
            .strip_prefix("query_result(")
            .and_then(|rest| rest.strip_suffix(')'));
        if let Some(text) = series.map(|(series, _)| series).or(asked) {
            found.push(Query {
                place: format!("{place}, variable {}", variable["name"]),
                text: filled(text),
                must_answer: true,
            });
        }
    }
}

/// A query without variables: `$name`, `${name}` and `${name:format}` are what Grafana replaces.
fn filled(text: &str) -> String {
    let mut pieces = text.split('$');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let braced = piece.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, rest) = if let Some((inner, rest)) = braced {
            (inner.split(':').next().unwrap_or(inner), rest)
        } else {
            let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            piece.split_at(piece.find(|letter| !is_of_name(letter)).unwrap_or(piece.len()))
        };
        if name.is_empty() {
            // The end of a line in a regular expression.
            out.push('$');
        } else {
            let known = VALUES.iter().find(|(known, _)| *known == name);
            out += known.map_or(EVERYTHING, |(_, value)| value);
        }
        out += rest;
    }
    out
}

#[test]
fn variables_are_filled_in() {
    for (asked, read) in [
        (
            r#"rate(a{namespace="$namespace"}[$__rate_interval])"#,
            r#"rate(a{namespace="tool-hello"}[1m])"#,
        ),
        (r#"a{pod=~"${pod:regex}", b=~"^x$"}"#, r#"a{pod=~".+", b=~"^x$"}"#),
        ("up", "up"),
    ] {
        assert_eq!(filled(asked), read);
    }
}
