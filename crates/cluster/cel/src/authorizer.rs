//! Who may do what, as expressions ask it: `authorizer.group("apps").resource("deployments").check("create").allowed()`.
//!
//! The question grows with each step; whoever evaluates brings along who answers it.
//! Source: <https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-authorizer-library>.

use std::fmt::Debug;
use std::sync::Arc;

/// Answers questions about rights. Touches no I/O: expressions are evaluated where they stand.
pub trait Authorizer: Debug + Send + Sync {
    /// Whether the question's subject may do what it asks about.
    fn decide(&self, question: &Question) -> Decision;
}

/// A question about rights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The service account that it is about, namespace and name; else it is about who makes the request.
    pub service_account: Option<(String, String)>,
    /// What is done.
    pub verb: String,
    /// A path, instead of a resource.
    pub path: Option<String>,
    /// API group of the resource.
    pub group: String,
    /// The resource, in plural.
    pub resource: String,
    /// What hangs below it; may be empty.
    pub subresource: String,
    /// Where; empty for everywhere.
    pub namespace: String,
    /// Which one; empty for all.
    pub name: String,
    /// The fields that a listing is limited to; may be empty.
    pub field_selector: String,
    /// The labels that a listing is limited to; may be empty.
    pub label_selector: String,
}

/// An answer about rights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Yes or no.
    pub allowed: bool,
    /// Why; may be empty.
    pub reason: String,
    /// What went wrong; may be empty.
    pub error: String,
}

/// How far a question has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing but who.
    Authorizer,
    /// A path: can be checked.
    Path,
    /// A group: wants a resource.
    Group,
    /// A resource: can be checked.
    Resource,
}

/// A question on its way.
#[derive(Debug, Clone)]
pub struct Asking {
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) request: Question,
    pub(crate) stage: Stage,
    pub(crate) question: Question,
}

impl Asking {
    /// Questions to `authorizer`; `request` is the one about the resource of the request.
    pub fn new(authorizer: Arc<dyn Authorizer>, request: Question) -> Self {
        Self {
            authorizer,
            request,
            stage: Stage::Authorizer,
            question: Question::default(),
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self.stage {
            Stage::Authorizer => "kubernetes.authorization.Authorizer",
            Stage::Path => "kubernetes.authorization.PathCheck",
            Stage::Group => "kubernetes.authorization.GroupCheck",
            Stage::Resource => "kubernetes.authorization.ResourceCheck",
        }
    }

    /// The question about the resource of the request, which has a name of its own in expressions.
    pub(crate) fn about_request(&self) -> Self {
        Self {
            stage: Stage::Resource,
            question: self.request.clone(),
            ..self.clone()
        }
    }
}
