//! Bodies with the mistakes that people make.

use serde_json::json;

use super::*;
use crate::by_kind;

fn deployment() -> &'static Kind {
    by_kind("apps", "v1", "Deployment").unwrap()
}

#[test]
fn a_wrong_type_is_told_as_go_would() {
    let cases = [
        (
            json!({"spec": {"replicas": "2"}}),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            json!({"spec": {"replicas": 1.5}}),
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            json!({"spec": {"paused": "yes"}}),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool",
        ),
        (
            json!({"spec": []}),
            "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec",
        ),
        (
            json!({"spec": {"template": {"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}}}),
            "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
        ),
        (
            json!({"spec": {"template": {"spec": {"containers": {}}}}}),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
        ),
        (
            json!({"metadata": {"labels": {"a": 1}}}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            json!({"spec": {"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "much"}}}]}}}}),
            r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            json!({"metadata": {"creationTimestamp": "today"}}),
            r#"parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today" as "2006""#,
        ),
    ];
    for (object, expected) in cases {
        let status = check_types(deployment(), &object).unwrap_err();
        let prefix = r#"Deployment in version "v1" cannot be handled as a Deployment: "#;
        assert_eq!(
            (status.code, status.message),
            (400, format!("{prefix}{expected}"))
        );
    }
}

#[test]
fn secrets_must_be_base64() {
    let secret = by_kind("", "v1", "Secret").unwrap();
    assert!(check_types(secret, &json!({"data": {"a": "aGk="}})).is_ok());
    let status = check_types(secret, &json!({"data": {"a": "a!k="}})).unwrap_err();
    assert!(
        status.message.ends_with("illegal base64 data at input byte 1"),
        "{}",
        status.message
    );
}

#[test]
fn right_types_pass() {
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"creationTimestamp": null, "managedFields": [{"fieldsV1": {"f:a": {}}}]},
        "spec": {"strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
            "template": {"spec": {"containers": [{"resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
                "livenessProbe": {"httpGet": {"port": "http"}}}], "volumes": [{"name": "a", "emptyDir": {}}]}}},
    });
    assert_eq!(
        check_types(deployment(), &object).map_err(|status| status.message),
        Ok(())
    );
    assert!(unknown_fields(deployment(), &object).is_empty());
}

#[test]
fn unknown_fields_are_told_with_their_path_and_dropped() {
    let mut object = json!({
        "spec": {"replica": 1, "replicas": null, "template": {"spec": {"containers": [{"name": "a", "imagee": "x"}]}}},
    });
    let unknown = decode(deployment(), &mut object).unwrap();
    assert_eq!(
        unknown,
        [
            r#"unknown field "spec.replica""#,
            r#"unknown field "spec.template.spec.containers[0].imagee""#
        ]
    );
    assert_eq!(
        object,
        json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}})
    );
    assert_eq!(
        strict_error(deployment(), &unknown[..1]).message,
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \
         \"spec.replica\""
    );
}

#[test]
fn objects_of_subresources_are_decoded_too() {
    let mut scale = json!({"spec": {"replicas": 1, "x": 2}});
    let unknown = decode_through(deployment(), Subresource::Scale, &mut scale).unwrap();
    assert_eq!(unknown, [r#"unknown field "spec.x""#]);
}

#[test]
fn every_kind_has_a_shape_with_metadata_or_is_a_review() {
    for kind in crate::all() {
        let object = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": "a"}});
        assert_eq!(
            unknown_fields(kind, &object),
            Vec::<String>::new(),
            "{}",
            kind.kind
        );
    }
}
