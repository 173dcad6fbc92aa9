//! What a node may write, by content: Kubernetes' admission plugin `NodeRestriction`.
//!
//! Rights have been checked before. The messages are Kubernetes' own.
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction>.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use toolforge_kinds::{Kind, Status};

use super::{LEASES, Node, node_of};
use crate::{certificate_requests, metadata};

/// Finds a Pod in the namespace of a write by its name.
pub(crate) type Pods<'a> = &'a dyn Fn(&str) -> Option<Arc<Value>>;

/// One write of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) kind: &'a Kind,
    /// `create`, `update` or `delete`.
    pub(crate) verb: &'a str,
    pub(crate) subresource: Option<&'a str>,
    pub(crate) namespace: Option<&'a str>,
    /// The name in the request.
    pub(crate) name: &'a str,
    pub(crate) object: Option<&'a Value>,
    pub(crate) old: Option<&'a Value>,
}

impl Node<'_> {
    /// Whether the node may write this object as it is.
    pub(crate) fn admit(self, write: Write<'_>, pods: Pods<'_>) -> Result<(), Status> {
        let admitted = match (write.kind.group, write.kind.kind) {
            ("", "Node") => self.admit_node(write),
            ("", "Pod") => return self.admit_pod(write, pods),
            ("", "PersistentVolumeClaim") => Err("may only update PVC status".to_owned()),
            ("", "ServiceAccount") if write.subresource == Some("token") => self.admit_token(write, pods),
            ("coordination.k8s.io", "Lease") => self.admit_lease(write),
            ("certificates.k8s.io", "CertificateSigningRequest") => self.admit_request(write),
            _ => Ok(()),
        };
        admitted.map_err(|why| Status::forbidden(write.kind, write.name, &why))
    }

    fn admit_node(self, write: Write<'_>) -> Result<(), String> {
        let Write {
            name, object, old, ..
        } = write;
        if name != self.name {
            return Err(format!(
                "node {:?} is not allowed to modify node {name:?}",
                self.name
            ));
        }
        let Some(object) = object else { return Ok(()) };
        if old.is_some_and(|old| taints(old) != taints(object)) {
            return Err(format!("node {:?} is not allowed to modify taints", self.name));
        }
        let forbidden = forbidden_labels(object, old);
        if forbidden.is_empty() {
            return Ok(());
        }
        let list = forbidden.into_iter().collect::<Vec<_>>().join(", ");
        Err(match write.verb {
            "create" => format!(
                "node {:?} is not allowed to set the following labels: {list}",
                self.name
            ),
            _ => format!("is not allowed to modify labels: {list}"),
        })
    }

    fn admit_pod(self, write: Write<'_>, pods: Pods<'_>) -> Result<(), Status> {
        let refuse = |why: String| Err(Status::forbidden(write.kind, write.name, &why));
        let name = self.name;
        match (write.subresource, write.verb) {
            (None, "delete") if write.old.is_some_and(|pod| node_of(pod) != name) => refuse(format!(
                "node {name:?} can only delete pods with spec.nodeName set to itself"
            )),
            (None, "delete") => Ok(()),
            // Mirror Pods are of kubelets that run Pods from files; this cluster has none.
            (None, "create") => refuse(format!(
                "pod does not have \"kubernetes.io/config.mirror\" annotation, node {name:?} can only create mirror pods"
            )),
            (None, verb) => refuse(format!(
                "unexpected operation {:?}, node {name:?} can only create and delete mirror pods",
                verb.to_uppercase()
            )),
            (Some("status"), _) => match self.admit_status(write) {
                Ok(()) => Ok(()),
                Err(why) => refuse(why),
            },
            (Some("eviction"), _) => {
                let Some(pod) = pods(write.name) else {
                    return Err(Status::not_found(write.kind, write.name));
                };
                if node_of(&pod) == name {
                    return Ok(());
                }
                refuse(format!(
                    "node {name} can only evict pods with spec.nodeName set to itself"
                ))
            }
            (Some(other), _) => refuse(format!(
                "unexpected pod subresource {other:?}, only 'status' and 'eviction' are allowed"
            )),
        }
    }

    /// A node asks for certificates of its own only; the rest of the subject is for the signer.
    fn admit_request(self, write: Write<'_>) -> Result<(), String> {
        const OF_NODES: [&str; 2] = [
            "kubernetes.io/kubelet-serving",
            "kubernetes.io/kube-apiserver-client-kubelet",
        ];
        let (Some(object), "create", None) = (write.object, write.verb, write.subresource) else {
            return Ok(());
        };
        if !OF_NODES.contains(&certificate_requests::signer(object)) {
            return Ok(());
        }
        let requested =
            certificate_requests::read(object).map_err(|error| format!("unable to parse csr: {error}"))?;
        let own = format!("system:node:{}", self.name);
        if requested.common_name == own {
            return Ok(());
        }
        Err(format!("can only create a node CSR with CN={own}"))
    }

    fn admit_status(self, write: Write<'_>) -> Result<(), String> {
        let labels = |pod: Option<&Value>| pod.map(labels).unwrap_or_default();
        if write.old.is_some_and(|pod| node_of(pod) != self.name) {
            return Err(format!(
                "node {:?} can only update pod status for pods with spec.nodeName set to itself",
                self.name
            ));
        }
        if labels(write.old) != labels(write.object) {
            return Err(format!(
                "node {:?} cannot update labels through pod status",
                self.name
            ));
        }
        Ok(())
    }

    /// A node has tokens only for Pods that run on it, bound to them.
    fn admit_token(self, write: Write<'_>, pods: Pods<'_>) -> Result<(), String> {
        let reference = write
            .object
            .and_then(|request| request.pointer("/spec/boundObjectRef"));
        let text = |field: &str| {
            let found = reference.and_then(|reference| reference.get(field));
            found.and_then(Value::as_str).unwrap_or_default()
        };
        let (name, uid) = (text("name"), text("uid"));
        if text("apiVersion") != "v1" || text("kind") != "Pod" || name.is_empty() {
            return Err("node requested token not bound to a pod".to_owned());
        }
        if uid.is_empty() {
            return Err("node requested token with a pod binding without a uid".to_owned());
        }
        let pod = pods(name).ok_or_else(|| format!("pods {name:?} not found"))?;
        if metadata::text(&pod, "uid") != uid {
            return Err(format!(
                "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
            ));
        }
        if node_of(&pod) != self.name {
            return Err("node requested token bound to a pod scheduled on a different node".to_owned());
        }
        let audiences = write
            .object
            .and_then(|request| request.pointer("/spec/audiences"));
        check_audiences(audiences, &pod)
    }

    fn admit_lease(self, write: Write<'_>) -> Result<(), String> {
        if write.namespace != Some(LEASES) {
            return Err(format!(
                "can only access leases in the {LEASES:?} system namespace"
            ));
        }
        if write.name != self.name {
            return Err("can only access node lease with the same name as the requesting node".to_owned());
        }
        Ok(())
    }
}

