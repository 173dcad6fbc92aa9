//! Whatever JSON comes in, the walk from body to row ends without a panic, and what is decoded once is clean.

use proptest::prelude::*;
use serde_json::{Map, Value};
use toolforge_kinds::{
    IncludeObject, Kind, Subresource, all, apply_defaults, decode, field_value, prepare_for_create,
    prepare_for_update, scale, table, unknown_fields, validate_create, validate_update,
};

/// Names that the code looks at, so that odd values land where they matter.
const NAMES: &[&str] = &[
    "metadata",
    "spec",
    "status",
    "name",
    "labels",
    "template",
    "containers",
    "initContainers",
    "containerStatuses",
    "ports",
    "port",
    "selector",
    "matchLabels",
    "matchExpressions",
    "type",
    "rules",
    "http",
    "paths",
    "backend",
    "service",
    "webhooks",
    "clientConfig",
    "subjects",
    "roleRef",
    "data",
    "stringData",
    "hard",
    "limits",
    "requests",
    "resources",
    "volumes",
    "volumeMounts",
    "env",
    "valueFrom",
    "strategy",
    "rollingUpdate",
    "conditions",
    "finalizers",
    "ownerReferences",
    "deletionTimestamp",
    "generation",
    "schedule",
    "jobTemplate",
    "request",
    "addresses",
    "subsets",
    "endpoints",
    "clusterIP",
    "clusterIPs",
    "livenessProbe",
    "httpGet",
    "tolerations",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "Always",
            "None",
            "ExternalName",
            "Container",
            "-1",
            "1Gi",
            "50%",
            "*.a",
            "2026-01-01T00:00:00Z"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..6).prop_map(|fields| {
                Value::Object(
                    fields
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    let part = || prop::collection::vec((prop::sample::select(NAMES), json()), 0..6);
    part().prop_map(|fields| {
        let map: Map<String, Value> = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Value::Object(map)
    })
}

fn kind() -> impl Strategy<Value = &'static Kind> {
    (0..all().len()).prop_map(|index| &all()[index])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(kind in kind(), old in object(), new in object()) {
        let mut decoded = new.clone();
        let _ = decode(kind, &mut decoded);
        for mut object in [new, decoded] {
            prepare_for_create(kind, &mut object);
            apply_defaults(kind, &mut object);
            validate_create(kind, &object);
            for door in [None, Some(Subresource::Status), Some(Subresource::Approval), Some(Subresource::Finalize)] {
                let mut changed = object.clone();
                prepare_for_update(kind, &old, &mut changed, door);
                validate_update(kind, &old, &changed, door);
            }
            field_value(kind, &object, "metadata.name");
            scale::of(kind, &object);
            table(kind, &[&object], jiff::Timestamp::UNIX_EPOCH, IncludeObject::Metadata);
        }
    }

    #[test]
    fn what_is_decoded_has_no_unknown_fields_and_stays_as_it_is(kind in kind(), mut object in object()) {
        if decode(kind, &mut object).is_ok() {
            prop_assert_eq!(unknown_fields(kind, &object), Vec::<String>::new());
            let mut again = object.clone();
            prop_assert!(decode(kind, &mut again).is_ok());
            prop_assert_eq!(again, object);
        }
    }
}
