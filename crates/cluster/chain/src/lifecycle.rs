//! The life cycle of namespaces: nothing comes into a namespace that is not there or is going, and some never go.

use serde_json::{Value, json};
use toolforge_kinds::{Status, Storage, by_kind};

use crate::attributes::{Attributes, Operation};
use crate::world::World;

/// Namespaces that may not be deleted, as in Kubernetes.
const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

/// Admits a write.
pub(crate) fn admit(
    world: &dyn World,
    attributes: &Attributes,
    object: Option<&Value>,
) -> Result<(), Status> {
    if attributes.is_of("", "namespaces") {
        let immortal =
            attributes.operation == Operation::Delete && IMMORTAL.contains(&attributes.name.as_str());
        let refusal = || attributes.forbidden(object, "this namespace may not be deleted");
        return if immortal { Err(refusal()) } else { Ok(()) };
    }
    // Reviews are answered, not kept; to say that their namespace is missing would tell too much.
    if attributes.kind.storage == Storage::Virtual {
        return Ok(());
    }
    let namespace = match &attributes.namespace {
        Some(namespace) if attributes.kind.namespaced && attributes.operation != Operation::Delete => {
            namespace
        }
        _ => return Ok(()),
    };
    let found = world
        .get("", "namespaces", None, namespace)
        .ok_or_else(|| missing(namespace))?;
    if attributes.operation == Operation::Create && is_going(&found) {
        return Err(terminating(attributes, object, namespace));
    }
    Ok(())
}

fn is_going(namespace: &Value) -> bool {
    namespace["status"]["phase"] == "Terminating" || !namespace["metadata"]["deletionTimestamp"].is_null()
}

fn missing(namespace: &str) -> Status {
    by_kind("", "v1", "Namespace")
        .map_or_else(Status::no_such_path, |kind| Status::not_found(kind, namespace))
}

fn terminating(attributes: &Attributes, object: Option<&Value>, namespace: &str) -> Status {
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut status = attributes.forbidden(object, &why);
    if let Some(details) = &mut status.details {
        details["causes"] = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
    }
    status
}
