//! What a write is about: who does what to which object.

use std::collections::BTreeMap;

use serde_json::Value;
use toolforge_kinds::{Kind, Status};

use crate::annotations::Annotations;

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The object comes into being.
    Create,
    /// The object, or a part of it, is changed.
    Update,
    /// The object goes.
    Delete,
    /// A connection to what the object stands for: exec, attach, port-forward, proxy.
    Connect,
}

impl Operation {
    /// The name in webhook rules and reviews.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// Who writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The name that the user goes by.
    pub name: String,
    /// A name that is never given again; may be empty.
    pub uid: String,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// Whatever else the authenticator knows.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// One write that asks for admission.
#[derive(Debug, Clone)]
pub struct Attributes {
    /// The kind of the object, also when the write is to a subresource.
    pub kind: &'static Kind,
    /// What is done.
    pub operation: Operation,
    /// The subresource that is written, by its name in paths.
    pub subresource: Option<String>,
    /// The namespace of the object.
    pub namespace: Option<String>,
    /// The name of the object.
    pub name: String,
    /// Who does it.
    pub user: User,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// `CreateOptions` and its siblings, for webhooks.
    pub options: Value,
    /// Where links leave what is to stand in the audit log.
    pub annotations: Annotations,
}

impl Attributes {
    /// Whether the write is to objects of this group and plural themselves, not to a subresource.
    pub(crate) fn is_of(&self, group: &str, plural: &str) -> bool {
        self.subresource.is_none() && self.kind.group == group && self.kind.plural == plural
    }

    /// A refusal in the words of Kubernetes: `pods "web" is forbidden: WHY`.
    pub(crate) fn forbidden(&self, object: Option<&Value>, why: &str) -> Status {
        let named = |field: &str| {
            object
                .and_then(|object| object.pointer(field))
                .and_then(Value::as_str)
                .filter(|name| !name.is_empty())
        };
        let name = Some(self.name.as_str())
            .filter(|name| !name.is_empty())
            .or_else(|| named("/metadata/name"))
            .or_else(|| named("/metadata/generateName"))
            .unwrap_or_default();
        Status::forbidden(self.kind, name, why)
    }
}
