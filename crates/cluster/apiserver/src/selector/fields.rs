//! Field selectors: `status.phase=Running,metadata.name!=x`, for the fields that a kind offers.

use serde_json::Value;

use crate::rest::FieldsOf;

/// All of its terms must hold.
#[derive(Debug, Default)]
pub(crate) struct FieldSelector(Vec<Term>);

#[derive(Debug)]
struct Term {
    field: String,
    value: String,
    equal: bool,
}

impl FieldSelector {
    /// Reads a selector; refuses fields that the kind does not offer.
    pub(crate) fn parse(known: FieldsOf<'_>, text: &str) -> Result<Self, String> {
        let terms = split_terms(text)
            .into_iter()
            .filter(|term| !term.is_empty())
            .map(|term| parse_term(known, text, term))
            .collect::<Result<_, _>>()?;
        Ok(Self(terms))
    }

    /// Whether it has no terms.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all terms hold.
    pub(crate) fn matches(&self, known: FieldsOf<'_>, object: &Value) -> bool {
        self.0.iter().all(|term| {
            let found = known.value(object, &term.field).unwrap_or_default();
            (found == term.value) == term.equal
        })
    }

    /// The parts of an object that the terms look at; `None` when their names do not tell. What stands at the top is
    /// what field names begin with; an event's `source` may also be found in `reportingComponent`.
    pub(crate) fn paths(&self) -> Option<Vec<Vec<&str>>> {
        // Users may name fields of their kinds by paths like `spec['a.b']`.
        let is_plain = |term: &Term| !term.field.contains(['[', '\\', '\'', '"']);
        if !self.0.iter().all(is_plain) {
            return None;
        }
        let mut paths: Vec<Vec<&str>> = self
            .0
            .iter()
            .map(|term| term.field.split('.').collect())
            .collect();
        if self.0.iter().any(|term| term.field == "source") {
            paths.push(vec!["reportingComponent"]);
        }
        Some(paths)
    }

    /// The value that a field must have, if there is one.
    pub(crate) fn wanted(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|term| term.equal && term.field == field)
            .map(|term| term.value.as_str())
    }
}

fn parse_term(known: FieldsOf<'_>, whole: &str, term: &str) -> Result<Term, String> {
    let (field, equal, value) =
        split_term(term).ok_or_else(|| format!("invalid selector: '{whole}'; can't understand '{term}'"))?;
    let value = unescape(value)?;
    if known.value(&Value::Null, field).is_none() {
        return Err(format!("field label not supported: {field}"));
    }
    Ok(Term {
        field: field.to_owned(),
        value,
        equal,
    })
}

/// Splits at the first operator: field, whether it must be equal, value.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.match_indices('=').next()?.0;
    let (field, rest) = (&term[..at], &term[at + 1..]);
    match field.strip_suffix('!') {
        Some(field) => Some((field, false, rest)),
        None => Some((field, true, rest.strip_prefix('=').unwrap_or(rest))),
    }
}

/// A value without its escapes: of backslashes, commas and equal signs, which must have one.
fn unescape(text: &str) -> Result<String, String> {
    let mut value = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(found) = rest.next() {
        match found {
            '\\' => match rest.next() {
                Some(escaped @ ('\\' | ',' | '=')) => value.push(escaped),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!(
                        "invalid field selector: invalid escape sequence: \\{other}"
                    ));
                }
            },
            ',' | '=' => {
                let code = u32::from(found);
                return Err(format!(
                    "invalid field selector: unescaped character in value: {code}"
                ));
            }
            _ => value.push(found),
        }
    }
    Ok(value)
}

/// Splits at commas that no backslash escapes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    let is_comma = |found: char| match found {
        _ if escaped => {
            escaped = false;
            false
        }
        '\\' => {
            escaped = true;
            false
        }
        _ => found == ',',
    };
    text.split(is_comma).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn pods() -> FieldsOf<'static> {
        FieldsOf::built_in(toolforge_kinds::by_resource("", "v1", "pods").unwrap())
    }

    #[test]
    fn selects_by_phase_and_node() {
        let pod = json!({"metadata":{"name":"a","namespace":"n"},"spec":{"nodeName":"one"},"status":{"phase":"Running"}});
        for (text, expected) in [
            ("", true),
            ("status.phase=Running", true),
            ("status.phase==Running,spec.nodeName=one", true),
            ("status.phase!=Running", false),
            ("spec.nodeName=", false),
            ("metadata.name=a,metadata.namespace=n", true),
            ("metadata.name=b", false),
        ] {
            assert_eq!(
                FieldSelector::parse(pods(), text).unwrap().matches(pods(), &pod),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn an_absent_field_is_empty() {
        let pod = json!({"metadata":{"name":"a"}});
        assert!(
            FieldSelector::parse(pods(), "spec.nodeName=")
                .unwrap()
                .matches(pods(), &pod)
        );
    }

    #[test]
    fn refuses_fields_that_the_kind_does_not_offer() {
        let problem = FieldSelector::parse(pods(), "spec.shoes=1").unwrap_err();
        assert_eq!(problem, "field label not supported: spec.shoes");
    }

    #[test]
    fn says_what_it_does_not_understand() {
        for (text, expected) in [
            (
                "status.phase",
                "invalid selector: 'status.phase'; can't understand 'status.phase'",
            ),
            (
                "status.phase=a=b",
                "invalid field selector: unescaped character in value: 61",
            ),
            (
                r"status.phase=\a",
                r"invalid field selector: invalid escape sequence: \a",
            ),
            (
                r"status.phase=a\",
                r"invalid field selector: invalid escape sequence: \",
            ),
        ] {
            assert_eq!(FieldSelector::parse(pods(), text).unwrap_err(), expected);
        }
    }

    #[test]
    fn commas_can_be_escaped() {
        assert_eq!(split_terms(r"a=b\,c,d=e"), [r"a=b\,c", "d=e"]);
        assert_eq!(unescape(r"b\,c\=d\\").unwrap(), r"b,c=d\");
    }

    proptest! {
        #[test]
        fn values_may_hold_anything_when_escaped(
            terms in prop::collection::vec((0..3_usize, any::<bool>(), "[a-c,=\\\\!]{0,4}"), 0..4),
            values in prop::collection::vec("[a-c,=\\\\!]{0,2}", 3),
        ) {
            let fields = ["metadata.name", "spec.nodeName", "status.phase"];
            let printed: Vec<String> = terms.iter().map(|(field, equal, value)| {
                let escaped = value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
                format!("{}{}{escaped}", fields[*field], if *equal { "=" } else { "!=" })
            }).collect();
            let pod = json!({"metadata": {"name": values[0]}, "spec": {"nodeName": values[1]}, "status": {"phase": values[2]}});
            let selector = FieldSelector::parse(pods(), &printed.join(",")).unwrap();
            let expected = terms.iter().all(|(field, equal, value)| (values[*field] == *value) == *equal);
            prop_assert_eq!(selector.matches(pods(), &pod), expected, "{:?} {}", printed, pod);
        }
    }

    #[test]
    fn tells_where_it_looks_unless_names_are_paths() {
        let term = |field: &str| {
            FieldSelector(vec![Term {
                field: field.to_owned(),
                value: String::new(),
                equal: true,
            }])
        };
        assert_eq!(term("status.phase").paths().unwrap(), [vec!["status", "phase"]]);
        assert_eq!(
            term("source").paths().unwrap(),
            [vec!["source"], vec!["reportingComponent"]]
        );
        assert_eq!(term("spec['a.b']").paths(), None);
    }
}
