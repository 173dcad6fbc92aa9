//! Label and field selectors as they stand in queries.
//!
//! Pure: parsed once per request, matched against many objects. Labels follow
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>.

mod fields;
mod labels;
mod projection;

use serde_json::Value;
use toolforge_kinds::Status;

use crate::query::Query;
use crate::rest::FieldsOf;
use crate::store::Stored;

pub(crate) use fields::FieldSelector;
pub(crate) use labels::LabelSelector;
use projection::Projection;

/// Both selectors of a list or watch.
#[derive(Debug, Default)]
pub(crate) struct Selector {
    labels: LabelSelector,
    fields: FieldSelector,
    /// The parts of an object that the two look at.
    seen: Option<Projection>,
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`.
    pub(crate) fn read(known: FieldsOf<'_>, query: &Query) -> Result<Self, Status> {
        let labels = LabelSelector::parse(query.get("labelSelector").unwrap_or_default())
            .map_err(|problem| Status::bad_request(format!("unable to parse requirement: {problem}")))?;
        let fields = FieldSelector::parse(known, query.get("fieldSelector").unwrap_or_default())
            .map_err(Status::bad_request)?;
        let seen = fields.paths().map(|paths| {
            let mut seen = Projection::default();
            if !labels.is_everything() {
                seen.add(&["metadata", "labels"]);
            }
            for path in paths {
                seen.add(&path);
            }
            seen
        });
        Ok(Self { labels, fields, seen })
    }

    /// Whether every object passes.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// Whether an object passes.
    pub(crate) fn matches(&self, known: FieldsOf<'_>, object: &Value) -> bool {
        self.labels.matches(object.pointer("/metadata/labels")) && self.fields.matches(known, object)
    }

    /// Whether a stored object passes. One that nobody has parsed lately is read no further than needed.
    pub(crate) fn matches_stored(&self, known: FieldsOf<'_>, stored: &Stored) -> bool {
        if self.is_everything() {
            return true;
        }
        if let Some(value) = stored.known_value() {
            return self.matches(known, &value);
        }
        match self.seen.as_ref().map(|seen| seen.read(&stored.json())) {
            Some(Ok(parts)) => self.matches(known, &parts),
            None | Some(Err(_)) => self.matches(known, &stored.value()),
        }
    }

    /// Whether bytes pass, read no further than needed; nothing where that cannot be told from parts.
    #[cfg(fuzzing)]
    pub(crate) fn matches_bytes(&self, known: FieldsOf<'_>, json: &[u8]) -> Option<bool> {
        let parts = self.seen.as_ref()?.read(json).ok()?;
        Some(self.is_everything() || self.matches(known, &parts))
    }

    /// The namespace that the field selector asks for, when it asks for one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.fields.wanted("metadata.namespace")
    }
}
