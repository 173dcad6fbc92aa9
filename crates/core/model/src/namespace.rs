//! The name of a Kubernetes namespace, and the tool to which it belongs, if any.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ToolName;
use crate::text::{is_dns_label, text_newtype};

/// The longest namespace name in bytes, by RFC 1123.
const LONGEST: usize = 63;
/// What a tool's namespace begins with.
const TOOL_PREFIX: &str = "tool-";

/// The name of a namespace: a DNS label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace(String);

/// Why a text is no namespace name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "namespace name is not allowed: use lower-case letters, digits and dashes, no dash at either end, and at most \
     {LONGEST} characters"
)]
pub struct NamespaceError;

impl Namespace {
    pub(crate) fn of_tool(tool: &ToolName) -> Self {
        Self(format!("{TOOL_PREFIX}{tool}"))
    }

    /// The tool whose namespace this is: what follows `tool-`, if that is a tool's name.
    pub fn tool(&self) -> Option<ToolName> {
        self.0.strip_prefix(TOOL_PREFIX)?.parse().ok()
    }
}

impl FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(name: &str) -> Result<Self, NamespaceError> {
        if is_dns_label(name, LONGEST) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NamespaceError)
        }
    }
}

text_newtype!(Namespace, NamespaceError);

#[cfg(test)]
mod tests {
    use super::Namespace;

    fn tool_of(namespace: &str) -> Option<String> {
        namespace.parse::<Namespace>().unwrap().tool().map(String::from)
    }

    #[test]
    fn belongs_to_a_tool_only_with_the_whole_prefix_and_a_tools_name_after_it() {
        assert_eq!(tool_of("tool-alpha").as_deref(), Some("alpha"));
        assert_eq!(tool_of("tool-tool-alpha").as_deref(), Some("tool-alpha"));
        for other in [
            "default",
            "kube-system",
            "tool",
            "tools-alpha",
            "too",
            &format!("tool-{}", "a".repeat(58)),
        ] {
            assert_eq!(tool_of(other), None, "{other}");
        }
    }

    #[test]
    fn refuses_what_is_no_dns_label() {
        for name in ["", "tool-", "A", "a.b", "a_b", &"a".repeat(64)] {
            assert!(name.parse::<Namespace>().is_err(), "{name:?}");
        }
    }
}
