//! JSON values one behind the other, which `kubectl` takes and YAML does not know.

use serde::de::IgnoredAny;

use crate::Place;

/// A part of a file that is YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) text: &'a str,
    /// Where in the file it begins.
    pub(crate) start: Place,
}

/// A file of JSON values in its values; any other file whole.
pub(crate) fn parts(text: &str) -> Vec<Part<'_>> {
    let whole = || {
        vec![Part {
            text,
            start: Place::FIRST,
        }]
    };
    let trimmed = text.trim_start();
    if !trimmed.starts_with('{') {
        return whole();
    }
    let mut values = serde_json::Deserializer::from_str(trimmed).into_iter::<IgnoredAny>();
    let (mut parts, mut start, mut from) = (
        Vec::new(),
        advance(Place::FIRST, &text[..text.len() - trimmed.len()]),
        0,
    );
    while let Some(value) = values.next() {
        // Then it is YAML, or neither: whoever reads YAML says what is wrong.
        if value.is_err() {
            return whole();
        }
        let value = &trimmed[from..values.byte_offset()];
        parts.push(Part { text: value, start });
        start = advance(start, value);
        from = values.byte_offset();
    }
    parts
}

/// Where the file goes on after this text.
fn advance(from: Place, text: &str) -> Place {
    let (last, lines) = match text.rfind('\n') {
        None => (text, 0),
        Some(at) => (&text[at + 1..], text.bytes().filter(|b| *b == b'\n').count()),
    };
    let columns = u64::try_from(last.chars().count()).unwrap_or(u64::MAX);
    let lines = u64::try_from(lines).unwrap_or(u64::MAX);
    Place {
        line: from.line.saturating_add(lines),
        column: columns.saturating_add(if lines == 0 { from.column } else { 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    fn texts(text: &str) -> Vec<(&str, u64, u64)> {
        parts(text)
            .into_iter()
            .map(|part| (part.text, part.start.line, part.start.column))
            .collect()
    }

    #[test]
    fn json_values_are_parts_with_their_place() {
        assert_eq!(
            texts("\n {\"a\":\n1} {}\n\n{}"),
            [("{\"a\":\n1}", 2, 2), (" {}", 3, 3), ("\n\n{}", 3, 6)]
        );
    }

    #[test]
    fn everything_else_is_one_part() {
        for text in ["", "a: 1\n", "{a: 1}\n", "{}\n---\n{}\n", "{", "{\"a\": 1"] {
            assert_eq!(texts(text), [(text, 1, 1)], "{text}");
        }
    }
}
