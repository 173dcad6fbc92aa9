//! Bodies as kubectl sends them, and bodies as nobody should.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A length-delimited field.
fn part(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![tag << 3 | 2, u8::try_from(bytes.len()).unwrap()];
    field.extend_from_slice(bytes);
    field
}

fn number(tag: u8, number: u8) -> Vec<u8> {
    vec![tag << 3, number]
}

fn body(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let names = [part(1, version.as_bytes()), part(2, kind.as_bytes())].concat();
    [MAGIC.to_vec(), part(1, &names), part(2, raw)].concat()
}

#[test]
fn reads_what_kubectl_create_configmap_sends() {
    // Metadata with empty strings, a zero generation and an empty time, as Go writes them.
    let metadata = [
        part(1, b"first"),
        part(2, b""),
        part(3, b""),
        number(7, 0),
        part(8, b""),
    ]
    .concat();
    let entry = [part(1, b"k"), part(2, b"v")].concat();
    let raw = [part(1, &metadata), part(2, &entry)].concat();
    assert_eq!(
        decode(&body("v1", "ConfigMap", &raw)).unwrap(),
        json!({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"first"},"data":{"k":"v"}})
    );
}

#[test]
fn keeps_empty_words_in_lists_and_bytes_in_maps() {
    let rule = [part(1, b"get"), part(2, b""), part(3, b"pods")].concat();
    let decoded = decode(&body("rbac.authorization.k8s.io/v1", "Role", &part(2, &rule))).unwrap();
    assert_eq!(
        decoded["rules"],
        json!([{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}])
    );
    let entry = [part(1, b"k"), part(2, b"\0\x01")].concat();
    let secret = decode(&body("v1", "Secret", &part(2, &entry))).unwrap();
    assert_eq!(secret["data"]["k"], "AAE=");
}

#[test]
fn reads_times_quantities_and_inline_parts() {
    let created = [number(1, 60)].concat();
    let metadata = part(8, &created);
    let claim = decode(&body("v1", "PersistentVolumeClaim", &part(1, &metadata))).unwrap();
    assert_eq!(claim["metadata"]["creationTimestamp"], "1970-01-01T00:01:00Z");
    let hard = [part(1, b"pods"), part(2, &part(1, b"4"))].concat();
    let quota = decode(&body("v1", "ResourceQuota", &part(2, &part(1, &hard)))).unwrap();
    assert_eq!(quota["spec"]["hard"]["pods"], "4");
    let empty_dir = part(2, &part(2, b""));
    let volume = [part(1, b"v"), empty_dir].concat();
    let pod = decode(&body("v1", "Pod", &part(2, &part(1, &volume)))).unwrap();
    assert_eq!(pod["spec"]["volumes"], json!([{"name":"v","emptyDir":{}}]));
}

#[test]
fn refuses_what_it_does_not_know() {
    assert_eq!(decode(b"{}"), Err(WireError::Magic));
    assert_eq!(decode(b"k8s\0\x0a\xff"), Err(WireError::Damaged));
    assert!(matches!(
        decode(&body("v1", "Shoe", b"")),
        Err(WireError::Unknown(_))
    ));
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
        let _ = decode(&[MAGIC, &bytes].concat());
        let _ = fill(&mut Map::new(), table::message("core.v1.Pod").unwrap(), &bytes, 0);
    }
}
