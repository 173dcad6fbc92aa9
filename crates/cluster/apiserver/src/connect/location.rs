//! Where a container is to be found: which of the Pod's is meant, and on which node. Kubernetes' words.

use std::sync::Arc;

use serde_json::Value;
use toolforge_kinds::Status;

use crate::rest::Call;
use crate::store::{Key, Resource, Stored};

/// The container that is meant: the named one, the only one, or the one that the Pod's author made the default.
pub(crate) fn container(pod: &Value, name: &str, wanted: Option<&str>) -> Result<String, Status> {
    let names = |lists: &[&str]| -> Vec<&str> {
        lists
            .iter()
            .filter_map(|list| pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array))
            .flatten()
            .filter_map(|container| container.get("name").and_then(Value::as_str))
            .collect()
    };
    let all = names(&["initContainers", "containers", "ephemeralContainers"]);
    let main = names(&["containers"]);
    let default = pod
        .pointer("/metadata/annotations/kubectl.kubernetes.io~1default-container")
        .and_then(Value::as_str)
        .filter(|default| main.contains(default));
    match (wanted, main.as_slice(), default) {
        (Some(wanted), _, _) if all.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _, _) => Err(Status::bad_request(format!(
            "container {wanted} is not valid for pod {name}"
        ))),
        (None, [only], _) => Ok((*only).to_owned()),
        (None, _, Some(default)) => Ok(default.to_owned()),
        (None, _, None) => Err(Status::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            all.join(" ")
        ))),
    }
}

/// The node that a Pod is on.
pub(crate) fn node(call: &Call, pod: &Value, name: &str) -> Result<Arc<Stored>, Status> {
    let node = pod
        .pointer("/spec/nodeName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if node.is_empty() {
        return Err(Status::bad_request(format!(
            "pod {name} does not have a host assigned"
        )));
    }
    let kind = toolforge_kinds::by_kind("", "v1", "Node").ok_or_else(Status::no_such_path)?;
    call.api
        .store
        .get(&Key::new(Resource::of(kind), None, node))
        .ok_or_else(|| Status::not_found(kind, node))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_only_container_needs_no_name() {
        let pod = json!({"spec":{"containers":[{"name":"a"}],"initContainers":[{"name":"i"}]}});
        assert_eq!(container(&pod, "p", None).unwrap(), "a");
        assert_eq!(container(&pod, "p", Some("i")).unwrap(), "i");
        let refused = container(&pod, "p", Some("x")).unwrap_err();
        assert_eq!(refused.message, "container x is not valid for pod p");
    }

    #[test]
    fn of_several_one_has_to_be_named_or_to_be_the_default() {
        let mut pod = json!({"spec":{"containers":[{"name":"a"},{"name":"b"}]}});
        let refused = container(&pod, "p", None).unwrap_err();
        assert_eq!(
            refused.message,
            "a container name must be specified for pod p, choose one of: [a b]"
        );
        pod["metadata"] = json!({"annotations":{"kubectl.kubernetes.io/default-container":"b"}});
        assert_eq!(container(&pod, "p", None).unwrap(), "b");
    }
}
