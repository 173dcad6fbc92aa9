//! The types of webservice: read from the platform's image configuration (facts section 8), and what each
//! wants to find in a tool's home.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::error::WebserviceError;

/// A type of webservice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebType {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) runtime: String,
    pub(crate) deprecated: bool,
}

impl WebType {
    /// The type of an image that the tool's maintainers built.
    pub(crate) fn built(image: String) -> Self {
        Self {
            name: crate::objects::BUILDSERVICE.to_owned(),
            image,
            runtime: crate::objects::BUILDSERVICE.to_owned(),
            deprecated: false,
        }
    }
}

/// All types, by name and alias.
#[derive(Debug, Clone, Default)]
pub(crate) struct Types {
    by_name: BTreeMap<String, WebType>,
    aliases: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    state: State,
    #[serde(default)]
    aliases: Vec<String>,
    variants: BTreeMap<String, Variant>,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum State {
    #[default]
    Stable,
    Deprecated,
}

#[derive(Deserialize)]
struct Variant {
    image: String,
    #[serde(default)]
    extra: Extra,
}

#[derive(Deserialize, Default)]
struct Extra {
    wstype: Option<String>,
}

/// Reads `images-v1.yaml`. Entries without a webservice variant are for other uses and are passed over.
pub(crate) fn parse_types(yaml: &str) -> Result<Types, String> {
    let entries: BTreeMap<String, Entry> = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    let mut types = Types::default();
    for (name, mut entry) in entries {
        let Some(variant) = entry.variants.remove("webservice") else {
            continue;
        };
        for alias in entry.aliases {
            types.aliases.insert(alias, name.clone());
        }
        let found = WebType {
            name: name.clone(),
            image: format!("{}:latest", variant.image),
            runtime: variant.extra.wstype.unwrap_or_else(|| name.clone()),
            deprecated: entry.state == State::Deprecated,
        };
        types.by_name.insert(name, found);
    }
    Ok(types)
}

impl Types {
    /// A type by its name or an alias.
    pub(crate) fn find(&self, asked: &str) -> Result<&WebType, WebserviceError> {
        let name = self.aliases.get(asked).map_or(asked, String::as_str);
        self.by_name
            .get(name)
            .ok_or_else(|| WebserviceError::UnknownType {
                asked: asked.to_owned(),
                known: self.names(),
            })
    }

    /// The names to choose from; deprecated ones are not offered.
    pub(crate) fn names(&self) -> Vec<String> {
        self.by_name
            .values()
            .filter(|found| !found.deprecated)
            .map(|found| found.name.clone())
            .collect()
    }
}

/// Checks what a runtime wants to find before anything is started.
pub(crate) fn check_home(runtime: &str, home: &Path, extra: &[String]) -> Result<(), WebserviceError> {
    let missing = |what: String| Err(WebserviceError::Precondition(what));
    match runtime {
        "static" if !home.join("public_html").is_dir() => missing(format!(
            "Could not find a public_html folder in your tool home; make {} and put an index.html there.",
            home.join("public_html").display()
        )),
        "python" if !home.join("www/python/src").is_dir() => missing(format!(
            "Could not find {}; put an app.py there that has a callable `app`.",
            home.join("www/python/src").display()
        )),
        "python" if !home.join("www/python/src/app.py").is_file() => missing(format!(
            "Could not find {}; it must have a callable `app` (WSGI).",
            home.join("www/python/src/app.py").display()
        )),
        "generic" if extra.is_empty() => missing(
            "Say what is to be run: webservice generic start -- COMMAND [ARGUMENT...]. It must listen on $PORT."
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "\
python3.11:
  state: stable
  aliases: [python]
  variants:
    webservice: { image: registry.example/py311, extra: { wstype: python } }
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
    fn each_runtime_says_what_it_misses() {
        let home = tempfile::tempdir().unwrap();
        let text = |runtime| check_home(runtime, home.path(), &[]).unwrap_err().to_string();
        assert!(text("static").contains("public_html"));
        assert!(text("python").contains("www/python/src"));
        assert!(text("generic").contains("-- COMMAND"));
        std::fs::create_dir(home.path().join("public_html")).unwrap();
        check_home("static", home.path(), &[]).unwrap();
        check_home("generic", home.path(), &["./serve".to_owned()]).unwrap();
    }
}
