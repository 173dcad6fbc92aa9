//! What the chain sees of the stored objects.

use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use serde_json::Value;
use toolforge_cel::{Decision, Question};
use toolforge_kinds::{Kind, Status};

use crate::attributes::User;

/// The stored objects, as they are now. The API server implements it over its store; answers must be current, for
/// quota is counted from them.
pub trait World: Send + Sync {
    /// All objects of a resource, in one namespace or in all.
    fn list(&self, group: &str, plural: &str, namespace: Option<&str>) -> Vec<Arc<Value>>;

    /// One object.
    fn get(&self, group: &str, plural: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Value>>;

    /// The versions in which the objects of a user's kind can be had, those first that Kubernetes prefers; none for kinds
    /// that users have not defined.
    fn versions(&self, group: &str, plural: &str) -> Vec<&'static Kind> {
        let _ = (group, plural);
        Vec::new()
    }

    /// A number that changes with every change of any object of a resource, so that what was read of them need not be
    /// read again; `None` where nobody counts.
    fn changed(&self, group: &str, plural: &str) -> Option<u64> {
        let _ = (group, plural);
        None
    }

    /// Whether a user may do what a question asks about; nobody may anything where nobody knows.
    fn decide(&self, user: &User, question: &Question) -> Decision {
        let _ = (user, question);
        Decision::default()
    }

    /// An object of one version of a kind as an object of another; users' kinds may have webhooks for it.
    fn convert<'a>(
        &'a self,
        from: &'a Kind,
        to: &'a Kind,
        object: Value,
    ) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(ready(Ok(toolforge_kinds::convert(from, to, object))))
    }
}
