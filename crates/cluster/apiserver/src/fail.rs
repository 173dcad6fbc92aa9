//! The few refusals that are about this server and not about Kubernetes; the others are made by `Status`.

use toolforge_kinds::{Kind, Status};

use crate::store::CommitError;

/// 501 for what this API leaves out on purpose.
pub(crate) fn not_offered(what: &str) -> Status {
    Status::not_implemented(format!("the built-in API of Toolforge does not offer {what}"))
}

/// No object of a kind comes into being whose definition is being deleted.
pub(crate) fn terminating_definition() -> Status {
    let why = "create not allowed while custom resource definition is terminating";
    Status::custom(405, "MethodNotAllowed", why.to_owned(), None)
}

/// A write that the store did not make.
pub(crate) fn commit(kind: &Kind, name: &str, problem: CommitError) -> Status {
    match problem {
        CommitError::Exists => Status::already_exists(kind, name),
        CommitError::Changed => Status::modified(kind, name),
        CommitError::Closed => Status::service_unavailable("the API is shutting down"),
        CommitError::Disk | CommitError::Full => Status::internal(problem),
    }
}
