use serde_json::{Value, json};

use super::*;

fn pod(container: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"app": "web"}},
        "spec": {"nodeName": "one", "containers": [container]},
    }))
    .expect("pod")
}

fn sources() -> Sources {
    let map = serde_json::from_value(json!({"data": {"A": "from map", "B": "b"}})).expect("map");
    let secret = serde_json::from_value(json!({"data": {"S": "aHVzaA=="}})).expect("secret");
    Sources {
        config_maps: BTreeMap::from([("map".to_owned(), map)]),
        secrets: BTreeMap::from([("secret".to_owned(), secret)]),
    }
}

fn resolved(container: &Value) -> Result<Vec<(String, String)>, String> {
    let pod = pod(container);
    let facts = Facts {
        pod: &pod,
        pod_ip: Ipv4Addr::new(127, 64, 0, 2),
        host_ip: Ipv4Addr::LOCALHOST,
        machine: (4000, 1 << 30),
    };
    let container = &pod.spec.as_ref().expect("spec").containers[0];
    resolve(container, facts, &sources()).map_err(|error| error.to_string())
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn values_may_use_what_stands_before_them() {
    let container = json!({"name": "c", "env": [
        {"name": "X", "value": "1"}, {"name": "Y", "value": "$(X)$(Z)$$(X)"}, {"name": "Z", "value": "3"}]});
    assert_eq!(
        resolved(&container),
        Ok(pairs(&[("X", "1"), ("Y", "1$(Z)$(X)"), ("Z", "3")]))
    );
}

#[test]
fn whole_objects_come_first_and_single_variables_win() {
    let container = json!({"name": "c",
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "map"}}, {"secretRef": {"name": "secret"}}],
        "env": [{"name": "S", "value": "mine"}]});
    assert_eq!(
        resolved(&container),
        Ok(pairs(&[("P_A", "from map"), ("P_B", "b"), ("S", "mine")]))
    );
}

#[test]
fn references_give_values() {
    for (source, expected) in [
        (json!({"fieldRef": {"fieldPath": "metadata.name"}}), "p"),
        (
            json!({"fieldRef": {"fieldPath": "metadata.labels['app']"}}),
            "web",
        ),
        (json!({"fieldRef": {"fieldPath": "spec.nodeName"}}), "one"),
        (json!({"fieldRef": {"fieldPath": "status.podIP"}}), "127.64.0.2"),
        (json!({"fieldRef": {"fieldPath": "status.hostIP"}}), "127.0.0.1"),
        (
            json!({"configMapKeyRef": {"name": "map", "key": "A"}}),
            "from map",
        ),
        (json!({"secretKeyRef": {"name": "secret", "key": "S"}}), "hush"),
        (json!({"resourceFieldRef": {"resource": "limits.cpu"}}), "1"),
        (
            json!({"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}),
            "500",
        ),
        (
            json!({"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}),
            "1024",
        ),
        (json!({"resourceFieldRef": {"resource": "requests.memory"}}), "0"),
    ] {
        let container = json!({"name": "c", "env": [{"name": "V", "valueFrom": source}],
            "resources": {"limits": {"cpu": "500m"}}});
        assert_eq!(resolved(&container), Ok(pairs(&[("V", expected)])), "{source}");
    }
}

#[test]
fn what_is_missing_is_told_in_known_words() {
    for (source, expected) in [
        (
            json!({"configMapKeyRef": {"name": "x", "key": "A"}}),
            "configmap \"x\" not found",
        ),
        (
            json!({"secretKeyRef": {"name": "x", "key": "A"}}),
            "secret \"x\" not found",
        ),
        (
            json!({"configMapKeyRef": {"name": "map", "key": "x"}}),
            "couldn't find key x in ConfigMap n/map",
        ),
        (
            json!({"secretKeyRef": {"name": "secret", "key": "x"}}),
            "couldn't find key x in Secret n/secret",
        ),
    ] {
        let container = json!({"name": "c", "env": [{"name": "V", "valueFrom": source}]});
        assert_eq!(resolved(&container), Err(expected.to_owned()));
    }
    let whole = json!({"name": "c", "envFrom": [{"secretRef": {"name": "x"}}]});
    assert_eq!(resolved(&whole), Err("secret \"x\" not found".to_owned()));
}

#[test]
fn what_is_optional_may_be_missing() {
    let container = json!({"name": "c",
        "envFrom": [{"configMapRef": {"name": "x", "optional": true}}],
        "env": [{"name": "V", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "x", "optional": true}}}]});
    assert_eq!(resolved(&container), Ok(Vec::new()));
}

#[test]
fn the_objects_to_read_are_those_named() {
    let container = json!({"name": "c",
        "envFrom": [{"configMapRef": {"name": "a"}}],
        "env": [{"name": "V", "valueFrom": {"secretKeyRef": {"name": "b", "key": "x"}}}]});
    let wanted = Wanted::of(&pod(&container).spec.expect("spec").containers[0]);
    assert!(wanted.config_maps.contains("a") && wanted.secrets.contains("b"));
}
