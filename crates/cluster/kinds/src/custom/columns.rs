//! Printer columns of custom kinds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json_path::JsonPath;
use crate::table::{IncludeObject, row_of, since};
use crate::value::{Read as _, text_at};

/// The columns of a version, after the name.
#[derive(Debug)]
pub(crate) struct Columns(Vec<Column>);

#[derive(Debug)]
struct Column {
    definition: Value,
    kind: String,
    path: Option<JsonPath>,
}

impl Columns {
    /// Reads `additionalPrinterColumns`; a version without any shows the age.
    pub(crate) fn of(columns: &[Value]) -> Self {
        let age = json!({
            "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp",
            "description": "CreationTimestamp is a timestamp representing the server time when this object was created.",
        });
        let default = [age];
        let columns = if columns.is_empty() { &default[..] } else { columns };
        Self(columns.iter().map(Column::of).collect())
    }
}

impl Column {
    fn of(column: &Value) -> Self {
        Self {
            definition: json!({
                "name": column.text("name"),
                "type": column.text("type"),
                "format": column.text("format"),
                "description": column.text("description"),
                "priority": column.int("priority").unwrap_or(0),
            }),
            kind: column.text("type").to_owned(),
            path: JsonPath::parse(column.text("jsonPath")).ok(),
        }
    }

    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let Some(found) = self.path.as_ref().and_then(|path| path.first(object)) else {
            return Value::Null;
        };
        match (self.kind.as_str(), found) {
            (_, Value::Null) => Value::Null,
            ("string", Value::String(text)) => Value::from(text.as_str()),
            ("string", other) => Value::from(other.to_string()),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a column of whole numbers cuts others, as in Kubernetes"
            )]
            ("integer", Value::Number(number)) => number
                .as_i64()
                .or_else(|| number.as_f64().map(|number| number as i64))
                .into(),
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => found.clone(),
            ("date", Value::String(text)) => Value::from(since(text, now)),
            _ => Value::Null,
        }
    }
}

/// A table of objects.
pub(crate) fn table(columns: &Columns, objects: &[&Value], now: Timestamp, include: IncludeObject) -> Value {
    let name = json!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Name must be unique within a namespace.",
    });
    let definitions: Vec<Value> = std::iter::once(name)
        .chain(columns.0.iter().map(|column| column.definition.clone()))
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut cells = vec![Value::from(text_at(object, &["metadata", "name"]))];
            cells.extend(columns.0.iter().map(|column| column.cell(object, now)));
            row_of(&cells, object, include)
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": definitions,
        "rows": rows,
    })
}
