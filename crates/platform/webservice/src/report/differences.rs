//! Settings that run otherwise than the manifest says, as after `kubectl edit` or a start that could not write it.

use serde_json::{Map, Value};

use super::Difference;
use crate::settings::Settings;

/// By the names of the manifest's own keys. A manifest that says nothing differs from nothing.
pub(crate) fn differences(manifest: &Settings, running: &Settings) -> Vec<Difference> {
    if *manifest == Settings::default() {
        return Vec::new();
    }
    let (manifest, running) = (keys(manifest), keys(running));
    let mut names: Vec<&String> = manifest.keys().chain(running.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| Difference {
            setting: name.clone(),
            manifest: manifest.get(name).map(shown),
            running: running.get(name).map(shown),
        })
        .filter(|one| one.manifest != one.running)
        .collect()
}

fn keys(settings: &Settings) -> Map<String, Value> {
    // The release is the grid's; nothing here runs by it.
    let settings = Settings {
        release: None,
        replicas: settings.replicas.filter(|number| *number != 1),
        ..settings.clone()
    };
    match serde_json::to_value(settings) {
        Ok(Value::Object(keys)) => keys,
        _ => Map::new(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(words) => words.iter().map(shown).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told() {
        let manifest = Settings {
            kind: Some("python".to_owned()),
            mem: Some("1Gi".to_owned()),
            replicas: Some(1),
            ..Settings::default()
        };
        assert_eq!(differences(&Settings::default(), &manifest), []);
        let running = Settings {
            mem: Some("2Gi".to_owned()),
            extra: vec!["-v".to_owned(), "x".to_owned()],
            replicas: None,
            ..manifest.clone()
        };
        let told = differences(&manifest, &running);
        let told: Vec<_> = told
            .iter()
            .map(|one| {
                (
                    one.setting.as_str(),
                    one.manifest.as_deref(),
                    one.running.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("extra_args", None, Some("-v x")),
                ("mem", Some("1Gi"), Some("2Gi"))
            ]
        );
    }
}
