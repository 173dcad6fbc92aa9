//! The table of adversarial cases: what is written in the `.yaml` files beside this one, as objects and expectations.
//!
//! Three tests include this file: `crates/core/policy/tests/table.rs` asks the functions,
//! `crates/platform/admission/tests/reviews/table.rs` the server over HTTPS, `crates/toolforge/tests/table.rs` a running platform
//! through its API. It only reads and compares; how a case is asked is theirs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use toolforge_policy::PolicySettings;

/// The files of the table.
const FILES: [&str; 11] = [
    "ingress.yaml",
    "ingress-annotations.yaml",
    "ingress-legacy.yaml",
    "images.yaml",
    "images-digests.yaml",
    "pods.yaml",
    "services.yaml",
    "services-configured.yaml",
    "endpoints.yaml",
    "volumes.yaml",
    "volumes-mounts.yaml",
];

/// The cases of one file.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) file: &'static str,
    pub(crate) settings: PolicySettings,
    pub(crate) cases: Vec<Case>,
}

/// One object, who writes it where, and what comes of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) guard: String,
    pub(crate) namespace: String,
    pub(crate) writer: String,
    pub(crate) sub_resource: Option<String>,
    /// The object as it is sent; not always JSON.
    pub(crate) body: String,
    /// Whether that is text which JSON libraries would not write so.
    pub(crate) raw: bool,
    pub(crate) kind: Gvk,
    pub(crate) expected: Expected,
    /// Whether the API refuses it of itself, before or beside the guards.
    pub(crate) api_refuses: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Gvk {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expected {
    Allowed,
    Warned { rule: String },
    Refused { rule: String, says: Vec<String> },
}

/// What came of a case; the rules are known to those who ask the functions only.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) allowed: bool,
    pub(crate) message: String,
    pub(crate) rules: Option<Vec<String>>,
    pub(crate) warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    guard: String,
    policy: PolicySettings,
    cases: Vec<Row>,
}

/// A case as it is written: a base, and what is other about it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Row {
    case: String,
    /// Kinds that the case is true of; the guard's own when it is left out.
    #[serde(default)]
    of: Vec<String>,
    #[serde(default = "alphas", rename = "in")]
    namespace: String,
    #[serde(default = "alpha", rename = "as")]
    writer: String,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    host: Option<Value>,
    #[serde(default)]
    path: Option<Value>,
    #[serde(default)]
    path_type: Option<Value>,
    #[serde(default)]
    annotations: Option<Value>,
    #[serde(default)]
    labels: Option<Value>,
    #[serde(default)]
    image: Option<Value>,
    /// Fields of the Pod, by pointers from its specification.
    #[serde(default)]
    pod: BTreeMap<String, Value>,
    /// Fields of the object, by pointers from its top.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    #[serde(default)]
    remove: Vec<String>,
    /// The object as text, where JSON libraries would not write it so.
    #[serde(default)]
    raw: Option<String>,
    #[serde(default)]
    allowed: bool,
    #[serde(default)]
    warned: Option<String>,
    #[serde(default)]
    refused: Option<String>,
    #[serde(default)]
    says: Option<Value>,
    #[serde(default)]
    api: Option<String>,
}

fn alphas() -> String {
    "tool-alpha".to_owned()
}

fn alpha() -> String {
    "alpha".to_owned()
}

/// One of the files.
fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut folders = folder.map(|folder| folder.join("crates/core/policy/tests/cases"));
    let folder = folders
        .find(|folder| folder.is_dir())
        .expect("the cases are in the repository");
    std::fs::read_to_string(folder.join(name)).expect("a file of cases can be read")
}

/// One object of each kind that passes its guard as it stands, by its name.
pub(crate) fn bases() -> BTreeMap<String, Value> {
    serde_saphyr::from_str(&read("bases.yaml")).expect("bases are YAML")
}

/// Reads the whole table.
pub(crate) fn tables() -> Vec<Table> {
    let bases = bases();
    let table = |file: &'static str| {
        let read: File = match serde_saphyr::from_str(&read(file)) {
            Ok(read) => read,
            Err(error) => panic!("{file}: {error}"),
        };
        let cases = read
            .cases
            .iter()
            .flat_map(|row| row.cases(&read.guard, &bases))
            .collect();
        Table {
            file,
            settings: read.policy,
            cases,
        }
    };
    FILES.map(table).into()
}

impl Row {
    fn cases(&self, guard: &str, bases: &BTreeMap<String, Value>) -> Vec<Case> {
        let usual = match guard {
            "images" | "volumes" => "pod",
            other => other,
        };
        let of = if self.of.is_empty() {
            vec![usual.to_owned()]
        } else {
            self.of.clone()
        };
        of.iter()
            .map(|base| self.case(guard, base, &bases[base]))
            .collect()
    }

