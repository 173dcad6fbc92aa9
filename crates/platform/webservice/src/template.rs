//! `service.template`: settings that a maintainer keeps in a file of the home (facts section 8). Its values are
//! checked by the parser of the command line, as those of a `start`.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    cli::{Action, Cli},
    error::WebserviceError,
    home_files::HomeFiles,
    settings::{Settings, problems_of},
};

/// Where one may be, below the home; in no more than one of these places.
pub(crate) const PLACES: [&str; 4] = [
    "service.template",
    "www/python/src/service.template",
    "www/js/service.template",
    "public_html/service.template",
];
/// The keys, as options are called, and the two that are none.
const OPTIONS: [&str; 8] = [
    "backend",
    "cpu",
    "health-check-path",
    "mem",
    "mount",
    "release",
    "replicas",
    "buildservice-image",
];
const TYPE: &str = "type";
const EXTRA: &str = "extra-args";
/// Known, and without effect.
const CANONICAL: &str = "canonical";

/// A template that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// The file, as it is called in messages.
    pub(crate) file: String,
    pub(crate) settings: Settings,
    /// Keys that mean nothing.
    pub(crate) unknown: Vec<String>,
}

/// The template that was named, or the one of the home; none where there is none.
///
/// # Errors
///
/// Where there are several, or where it has errors.
pub(crate) fn read(files: &HomeFiles, named: Option<&Path>) -> Result<Option<Template>, WebserviceError> {
    let found = match named {
        Some(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let text = text_of(files, &path)?.ok_or_else(|| {
                WebserviceError::Precondition(format!(
                    "Could not find the template {}; name a file that is there, or leave --template out",
                    path.display()
                ))
            })?;
            vec![(path, text)]
        }
        None => templates_of(files)?,
    };
    match found.as_slice() {
        [] => Ok(None),
        [(path, text)] => parse(&shown(path), text).map(Some),
        several => Err(WebserviceError::Precondition(format!(
            "More than one template was found:\n  {}\nkeep one of them, or say --template FILE",
            several
                .iter()
                .map(|(path, _)| shown(path))
                .collect::<Vec<_>>()
                .join("\n  ")
        ))),
    }
}

fn templates_of(files: &HomeFiles) -> Result<Vec<(PathBuf, String)>, WebserviceError> {
    let mut found = Vec::new();
    for place in PLACES {
        if let Some(text) = text_of(files, Path::new(place))? {
            found.push((PathBuf::from(place), text));
        }
    }
    Ok(found)
}

fn text_of(files: &HomeFiles, path: &Path) -> Result<Option<String>, WebserviceError> {
    files.read(path).map_err(|error| {
        WebserviceError::Precondition(format!(
            "Your template file ({}) cannot be read: {error}; make it a text file that your tool may read, in a folder that \
             it may enter",
            shown(path)
        ))
    })
}

fn shown(path: &Path) -> String {
    if path.is_absolute() {
        path.display().to_string()
    } else {
        format!("~/{}", path.display())
    }
}

/// Reads a template. All that is wrong is said at once.
pub(crate) fn parse(file: &str, text: &str) -> Result<Template, WebserviceError> {
    let contains_errors = |problems: &[String]| {
        WebserviceError::Precondition(format!(
            "Your template file ({file}) contains errors:\n  {}",
            problems.join("\n  ")
        ))
    };
    let keys = keys_of(text).map_err(|problem| contains_errors(&[problem]))?;
    let (mut settings, mut problems, mut unknown) = (Settings::default(), Vec::new(), Vec::new());
    for (key, value) in keys {
        match words_of(&key, value) {
            Ok(Some(words)) => match checked(words) {
                Ok(said) => settings = settings.over(said, true),
                Err(problem) => problems.push(problem),
            },
            Ok(None) => unknown.push(key),
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(problems_of(&settings));
    if !problems.is_empty() {
        return Err(contains_errors(&problems));
    }
    Ok(Template {
        file: file.to_owned(),
        settings,
        unknown,
    })
}

fn keys_of(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let only_comments = text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if only_comments {
        return Ok(BTreeMap::new());
    }
    let value: Value = serde_saphyr::from_str(text).map_err(|error| format!("it is not YAML: {error}"))?;
    match value {
        Value::Object(keys) => Ok(keys.into_iter().collect()),
        Value::Null => Ok(BTreeMap::new()),
        _ => Err("it must be a mapping of keys to values, such as `type: python`".to_owned()),
    }
}

/// A key and its value as words of a command line; none for a key that means nothing.
fn words_of(key: &str, value: Value) -> Result<Option<Vec<String>>, String> {
    // Both spellings of words with two parts are in use.
    let name = key.replace('_', "-");
    let known = OPTIONS.contains(&name.as_str()) || [TYPE, EXTRA, CANONICAL].contains(&name.as_str());
    if !known {
        return Ok(None);
    }
    let plain = |value: Value| match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(format!("{key} must be a plain value")),
    };
    match (name.as_str(), value) {
        (CANONICAL, _) | (_, Value::Null) => Ok(Some(Vec::new())),
        (EXTRA, Value::Array(words)) => {
            let words: Result<Vec<_>, _> = words.into_iter().map(plain).collect();
            let words = words.map_err(|_| format!("{key} must be a list of plain values"))?;
            Ok(Some(std::iter::once("--".to_owned()).chain(words).collect()))
        }
        (EXTRA, _) => Err(format!("{key} must be a list, such as [--workers, \"4\"]")),
        (TYPE, value) => match plain(value)? {
            option if option.starts_with('-') => Err(format!("{key} is {option:?}, which is an option")),
            kind => Ok(Some(vec![kind])),
        },
        (name, value) => plain(value).map(|value| Some(vec![format!("--{name}={value}")])),
    }
}

/// What the parser of the command line makes of them.
fn checked(words: Vec<String>) -> Result<Settings, String> {
    let line = ["webservice".to_owned(), "start".to_owned()]
        .into_iter()
        .chain(words);
    match Cli::read(line.map(OsString::from)).map(|cli| cli.action) {
        Ok(Action::Start(arguments)) => Ok(Settings::asked(&arguments.settings)),
        Ok(_) => Err("it names another action".to_owned()),
        // Its usage is not about this file.
        Err(error) => Err(error
            .to_string()
            .lines()
            .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| line.trim_start_matches("error: "))
            .collect::<Vec<_>>()
            .join("; ")),
    }
}

#[cfg(test)]
mod tests;
