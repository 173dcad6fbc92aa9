//! Groups of Kubernetes' own (`*.k8s.io`, `*.kubernetes.io`): definitions in them say who has approved them.
//!
//! Validation refuses definitions that say nothing of it; their conditions show what they say.

use serde_json::Value;

use crate::field_error::go_quote;
use crate::value::{Read as _, text_at};

/// The annotation that says it.
pub(crate) const APPROVAL: &str = "api-approved.kubernetes.io";

/// Where Kubernetes explains it.
const EXPLAINED: &str = "https://github.com/kubernetes/enhancements/pull/1111";

/// What a definition says of its approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    /// Nothing.
    Missing,
    /// Neither an address nor a reason.
    Invalid,
    /// It has none, and says so.
    Bypassed,
    /// Where it was approved.
    Approved,
}

impl Approval {
    /// What a definition says; `None` when it needs no approval.
    pub(crate) fn of(definition: &Value) -> Option<Self> {
        let group = text_at(definition, &["spec", "group"]);
        let own = ["k8s.io", "kubernetes.io"];
        if !own
            .iter()
            .any(|domain| group == *domain || group.ends_with(&format!(".{domain}")))
        {
            return None;
        }
        let given = annotation(definition);
        Some(match given {
            "" => Self::Missing,
            _ if given.starts_with("unapproved") => Self::Bypassed,
            _ if is_address(given) => Self::Approved,
            _ => Self::Invalid,
        })
    }

    /// The reason of the condition `KubernetesAPIApprovalPolicyConformant`.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Missing => "MissingAnnotation",
            Self::Invalid => "InvalidAnnotation",
            Self::Bypassed => "UnapprovedAnnotation",
            Self::Approved => "ApprovedAnnotation",
        }
    }

    /// The same in words.
    pub(crate) fn message(self, definition: &Value) -> String {
        let given = annotation(definition);
        match self {
            Self::Missing => {
                format!("protected groups must have approval annotation \"{APPROVAL}\", see {EXPLAINED}")
            }
            Self::Invalid => format!(
                "protected groups must have approval annotation \"{APPROVAL}\" with either a URL or a reason starting with \"unapproved\", see {EXPLAINED}"
            ),
            Self::Bypassed => format!("not approved: {}", go_quote(given)),
            Self::Approved => format!("approved in {given}"),
        }
    }
}

/// Whether a text has a scheme and a host.
fn is_address(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !host.is_empty()
        && !text.contains(|letter: char| letter.is_control() || letter == ' ')
}

/// The text of the annotation.
pub(crate) fn annotation(definition: &Value) -> &str {
    definition
        .at(&["metadata", "annotations", APPROVAL])
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_of_kubernetes_need_an_address_or_a_reason() {
        for (group, annotation, expected) in [
            ("example.org", "", None),
            ("notk8s.io", "", None),
            ("k8s.io", "", Some(Approval::Missing)),
            ("sigs.kubernetes.io", "", Some(Approval::Missing)),
            ("x.k8s.io", "unapproved", Some(Approval::Bypassed)),
            (
                "x.k8s.io",
                "unapproved, experimental-only",
                Some(Approval::Bypassed),
            ),
            ("x.k8s.io", "Unapproved", Some(Approval::Invalid)),
            ("x.k8s.io", "/path", Some(Approval::Invalid)),
            ("x.k8s.io", "example.org", Some(Approval::Invalid)),
            (
                "x.k8s.io",
                "https://github.com/kubernetes/kubernetes/pull/78458",
                Some(Approval::Approved),
            ),
        ] {
            let definition =
                json!({"spec": {"group": group}, "metadata": {"annotations": {APPROVAL: annotation}}});
            assert_eq!(Approval::of(&definition), expected, "{group} {annotation}");
        }
    }
}
