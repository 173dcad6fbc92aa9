//! From a stored `CustomResourceDefinition` to kinds that can be served; and its conditions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::approval::Approval;
use super::columns::Columns;
use super::json_path::JsonPath;
use super::scale::ScalePaths;
use super::schema::Schema;
use super::{accepted_names, intern};
use crate::kind::{Kind, Storage, Verbs};
use crate::value::{Read as _, text_at};

/// A definition, compiled.
#[derive(Debug)]
pub struct Definition {
    /// The definition's own name, such as `crontabs.example.org`.
    pub name: String,
    /// The served versions, in the order of preference.
    pub versions: Vec<Arc<CustomKind>>,
    /// The kind as which objects are stored.
    pub stored: &'static Kind,
    /// The version in which objects are stored, which need not be served.
    pub storage: Arc<CustomKind>,
}

/// One version of a custom kind.
#[derive(Debug)]
pub struct CustomKind {
    /// The kind as its clients see it.
    pub kind: &'static Kind,
    /// The kind as which its objects are stored.
    pub stored: &'static Kind,
    /// The kind of lists, such as `CronTabList`.
    pub list_kind: &'static str,
    /// What to tell clients, where the version is deprecated.
    pub deprecation: Option<String>,
    /// The schema as it was published.
    pub published: Value,
    pub(super) schema: Schema,
    pub(super) columns: Columns,
    pub(super) scale: Option<ScalePaths>,
    pub(super) selectable: Vec<JsonPath>,
}

impl Definition {
    /// Compiles a definition that has been validated; `None` for what is none.
    pub fn of(object: &Value) -> Option<Self> {
        let mut spec = object.get("spec")?.clone();
        // Names that are wanted and not accepted do not count.
        if let Some(names) = object
            .at(&["status", "acceptedNames"])
            .filter(|names| !names.text("plural").is_empty())
        {
            spec["names"] = names.clone();
        }
        let spec = &spec;
        let stored_version = spec
            .list("versions")
            .iter()
            .find(|version| version.flag("storage"))?;
        let stored = kind(spec, stored_version)?;
        let mut versions: Vec<Arc<CustomKind>> = spec
            .list("versions")
            .iter()
            .filter(|version| version.flag("served"))
            .filter_map(|version| custom_kind(spec, version, stored).map(Arc::new))
            .collect();
        versions.sort_by_key(|version| version_order(version.kind.version));
        let storage = match versions.iter().find(|version| version.kind == stored) {
            Some(served) => Arc::clone(served),
            None => Arc::new(custom_kind(spec, stored_version, stored)?),
        };
        Some(Self {
            name: text_at(object, &["metadata", "name"]).to_owned(),
            versions,
            stored,
            storage,
        })
    }
}

fn kind(spec: &Value, version: &Value) -> Option<&'static Kind> {
    let names = spec.get("names")?;
    let list = |field: &str| {
        let texts: Vec<&'static str> = names
            .list(field)
            .iter()
            .filter_map(Value::as_str)
            .map(intern)
            .collect();
        intern::names(&texts)
    };
    let subresources = version.get("subresources");
    let has = |name: &str| subresources.is_some_and(|found| found.has(name));
    Some(intern::kind(Kind {
        group: intern(spec.text("group")),
        version: intern(version.text("name")),
        kind: intern(names.text("kind")),
        plural: intern(names.text("plural")),
        singular: intern(names.text("singular")),
        short_names: list("shortNames"),
        categories: list("categories"),
        namespaced: spec.text("scope") == "Namespaced",
        subresources: intern::subresources(has("status"), has("scale")),
        verbs: Verbs::ALL,
        storage: Storage::Stored,
        custom: true,
    }))
}

fn custom_kind(spec: &Value, version: &Value, stored: &'static Kind) -> Option<CustomKind> {
    let kind = kind(spec, version)?;
    let published = version
        .get("schema")
        .and_then(|schema| schema.get("openAPIV3Schema"));
    let published = published.cloned().unwrap_or_else(|| json!({}));
    let deprecation = version.flag("deprecated").then(|| {
        let text = version.text("deprecationWarning");
        if text.is_empty() {
            format!("{} {} is deprecated", kind.api_version(), kind.kind)
        } else {
            text.to_owned()
        }
    });
    Some(CustomKind {
        kind,
        stored,
        list_kind: intern(text_at(spec, &["names", "listKind"])),
        deprecation,
        schema: Schema::of(&published),
        columns: Columns::of(version.list("additionalPrinterColumns")),
        scale: version
            .get("subresources")
            .and_then(|found| found.get("scale"))
            .map(ScalePaths::of),
        selectable: version
            .list("selectableFields")
            .iter()
            .filter_map(|field| JsonPath::parse(field.text("jsonPath")).ok())
            .collect(),
        published,
    })
}

