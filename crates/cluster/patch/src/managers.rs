//! Who owns what: `metadata.managedFields`, read, changed and written.

use serde_json::{Map, Value, json};

use crate::fieldset::FieldSet;

/// Most managers with operation Update that an object remembers one by one; older ones are put together.
const MAX_UPDATE_MANAGERS: usize = 10;

/// The name under which the oldest updates are put together.
const ANCIENT_CHANGES: &str = "ancient-changes";

/// How a manager came to own its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

/// One manager of an object with the fields that it owns.
#[derive(Debug, Clone)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
    pub(crate) time: Option<String>,
    pub(crate) fields: FieldSet,
}

impl Manager {
    pub(crate) fn new(name: &str, operation: Operation, object: &Value, subresource: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            operation,
            api_version: object
                .get("apiVersion")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            subresource: subresource.unwrap_or_default().to_owned(),
            time: None,
            fields: FieldSet::default(),
        }
    }

    /// Whether both are the same manager; an applier is the same in all versions.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// As in messages: `"kubectl" using apps/v1`, or for appliers just `"kubectl"`.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text = format!("{text} with subresource {:?}", self.subresource);
        }
        match self.operation {
            Operation::Apply => text,
            Operation::Update => format!("{text} using {}", self.api_version),
        }
    }

    fn to_value(&self) -> Value {
        let mut entry = json!({
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.to_fields_v1(),
            "manager": self.name,
            "operation": match self.operation { Operation::Apply => "Apply", Operation::Update => "Update" },
        });
        if !self.subresource.is_empty() {
            entry["subresource"] = Value::from(self.subresource.as_str());
        }
        if let Some(time) = &self.time {
            entry["time"] = Value::from(time.as_str());
        }
        entry
    }

    fn from_value(entry: &Value) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let operation = match entry.get("operation").and_then(Value::as_str)? {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        let fields = match entry.get("fieldsV1") {
            Some(fields) => FieldSet::from_fields_v1(fields)?,
            None => FieldSet::default(),
        };
        Some(Self {
            name: text("manager").unwrap_or_default(),
            operation,
            api_version: text("apiVersion").unwrap_or_default(),
            subresource: text("subresource").unwrap_or_default(),
            time: text("time"),
            fields,
        })
    }
}

/// The managers of an object; none when what is written there cannot be read.
pub(crate) fn read(object: &Value) -> Vec<Manager> {
    let mut managers: Vec<Manager> = Vec::new();
    for entry in entries(object) {
        let Some(manager) = Manager::from_value(entry) else {
            return Vec::new();
        };
        match managers.iter_mut().find(|known| known.is(&manager)) {
            Some(known) => known.fields.unite(manager.fields),
            None => managers.push(manager),
        }
    }
    managers
}

/// Whether the object asks to forget all managers: one empty entry.
pub(crate) fn is_reset(object: &Value) -> bool {
    matches!(entries(object), [only] if only.as_object().is_some_and(Map::is_empty))
}

/// Whether the object names any manager.
pub(crate) fn are_named(object: &Value) -> bool {
    !entries(object).is_empty()
}

fn entries(object: &Value) -> &[Value] {
    object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Takes the managers out of an object.
pub(crate) fn clear(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// Writes the managers that own something, in the order of Kubernetes: appliers first, then by time and name.
pub(crate) fn write(object: &mut Value, mut managers: Vec<Manager>) {
    managers.retain(|manager| !manager.fields.is_empty());
    forget_oldest(&mut managers);
    managers.sort_by(|a, b| order(a).cmp(&order(b)));
    clear(object);
    let entries: Vec<Value> = managers.iter().map(Manager::to_value).collect();
    let Some(object) = object.as_object_mut().filter(|_| !entries.is_empty()) else {
        return;
    };
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
    }
}

fn order(manager: &Manager) -> (Operation, Option<&str>, &str, &str, &str) {
    (
        manager.operation,
        manager.time.as_deref(),
        &manager.name,
        &manager.api_version,
        &manager.subresource,
    )
}

/// Puts the oldest updates together when there are too many.
fn forget_oldest(managers: &mut Vec<Manager>) {
    managers.sort_by(|a, b| order(a).cmp(&order(b)));
    let appliers = managers.partition_point(|manager| manager.operation == Operation::Apply);
    let updaters = managers.len() - appliers;
    if updaters <= MAX_UPDATE_MANAGERS {
        return;
    }
    let mut oldest = managers.drain(appliers..=appliers + updaters - MAX_UPDATE_MANAGERS);
    let Some(mut together) = oldest.next() else { return };
    for manager in oldest {
        together.fields.unite(manager.fields);
        together.api_version = manager.api_version;
        together.time = manager.time;
    }
    ANCIENT_CHANGES.clone_into(&mut together.name);
    together.subresource.clear();
    managers.push(together);
}
