//! The name of a tool, which is also a DNS label, a part of its namespace and its user name in the cluster.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Namespace;
use crate::text::{is_dns_label, text_newtype};

/// The longest tool name in bytes: with `tool-` before it and a short suffix after it, it must still be a DNS label.
const LONGEST: usize = 53;

/// A tool's name: lower-case letters, digits and inner dashes, at most 53 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ToolName(String);

/// Why a text is no tool name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tool name {name:?} is not allowed: use lower-case letters, digits and dashes, no dash at either end, and at most \
     {LONGEST} characters"
)]
pub struct ToolNameError {
    name: String,
}

impl ToolName {
    /// The tool's namespace, `tool-NAME`.
    pub fn namespace(&self) -> Namespace {
        Namespace::of_tool(self)
    }

    /// The tool whose namespace has this name, if it is a tool's: what follows `tool-`.
    pub fn of_namespace(name: &str) -> Option<Self> {
        name.parse::<Namespace>().ok()?.tool()
    }
}

impl FromStr for ToolName {
    type Err = ToolNameError;

    fn from_str(name: &str) -> Result<Self, ToolNameError> {
        if is_dns_label(name, LONGEST) {
            Ok(Self(name.to_owned()))
        } else {
            Err(ToolNameError {
                name: shortened(name),
            })
        }
    }
}

text_newtype!(ToolName, ToolNameError);

/// Enough of a refused name to recognise it: names from outside may be megabytes long.
fn shortened(name: &str) -> String {
    const SHOWN: usize = 80;
    match name.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &name[..at]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ToolName;

    #[test]
    fn accepts_names_that_are_dns_labels_of_at_most_53_bytes() {
        for name in ["a", "alpha", "a-b", "3d-viewer", "0", "x--y", &"a".repeat(53)] {
            assert_eq!(name.parse::<ToolName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_everything_else_and_says_what_is_allowed() {
        for name in [
            "",
            "-a",
            "a-",
            "A",
            "a_b",
            "a.b",
            "ä",
            "a b",
            "a\n",
            "a/b",
            &"a".repeat(54),
        ] {
            let error = name.parse::<ToolName>().unwrap_err().to_string();
            assert!(error.contains("lower-case letters"), "{error}");
        }
    }

    #[test]
    fn names_its_namespace() {
        assert_eq!(
            "alpha".parse::<ToolName>().unwrap().namespace().as_str(),
            "tool-alpha"
        );
    }

    #[test]
    fn is_a_plain_string_in_json_and_is_checked_on_the_way_in() {
        let name: ToolName = serde_json::from_str("\"alpha\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"alpha\"");
        assert!(serde_json::from_str::<ToolName>("\"Alpha\"").is_err());
    }

    proptest! {
        #[test]
        fn namespace_and_name_are_each_others_inverse(name in "[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?") {
            let name: ToolName = name.parse().unwrap();
            prop_assert_eq!(ToolName::of_namespace(name.namespace().as_str()), Some(name));
        }

        #[test]
        fn never_panics_and_never_changes_what_it_accepts(text in ".*") {
            if let Ok(name) = text.parse::<ToolName>() {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
