//! The two patches that need no types: JSON patch (RFC 6902) and JSON merge patch (RFC 7386).
//!
//! Called by the API server and by the admission chain, which gets JSON patches from webhooks.

mod indexes;

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use crate::PatchError;

/// Most operations of one JSON patch, as in Kubernetes.
const MAX_OPERATIONS: usize = 10_000;

/// Most values that the `copy` operations of one patch may make; repeated copies of a copy grow without bounds.
const MAX_COPIED_VALUES: usize = 100_000;

/// Deepest nesting that a patch may make: that which a body may have, or the object could not be read again. Reading,
/// comparing and dropping a value takes stack for each level.
const MAX_DEPTH: usize = 127;

/// Applies a JSON patch; all of it or nothing.
///
/// # Errors
/// [`PatchError::Malformed`] when `patch` is no JSON patch, [`PatchError::Rejected`] when an operation does not fit the
/// object, [`PatchError::TooLarge`] when copies would blow the object up.
pub fn json_patch(object: &Value, patch: &Value) -> Result<Value, PatchError> {
    let patch: Patch = serde_json::from_value(patch.clone())
        .map_err(|error| PatchError::Malformed(format!("the JSON patch cannot be read: {error}")))?;
    if patch.0.len() > MAX_OPERATIONS {
        let got = patch.0.len();
        return Err(PatchError::Malformed(format!(
            "the allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {got}"
        )));
    }
    let mut patched = object.clone();
    let mut copied = 0;
    for mut operation in patch.0 {
        indexes::from_the_end(&mut operation, &patched);
        if let PatchOperation::Copy(copy) = &operation {
            copied += patched.pointer(copy.from.as_str()).map_or(0, size);
            if copied > MAX_COPIED_VALUES {
                return Err(PatchError::TooLarge {
                    limit: MAX_COPIED_VALUES,
                });
            }
        }
        // Kubernetes' library holds that what is not there is null; clients test so for what they are about to add.
        if let PatchOperation::Test(test) = &operation
            && test.value.is_null()
            && patched.pointer(test.path.as_str()).is_none()
        {
            continue;
        }
        if depth_after(&operation, &patched) > MAX_DEPTH {
            return Err(PatchError::Rejected(format!(
                "the JSON patch does not fit the object: it would nest deeper than {MAX_DEPTH} levels"
            )));
        }
        json_patch::patch(&mut patched, std::slice::from_ref(&operation)).map_err(|error| {
            PatchError::Rejected(format!("the JSON patch does not fit the object: {}", error.kind))
        })?;
    }
    Ok(patched)
}

/// Applies a JSON merge patch: objects are merged, null removes, everything else is replaced.
pub fn merge_patch(object: &Value, patch: &Value) -> Value {
    let mut patched = object.clone();
    json_patch::merge(&mut patched, patch);
    patched
}

/// How deep the object is where the operation puts something.
fn depth_after(operation: &PatchOperation, object: &Value) -> usize {
    let at = |from: &str| object.pointer(from).map_or(0, depth);
    let (place, below) = match operation {
        PatchOperation::Add(add) => (&add.path, depth(&add.value)),
        PatchOperation::Replace(replace) => (&replace.path, depth(&replace.value)),
        PatchOperation::Copy(copy) => (&copy.path, at(copy.from.as_str())),
        PatchOperation::Move(moved) => (&moved.path, at(moved.from.as_str())),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return 0,
    };
    place.as_str().matches('/').count() + below
}

