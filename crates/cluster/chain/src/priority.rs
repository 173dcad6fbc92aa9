//! Priorities of Pods: the number is that of the Pod's class, and nobody writes it by hand. Pure.
//!
//! There are no classes here but the system's two, which every cluster has; a class that is not known is of no
//! priority.

use serde_json::Value;
use toolforge_kinds::Status;

use crate::{Attributes, Operation};

/// The classes that every cluster has.
const CLASSES: [(&str, i64); 2] = [
    ("system-cluster-critical", 2_000_000_000),
    ("system-node-critical", 2_000_001_000),
];

/// Refuses a new Pod with another number than that of its class, in the words of Kubernetes.
pub(crate) fn admit(attributes: &Attributes, object: Option<&Value>) -> Result<(), Status> {
    let is_new = attributes.is_of("", "pods") && attributes.operation == Operation::Create;
    let Some(pod) = object.filter(|_| is_new) else {
        return Ok(());
    };
    let class = pod.pointer("/spec/priorityClassName").and_then(Value::as_str);
    let known = CLASSES.iter().find(|(name, _)| Some(*name) == class);
    let computed = known.map_or(0, |(_, number)| *number);
    match pod.pointer("/spec/priority").and_then(Value::as_i64) {
        Some(number) if number != computed => {
            let reason = format!(
                "the integer value of priority ({number}) must not be provided in pod spec; priority admission controller \
                 computed {computed} from the given PriorityClass name"
            );
            Err(attributes.forbidden(Some(pod), &reason))
        }
        _ => Ok(()),
    }
}
