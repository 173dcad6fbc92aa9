//! What Kubernetes' built-in admission fills in: accounts and tolerations of Pods, the hold on namespaces,
//! requesters of certificate requests.
//!
//! Called by the verbs before webhooks are asked.

use serde_json::{Value, json};

use crate::rest::Call;

/// Pods stay this long in seconds on a node that does not answer; Kubernetes' default.
const NODE_FAILURE_SECONDS: u64 = 300;

/// Completes a new object.
pub(crate) fn on_create(call: &Call, object: &mut Value) {
    match (call.kind.group, call.kind.kind) {
        ("", "Pod") => complete_pod(object),
        ("", "Namespace") => hold_namespace(object),
        ("certificates.k8s.io", "CertificateSigningRequest") => name_requester(call, object),
        _ => {}
    }
}

fn complete_pod(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let account = spec
        .get("serviceAccountName")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let account = if account.is_empty() {
        "default".to_owned()
    } else {
        account
    };
    spec.insert("serviceAccountName".to_owned(), json!(account));
    spec.insert("serviceAccount".to_owned(), json!(account));
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(tolerations) = tolerations.as_array_mut() else {
        return;
    };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let is_tolerated = tolerations.iter().any(|found| {
            let named = found.get("key").and_then(Value::as_str).unwrap_or_default();
            let effect = found.get("effect").and_then(Value::as_str).unwrap_or_default();
            (named == key || named.is_empty()) && (effect.is_empty() || effect == "NoExecute")
        });
        if !is_tolerated {
            tolerations.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": NODE_FAILURE_SECONDS,
            }));
        }
    }
}

/// A namespace goes only when its content has gone, whatever its author wrote.
fn hold_namespace(namespace: &mut Value) {
    let Some(map) = namespace.as_object_mut() else {
        return;
    };
    let spec = map.entry("spec").or_insert_with(|| json!({}));
    let mut finalizers = spec
        .get("finalizers")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if !finalizers.contains(&json!("kubernetes")) {
        finalizers.push(json!("kubernetes"));
        spec["finalizers"] = json!(finalizers);
    }
}

fn name_requester(call: &Call, request: &mut Value) {
    let Some(map) = request.as_object_mut() else {
        return;
    };
    map.remove("status");
    let Some(spec) = map.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    for field in ["uid", "extra"] {
        spec.remove(field);
    }
    spec.insert("username".to_owned(), json!(call.user.name));
    spec.insert("groups".to_owned(), json!(call.user.groups));
    if let Value::Object(info) = call.user.to_value() {
        for field in ["uid", "extra"] {
            if let Some(value) = info.get(field) {
                spec.insert(field.to_owned(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_an_account_and_stays_a_while_on_a_lost_node() {
        let mut pod = json!({"spec":{"tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":7}]}});
        complete_pod(&mut pod);
        assert_eq!(pod["spec"]["serviceAccountName"], "default");
        assert_eq!(pod["spec"]["tolerations"].as_array().unwrap().len(), 2);
        assert_eq!(pod["spec"]["tolerations"][0]["tolerationSeconds"], 7);
    }

    #[test]
    fn a_namespace_is_held_until_it_is_empty() {
        let mut namespace = json!({"metadata":{"name":"a"}});
        hold_namespace(&mut namespace);
        assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]));
    }
}