/// How many values lie in one another at most; a number or text is no level.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// How many values a value consists of.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_is_applied_as_a_whole_or_not_at_all() {
        let object = json!({"a": 1});
        let patch =
            json!([{"op": "replace", "path": "/a", "value": 2}, {"op": "test", "path": "/a", "value": 3}]);
        assert!(matches!(
            json_patch(&object, &patch),
            Err(PatchError::Rejected(_))
        ));
        assert_eq!(
            json_patch(&object, &json!([{"op": "add", "path": "/b", "value": 2}])),
            Ok(json!({"a": 1, "b": 2}))
        );
    }

    #[test]
    fn what_is_not_there_is_null_for_a_test() {
        let add =
            json!([{"op": "test", "path": "/a", "value": null}, {"op": "add", "path": "/a", "value": 1}]);
        assert_eq!(json_patch(&json!({}), &add), Ok(json!({"a": 1})));
        assert!(json_patch(&json!({"a": 2}), &add).is_err());
        let other = json!([{"op": "test", "path": "/a", "value": 1}]);
        assert!(json_patch(&json!({}), &other).is_err());
    }

    #[test]
    fn negative_indexes_count_from_the_end() {
        let object = json!({"a": [{"b": 1}, {"b": 2}, {"b": 3}], "-1": 0});
        let cases = [
            (
                json!({"op": "replace", "path": "/a/-1/b", "value": 9}),
                json!([1, 2, 9]),
            ),
            (json!({"op": "remove", "path": "/a/-3"}), json!([2, 3])),
            (
                json!({"op": "add", "path": "/a/-1", "value": {"b": 9}}),
                json!([1, 2, 3, 9]),
            ),
            (
                json!({"op": "add", "path": "/a/-4", "value": {"b": 9}}),
                json!([9, 1, 2, 3]),
            ),
            (
                json!({"op": "copy", "from": "/a/-2", "path": "/a/0"}),
                json!([2, 1, 2, 3]),
            ),
            (
                json!({"op": "move", "from": "/a/-1", "path": "/a/-3"}),
                json!([3, 1, 2]),
            ),
            (
                json!({"op": "test", "path": "/a/-1/b", "value": 3}),
                json!([1, 2, 3]),
            ),
        ];
        for (operation, expected) in cases {
            let patched = json_patch(&object, &json!([operation])).unwrap();
            let left: Value = patched["a"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["b"].clone())
                .collect();
            assert_eq!(left, expected, "{operation}");
        }
        for path in ["/a/-4/b", "/a/-x", "/a/-0x1"] {
            let replace = json!([{"op": "replace", "path": path, "value": 1}]);
            assert!(json_patch(&object, &replace).is_err(), "{path}");
        }
        let member = json!([{"op": "remove", "path": "/-1"}]);
        assert!(json_patch(&object, &member).unwrap().get("-1").is_none());
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        for patch in [
            json!({}),
            json!([{"op": "run", "path": "/a"}]),
            json!([{"op": "add"}]),
            json!("x"),
        ] {
            assert!(
                matches!(json_patch(&json!({}), &patch), Err(PatchError::Malformed(_))),
                "{patch}"
            );
        }
    }

    #[test]
    fn copies_of_copies_end_in_time() {
        let copy = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let patch = Value::Array(vec![copy; 100]);
        assert_eq!(
            json_patch(&json!({"a": [1, 2, 3]}), &patch),
            Err(PatchError::TooLarge {
                limit: MAX_COPIED_VALUES
            })
        );
    }

    #[test]
    fn a_copy_into_itself_does_not_nest_without_end() {
        let mut inner = "/a".to_owned();
        let mut operations = Vec::new();
        for power in 0..16 {
            // Each doubles the depth.
            operations.push(json!({"op": "copy", "from": "/a", "path": format!("{inner}/x")}));
            inner.push_str(&"/x".repeat(1 << power));
        }
        let patched = json_patch(&json!({"a": {}}), &Value::Array(operations));
        assert!(matches!(patched, Err(PatchError::Rejected(_))), "{patched:?}");
        let deep = |levels: usize| {
            let add = json!([{"op": "add", "path": "/a", "value": (0..levels).fold(json!(1), |below, _| json!([below]))}]);
            json_patch(&json!({}), &add)
        };
        assert!(deep(MAX_DEPTH - 1).is_ok());
        assert!(deep(MAX_DEPTH).is_err());
    }

    #[test]
    fn null_in_a_merge_patch_removes() {
        let patched = merge_patch(
            &json!({"a": {"b": 1, "c": 2}}),
            &json!({"a": {"b": null, "d": 3}}),
        );
        assert_eq!(patched, json!({"a": {"c": 2, "d": 3}}));
    }
}