/// A node asks for tokens only for whom its Pod wants to have them: for the API, or for one audience of its volumes.
fn check_audiences(audiences: Option<&Value>, pod: &Value) -> Result<(), String> {
    let own = crate::tokens::Tokens::audiences();
    let asked: Vec<&str> = audiences
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let audience = match asked.as_slice() {
        [] => return Ok(()),
        [one] => *one,
        _ => return Err("node may only request 0 or 1 audiences".to_owned()),
    };
    let sources = pod
        .pointer("/spec/volumes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|volume| volume.pointer("/projected/sources")?.as_array())
        .flatten();
    let wanted = |source: &Value| {
        let Some(token) = source.get("serviceAccountToken") else {
            return false;
        };
        match token.get("audience").and_then(Value::as_str) {
            None | Some("") => own.iter().any(|own| own == audience),
            Some(found) => found == audience,
        }
    };
    if sources.into_iter().any(wanted) {
        return Ok(());
    }
    Err(format!("audience {audience:?} not found in pod spec volume"))
}

fn taints(node: &Value) -> Vec<Value> {
    let taints = node.pointer("/spec/taints").and_then(Value::as_array);
    taints.cloned().unwrap_or_default()
}

fn labels(object: &Value) -> Map<String, Value> {
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    labels.cloned().unwrap_or_default()
}

/// The labels that differ from before and are not a node's to set.
fn forbidden_labels(object: &Value, old: Option<&Value>) -> BTreeSet<String> {
    let new = labels(object);
    let old = old.map(labels).unwrap_or_default();
    new.keys()
        .chain(old.keys())
        .filter(|label| new.get(*label) != old.get(*label))
        .filter(|label| is_forbidden(label))
        .cloned()
        .collect()
}

/// Labels of Kubernetes that kubelets set.
const KUBELET: &[&str] = &[
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];
/// Prefixes of labels that kubelets set, with all below them.
const KUBELET_PREFIXES: &[&str] = &["kubelet.kubernetes.io", "node.kubernetes.io"];
/// The prefix of labels that are kept from nodes, with all below it.
const RESTRICTED: &str = "node-restriction.kubernetes.io";

fn is_forbidden(label: &str) -> bool {
    let Some((prefix, _)) = label.split_once('/') else {
        return false;
    };
    let lies_in = |domain: &str| {
        prefix
            .strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let is_kubernetes = lies_in("kubernetes.io") || lies_in("k8s.io");
    let is_kubelet = KUBELET.contains(&label) || KUBELET_PREFIXES.iter().any(|domain| lies_in(domain));
    lies_in(RESTRICTED) || (is_kubernetes && !is_kubelet)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write<'a>(kind: &str, verb: &'a str, subresource: Option<&'a str>, name: &'a str) -> Write<'a> {
        let kind = toolforge_kinds::all()
            .iter()
            .find(|found| found.kind == kind)
            .unwrap();
        Write {
            kind,
            verb,
            subresource,
            namespace: Some(LEASES).filter(|_| kind.kind == "Lease"),
            name,
            object: None,
            old: None,
        }
    }

    fn pod(node: &str) -> Value {
        json!({"metadata": {"uid": "1"}, "spec": {"nodeName": node, "volumes": [
            {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]}})
    }

    #[track_caller]
    fn assert_admits(write: Write<'_>, expected: Result<(), &str>) {
        let pods = |name: &str| {
            let node = name.strip_prefix("on-")?;
            Some(Arc::new(pod(node)))
        };
        let found = Node { name: "a" }
            .admit(write, &pods)
            .map_err(|status| status.message);
        match (found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(message), Err(part)) if message.contains(part) => {}
            (found, expected) => panic!("{found:?} is not {expected:?} for {write:?}"),
        }
    }

    #[test]
    fn a_node_writes_only_its_own() {
        let (mine, theirs) = (pod("a"), pod("b"));
        let status = |old| Write {
            old: Some(old),
            object: Some(old),
            ..write("Pod", "update", Some("status"), "p")
        };
        assert_admits(write("Node", "update", Some("status"), "a"), Ok(()));
        assert_admits(
            write("Node", "update", Some("status"), "b"),
            Err("node \"a\" is not allowed to modify node \"b\""),
        );
        assert_admits(status(&mine), Ok(()));
        assert_admits(status(&theirs), Err("can only update pod status for pods"));
        assert_admits(
            write("Pod", "create", None, "p"),
            Err("can only create mirror pods"),
        );
        assert_admits(write("Pod", "create", Some("eviction"), "on-a"), Ok(()));
        assert_admits(
            write("Pod", "create", Some("eviction"), "on-b"),
            Err("can only evict pods"),
        );
        assert_admits(write("Lease", "update", None, "a"), Ok(()));
        assert_admits(
            write("Lease", "update", None, "b"),
            Err("can only access node lease with the same name"),
        );
    }

    #[test]
    fn a_node_may_not_change_its_taints() {
        let tainted = json!({"spec":{"taints":[{"key":"x"}]}});
        let untainted = json!({});
        let update = Write {
            old: Some(&tainted),
            object: Some(&untainted),
            ..write("Node", "update", None, "a")
        };
        assert_admits(update, Err("is not allowed to modify taints"));
    }

    #[test]
    fn a_node_asks_for_its_own_certificates() {
        let ask = |signer: &str, common_name: &str| {
            let (_, pem) = toolforge_pki::new_request(common_name, &["system:nodes"]).unwrap();
            let pem = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem);
            json!({"spec": {"signerName": signer, "request": pem}})
        };
        let refusal = Err("can only create a node CSR with CN=system:node:a");
        for (signer, common_name, expected) in [
            ("kubernetes.io/kubelet-serving", "system:node:a", Ok(())),
            ("kubernetes.io/kubelet-serving", "system:node:b", refusal),
            ("kubernetes.io/kube-apiserver-client-kubelet", "ada", refusal),
            ("example.org/own", "ada", Ok(())),
        ] {
            let request = ask(signer, common_name);
            let wanted = Write {
                object: Some(&request),
                ..write("CertificateSigningRequest", "create", None, "csr")
            };
            assert_admits(wanted, expected);
        }
    }

    #[test]
    fn a_node_has_tokens_for_its_pods_alone() {
        let ask = |name: &str, uid: &str| {
            json!({"spec": {"audiences": crate::tokens::Tokens::audiences(),
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}}})
        };
        for (request, expected) in [
            (ask("on-a", "1"), Ok(())),
            (ask("on-a", "2"), Err("does not match the UID in record")),
            (ask("on-a", ""), Err("a pod binding without a uid")),
            (
                ask("on-b", "1"),
                Err("bound to a pod scheduled on a different node"),
            ),
            (
                json!({"spec": {}}),
                Err("node requested token not bound to a pod"),
            ),
        ] {
            let wanted = Write {
                object: Some(&request),
                ..write("ServiceAccount", "create", Some("token"), "default")
            };
            assert_admits(wanted, expected);
        }
    }

    #[test]
    fn labels_of_kubernetes_are_not_a_nodes_but_for_those_of_kubelets() {
        for (label, forbidden) in [
            ("color", false),
            ("example.org/color", false),
            ("kubernetes.io/hostname", false),
            ("node.kubernetes.io/anything", false),
            ("x.node.kubernetes.io/anything", false),
            ("node-role.kubernetes.io/control-plane", true),
            ("node-restriction.kubernetes.io/pci", true),
            ("my.node-restriction.kubernetes.io/pci", true),
            ("k8s.io/x", true),
            ("notkubernetes.io/x", false),
        ] {
            assert_eq!(is_forbidden(label), forbidden, "{label}");
        }
    }

    #[test]
    fn only_changes_of_labels_count() {
        let with = |labels: Value| json!({"metadata": {"labels": labels}});
        let old = with(json!({"k8s.io/a": "1", "k8s.io/b": "1"}));
        assert!(forbidden_labels(&old, Some(&old)).is_empty());
        let new = with(json!({"k8s.io/a": "2", "mine": "1"}));
        let found: Vec<String> = forbidden_labels(&new, Some(&old)).into_iter().collect();
        assert_eq!(found, ["k8s.io/a", "k8s.io/b"]);
    }

    #[test]
    fn audiences_are_those_of_the_pod() {
        let pod = json!({"spec": {"volumes": [{"projected": {"sources": [
            {"serviceAccountToken": {"audience": "vault"}}]}}]}});
        assert_eq!(check_audiences(Some(&json!(["vault"])), &pod), Ok(()));
        assert_eq!(check_audiences(None, &pod), Ok(()));
        assert!(check_audiences(Some(&json!(["bank"])), &pod).is_err());
        assert!(check_audiences(Some(&json!(["vault", "bank"])), &pod).is_err());
    }
}
