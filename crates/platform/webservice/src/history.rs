//! The last configurations of a webservice: which there were, when, and how they differ. Pure; `store` keeps them.
//!
//! They are settings only. The environment is not among them: its values are secret.

mod store;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::Settings;

pub(crate) use store::{note, read, record};

/// How many are kept.
const MOST: usize = 10;
/// What is of no interest: where everything that is kept here runs.
const ALWAYS_THE_SAME: [&str; 2] = ["backend", "release"];
/// How much of a long setting is shown.
const SHOWN_LETTERS: usize = 60;
/// What a setting is that was not said.
const DEFAULT: &str = "default";

/// A configuration that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Grows with each; never given again.
    pub(crate) revision: u64,
    /// When it was applied last, RFC 3339.
    pub(crate) at: String,
    pub(crate) settings: Settings,
    /// Whether it ever came up; nothing while nobody has seen how it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) came_up: Option<bool>,
}

/// The entries with this configuration as the newest. When it is that already, it keeps its number.
pub(crate) fn with(entries: &[Entry], settings: &Settings, at: &str) -> Vec<Entry> {
    let newest = entries.last();
    let stays = newest.is_some_and(|newest| same(&newest.settings, settings));
    let known = entries.iter().find(|entry| same(&entry.settings, settings));
    let mut kept: Vec<Entry> = entries
        .iter()
        .filter(|entry| !same(&entry.settings, settings))
        .cloned()
        .collect();
    kept.push(Entry {
        revision: newest.map_or(1, |newest| newest.revision + u64::from(!stays)),
        at: at.to_owned(),
        settings: settings.clone(),
        came_up: known.and_then(|known| known.came_up),
    });
    let too_many = kept.len().saturating_sub(MOST);
    kept.split_off(too_many)
}

/// The entries with what has become of this configuration; none when that says nothing new. One that has come up once
/// is a good one, whatever becomes of it later.
pub(crate) fn seen(entries: &[Entry], settings: &Settings, came_up: bool) -> Option<Vec<Entry>> {
    let at = entries
        .iter()
        .rposition(|entry| same(&entry.settings, settings))?;
    if entries[at].came_up == Some(true) || entries[at].came_up == Some(came_up) {
        return None;
    }
    let mut entries = entries.to_vec();
    entries[at].came_up = Some(came_up);
    Some(entries)
}

/// The last configuration that differs from this one; those that never came up only where there is no other.
pub(crate) fn before<'a>(entries: &'a [Entry], current: &Settings) -> Option<&'a Entry> {
    let mut others = entries
        .iter()
        .rev()
        .filter(|entry| !same(&entry.settings, current));
    let last = others.clone().next();
    others.find(|entry| entry.came_up != Some(false)).or(last)
}

/// Whether two are the same to a visitor and to the quota.
pub(crate) fn same(one: &Settings, other: &Settings) -> bool {
    changes(one, other).is_empty()
}

/// What is different in the second, each as `mem 512Mi -> 256Mi`.
pub(crate) fn changes(from: &Settings, to: &Settings) -> Vec<String> {
    let (from, to) = (keys(from), keys(to));
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| {
            format!(
                "{} {} -> {}",
                word(name),
                shown(from.get(name)),
                shown(to.get(name))
            )
        })
        .collect()
}

/// What was said, each as `mem 512Mi`, without the type.
pub(crate) fn said(settings: &Settings) -> Vec<String> {
    keys(settings)
        .iter()
        .filter(|(name, _)| *name != "type")
        .map(|(name, value)| format!("{} {}", word(name), shown(Some(value))))
        .collect()
}

