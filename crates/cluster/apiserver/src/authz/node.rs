//! What a node's identity (`system:node:NAME` in `system:nodes`) may do: its own Node, Lease and Pods.
//!
//! Two doors: [`Node::decide`] for rights (reads of Secrets only where a Pod of the node uses them), and
//! [`Node::admit`], in `restriction`, for the content of what it writes.

mod restriction;

use memchr::memmem::Finder;
use serde_json::Value;

use super::rules::Rule;
use super::{Attributes, Decision};
use crate::authn::User;
use crate::store::{Key, Resource, Store};

pub(crate) use restriction::Write;

/// The group of all nodes.
pub(crate) const NODES: &str = "system:nodes";
const PREFIX: &str = "system:node:";
/// Where nodes say that they are alive.
pub(crate) const LEASES: &str = "kube-node-lease";

/// The identity of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    name: &'a str,
}

const PODS: Resource = Resource {
    group: "",
    plural: "pods",
};

impl<'a> Node<'a> {
    /// The node that a user is, if it is one.
    pub(crate) fn of(user: &'a User) -> Option<Self> {
        let name = user.name.strip_prefix(PREFIX).filter(|name| !name.is_empty())?;
        user.is_in(NODES).then_some(Self { name })
    }

    /// Whether the node may do this.
    pub(crate) fn decide(self, wanted: &Attributes, store: &Store) -> Decision {
        let refusal = |why: &str| Decision::NoOpinion(format!("node {:?} {why}", self.name));
        if wanted.path.is_some() {
            return refusal("has no rights on paths");
        }
        match (wanted.group.as_str(), wanted.resource.as_str()) {
            ("", "pods") if wanted.subresource.is_empty() && !self.may_see(wanted, store) => {
                return refusal("may only read Pods that run on it, and list them with a field selector");
            }
            ("", "serviceaccounts") if wanted.subresource == "token" => {
                if wanted.verb != "create" || wanted.name.is_empty() {
                    return refusal("can only create tokens for individual service accounts");
                }
                if self.uses(wanted, store) {
                    return Decision::Allow("a Pod of the node runs as it".to_owned());
                }
                return refusal("has no Pod that runs as it");
            }
            ("", "secrets" | "configmaps" | "persistentvolumeclaims" | "serviceaccounts") => {
                if !matches!(wanted.verb.as_str(), "get" | "list" | "watch") || wanted.name.is_empty() {
                    return refusal("may only read single objects that its Pods use");
                }
                if self.uses(wanted, store) {
                    return Decision::Allow("a Pod of the node uses it".to_owned());
                }
                return refusal("has no Pod that uses it");
            }
            ("coordination.k8s.io", "leases") if wanted.namespace != LEASES || self.is_not_mine(wanted) => {
                return refusal("may only touch its own Lease in kube-node-lease");
            }
            _ => {}
        }
        if rules().iter().any(|rule| rule.allows(wanted)) {
            return Decision::Allow("node rules".to_owned());
        }
        refusal("has no such right")
    }

    /// Whether a request for Pods is limited to those of the node. That a Pod is not there is no secret.
    fn may_see(self, wanted: &Attributes, store: &Store) -> bool {
        match wanted.verb.as_str() {
            "get" => {
                let key = Key::new(PODS, Some(&wanted.namespace), &wanted.name);
                let pod = store.get(&key);
                pod.is_none_or(|pod| node_of(&pod.value()) == self.name)
            }
            "list" | "watch" => {
                let own = format!("spec.nodeName={}", self.name);
                let selector = wanted.field_selector.as_deref().unwrap_or_default();
                selector
                    .split(',')
                    .any(|term| term.trim().replace("==", "=") == own)
            }
            _ => true,
        }
    }

    fn is_not_mine(self, wanted: &Attributes) -> bool {
        wanted.verb != "create" && wanted.name != self.name
    }

