//! What stands for the account of a tool where nobody says it.

use serde_json::Value;

/// Stands for a user id that is not known. No account has it: the directory's ids end below.
pub(crate) const UNKNOWN_UID: u32 = u32::MAX - 7;
/// How a user id that is not known is shown.
const UNKNOWN_UID_WORDS: &str = "the tool's uid";
/// Below which folder homes of tools lie (that of the original).
pub(crate) const HOMES: &str = "/data/project";

/// A text with the stand-in for an unknown user id in words.
pub(crate) fn in_words(text: &str) -> String {
    text.replace(&UNKNOWN_UID.to_string(), UNKNOWN_UID_WORDS)
}

/// An object with the stand-in for an unknown user id in words.
pub(crate) fn object_in_words(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_u64() == Some(u64::from(UNKNOWN_UID)) => {
            *value = Value::String(format!("<{UNKNOWN_UID_WORDS}>"));
        }
        Value::Object(map) => map.values_mut().for_each(object_in_words),
        Value::Array(items) => items.iter_mut().for_each(object_in_words),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_stand_in_is_never_shown() {
        let mut object = json!({"a": [UNKNOWN_UID, 1]});
        object_in_words(&mut object);
        assert_eq!(object, json!({"a": ["<the tool's uid>", 1]}));
        assert_eq!(in_words(&format!("id {UNKNOWN_UID}")), "id the tool's uid");
    }
}
