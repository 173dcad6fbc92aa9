//! The dashboards of `deploy/grafana`: whole, told apart, and made of figures that there are. Whether their queries have
//! answers is tried with a Prometheus elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::LazyLock,
};

use regex::Regex;
use serde_json::Value;

/// The form of dashboards that Grafana 9 and later read as it is.
const OLDEST_SCHEMA: u64 = 37;
/// Width of Grafana's grid.
const COLUMNS: u64 = 24;
/// What Grafana fills in by itself.
const BUILT_IN: [&str; 3] = ["__rate_interval", "__interval", "__range"];

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Every dashboard by the name of its file.
fn dashboards() -> BTreeMap<String, Value> {
    let files = fs::read_dir(root().join("deploy/grafana")).unwrap();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        (name, serde_json::from_str(&text).unwrap())
    };
    files.map(|file| read(file.unwrap().path())).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn each_is_one_that_grafana_reads_and_tells_apart() {
    let dashboards = dashboards();
    assert!(dashboards.len() >= 6, "{:?}", dashboards.keys());
    let mut taken = BTreeSet::new();
    for (file, dashboard) in &dashboards {
        let uid = text(dashboard, "uid");
        assert!(uid.starts_with("toolforge-") && uid.len() <= 40, "{file}: {uid}");
        assert!(taken.insert(uid), "{file}: {uid} is taken");
        assert!(
            taken.insert(text(dashboard, "title")),
            "{file}: its title is taken"
        );
        assert!(
            dashboard["schemaVersion"].as_u64() >= Some(OLDEST_SCHEMA),
            "{file}"
        );
        assert!(dashboard["id"].is_null(), "{file}: an id belongs to one Grafana");
        assert!(!text(dashboard, "description").is_empty(), "{file}");
        let source = &dashboard["templating"]["list"][0];
        assert_eq!(
            (text(source, "name"), text(source, "type")),
            ("datasource", "datasource"),
            "{file}"
        );
    }
}

#[test]
fn each_panel_says_what_it_shows_and_has_a_place_of_its_own() {
    for (file, dashboard) in dashboards() {
        let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&dashboard, "panels") {
            let place = format!("{file}, {}", text(panel, "title"));
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{place}: its id is taken"
            );
            let side = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(side("x") + side("w") <= COLUMNS, "{place} is too wide");
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(places.insert((x, y)), "{place} lies on another panel");
                }
            }
            assert!(!text(panel, "title").is_empty(), "{place}");
            if text(panel, "type") == "row" {
                continue;
            }
            assert!(
                text(panel, "description").ends_with('.'),
                "{place}: no description"
            );
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(!text(defaults, "unit").is_empty(), "{place}: no unit");
            assert!(!list(panel, "targets").is_empty(), "{place} asks nothing");
            let mut references = BTreeSet::new();
            for target in list(panel, "targets") {
                assert!(
                    references.insert(text(target, "refId")),
                    "{place}: two queries of a name"
                );
                assert_eq!(text(&target["datasource"], "uid"), "${datasource}", "{place}");
            }
        }
    }
}

#[test]
fn each_query_asks_for_figures_and_variables_that_there_are() {
    let documented = documented();
    for name in [
        "up",
        "toolforge_gateway_requests_total",
        "kube_pod_info",
        "container_oom_events_total",
        "toolforge_gateway_answer_seconds_bucket",
    ] {
        assert!(documented.contains(name), "{name} is in no table");
    }
    for (file, dashboard) in dashboards() {
        let variables = list(&dashboard["templating"], "list");
        let known: BTreeSet<&str> = variables.iter().map(|variable| text(variable, "name")).collect();
        for panel in list(&dashboard, "panels") {
            for target in list(panel, "targets") {
                let (expression, place) = (text(target, "expr"), format!("{file}, {}", text(panel, "title")));
                let names = names(expression);
                assert!(!names.is_empty(), "{place} asks for nothing: {expression}");
                for name in names {
                    assert!(
                        documented.contains(name.as_str()),
                        "{place}: nothing tells {name}"
                    );
                }
                for variable in variables_of(expression) {
                    let is_known = known.contains(variable) || BUILT_IN.contains(&variable);
                    assert!(is_known, "{place}: there is no variable {variable}");
                }
            }
        }
    }
}

/// The names in the first columns of the tables in the documentation; both pages are held true by tests. `up` is
/// Prometheus' own.
fn documented() -> BTreeSet<String> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new("`([a-z0-9_]+)`").unwrap());
    let mut names = BTreeSet::from(["up".to_owned()]);
    for page in ["docs/metrics-reference.md", "docs/metrics.md"] {
        let page = fs::read_to_string(root().join(page)).unwrap();
        for line in page.lines().filter(|line| line.starts_with("| `")) {
            let mut cells = line.split('|').skip(1);
            let (first, second) = (cells.next().unwrap(), cells.next().unwrap());
            for found in NAME.captures_iter(first) {
                if second.trim() == "histogram" {
                    for end in ["bucket", "sum", "count"] {
                        names.insert(format!("{}_{end}", &found[1]));
                    }
                } else {
                    names.insert(found[1].to_owned());
                }
            }
        }
    }
    names
}

/// The names of series in a query: words that are neither in strings, matchers or ranges nor functions, labels or keywords.
fn names(expression: &str) -> BTreeSet<String> {
    static LEFT_OUT: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            r#""[^"]*""#,
            r"\{[^}]*\}",
            r"\[[^\]]*\]",
            r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)",
            r"\b[a-z_0-9]+\s*\(",
            r"\b(and|or|unless|bool|offset|by|on)\b",
        ]
        .map(|pattern| Regex::new(pattern).unwrap())
        .into()
    });
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new("[a-zA-Z_:][a-zA-Z0-9_:]*").unwrap());
    let mut rest = expression.to_owned();
    for pattern in LEFT_OUT.iter() {
        rest = pattern.replace_all(&rest, " ").into_owned();
    }
    WORD.find_iter(&rest)
        .map(|word| word.as_str().to_owned())
        .collect()
}

fn variables_of(expression: &str) -> BTreeSet<&str> {
    static VARIABLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$\{?([a-zA-Z_]+)").unwrap());
    VARIABLE
        .captures_iter(expression)
        .filter_map(|found| found.get(1))
        .map(|name| name.as_str())
        .collect()
}

#[test]
fn names_of_series_are_found_in_queries() {
    let query = r#"(sum by (code) (rate(a_total{code=~"5..", b="$x"}[$__rate_interval])) or vector(0))
        / on (job) group_left (pod) (c > 0) unless histogram_quantile(0.9, d_bucket)"#;
    let found: Vec<String> = names(query).into_iter().collect();
    assert_eq!(found, ["a_total", "c", "d_bucket"]);
    assert_eq!(
        variables_of(query).into_iter().collect::<Vec<_>>(),
        ["__rate_interval", "x"]
    );
}
