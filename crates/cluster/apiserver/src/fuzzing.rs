//! Doors for the fuzz targets to the parsers that nobody else reaches from outside. Built with `--cfg fuzzing` only.

use http::Method;
use serde_json::Value;

use crate::query::Query;
use crate::request::RequestInfo;
use crate::rest::FieldsOf;
use crate::selector::Selector;

/// A request body in the format that its media type names.
pub fn body(media_type: &str, bytes: &[u8]) -> Option<Value> {
    crate::body::object(media_type, bytes).ok()
}

/// Both selectors on an object, for every kind: what a list reads of stored bytes must give the verdict of the whole.
///
/// # Panics
/// When it does not.
pub fn selectors(labels: &str, fields: &str, json: &[u8]) {
    let Ok(object) = serde_json::from_slice::<Value>(json) else {
        return;
    };
    // As it would be stored: no name comes twice in it.
    let json = object.to_string();
    let encoded = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let query = format!(
        "labelSelector={}&fieldSelector={}",
        encoded(labels),
        encoded(fields)
    );
    let query = Query::parse(&query);
    for kind in toolforge_kinds::all() {
        let fields = FieldsOf::built_in(kind);
        if let Ok(selector) = Selector::read(fields, &query) {
            let whole = selector.matches(fields, &object);
            let parts = selector.matches_bytes(fields, json.as_bytes());
            assert!(
                parts.is_none_or(|parts| parts == whole),
                "{labels:?} {:?}",
                kind.kind
            );
        }
    }
}

/// A path and query, up to the selectors, for every kind.
pub fn target(text: &str) {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let query = Query::parse(query);
    for method in [Method::GET, Method::POST, Method::DELETE] {
        RequestInfo::read(&method, path, &query);
    }
    query.dry_run();
    query.number("limit").ok();
    for kind in toolforge_kinds::all() {
        let fields = FieldsOf::built_in(kind);
        if let Ok(selector) = Selector::read(fields, &query) {
            selector.matches(fields, &Value::Null);
        }
    }
}
