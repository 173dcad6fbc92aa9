//! Kinds that are kept as another kind: `events.k8s.io/v1 Event` is kept as a core `Event`, and an autoscaler of
//! `autoscaling/v1` as one of `v2`.

mod autoscaler;

pub(crate) use autoscaler::keep_status_in_annotations;
use serde_json::Value;

use crate::kind::{Kind, Storage};
use crate::registry::by_kind;
use crate::value::{Read as _, remove};

/// The kind as which objects of `kind` are kept: itself, for nearly all.
pub fn storage_kind(kind: &'static Kind) -> &'static Kind {
    match kind.storage {
        Storage::As(group, version, name) => by_kind(group, version, name).unwrap_or(kind),
        Storage::Stored | Storage::Virtual => kind,
    }
}

/// The object of kind `from` as an object of kind `to`: between the two Events and the two autoscalers, else only
/// `apiVersion` and `kind`.
pub fn convert(from: &Kind, to: &Kind, mut object: Value) -> Value {
    let renamed: &[(&str, &str)] = match (from.key(), to.key()) {
        (("events.k8s.io", "Event"), ("", "Event")) => EVENT_FIELDS,
        (("", "Event"), ("events.k8s.io", "Event")) => {
            rename(&mut object, EVENT_FIELDS, true);
            &[]
        }
        ((AUTOSCALING, "HorizontalPodAutoscaler"), (AUTOSCALING, "HorizontalPodAutoscaler")) => {
            match (from.version, to.version) {
                ("v1", "v2") => autoscaler::unfold(&mut object),
                ("v2", "v1") => autoscaler::flatten(&mut object),
                _ => {}
            }
            &[]
        }
        _ => &[],
    };
    rename(&mut object, renamed, false);
    if object.is_object() {
        object["apiVersion"] = to.api_version().into();
        object["kind"] = to.kind.into();
    }
    object
}

const AUTOSCALING: &str = "autoscaling";

/// Names in `events.k8s.io/v1`, and the same in core.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("note", "message"),
    ("regarding", "involvedObject"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

fn rename(object: &mut Value, names: &[(&str, &str)], backwards: bool) {
    for (new, old) in names {
        let (from, to) = if backwards { (old, new) } else { (new, old) };
        if object.has(from)
            && let Some(value) = remove(object, from)
        {
            object[*to] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_go_both_ways_without_loss() {
        let new = by_kind("events.k8s.io", "v1", "Event").unwrap();
        let core = by_kind("", "v1", "Event").unwrap();
        assert_eq!(storage_kind(new), core);
        let object = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "a"}, "note": "said",
            "regarding": {"kind": "Pod"}, "reportingController": "c", "deprecatedCount": 3, "series": {"count": 2},
        });
        let stored = convert(new, core, object.clone());
        assert_eq!(stored["message"], "said");
        assert_eq!(stored["involvedObject"]["kind"], "Pod");
        assert_eq!(stored["apiVersion"], "v1");
        assert_eq!(convert(core, new, stored), object);
    }
}
