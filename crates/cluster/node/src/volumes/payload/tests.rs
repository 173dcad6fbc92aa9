use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::*;

fn pod(spec: &Value) -> Pod {
    let metadata = json!({"name": "p", "namespace": "n", "uid": "u", "labels": {"app": "web"}});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).expect("pod")
}

fn known() -> Sources {
    let map = json!({"data": {"a": "1", "b": "2"}, "binaryData": {"c": "AP8="}});
    let secret = json!({"data": {"key": "c2VjcmV0"}});
    let map = serde_json::from_value(map).expect("map");
    let secret = serde_json::from_value(secret).expect("secret");
    Sources {
        config_maps: BTreeMap::from([("m".to_owned(), Some(Arc::new(map))), ("none".to_owned(), None)]),
        secrets: BTreeMap::from([("s".to_owned(), Some(Arc::new(secret)))]),
        tokens: BTreeMap::from([((String::new(), 3600), "token".to_owned())]),
    }
}

fn filled_for(pod: &Pod, volume: &Value) -> Result<Payload, Problem> {
    let mut volume = volume.clone();
    volume["name"] = json!("v");
    let volume: Volume = serde_json::from_value(volume).expect("volume");
    let facts = Facts {
        pod,
        pod_ip: Ipv4Addr::new(127, 64, 0, 2),
        host_ip: Ipv4Addr::LOCALHOST,
        machine: (4000, 1 << 30),
    };
    payload(&volume, &known(), facts).expect("a volume with files")
}

fn filled(volume: &Value) -> Result<Payload, Problem> {
    filled_for(&pod(&json!({"containers": [{"name": "c"}]})), volume)
}

fn texts(volume: &Value) -> Vec<(String, String, u32)> {
    let files = filled(volume).expect("files").into_iter();
    files
        .map(|(path, file)| (path, String::from_utf8_lossy(&file.bytes).into_owned(), file.mode))
        .collect()
}

fn text(path: &str, content: &str, mode: u32) -> (String, String, u32) {
    (path.to_owned(), content.to_owned(), mode)
}

fn message(volume: &Value) -> String {
    match filled(volume) {
        Err(Problem::Failed { message, .. }) => message,
        other => format!("{other:?}"),
    }
}

#[test]
fn a_volume_has_all_keys_or_those_that_are_named() {
    let all = texts(&json!({"configMap": {"name": "m", "defaultMode": 0o400}}));
    assert_eq!(all[..2], [text("a", "1", 0o400), text("b", "2", 0o400)]);
    assert_eq!(all[2].0, "c");
    let items = json!([{"key": "a", "path": "x/y", "mode": 0o600}]);
    assert_eq!(
        texts(&json!({"configMap": {"name": "m", "items": items}})),
        [text("x/y", "1", 0o600)]
    );
    assert_eq!(
        texts(&json!({"secret": {"secretName": "s"}})),
        [text("key", "secret", 0o644)]
    );
}

#[test]
fn what_is_missing_is_named_unless_it_is_optional() {
    let items = json!([{"key": "z", "path": "z"}]);
    assert_eq!(
        message(&json!({"configMap": {"name": "none"}})),
        "configmap \"none\" not found"
    );
    assert_eq!(
        message(&json!({"configMap": {"name": "m", "items": items}})),
        "references non-existent config key: z"
    );
    assert_eq!(
        message(&json!({"secret": {"secretName": "s", "items": items}})),
        "references non-existent secret key: z"
    );
    assert_eq!(
        texts(&json!({"configMap": {"name": "none", "optional": true}})),
        []
    );
    assert_eq!(
        texts(&json!({"configMap": {"name": "m", "items": items, "optional": true}})),
        []
    );
}

#[test]
fn an_object_that_nobody_has_seen_yet_is_waited_for_even_when_optional() {
    let waiting = filled(&json!({"secret": {"secretName": "later", "optional": true}}));
    assert_eq!(waiting, Err(Problem::NotYet));
}

#[test]
fn paths_never_lead_out_of_the_volume() {
    for path in ["../x", "a/../../x", "/x", "..data", ""] {
        let items = json!([{"key": "a", "path": path}]);
        assert!(
            message(&json!({"configMap": {"name": "m", "items": items}})).starts_with("invalid path"),
            "{path}"
        );
    }
}

#[test]
fn a_projected_volume_is_the_sum_of_its_sources() {
    let sources = json!([
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"configMap": {"name": "m", "items": [{"key": "a", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}},
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
            {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}}]}},
    ]);
    assert_eq!(
        texts(&json!({"projected": {"sources": sources}})),
        [
            text("ca.crt", "1", 0o644),
            text("cpu", "4", 0o644),
            text("labels", "app=\"web\"", 0o644),
            text("namespace", "n", 0o644),
            text("token", "token", 0o644)
        ]
    );
}

#[test]
fn a_token_is_for_the_user_that_the_pod_runs_as() {
    let sources = json!([{"serviceAccountToken": {"path": "token"}}]);
    let volume = json!({"projected": {"sources": sources}});
    let token = |spec: &Value| {
        let files = filled_for(&pod(spec), &volume).expect("files");
        (files["token"].owner, files["token"].mode)
    };
    let same = json!({"securityContext": {"runAsUser": 7}, "containers": [{"name": "a"}, {"name": "b"}]});
    assert_eq!(token(&same), (Some(7), 0o600));
    let two = json!({"containers": [{"name": "a", "securityContext": {"runAsUser": 7}}, {"name": "b"}]});
    assert_eq!(token(&two), (None, 0o644));
    let group = json!({"securityContext": {"fsGroup": 5}, "containers": [{"name": "a"}]});
    assert_eq!(token(&group), (None, 0o600));
}

#[test]
fn what_volumes_refer_to_is_known_before() {
    let volumes: Vec<Volume> = serde_json::from_value(json!([
        {"name": "a", "configMap": {"name": "m"}},
        {"name": "b", "secret": {"secretName": "s"}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": "n"}}, {"secret": {"name": "t"}}]}},
    ]))
    .expect("volumes");
    let wanted = Wanted::of(&volumes);
    assert_eq!(Vec::from_iter(wanted.config_maps), ["m", "n"]);
    assert_eq!(Vec::from_iter(wanted.secrets), ["s", "t"]);
}
