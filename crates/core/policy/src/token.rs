//! Tokens of service accounts in tools' Pods: there for Pods that ask for one.
//!
//! A tool has its own certificate in its home; the token would be a second identity that most programs have no use for.
//! Kubernetes adds its volume before any webhook is asked, so it is taken out again here.

use serde_json::{Map, Value, json};

const AUTOMOUNT: &str = "automountServiceAccountToken";
/// How the names of volumes begin that Kubernetes adds.
const ADDED: &str = "kube-api-access-";
/// Where Kubernetes mounts them.
const PLACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Lets a Pod that says nothing about its token do without. Doing it twice changes nothing.
pub fn forgo_token(pod: &mut Value) {
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        forgo(spec);
    }
}

fn forgo(spec: &mut Map<String, Value>) {
    if spec.get(AUTOMOUNT).is_some_and(|found| !found.is_null()) {
        return;
    }
    spec.insert(AUTOMOUNT.to_owned(), json!(false));
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            take_out(container, "volumeMounts", |mount| {
                is_added(mount) && mount["mountPath"] == PLACE
            });
        }
    }
    if !is_mounted(spec) {
        take_out(spec, "volumes", |volume| {
            is_added(volume) && volume.get("projected").is_some()
        });
    }
}

fn is_added(item: &Value) -> bool {
    let name = item.get("name").and_then(Value::as_str);
    name.is_some_and(|name| name.starts_with(ADDED))
}

/// Whether the Pod uses such a volume in another way, which then is its own.
fn is_mounted(spec: &Map<String, Value>) -> bool {
    ["initContainers", "containers"]
        .iter()
        .filter_map(|list| spec.get(*list)?.as_array())
        .flatten()
        .filter_map(|container| container.get("volumeMounts")?.as_array())
        .flatten()
        .any(is_added)
}

/// Removes items of a list, and the list when nothing is left of it.
fn take_out(object: &mut Map<String, Value>, list: &str, goes: impl Fn(&Value) -> bool) {
    let Some(items) = object.get_mut(list).and_then(Value::as_array_mut) else {
        return;
    };
    let before = items.len();
    items.retain(|item| !goes(item));
    if items.is_empty() && before > 0 {
        object.remove(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(automount: &Value) -> Value {
        let mount = json!({"name": "kube-api-access-x", "readOnly": true, "mountPath": PLACE});
        let mounts = json!([{"name": "own", "mountPath": "/own"}, mount]);
        json!({
            AUTOMOUNT: automount,
            "initContainers": [{"name": "i", "volumeMounts": mounts}],
            "containers": [{"name": "c", "volumeMounts": [mount]}],
            "volumes": [{"name": "own", "emptyDir": {}}, {"name": "kube-api-access-x", "projected": {}}],
        })
    }

    fn forgone(spec: &Value) -> Value {
        let mut spec = spec.clone();
        forgo(spec.as_object_mut().unwrap());
        spec
    }

    #[test]
    fn the_volume_that_was_added_goes() {
        assert_eq!(
            forgone(&pod(&Value::Null)),
            json!({
                AUTOMOUNT: false,
                "initContainers": [{"name": "i", "volumeMounts": [{"name": "own", "mountPath": "/own"}]}],
                "containers": [{"name": "c"}],
                "volumes": [{"name": "own", "emptyDir": {}}],
            })
        );
    }

    #[test]
    fn it_stays_where_the_pod_says_so_itself() {
        for said in [json!(true), json!(false)] {
            assert_eq!(forgone(&pod(&said)), pod(&said));
        }
    }

    #[test]
    fn a_pods_own_volume_stays() {
        let own = json!({
            "containers": [{"name": "c", "volumeMounts": [{"name": "kube-api-access-x", "mountPath": "/own"}]}],
            "volumes": [{"name": "kube-api-access-x", "projected": {}}],
        });
        let found = forgone(&own);
        assert_eq!(
            (&found["containers"], &found["volumes"]),
            (&own["containers"], &own["volumes"])
        );
    }
}
