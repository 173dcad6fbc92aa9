//! The platform's image configuration, as the original has it (facts section 8): YAML, by name of a type its
//! state, its aliases, and the images that it is run with.
//!
//! Maintainers' commands read it leniently, for it may have keys of later platforms; operators are told of
//! all that is wrong with theirs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use toolforge_model::{ImageRef, Quantity};

use crate::{objects::BUILDSERVICE, runtime::Runtime};

/// Memory of types that are known to need more (facts section 8, "Resources").
const JDK_MEMORY: &str = "1Gi";

/// A type as it is configured.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    #[serde(default)]
    pub(crate) state: State,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    #[serde(default)]
    pub(crate) variants: BTreeMap<String, Value>,
}

/// How a type is offered.
#[derive(Debug, Clone, Copy, Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// To everybody.
    #[default]
    Stable,
    /// To those who use it already, with a warning.
    Deprecated,
}

/// A type as a webservice.
#[derive(Debug, Deserialize)]
pub(crate) struct Variant {
    pub(crate) image: String,
    #[serde(default)]
    pub(crate) extra: Extra,
}

/// What is said of it beyond its image.
#[derive(Debug, Deserialize, Default)]
pub(crate) struct Extra {
    pub(crate) wstype: Option<String>,
    pub(crate) resources: Option<Resources>,
}

/// The limits of a webservice that sets none: by a name of the original, or as they are.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Resources {
    Class(String),
    Values {
        #[serde(default)]
        limits: BTreeMap<String, Value>,
    },
}

impl Resources {
    /// A limit by its name, `memory` or `cpu`.
    pub(crate) fn limit(&self, name: &str) -> Option<String> {
        match self {
            Self::Class(class) if class == "jdk" && name == "memory" => Some(JDK_MEMORY.to_owned()),
            Self::Class(_) => None,
            Self::Values { limits } => match limits.get(name)? {
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            },
        }
    }
}

impl Entry {
    /// The type as a webservice, if it is one.
    pub(crate) fn webservice(&self) -> Option<Result<Variant, String>> {
        let variant = self.variants.get("webservice")?;
        Some(Variant::deserialize(variant).map_err(|error| error.to_string()))
    }
}

/// Reads the file.
pub(crate) fn read(yaml: &str) -> Result<BTreeMap<String, Entry>, String> {
    serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
}

/// What is wrong with an image configuration, each with the field; nothing where it is one.
pub fn problems_of_image_config(yaml: &str) -> Vec<String> {
    let entries = match read(yaml) {
        Ok(entries) => entries,
        Err(error) => return vec![error],
    };
    let mut problems = Vec::new();
    if entries.is_empty() {
        problems.push("there is no type in it; name at least one".to_owned());
    }
    let mut taken: BTreeMap<&str, &str> = entries
        .keys()
        .map(|name| (name.as_str(), name.as_str()))
        .collect();
    for (name, entry) in &entries {
        for alias in &entry.aliases {
            if let Some(other) = taken.insert(alias, name) {
                problems.push(format!(
                    "{name}.aliases: {alias} is a name of {other} already; a name leads to one type"
                ));
            }
        }
        let mut say =
            |field: &str, what: String| problems.push(format!("{name}.variants.webservice{field}: {what}"));
        match entry.webservice() {
            None => {}
            Some(Err(error)) => say("", error),
            Some(Ok(variant)) => of_variant(name, &variant, &mut say),
        }
    }
    problems
}

fn of_variant(name: &str, variant: &Variant, say: &mut impl FnMut(&str, String)) {
    let image = &variant.image;
    let tagged = format!("{image}:latest");
    let last = image.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) {
        say(
            ".image",
            format!("{image} has a tag or digest; leave it out, it is always `latest`"),
        );
    } else if let Err(error) = tagged.parse::<ImageRef>() {
        say(".image", format!("{image:?} is not an image: {error}"));
    }
    let runtime = variant.extra.wstype.as_deref().unwrap_or(name);
    if runtime != BUILDSERVICE
        && let Err(unknown) = runtime.parse::<Runtime>()
    {
        say(".extra.wstype", unknown.to_string());
    }
    match &variant.extra.resources {
        Some(Resources::Class(class)) if !["jdk", "default"].contains(&class.as_str()) => say(
            ".extra.resources",
            format!("{class:?} is not known; say jdk, default, or limits with memory and cpu"),
        ),
        Some(resources) => {
            for limit in ["memory", "cpu"] {
                let Some(text) = resources.limit(limit) else {
                    continue;
                };
                if text.parse::<Quantity>().is_err() {
                    say(
                        &format!(".extra.resources.limits.{limit}"),
                        format!("{text} is not a quantity such as 512Mi or 0.5"),
                    );
                }
            }
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_named_with_its_field() {
        let yaml = "\
php8.2:
  aliases: [php, python]
  variants: { webservice: { image: 'registry.example/php:8.2', extra: { wstype: lighttpd } } }
python:
  variants: { webservice: { image: registry.example/python, extra: { wstype: cobol, resources: huge } } }
jdk17:
  variants: { webservice: { image: 'not an image', extra: { wstype: jdk, resources: { limits: { memory: lots } } } } }
node: { variants: { webservice: { extra: {} } } }
mono: { variants: { jobs-framework: { image: x } } }
";
        let problems = problems_of_image_config(yaml);
        for (at, part) in [
            ("php8.2.aliases", "python is a name of python already"),
            ("php8.2.variants.webservice.image", "has a tag"),
            ("python.variants.webservice.extra.wstype", "no runtime \"cobol\""),
            (
                "python.variants.webservice.extra.resources",
                "\"huge\" is not known",
            ),
            ("jdk17.variants.webservice.image", "is not an image"),
            ("jdk17.variants.webservice.extra.resources.limits.memory", "lots"),
            ("node.variants.webservice", "missing field `image`"),
        ] {
            let found = problems
                .iter()
                .any(|problem| problem.starts_with(&format!("{at}: ")) && problem.contains(part));
            assert!(found, "{at}: {part} in {problems:#?}");
        }
        assert_eq!(problems.len(), 7, "{problems:#?}");
    }

    #[test]
    fn what_is_no_configuration_is_said() {
        assert_eq!(problems_of_image_config("{}").len(), 1);
        let state = problems_of_image_config("php: { state: beta }");
        assert!(state[0].contains("beta"), "{state:?}");
        assert!(!problems_of_image_config("[]").is_empty());
    }
}
