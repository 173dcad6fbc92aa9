//! What a tool's namespace says about the tool's withdrawal: why, since when, and where its archive is.
//!
//! Pure; `withdraw.rs` writes it, and the service, the commands and the next start read it. It is the only memory of a
//! withdrawal: whoever removes the annotations begins the grace period anew.

use jiff::Timestamp;
use serde_json::{Value, json};

/// Namespace annotation: why the tool has no access, `locked` or `removed`.
pub(crate) const REASON: &str = toolforge_model::labels::WITHDRAWN;
/// Namespace annotation: since when, RFC 3339.
pub(crate) const SINCE: &str = "toolforge.org/withdrawn-since";
/// Namespace annotation: the name of the file with its objects in the archive.
pub(crate) const ARCHIVE: &str = "toolforge.org/archive";

/// Why a tool has no access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The directory has locked it.
    Locked,
    /// The directory does not have it any more.
    Removed,
}

impl Reason {
    /// As the annotation says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Removed => "removed",
        }
    }
}

/// A withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Withdrawn {
    pub(crate) reason: Reason,
    pub(crate) since: Timestamp,
    pub(crate) archive: Option<String>,
}

impl Withdrawn {
    /// What a namespace says; nothing where it does not say all of it in a form that can be read.
    pub(crate) fn read(namespace: &Value) -> Option<Self> {
        let said = |name: &str| namespace["metadata"]["annotations"][name].as_str();
        let reason = match said(REASON)? {
            "locked" => Reason::Locked,
            "removed" => Reason::Removed,
            _ => return None,
        };
        Some(Self {
            reason,
            since: said(SINCE)?.parse().ok()?,
            archive: said(ARCHIVE).map(str::to_owned),
        })
    }

    /// Whether a namespace says anything about a withdrawal, readable or not.
    pub(crate) fn is_said(namespace: &Value) -> bool {
        let annotations = namespace["metadata"]["annotations"].as_object();
        annotations.is_some_and(|annotations| annotations.keys().any(|name| is_about(name)))
    }

    /// A merge patch that says this.
    pub(crate) fn patch(&self) -> Value {
        json!({ "metadata": { "annotations": {
            REASON: self.reason.word(),
            SINCE: self.since.to_string(),
            ARCHIVE: self.archive,
        } } })
    }
}

/// Whether an annotation of this name is about a withdrawal.
pub(crate) fn is_about(annotation: &str) -> bool {
    [REASON, SINCE, ARCHIVE].contains(&annotation)
}

/// A merge patch that takes all of it away.
pub(crate) fn nothing() -> Value {
    json!({ "metadata": { "annotations": { REASON: null, SINCE: null, ARCHIVE: null } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nonsense_is_not() {
        let withdrawn = Withdrawn {
            reason: Reason::Removed,
            since: "2026-11-25T16:00:01.25Z".parse().unwrap(),
            archive: Some("tool-alpha.yaml".to_owned()),
        };
        let mut namespace = withdrawn.patch();
        assert_eq!(Withdrawn::read(&namespace), Some(withdrawn));
        namespace["metadata"]["annotations"][SINCE] = json!("long ago");
        assert_eq!(Withdrawn::read(&namespace), None);
        assert!(Withdrawn::is_said(&namespace));
        assert!(!Withdrawn::is_said(&json!({ "metadata": {} })));
    }
}