/// Kubernetes' order of versions: general before beta before alpha, newer before older, then by name.
pub fn version_order(version: &str) -> (u8, i64, i64, String) {
    let other = || (3, 0, 0, version.to_owned());
    let Some(rest) = version.strip_prefix('v') else {
        return other();
    };
    let digits = rest
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(rest.len());
    let Ok(major) = rest[..digits].parse::<i64>() else {
        return other();
    };
    let (stage, minor) = match &rest[digits..] {
        "" => return (0, -major, 0, String::new()),
        text if text.starts_with("beta") => (1, &text[4..]),
        text if text.starts_with("alpha") => (2, &text[5..]),
        _ => return other(),
    };
    minor
        .parse::<i64>()
        .map_or_else(|_| other(), |minor| (stage, -major, -minor, String::new()))
}

/// The status of a definition as it should be: names, conditions, stored versions.
///
/// `taken` says which definition has a name in the same group already; `now` is stamped on what changes.
pub fn conditions(object: &Value, taken: impl Fn(&str) -> Option<String>, now: &str) -> Value {
    let spec = &object["spec"];
    let mut status = object
        .get("status")
        .cloned()
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    if let Some(approval) = Approval::of(object) {
        let holds = approval == Approval::Approved;
        let message = approval.message(object);
        set(
            &mut status,
            "KubernetesAPIApprovalPolicyConformant",
            holds,
            approval.reason(),
            &message,
            now,
        );
    }
    let conflict = conflict(spec, taken);
    let (reason, message) = match &conflict {
        None => ("NoConflicts", "no conflicts found".to_owned()),
        Some((reason, message)) => (*reason, message.clone()),
    };
    set(
        &mut status,
        "NamesAccepted",
        conflict.is_none(),
        reason,
        &message,
        now,
    );
    if conflict.is_none() {
        status["acceptedNames"] = accepted_names(spec);
        set(
            &mut status,
            "Established",
            true,
            "InitialNamesAccepted",
            "the initial names have been accepted",
            now,
        );
    } else if !status
        .list("conditions")
        .iter()
        .any(|found| found["type"] == "Established")
    {
        set(
            &mut status,
            "Established",
            false,
            "NotAccepted",
            "not all names are accepted",
            now,
        );
    }
    if !status.has("acceptedNames") {
        status["acceptedNames"] = json!({ "plural": "", "kind": "" });
    }
    let mut stored = status.list("storedVersions").to_vec();
    for version in spec
        .list("versions")
        .iter()
        .filter(|version| version.flag("storage"))
    {
        if !stored.contains(&version["name"]) {
            stored.push(version["name"].clone());
        }
    }
    status["storedVersions"] = stored.into();
    status
}

fn conflict(spec: &Value, taken: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    let names = spec.get("names")?;
    let check = |name: &str| taken(name).map(|_| format!("{name:?} is already in use"));
    let one = |field: &str| check(names.text(field));
    if let Some(message) = one("plural") {
        return Some(("PluralConflict", message));
    }
    if let Some(message) = one("singular") {
        return Some(("SingularConflict", message));
    }
    let short = names
        .list("shortNames")
        .iter()
        .filter_map(Value::as_str)
        .find_map(check);
    if let Some(message) = short {
        return Some(("ShortNamesConflict", message));
    }
    if let Some(message) = one("kind") {
        return Some(("KindConflict", message));
    }
    one("listKind").map(|message| ("ListKindConflict", message))
}

/// Sets a condition; the time of its last transition stays where nothing turns.
fn set(status: &mut Value, name: &str, holds: bool, reason: &str, message: &str, now: &str) {
    let truth = if holds { "True" } else { "False" };
    let mut wanted = json!({
        "type": name, "status": truth, "reason": reason, "message": message, "lastTransitionTime": now,
    });
    let mut conditions = status.list("conditions").to_vec();
    match conditions.iter_mut().find(|found| found["type"] == name) {
        Some(found) => {
            if found["status"] == truth {
                wanted["lastTransitionTime"] = found["lastTransitionTime"].clone();
            }
            *found = wanted;
        }
        None => conditions.push(wanted),
    }
    status["conditions"] = conditions.into();
}