    fn case(&self, guard: &str, base: &str, object: &Value) -> Case {
        let object = self.object(object.clone());
        let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let api_version = text("apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let kind = Gvk {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: text("kind"),
        };
        let name = if self.of.len() > 1 {
            format!("{} ({base})", self.case)
        } else {
            self.case.clone()
        };
        Case {
            expected: self.expected(&name),
            name,
            guard: guard.to_owned(),
            namespace: self.namespace.clone(),
            writer: self.writer.clone(),
            sub_resource: self.sub.clone(),
            raw: self.raw.is_some(),
            body: self.raw.clone().unwrap_or_else(|| object.to_string()),
            kind,
            api_refuses: self.api.as_deref() == Some("refused"),
        }
    }

    fn expected(&self, name: &str) -> Expected {
        match (self.allowed, &self.warned, &self.refused) {
            (true, None, None) => Expected::Allowed,
            (false, Some(rule), None) => Expected::Warned { rule: rule.clone() },
            (false, None, Some(rule)) => Expected::Refused {
                rule: rule.clone(),
                says: match &self.says {
                    None => Vec::new(),
                    Some(Value::String(one)) => vec![one.clone()],
                    Some(several) => {
                        serde_json::from_value(several.clone()).expect("says is text or a list of it")
                    }
                },
            },
            _ => panic!("{name}: a case is allowed, warned or refused"),
        }
    }

    fn object(&self, mut object: Value) -> Value {
        let rule = "/spec/rules/0";
        let named = [
            (format!("{rule}/host"), &self.host),
            (format!("{rule}/http/paths/0/path"), &self.path),
            (format!("{rule}/http/paths/0/pathType"), &self.path_type),
            ("/metadata/annotations".to_owned(), &self.annotations),
        ];
        for (pointer, value) in named {
            if let Some(value) = value {
                set(&mut object, &pointer, value.clone());
            }
        }
        let (metadata, spec) = pod_pointers(object["kind"].as_str().unwrap_or_default());
        if let Some(labels) = &self.labels {
            for (key, value) in labels.as_object().into_iter().flatten() {
                set(&mut object, &format!("{metadata}/labels/{key}"), value.clone());
            }
        }
        if let Some(image) = &self.image {
            set(&mut object, &format!("{spec}/containers/0/image"), image.clone());
        }
        for (pointer, value) in &self.pod {
            set(&mut object, &format!("{spec}{pointer}"), value.clone());
        }
        for (pointer, value) in &self.set {
            set(&mut object, pointer, value.clone());
        }
        for pointer in &self.remove {
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a slash");
            object
                .pointer_mut(parent)
                .and_then(Value::as_object_mut)
                .expect("an object")
                .remove(key);
        }
        object
    }
}

/// Where the Pod's metadata and specification are in an object of this kind.
fn pod_pointers(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "Pod" => ("/metadata", "/spec"),
        "PodTemplate" => ("/template/metadata", "/template/spec"),
        "CronJob" => (
            "/spec/jobTemplate/spec/template/metadata",
            "/spec/jobTemplate/spec/template/spec",
        ),
        _ => ("/spec/template/metadata", "/spec/template/spec"),
    }
}

/// Puts a value at a pointer; objects on the way are made, and a list grows by one at its end.
fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut place = object;
    for key in pointer.split('/').skip(1) {
        let key = key.replace("~1", "/").replace("~0", "~");
        if place.is_null() {
            *place = json!({});
        }
        place = match place {
            Value::Array(items) => {
                let index: usize = key.parse().expect("an index");
                if index == items.len() {
                    items.push(Value::Null);
                }
                &mut items[index]
            }
            other => &mut other[key],
        };
    }
    *place = value;
}

impl Case {
    /// What is wrong with an outcome, if anything is.
    pub(crate) fn complaint(&self, file: &str, outcome: &Outcome) -> Option<String> {
        let rules = outcome.rules.as_ref();
        let right = match &self.expected {
            Expected::Allowed => outcome.allowed && outcome.warnings.as_ref().is_none_or(Vec::is_empty),
            Expected::Warned { rule } => {
                outcome.allowed
                    && outcome
                        .warnings
                        .as_ref()
                        .is_none_or(|warnings| warnings.contains(rule))
            }
            Expected::Refused { rule, says } => {
                !outcome.allowed
                    && rules.is_none_or(|rules| {
                        rule.split('|')
                            .any(|rule| rules.iter().any(|found| found == rule))
                    })
                    && says.iter().all(|says| outcome.message.contains(says.as_str()))
            }
        };
        let Self {
            name,
            namespace,
            writer,
            sub_resource,
            raw,
            api_refuses,
            ..
        } = self;
        (!right).then(|| {
            format!(
                "{file}: {name} (in {namespace}, by {writer}, at {sub_resource:?}, letter by letter: {raw}, refused by the \
                 API: {api_refuses}): expected {:?}, found {outcome:?}",
                self.expected
            )
        })
    }
}
