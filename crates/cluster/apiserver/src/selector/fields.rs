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
            .map(|term| parse_term(known, &term))
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

fn parse_term(known: FieldsOf<'_>, term: &str) -> Result<Term, String> {
    let (field, value, equal) = term
        .split_once("!=")
        .map(|(field, value)| (field, value, false))
        .or_else(|| term.split_once("==").map(|(field, value)| (field, value, true)))
        .or_else(|| term.split_once('=').map(|(field, value)| (field, value, true)))
        .ok_or_else(|| format!("invalid field selector {term:?}; can't understand {term:?}"))?;
    if known.value(&Value::Null, field).is_none() {
        return Err(format!("field label not supported: {field}"));
    }
    Ok(Term {
        field: field.to_owned(),
        value: value.to_owned(),
        equal,
    })
}

/// Splits at commas that no backslash escapes, and removes the escapes.
fn split_terms(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut escaped = false;
    for character in text.chars() {
        let last = terms.last_mut().expect("there is always one");
        match character {
            _ if escaped => {
                last.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            ',' => terms.push(String::new()),
            _ => last.push(character),
        }
    }
    terms
}

#[cfg(test)]
mod tests {
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
    fn commas_can_be_escaped() {
        assert_eq!(split_terms(r"a=b\,c,d=e"), ["a=b,c", "d=e"]);
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
