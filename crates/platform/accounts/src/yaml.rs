//! Writes YAML that every reader understands the same way, those of YAML 1.1 included.
//!
//! Used for kubeconfigs. Text that could be taken for a number, a truth value, a date or nothing is quoted.

use std::fmt::Write as _;

use serde_json::Value;

/// A value as a YAML document in block style.
pub(crate) fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_block(&mut out, value, 0),
        Value::Array(list) if !list.is_empty() => write_block(&mut out, value, 0),
        scalar => {
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
    out
}

fn write_block(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let _ = write!(out, "{indent}{}:", text(key));
                if is_block(value) {
                    out.push('\n');
                    // Lists stand at the depth of their key, as kubectl writes them.
                    write_block(out, value, if value.is_array() { depth } else { depth + 1 });
                } else {
                    let _ = writeln!(out, " {}", inline(value));
                }
            }
        }
        Value::Array(list) => {
            for value in list {
                if is_block(value) {
                    let mut inner = String::new();
                    write_block(&mut inner, value, depth + 1);
                    // The first line's indent gives way to the dash.
                    let _ = write!(out, "{indent}- {}", &inner[indent.len() + 2..]);
                } else {
                    let _ = writeln!(out, "{indent}- {}", inline(value));
                }
            }
        }
        scalar => {
            let _ = writeln!(out, "{indent}{}", inline(scalar));
        }
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        other => other.to_string(),
    }
}

/// Plain where nobody can misread it, else in JSON's quotes, which are YAML's too.
pub(crate) fn text(value: &str) -> String {
    const WORDS: &[&str] = &[
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
    ];
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && value.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'@' | b'+' | b'=')
        })
        && !WORDS.contains(&value.to_ascii_lowercase().as_str());
    let url = value.starts_with("https://")
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._/:".contains(&byte));
    if plain || (url && !value.ends_with(':')) {
        value.to_owned()
    } else {
        Value::String(value.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "\\PC{0,12}",
            Just("yes".to_owned()),
            Just("012".to_owned()),
            Just("1e3".to_owned()),
            Just("12:30:45".to_owned()),
            Just("~".to_owned()),
            Just("- a\n# b".to_owned()),
        ];
        let leaf = prop_oneof![
            text.prop_map(Value::String),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map("[a-z-]{1,6}|yes|1", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in values()) {
            let written = write(&value);
            let read: Value = serde_saphyr::from_str(&written).map_err(|error| TestCaseError::fail(format!("{error}\n{written}")))?;
            prop_assert_eq!(read, value, "{}", written);
        }
    }

    #[test]
    fn text_that_older_readers_take_for_something_else_is_quoted() {
        for word in [
            "yes",
            "No",
            "on",
            "012",
            "1.0",
            "2026-01-01",
            "~",
            "",
            "null",
            "12:30",
            "a: b",
            "a #b",
        ] {
            assert!(text(word).starts_with('"'), "{word}");
        }
        for word in [
            "toolforge",
            "../x".trim_start_matches('.'),
            "LS0tLS1CRUdJTg==",
            "https://127.0.0.1:6443",
        ] {
            assert_eq!(text(word), word);
        }
    }
}
