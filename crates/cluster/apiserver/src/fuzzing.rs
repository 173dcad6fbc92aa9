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
