//! Where in a file something stands.

use std::collections::BTreeMap;

/// A line and a column, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl Place {
    /// The beginning of a file.
    pub(crate) const FIRST: Self = Self { line: 1, column: 1 };

    /// Where something stands in a file, of which a part begins here, that stands there in the part.
    pub(crate) fn before(self, there: Self) -> Self {
        let column = match there.line {
            1 => self.column + there.column - 1,
            _ => there.column,
        };
        Self {
            line: self.line + there.line - 1,
            column,
        }
    }
}

/// Where the fields of an object stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// By the path of the field as verdicts write it, such as `spec.rules[0].host`; empty for the object itself.
    fields: BTreeMap<String, Place>,
}

impl Places {
    pub(crate) fn insert(&mut self, field: String, place: Place) {
        self.fields.insert(field, place);
    }

    /// Where the object begins.
    pub fn start(&self) -> Option<Place> {
        self.fields.get("").copied()
    }

    /// Where a field stands, given as verdicts write it (`spec.rules[0].host`, `metadata.annotations["a/b"]`); for a field
    /// that is missing, where the nearest field around it stands.
    pub fn of(&self, field: &str) -> Option<Place> {
        let mut rest = field;
        loop {
            if let Some(place) = self.fields.get(rest) {
                return Some(*place);
            }
            rest = around(rest)?;
        }
    }
}

/// The path of the field that holds this one.
fn around(field: &str) -> Option<&str> {
    if field.is_empty() {
        return None;
    }
    if let Some(key) = field.strip_suffix("\"]") {
        // A key in quotes may hold anything that separates elsewhere.
        return Some(key.find("[\"").map_or("", |at| &field[..at]));
    }
    Some(field.rfind(['.', '[']).map_or("", |at| &field[..at]))
}

/// The path of a field below another, as verdicts write it.
pub(crate) fn below(field: &str, key: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'$';
    if key.is_empty() || !key.bytes().all(plain) {
        format!("{field}[{key:?}]")
    } else if field.is_empty() {
        key.to_owned()
    } else {
        format!("{field}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Places, around, below};

    #[test]
    fn a_missing_field_is_where_the_one_around_it_is() {
        let mut places = Places::default();
        for (line, field) in ["", "spec", "spec.rules[0]", "metadata.annotations"]
            .into_iter()
            .enumerate()
        {
            let line = u64::try_from(line).unwrap() + 1;
            places.insert(field.to_owned(), Place { line, column: 1 });
        }
        for (field, line) in [
            ("", 1),
            ("spec.rules[0].host", 3),
            ("spec.rules[1].host", 2),
            ("spec.rules[0].http.paths[3].path", 3),
            ("metadata.annotations[\"x.y/z[1]\"]", 4),
            ("metadata.name", 1),
            ("kind", 1),
        ] {
            assert_eq!(places.of(field).unwrap().line, line, "{field}");
        }
        assert_eq!(Places::default().of("spec"), None);
    }

    #[test]
    fn paths_are_those_of_verdicts() {
        assert_eq!(below("", "spec"), "spec");
        assert_eq!(
            below("metadata.annotations", "a/b"),
            "metadata.annotations[\"a/b\"]"
        );
        assert_eq!(
            around("metadata.annotations[\"a/b\"]"),
            Some("metadata.annotations")
        );
        assert_eq!(around("spec.rules[0]"), Some("spec.rules"));
        assert_eq!(around("spec"), Some(""));
        assert_eq!(around(""), None);
    }
}
