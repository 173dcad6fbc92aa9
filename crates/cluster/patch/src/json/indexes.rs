//! Indexes that count from the end of a list: `/spec/containers/-1` is the last one.
//!
//! RFC 6902 has none; the library that Kubernetes patches with does (`SupportNegativeIndices` of evanphx/json-patch), and
//! clients use it. Called by `json` before each operation, which then has only indexes from the beginning.

use json_patch::PatchOperation;
use json_patch::jsonptr::PointerBuf;
use serde_json::Value;

/// What the last part of a path is to an operation.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// It names what is there.
    Item,
    /// It names a gap between items, the one behind the last among them.
    Gap,
}

/// Turns the operation's negative indexes into those from the beginning; those that fit nothing stay.
pub(super) fn from_the_end(operation: &mut PatchOperation, object: &Value) {
    match operation {
        PatchOperation::Add(add) => resolve(&mut add.path, object, Last::Gap),
        PatchOperation::Replace(replace) => resolve(&mut replace.path, object, Last::Item),
        PatchOperation::Remove(remove) => resolve(&mut remove.path, object, Last::Item),
        PatchOperation::Test(test) => resolve(&mut test.path, object, Last::Item),
        PatchOperation::Copy(copy) => {
            resolve(&mut copy.from, object, Last::Item);
            resolve(&mut copy.path, object, Last::Gap);
        }
        PatchOperation::Move(moved) => {
            resolve(&mut moved.from, object, Last::Item);
            if has_negative(&moved.path) {
                // The place is that among the items that stay.
                let mut rest = object.clone();
                take(&mut rest, moved.from.as_str());
                resolve(&mut moved.path, &rest, Last::Gap);
            }
        }
    }
}

fn has_negative(path: &PointerBuf) -> bool {
    path.tokens().any(|token| negative(&token.decoded()).is_some())
}

/// How far from the end, from 1 on.
fn negative(token: &str) -> Option<usize> {
    let digits = token.strip_prefix('-')?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|distance| plain && *distance > 0)
}

fn resolve(path: &mut PointerBuf, object: &Value, last: Last) {
    if !has_negative(path) {
        return;
    }
    let tokens: Vec<String> = path.tokens().map(|token| token.decoded().into_owned()).collect();
    let mut place = Some(object);
    let mut resolved = Vec::with_capacity(tokens.len());
    for (position, token) in tokens.iter().enumerate() {
        let ends = position + 1 == tokens.len();
        let counted = match (place, negative(token)) {
            (Some(Value::Array(items)), Some(distance)) => {
                let count = items.len() + usize::from(ends && last == Last::Gap);
                count.checked_sub(distance).map(|index| index.to_string())
            }
            _ => None,
        };
        let token = counted.unwrap_or_else(|| token.clone());
        place = place.and_then(|place| match place {
            Value::Array(items) => items.get(token.parse::<usize>().ok()?),
            Value::Object(entries) => entries.get(&token),
            _ => None,
        });
        resolved.push(token);
    }
    *path = PointerBuf::from_tokens(resolved);
}

fn take(object: &mut Value, path: &str) {
    let Some((parent, key)) = path.rsplit_once('/') else {
        return;
    };
    match object.pointer_mut(parent) {
        Some(Value::Array(items)) => {
            if let Some(index) = key.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        Some(Value::Object(entries)) => {
            entries.remove(&key.replace("~1", "/").replace("~0", "~"));
        }
        _ => {}
    }
}
