//! `~/service.manifest`: what a webservice was last told to be, for it to be started with again, and for other
//! programs of the platform. Read as every version of the original wrote it, written as version 4 (facts section 8).

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use crate::{
    error::WebserviceError,
    home_files::HomeFiles,
    settings::{Backend, Mount, Settings},
};

/// Its name in the home.
pub(crate) const FILE: &str = "service.manifest";
/// The version of the format that is written.
const VERSION: u32 = 4;

/// The keys of the file and how they are called in it.
mod key {
    pub(super) const BACKEND: &str = "backend";
    pub(super) const TYPE: &str = "web";
    pub(super) const MEM: &str = "memory";
    pub(super) const CPU: &str = "cpu";
    pub(super) const REPLICAS: &str = "replicas";
    pub(super) const EXTRA: &str = "web::extra_args";
    pub(super) const RELEASE: &str = "release";
    pub(super) const IMAGE: &str = "buildservice-image";
    pub(super) const HEALTH: &str = "health-check-path";
    pub(super) const MOUNT: &str = "mount";
    pub(super) const VERSION: &str = "version";
}

/// What the manifest of a home says; nothing where there is none.
///
/// # Errors
///
/// Where it cannot be read or does not read as a manifest.
pub(crate) fn read(files: &HomeFiles) -> Result<Settings, WebserviceError> {
    let unusable = |why: String| {
        WebserviceError::Precondition(format!(
            "~/{FILE} cannot be used: {why}; webservice writes it itself, so remove it and say your settings again"
        ))
    };
    match files.read(Path::new(FILE)) {
        Ok(None) => Ok(Settings::default()),
        Ok(Some(text)) => parse(&text).map_err(unusable),
        Err(error) => Err(unusable(error.to_string())),
    }
}

/// Records the settings of a webservice that was started; whether that changed anything.
pub(crate) fn record(files: &HomeFiles, settings: &Settings, now: &str) -> Result<bool, WebserviceError> {
    if read(files).is_ok_and(|known| known == *settings) {
        return Ok(false);
    }
    write(files, &render(settings, now))?;
    Ok(true)
}

/// Forgets the settings of a webservice that was stopped; only the version stays.
pub(crate) fn forget(files: &HomeFiles, now: &str) -> Result<(), WebserviceError> {
    let known = files.read(Path::new(FILE));
    let empty = render(&Settings::default(), now);
    match known {
        Ok(None) => Ok(()),
        Ok(Some(text)) if without_comments(&text) == without_comments(&empty) => Ok(()),
        _ => write(files, &empty),
    }
}

fn write(files: &HomeFiles, text: &str) -> Result<(), WebserviceError> {
    files.replace(FILE, text).map_err(|error| {
        WebserviceError::Failed(format!(
            "~/{FILE} cannot be written: {error}; make room in your home, or give it back to your tool"
        ))
    })
}

fn without_comments(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .collect()
}

/// The settings in a manifest. Keys that nobody reads any more are passed over: distribution, canonical.
fn parse(text: &str) -> Result<Settings, String> {
    if without_comments(text).is_empty() {
        return Ok(Settings::default());
    }
    let mut keys: BTreeMap<String, Value> = serde_saphyr::from_str(text)
        .map_err(|error| format!("it is not YAML of keys and values: {error}"))?;
    let mut word = |key: &str| scalar(keys.remove(key));
    let known = |text: Option<String>, key: &str| match text {
        None => Ok(None),
        Some(text) => serde_json::from_value(json!(text))
            .map(Some)
            .map_err(|_| format!("{key} is {text:?}, which is none of those that there are")),
    };
    let replicas = match word(key::REPLICAS) {
        None => None,
        Some(text) => Some(
            text.parse()
                .map_err(|_| format!("replicas is {text:?}, which is no number of copies"))?,
        ),
    };
    let mount: Option<Mount> = match word(key::MOUNT) {
        None => None,
        Some(text) => serde_json::from_value(json!(text))
            .map(Some)
            .map_err(|_| format!("mount is {text:?}; it is all or none"))?,
    };
    let backend: Option<Backend> = known(word(key::BACKEND), key::BACKEND)?;
    let mut settings = Settings {
        kind: word(key::TYPE),
        backend,
        mem: word(key::MEM),
        cpu: word(key::CPU),
        replicas,
        extra: Vec::new(),
        health_check_path: word(key::HEALTH),
        mount,
        buildservice_image: word(key::IMAGE),
        release: word(key::RELEASE),
    };
    settings.extra = match keys.remove(key::EXTRA) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(words)) => words.into_iter().filter_map(|word| scalar(Some(word))).collect(),
        Some(other) => vec![scalar(Some(other)).ok_or("web::extra_args is no list")?],
    };
    Ok(settings)
}

