//! The types of webservice, read from the platform's image configuration (facts section 8).

use std::{collections::BTreeMap, path::Path};

use crate::{
    error::WebserviceError,
    image_config::{self, State},
    nearest::nearest,
    needs,
    objects::BUILDSERVICE,
    resources::Limits,
    runtime::Runtime,
};

/// A type of webservice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebType {
    /// Its own name, to which all others lead.
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) runtime: String,
    pub(crate) deprecated: bool,
    /// Its own limits, where it has any.
    pub(crate) mem: Option<String>,
    pub(crate) cpu: Option<String>,
}

impl WebType {
    /// The type of an image that the tool's maintainers built.
    pub(crate) fn built(image: String) -> Self {
        Self {
            name: BUILDSERVICE.to_owned(),
            image,
            runtime: BUILDSERVICE.to_owned(),
            deprecated: false,
            mem: None,
            cpu: None,
        }
    }
}

/// All types.
#[derive(Debug, Clone, Default)]
pub(crate) struct Types {
    /// Under all of their names.
    by_name: BTreeMap<String, WebType>,
    /// By the names that are shown.
    offered: Vec<String>,
}

/// Reads `images-v1.yaml`. Entries without a webservice variant are for other uses and are passed over.
pub(crate) fn parse_types(yaml: &str) -> Result<Types, String> {
    let mut types = Types::default();
    for (name, entry) in image_config::read(yaml)? {
        let Some(variant) = entry.webservice() else {
            continue;
        };
        let variant = variant.map_err(|error| format!("{name}: {error}"))?;
        let limit = |name| variant.extra.resources.as_ref()?.limit(name);
        let found = WebType {
            name: name.clone(),
            mem: limit("memory"),
            cpu: limit("cpu"),
            image: format!("{}:latest", variant.image),
            runtime: variant.extra.wstype.unwrap_or_else(|| name.clone()),
            deprecated: entry.state == State::Deprecated,
        };
        if !found.deprecated {
            types.offered.push(name.clone());
        }
        for alias in entry.aliases {
            // A type of its own goes before another name of another type.
            types.by_name.entry(alias).or_insert_with(|| found.clone());
        }
        types.by_name.insert(name, found);
    }
    Ok(types)
}

impl WebType {
    /// The limits that it has where the maintainer sets none.
    pub(crate) fn limits(&self) -> Limits<'_> {
        Limits {
            mem: self.mem.as_deref(),
            cpu: self.cpu.as_deref(),
        }
    }
}

impl Types {
    /// A type by its name or an alias.
    pub(crate) fn find(&self, asked: &str) -> Result<&WebType, WebserviceError> {
        self.by_name
            .get(asked)
            .ok_or_else(|| WebserviceError::UnknownType {
                asked: asked.to_owned(),
                known: self.names(),
                near: nearest(asked, self.by_name.keys().map(String::as_str)).map(ToOwned::to_owned),
            })
    }

    /// The names to choose from; deprecated ones are not offered.
    pub(crate) fn names(&self) -> Vec<String> {
        self.offered.clone()
    }
}

/// Checks what a runtime wants to find before anything is started.
pub(crate) fn check_home(runtime: &str, home: &Path, extra: &[String]) -> Result<(), WebserviceError> {
    if runtime == BUILDSERVICE {
        return Ok(());
    }
    let runtime: Runtime = runtime
        .parse()
        .map_err(|unknown| WebserviceError::Platform(format!("image-config: {unknown}")))?;
    needs::check(runtime, home, extra).map_err(WebserviceError::Precondition)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "\
python3.11:
  state: stable
  aliases: [python]
  variants:
    webservice: { image: registry.example/py311, extra: { wstype: python, resources: jdk } }
    jobs-framework: { image: registry.example/py311-base }
node6:
  state: deprecated
  variants: { webservice: { image: registry.example/node6 } }
mono: { variants: { jobs-framework: { image: registry.example/mono } } }
";

    #[test]
    fn types_are_found_by_name_and_alias() {
        let types = parse_types(YAML).unwrap();
        let python = types.find("python").unwrap();
        assert_eq!(
            (python.name.as_str(), python.image.as_str()),
            ("python3.11", "registry.example/py311:latest")
        );
        assert_eq!((python.limits().mem, python.limits().cpu), (Some("1Gi"), None));
        assert!(types.find("node6").unwrap().deprecated);
        assert_eq!(
            types.names(),
            ["python3.11"],
            "deprecated types and other variants are not offered"
        );
    }

    #[test]
    fn an_unknown_type_gets_the_list() {
        let types = parse_types(YAML).unwrap();
        let error = types.find("cobol").unwrap_err().to_string();
        assert!(
            error.starts_with("type must be one of:\n  python3.11") && error.contains("cobol"),
            "{error}"
        );
    }

    #[test]
    fn what_a_runtime_misses_is_said_and_so_is_an_unknown_runtime() {
        let home = tempfile::tempdir().unwrap();
        let text = |runtime| check_home(runtime, home.path(), &[]).unwrap_err().to_string();
        assert!(text("lighttpd").starts_with("Could not find a public_html folder"));
        assert!(
            text("cobol").contains("knows no runtime \"cobol\""),
            "{}",
            text("cobol")
        );
    }
}
