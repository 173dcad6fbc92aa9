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

/// The same with a tag and a length of any size.
fn long(tag: usize, bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    for mut number in [tag << 3 | 2, bytes.len()] {
        while number > 0x7F {
            field.push(u8::try_from(number & 0x7F).unwrap() | 0x80);
            number >>= 7;
        }
        field.push(u8::try_from(number).unwrap());
    }
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

fn long_body(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let names = [part(1, version.as_bytes()), part(2, kind.as_bytes())].concat();
    [MAGIC.to_vec(), part(1, &names), long(2, raw)].concat()
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
fn reads_the_schemas_of_definitions_as_typed_clients_send_them() {
    let entry = |name: &str, schema: &[u8]| long(29, &[part(1, name.as_bytes()), part(2, schema)].concat());
    let kind = |name: &str| part(5, name.as_bytes());
    // Go writes what is false or empty as well.
    let size = [
        kind("integer"),
        part(8, &part(1, b"3")),
        vec![11 << 3 | 1],
        1_f64.to_le_bytes().to_vec(),
    ]
    .concat();
    let nothing = [
        kind("string"),
        part(8, &part(1, b"\"\"")),
        part(6, b""),
        vec![0x90, 1, 0],
    ]
    .concat();
    let list = [kind("array"), long(24, &part(1, &kind("string")))].concat();
    let any = [kind("object"), long(30, &number(1, 1))].concat();
    let none = [kind("object"), long(30, &number(1, 0))].concat();
    let port = [vec![0xC0, 2, 1], long(42, b"atomic")].concat();
    let properties = [
        ("size", size),
        ("nothing", nothing),
        ("list", list),
        ("any", any),
        ("none", none),
        ("port", port),
    ];
    let properties: Vec<u8> = properties
        .iter()
        .flat_map(|(name, schema)| entry(name, schema))
        .collect();
    let choice = long(20, &part(1, b"\"red\""));
    let schema = [kind("object"), properties, choice].concat();
    let version = [
        part(1, b"v1"),
        number(2, 1),
        number(3, 0),
        number(7, 0),
        long(4, &long(1, &schema)),
    ]
    .concat();
    let spec = [part(1, b"a.org"), long(7, &version), number(10, 0)].concat();
    let decoded = decode(&long_body(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &long(2, &spec),
    ))
    .unwrap();
    assert_eq!(
        decoded["spec"],
        json!({"group": "a.org", "versions": [{"name": "v1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {
        "type": "object", "enum": ["red"], "properties": {
            "size": {"type": "integer", "default": 3, "minimum": 1},
            "nothing": {"type": "string", "default": ""},
            "list": {"type": "array", "items": {"type": "string"}},
            "any": {"type": "object", "additionalProperties": true},
            "none": {"type": "object", "additionalProperties": false},
            "port": {"x-kubernetes-int-or-string": true, "x-kubernetes-list-type": "atomic"},
        }}}}]})
    );
}

#[test]
fn what_nests_deeper_than_json_may_is_refused() {
    let nested = |levels: usize| {
        let schema = (0..levels).fold(Vec::new(), |inner, _| long(28, &inner));
        let version = long(4, &long(1, &schema));
        decode(&long_body(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            &long(2, &long(7, &version)),
        ))
    };
    // Object, spec, versions, version, schema, openAPIV3Schema.
    let read = nested(LEVELS - 6).unwrap();
    assert!(serde_json::from_str::<Value>(&read.to_string()).is_ok());
    for levels in [LEVELS - 5, LEVELS, 1000] {
        assert_eq!(nested(levels), Err(WireError::Deep), "{levels}");
    }
    let raw = format!("{}{}", "[".repeat(127), "]".repeat(127));
    let revision = |raw: &str| {
        decode(&long_body(
            "apps/v1",
            "ControllerRevision",
            &long(2, &long(1, raw.as_bytes())),
        ))
    };
    assert_eq!(revision(&raw), Err(WireError::Deep));
    assert!(revision("[[]]").is_ok());
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