/// A plain value as it was written; `cpu: 1` is a number to YAML.
fn scalar(value: Option<Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The file: three lines of comment, then the keys by name.
fn render(settings: &Settings, now: &str) -> String {
    let mut keys: BTreeMap<&str, Value> = BTreeMap::from([(key::VERSION, json!(VERSION))]);
    let texts = [
        (key::TYPE, settings.kind.clone()),
        (key::BACKEND, settings.backend.map(|backend| backend.to_string())),
        (key::MEM, settings.mem.clone()),
        (key::CPU, settings.cpu.clone()),
        (key::HEALTH, settings.health_check_path.clone()),
        (key::IMAGE, settings.buildservice_image.clone()),
        (key::RELEASE, settings.release.clone()),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            keys.insert(key, json!(text));
        }
    }
    if let Some(replicas) = settings.replicas {
        keys.insert(key::REPLICAS, json!(replicas));
    }
    if let Some(mount) = settings.mount {
        keys.insert(key::MOUNT, json!(mount));
    }
    if !settings.extra.is_empty() {
        keys.insert(key::EXTRA, json!(settings.extra));
    }
    let yaml = serde_saphyr::to_string(&keys).unwrap_or_default();
    format!(
        "# This file is used by Toolforge infrastructure.\n# Please do not edit manually at this time.\n# {now}\n{yaml}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Settings {
        Settings {
            kind: Some("python".to_owned()),
            backend: Some(Backend::Kubernetes),
            mem: Some("1Gi".to_owned()),
            cpu: Some("1".to_owned()),
            replicas: Some(2),
            extra: vec!["--flag".to_owned(), "1".to_owned(), "# yes: no".to_owned()],
            health_check_path: Some("/up".to_owned()),
            mount: Some(Mount::All),
            buildservice_image: None,
            release: None,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for settings in [full(), Settings::default()] {
            assert_eq!(parse(&render(&settings, "now")).unwrap(), settings);
        }
        insta::assert_snapshot!(render(&full(), "2026-01-01T00:00:00Z"));
    }

    #[test]
    fn those_of_the_original_are_read() {
        let old = "# This file is used by Toolforge infrastructure.\n# Please do not edit manually at this time.\n\
                   # Thu, 11 Jun 2020 10:00:00 +0000\nbackend: kubernetes\ncanonical: true\ncpu: 1\n\
                   distribution: debian\nmemory: 1Gi\nreplicas: 3\nversion: 2\nweb: php7.3\n\
                   web::extra_args:\n- --flag\n- 7\n";
        let settings = parse(old).unwrap();
        assert_eq!(
            settings,
            Settings {
                kind: Some("php7.3".to_owned()),
                backend: Some(Backend::Kubernetes),
                mem: Some("1Gi".to_owned()),
                cpu: Some("1".to_owned()),
                replicas: Some(3),
                extra: vec!["--flag".to_owned(), "7".to_owned()],
                ..Settings::default()
            }
        );
        let grid = parse("backend: gridengine\nrelease: buster\nversion: 4\nweb: lighttpd\n").unwrap();
        assert_eq!(
            (grid.backend, grid.release.as_deref()),
            (Some(Backend::Gridengine), Some("buster"))
        );
        for empty in ["", "# nothing\n", "version: 4\n"] {
            assert_eq!(parse(empty).unwrap(), Settings::default(), "{empty:?}");
        }
    }

    #[test]
    fn what_is_no_manifest_is_told() {
        for (text, words) in [
            ("- a list", "not YAML of keys"),
            ("backend: cloud", "backend is \"cloud\""),
            ("replicas: many", "replicas is \"many\""),
            ("mount: half", "it is all or none"),
            ("web::extra_args: {a: b}", "no list"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(words), "{text}: {problem}");
        }
    }

    #[test]
    fn recording_the_same_again_leaves_the_file_alone() {
        let home = tempfile::tempdir().unwrap();
        let files = HomeFiles::new(home.path());
        forget(&files, "now").unwrap();
        assert!(
            !home.path().join(FILE).exists(),
            "a stop without a start leaves nothing"
        );
        assert!(record(&files, &full(), "first").unwrap());
        assert!(!record(&files, &full(), "second").unwrap());
        assert_eq!(read(&files).unwrap(), full());
        forget(&files, "third").unwrap();
        let text = std::fs::read_to_string(home.path().join(FILE)).unwrap();
        assert!(text.ends_with("# third\nversion: 4\n"), "{text}");
        forget(&files, "fourth").unwrap();
        assert_eq!(std::fs::read_to_string(home.path().join(FILE)).unwrap(), text);
        // A broken one is no reason not to stop.
        std::fs::write(home.path().join(FILE), "- a list").unwrap();
        assert!(read(&files).is_err());
        forget(&files, "fifth").unwrap();
        assert_eq!(read(&files).unwrap(), Settings::default());
    }
}