    /// Whether a Pod bound to this node names the object.
    fn uses(self, wanted: &Attributes, store: &Store) -> bool {
        let listing = store.list(PODS, Some(&wanted.namespace));
        // Names stand in JSON as they are, so that most Pods need not be parsed.
        let bound = format!("\"nodeName\":\"{}\"", self.name);
        let (bound, named) = (Finder::new(&bound), Finder::new(&wanted.name));
        let mut candidates = listing.objects.iter().filter(|pod| {
            let json = pod.json();
            bound.find(&json).is_some() && named.find(&json).is_some()
        });
        candidates.any(|pod| {
            let pod = pod.value();
            node_of(&pod) == self.name && names(&pod, &wanted.resource, &wanted.name)
        })
    }
}

fn node_of(pod: &Value) -> &str {
    pod.pointer("/spec/nodeName")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Whether a Pod names an object of this resource: in volumes, environment, image pull secrets or as its account.
fn names(pod: &Value, resource: &str, name: &str) -> bool {
    let fields: &[&str] = match resource {
        "secrets" => &[
            "secretName",
            "secretKeyRef",
            "secretRef",
            "imagePullSecrets",
            "secret",
        ],
        "configmaps" => &["configMap", "configMapKeyRef", "configMapRef"],
        "persistentvolumeclaims" => &["claimName"],
        _ => &["serviceAccountName"],
    };
    mentions(pod.get("spec").unwrap_or(&Value::Null), fields, name)
}

fn mentions(value: &Value, fields: &[&str], name: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(field, below)| {
            (fields.contains(&field.as_str()) && says(below, name)) || mentions(below, fields, name)
        }),
        Value::Array(items) => items.iter().any(|item| mentions(item, fields, name)),
        _ => false,
    }
}

fn says(value: &Value, name: &str) -> bool {
    match value {
        Value::String(found) => found == name,
        Value::Object(map) => map.get("name").and_then(Value::as_str) == Some(name),
        Value::Array(items) => items.iter().any(|item| says(item, name)),
        _ => false,
    }
}

/// The rules of every node, as in the cluster role `system:node` without what the graph above decides.
pub(crate) fn rules() -> Vec<Rule> {
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace()
            .map(|word| word.replace("core", ""))
            .collect()
    };
    [
        (
            "create get list watch",
            "authentication.k8s.io authorization.k8s.io",
            "tokenreviews subjectaccessreviews localsubjectaccessreviews",
        ),
        ("get list watch", "core", "services namespaces"),
        ("create get list watch", "core", "nodes"),
        ("update patch", "core", "nodes nodes/status"),
        ("create patch update", "core events.k8s.io", "events"),
        ("get list watch", "core", "pods"),
        ("delete", "core", "pods"),
        ("update patch get", "core", "pods/status"),
        ("create", "core", "pods/eviction"),
        ("create get update patch delete", "coordination.k8s.io", "leases"),
        (
            "create get list watch",
            "certificates.k8s.io",
            "certificatesigningrequests",
        ),
        ("get list watch", "discovery.k8s.io", "endpointslices"),
    ]
    .into_iter()
    .map(|(verbs, groups, resources)| Rule {
        verbs: words(verbs),
        groups: words(groups),
        resources: words(resources),
        ..Rule::default()
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_needs_its_group() {
        assert!(Node::of(&User::authenticated("system:node:a", &[NODES])).is_some());
        assert!(Node::of(&User::authenticated("system:node:a", &[])).is_none());
        assert!(Node::of(&User::authenticated("ada", &[NODES])).is_none());
    }

    #[test]
    fn finds_the_secrets_of_a_pod() {
        let pod = json!({"spec":{
            "volumes":[{"secret":{"secretName":"volume"}},{"configMap":{"name":"settings"}}],
            "imagePullSecrets":[{"name":"pull"}],
            "containers":[{"env":[{"valueFrom":{"secretKeyRef":{"name":"key","key":"k"}}}],
                "envFrom":[{"secretRef":{"name":"all"}}]}]}});
        for name in ["volume", "pull", "key", "all"] {
            assert!(names(&pod, "secrets", name), "{name}");
        }
        assert!(!names(&pod, "secrets", "settings"));
        assert!(names(&pod, "configmaps", "settings"));
    }
}