/// As `2026-01-31 12:00:00Z`.
pub(crate) fn to_the_second(at: &str) -> String {
    at.parse::<jiff::Timestamp>().map_or_else(
        |_| at.to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

fn keys(settings: &Settings) -> serde_json::Map<String, Value> {
    let mut settings = settings.clone();
    // One is what it is when nothing is said.
    settings.replicas = Some(settings.replicas.unwrap_or(1));
    let Ok(Value::Object(mut keys)) = serde_json::to_value(settings) else {
        return serde_json::Map::new();
    };
    keys.retain(|name, _| !ALWAYS_THE_SAME.contains(&name.as_str()));
    keys
}

fn word(key: &str) -> String {
    key.replace('_', " ").replace("args", "arguments")
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => DEFAULT.to_owned(),
        Some(Value::String(text)) => short(text),
        Some(Value::Array(words)) => {
            let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
            short(&words.join(" "))
        }
        Some(other) => other.to_string(),
    }
}

/// A text on one line, of no more than so many letters. All of it is in `-o json`.
fn short(text: &str) -> String {
    let mut letters = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut short: String = letters.by_ref().take(SHOWN_LETTERS).collect();
    if letters.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mem(amount: &str) -> Settings {
        Settings {
            kind: Some("python".to_owned()),
            mem: Some(amount.to_owned()),
            ..Settings::default()
        }
    }

    fn after(amounts: &[&str]) -> Vec<Entry> {
        amounts
            .iter()
            .fold(Vec::new(), |entries, amount| with(&entries, &mem(amount), "now"))
    }

    fn told(entries: &[Entry]) -> String {
        let told = entries.iter().map(|entry| {
            format!(
                "{}:{}",
                entry.revision,
                entry.settings.mem.as_deref().unwrap_or_default()
            )
        });
        told.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn distinct_configurations_are_kept_the_newest_last() {
        assert_eq!(told(&after(&["1Gi", "1Gi", "2Gi"])), "1:1Gi 2:2Gi");
        assert_eq!(told(&after(&["1Gi", "2Gi", "1Gi"])), "2:2Gi 3:1Gi");
        let many: Vec<String> = (1..=12).map(|amount| format!("{amount}Gi")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let kept = after(&many);
        assert_eq!((kept.len(), kept[0].revision), (10, 3));
        // Applied again, it has the same number and another time.
        let again = with(&kept, &mem("12Gi"), "then");
        assert_eq!(
            (again.len(), again[9].revision, again[9].at.as_str()),
            (10, 12, "then")
        );
    }

    #[test]
    fn going_back_and_back_again_is_where_one_was() {
        let entries = after(&["1Gi", "2Gi", "3Gi"]);
        let target = before(&entries, &mem("3Gi")).unwrap();
        assert_eq!(target.revision, 2);
        let entries = with(&entries, &target.settings, "then");
        assert_eq!(told(&entries), "1:1Gi 3:3Gi 4:2Gi");
        assert_eq!(before(&entries, &mem("2Gi")).unwrap().revision, 3);
        // What was changed by other means is gone back from to the newest.
        assert_eq!(before(&entries, &mem("9Gi")).unwrap().revision, 4);
    }

    #[test]
    fn what_is_long_is_shortened_to_a_line() {
        assert_eq!(short("python3 -c\n'x'"), "python3 -c 'x'");
        assert_eq!(short(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn one_that_never_came_up_is_passed_over() {
        let mut entries = after(&["1Gi", "2Gi", "3Gi"]);
        entries = seen(&entries, &mem("1Gi"), true).unwrap();
        entries = seen(&entries, &mem("2Gi"), false).unwrap();
        assert_eq!(before(&entries, &mem("3Gi")).unwrap().revision, 1);
        assert_eq!(before(&entries, &mem("1Gi")).unwrap().revision, 3);
        // What came up once did not become bad, and what is applied again is what it was.
        assert_eq!(seen(&entries, &mem("1Gi"), false), None);
        let again = with(&entries, &mem("2Gi"), "then");
        assert_eq!(again[2].came_up, Some(false));
        assert!(seen(&again, &mem("2Gi"), true).is_some());
        let only = seen(&after(&["1Gi"]), &mem("1Gi"), false).unwrap();
        assert_eq!(before(&only, &mem("9Gi")).unwrap().revision, 1);
    }

    #[test]
    fn what_changes_is_said() {
        let from = Settings {
            cpu: Some("1".to_owned()),
            extra: vec!["./serve".to_owned(), "-v".to_owned()],
            ..mem("512Mi")
        };
        let to = Settings {
            replicas: Some(2),
            backend: Some(crate::settings::Backend::Kubernetes),
            ..mem("256Mi")
        };
        assert_eq!(
            changes(&from, &to),
            [
                "cpu 1 -> default",
                "extra arguments ./serve -v -> default",
                "mem 512Mi -> 256Mi",
                "replicas 1 -> 2"
            ]
        );
        assert_eq!(said(&to), ["mem 256Mi", "replicas 2"]);
        assert!(same(
            &mem("1Gi"),
            &Settings {
                replicas: Some(1),
                ..mem("1Gi")
            }
        ));
    }
}
