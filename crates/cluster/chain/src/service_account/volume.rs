//! The volume through which programs in a Pod find the API: a token of the Pod's account, the API's authority, and the
//! namespace, at the place where every client library looks.

use serde_json::{Map, Value, json};

/// Where client libraries look.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What the volume's name begins with.
const PREFIX: &str = "kube-api-access-";
/// How long its tokens are asked for, in seconds. The API knows the number, and lets such tokens live longer.
const TOKEN_SECONDS: u64 = 3607;
/// Letters and digits of generated names, as Kubernetes has them.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Random characters of the name.
const SUFFIX_LENGTH: usize = 5;

/// Whether a Pod is to have the volume: it decides, or else its account.
pub(super) fn is_wanted(account: &Value, pod: &Value) -> bool {
    let of =
        |value: Option<&Value>| value.and_then(|value| value.get("automountServiceAccountToken")?.as_bool());
    of(pod.get("spec")).or_else(|| of(Some(account))).unwrap_or(true)
}

/// Gives the volume to all containers that have nothing at its place. `random` is for its name.
pub(super) fn add(pod: &mut Value, random: [u8; 16]) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let volumes = spec.get("volumes").and_then(Value::as_array);
    let known = volumes.into_iter().flatten().find_map(|volume| {
        let name = volume.get("name")?.as_str()?;
        name.starts_with(PREFIX).then(|| name.to_owned())
    });
    let name = known.clone().unwrap_or_else(|| generated(random));
    let mut is_needed = false;
    for containers in ["initContainers", "containers"] {
        let containers = spec.get_mut(containers).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            let mounts = list(container, "volumeMounts");
            if mounts
                .iter()
                .any(|mount| mount.get("mountPath").is_some_and(|path| path == MOUNT_PATH))
            {
                continue;
            }
            mounts.push(json!({ "name": name, "readOnly": true, "mountPath": MOUNT_PATH }));
            is_needed = true;
        }
    }
    if is_needed && known.is_none() {
        list(spec, "volumes").push(volume(&name));
    }
}

fn volume(name: &str) -> Value {
    let field = json!({ "apiVersion": "v1", "fieldPath": "metadata.namespace" });
    json!({ "name": name, "projected": { "defaultMode": 0o644, "sources": [
        { "serviceAccountToken": { "expirationSeconds": TOKEN_SECONDS, "path": "token" } },
        { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
        { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": field }] } },
    ]}})
}

fn generated(random: [u8; 16]) -> String {
    let suffix: String = random
        .iter()
        .take(SUFFIX_LENGTH)
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect();
    format!("{PREFIX}{suffix}")
}

/// The list in a field, made when it is missing or null.
fn list<'a>(of: &'a mut Map<String, Value>, field: &str) -> &'a mut Vec<Value> {
    let value = of.entry(field).or_insert(Value::Null);
    if !value.is_array() {
        *value = json!([]);
    }
    value.as_array_mut().expect("it was just made a list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_container_has_it_once_however_often_it_is_added() {
        let mut pod = json!({"spec": {
            "initContainers": [{"name": "i"}],
            "containers": [{"name": "a"}, {"name": "b", "volumeMounts": [{"name": "own", "mountPath": MOUNT_PATH}]}]}});
        add(&mut pod, [0; 16]);
        let first = pod.clone();
        add(&mut pod, [7; 16]);
        assert_eq!(pod, first);
        let mount = json!([{"name": "kube-api-access-bbbbb", "readOnly": true, "mountPath": MOUNT_PATH}]);
        assert_eq!(pod["spec"]["initContainers"][0]["volumeMounts"], mount);
        assert_eq!(pod["spec"]["containers"][0]["volumeMounts"], mount);
        assert_eq!(pod["spec"]["containers"][1]["volumeMounts"][0]["name"], "own");
        let volumes = pod["spec"]["volumes"].as_array().unwrap();
        assert_eq!(volumes.len(), 1);
        assert_eq!(
            volumes[0]["projected"]["sources"][0]["serviceAccountToken"]["path"],
            "token"
        );
    }

    #[test]
    fn who_needs_none_gets_none() {
        let mut pod =
            json!({"spec": {"containers": [{"volumeMounts": [{"name": "own", "mountPath": MOUNT_PATH}]}]}});
        add(&mut pod, [0; 16]);
        assert_eq!(pod["spec"].get("volumes"), None);
    }

    #[test]
    fn the_pod_decides_before_its_account() {
        for (pod, account, expected) in [
            (None, None, true),
            (None, Some(false), false),
            (Some(true), Some(false), true),
            (Some(false), None, false),
        ] {
            let pod = json!({"spec": {"automountServiceAccountToken": pod}});
            let account = json!({"automountServiceAccountToken": account});
            assert_eq!(is_wanted(&account, &pod), expected);
        }
    }
}
