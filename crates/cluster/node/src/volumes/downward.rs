//! The downward API as files: what a Pod says of itself. Pure.

use std::{collections::BTreeMap, fmt::Write as _};

use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, ObjectFieldSelector};

use super::payload::{File, Payload, Problem, checked, mode_of};
use crate::environment::{Facts, amount_of, field_of};

/// The files of these items.
pub(super) fn files(
    items: &[DownwardAPIVolumeFile],
    mode: u32,
    facts: Facts<'_>,
) -> Result<Payload, Problem> {
    items
        .iter()
        .map(|item| {
            let file = File {
                bytes: text(item, facts)?.into_bytes(),
                mode: item.mode.map_or(mode, |mode| mode_of(Some(mode))),
                owner: None,
            };
            Ok((checked(&item.path)?, file))
        })
        .collect()
}

fn text(item: &DownwardAPIVolumeFile, facts: Facts<'_>) -> Result<String, Problem> {
    if let Some(field) = &item.field_ref {
        return field_text(field, facts);
    }
    if let Some(resource) = &item.resource_field_ref {
        return amount_of(resource, None, facts).map_err(|error| Problem::failed(error.0));
    }
    Err(Problem::failed(
        "an item of the downward API names neither fieldRef nor resourceFieldRef",
    ))
}

/// Labels and annotations may be asked for as a whole here.
fn field_text(field: &ObjectFieldSelector, facts: Facts<'_>) -> Result<String, Problem> {
    let metadata = &facts.pod.metadata;
    match field.field_path.as_str() {
        "metadata.labels" => Ok(lines(metadata.labels.as_ref())),
        "metadata.annotations" => Ok(lines(metadata.annotations.as_ref())),
        _ => field_of(field, facts).map_err(|error| Problem::failed(error.0)),
    }
}

/// One line per entry, as Go prints quoted strings.
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> = map
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", quoted(value)))
        .collect();
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            control if control.is_ascii_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_so_that_a_line_is_an_entry() {
        let map = BTreeMap::from([
            ("b".to_owned(), "two\nlines".to_owned()),
            ("a".to_owned(), "say \"hi\" \u{1}ä".to_owned()),
        ]);
        assert_eq!(
            lines(Some(&map)),
            "a=\"say \\\"hi\\\" \\x01ä\"\nb=\"two\\nlines\""
        );
        assert_eq!(lines(None), "");
    }
}
