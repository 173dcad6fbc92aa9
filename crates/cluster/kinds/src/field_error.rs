//! What is wrong with a field, in the words of Kubernetes (`field.Error` of apimachinery). Validation makes them,
//! [`crate::Status::invalid`] reports them.

use serde_json::Value;

/// The kinds of mistake, with the reasons that clients know them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldErrorKind {
    /// A value that ought to be there already is not.
    NotFound,
    /// The field must be set.
    Required,
    /// The value may appear only once.
    Duplicate,
    /// The value breaks a rule.
    Invalid,
    /// The value is not one of those that are known.
    NotSupported,
    /// The field may not be set, or not be changed, here.
    Forbidden,
    /// The value is longer than allowed.
    TooLong,
    /// The list has more items than allowed.
    TooMany,
}

impl FieldErrorKind {
    /// The reason of a cause in a Status object.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
        }
    }
}

/// One mistake: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The kind of mistake.
    pub kind: FieldErrorKind,
    /// Path of the field, such as `spec.containers[0].image`.
    pub field: String,
    /// What is wrong, complete: `Invalid value: "x": must be y`.
    pub detail: String,
}

impl FieldError {
    fn with_value(kind: FieldErrorKind, field: &str, value: &Value, detail: &str) -> Self {
        let shown = match value {
            Value::String(text) => go_quote(text),
            other => other.to_string(),
        };
        let title = kind.title();
        let detail = if detail.is_empty() {
            format!("{title}: {shown}")
        } else {
            format!("{title}: {shown}: {detail}")
        };
        Self {
            kind,
            field: field.to_owned(),
            detail,
        }
    }

    fn without_value(kind: FieldErrorKind, field: &str, detail: &str) -> Self {
        let title = kind.title();
        let detail = if detail.is_empty() {
            title.to_owned()
        } else {
            format!("{title}: {detail}")
        };
        Self {
            kind,
            field: field.to_owned(),
            detail,
        }
    }

    /// The value breaks the rule that `detail` states.
    pub fn invalid(field: &str, value: impl Into<Value>, detail: &str) -> Self {
        Self::with_value(FieldErrorKind::Invalid, field, &value.into(), detail)
    }

    /// The same for a value that is too large to be shown.
    pub fn invalid_as_a_whole(field: &str, detail: &str) -> Self {
        Self::without_value(FieldErrorKind::Invalid, field, detail)
    }

    /// The field must be set; `detail` may say why.
    pub fn required(field: &str, detail: &str) -> Self {
        Self::without_value(FieldErrorKind::Required, field, detail)
    }

    /// The value is there twice.
    pub fn duplicate(field: &str, value: impl Into<Value>) -> Self {
        Self::with_value(FieldErrorKind::Duplicate, field, &value.into(), "")
    }

    /// The field may not be set or changed here, for the reason in `detail`.
    pub fn forbidden(field: &str, detail: &str) -> Self {
        Self::without_value(FieldErrorKind::Forbidden, field, detail)
    }

    /// What the value names does not exist.
    pub fn not_found(field: &str, value: impl Into<Value>) -> Self {
        Self::with_value(FieldErrorKind::NotFound, field, &value.into(), "")
    }

    /// The value is none of those that are known.
    pub fn not_supported(field: &str, value: impl Into<Value>, known: &[&str]) -> Self {
        let known: Vec<String> = known.iter().map(|value| go_quote(value)).collect();
        let detail = format!("supported values: {}", known.join(", "));
        Self::with_value(FieldErrorKind::NotSupported, field, &value.into(), &detail)
    }

    /// The value has more than `limit_bytes` bytes.
    pub fn too_long(field: &str, limit_bytes: usize) -> Self {
        let detail = format!("may not be more than {limit_bytes} bytes");
        Self::without_value(FieldErrorKind::TooLong, field, &detail)
    }

    /// The list has `actual` items and may have `limit`.
    pub fn too_many(field: &str, actual: usize, limit: usize) -> Self {
        let items = if limit == 1 { "item" } else { "items" };
        let detail = format!("must have at most {limit} {items}");
        Self::with_value(FieldErrorKind::TooMany, field, &Value::from(actual), &detail)
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.detail)
    }
}

/// Go's `%q` for the characters that occur: quotes, backslashes and control characters.
pub(crate) fn go_quote(text: &str) -> String {
    use std::fmt::Write as _;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() => {
                // Writing into a String cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_each_kind_as_kubernetes_does() {
        let cases = [
            (
                FieldError::invalid("a", "x", "must be y"),
                r#"a: Invalid value: "x": must be y"#,
            ),
            (
                FieldError::invalid("a", 7, "must be y"),
                "a: Invalid value: 7: must be y",
            ),
            (
                FieldError::invalid("a", Value::Null, "field is immutable"),
                "a: Invalid value: null: field is immutable",
            ),
            (
                FieldError::invalid_as_a_whole("a", "must be y"),
                "a: Invalid value: must be y",
            ),
            (FieldError::required("a.b", ""), "a.b: Required value"),
            (
                FieldError::required("a.b", "because"),
                "a.b: Required value: because",
            ),
            (
                FieldError::duplicate("a[1]", "x"),
                r#"a[1]: Duplicate value: "x""#,
            ),
            (
                FieldError::not_supported("a", "X", &["A", "B"]),
                r#"a: Unsupported value: "X": supported values: "A", "B""#,
            ),
            (FieldError::forbidden("a", "no"), "a: Forbidden: no"),
            (
                FieldError::too_long("a", 63),
                "a: Too long: may not be more than 63 bytes",
            ),
            (
                FieldError::too_many("a", 3, 1),
                "a: Too many: 3: must have at most 1 item",
            ),
            (FieldError::not_found("a", "vol"), r#"a: Not found: "vol""#),
        ];
        for (error, expected) in cases {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn quotes_control_characters() {
        assert_eq!(go_quote("a\"b\\c\nd\u{1}"), r#""a\"b\\c\nd\u0001""#);
    }
}
