//! What is asked, and which answers are taken.

use toolforge_kinds::by_kind;

use super::*;
use crate::attributes::{Operation, User};

const ASKED: Asked<'_> = Asked {
    uid: "u",
    version: Version::V1,
};

fn attributes(subresource: Option<&str>) -> Attributes {
    Attributes {
        kind: by_kind("apps", "v1", "Deployment").unwrap(),
        operation: Operation::Update,
        subresource: subresource.map(str::to_owned),
        namespace: Some("tool-x".to_owned()),
        name: "web".to_owned(),
        user: User {
            name: "x".to_owned(),
            groups: vec!["toolforge".to_owned()],
            ..User::default()
        },
        dry_run: true,
        options: json!({"kind": "UpdateOptions"}),
        annotations: crate::Annotations::default(),
    }
}

#[test]
fn a_question_has_everything_that_webhooks_look_at() {
    let attributes = attributes(None);
    let review = question(
        ASKED,
        &attributes,
        attributes.kind,
        json!({"a": 1}),
        json!({"a": 0}),
    );
    assert_eq!(
        review,
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u",
                "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
                "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
                "requestKind": {"group": "apps", "version": "v1", "kind": "Deployment"},
                "requestResource": {"group": "apps", "version": "v1", "resource": "deployments"},
                "name": "web",
                "namespace": "tool-x",
                "operation": "UPDATE",
                "userInfo": {"username": "x", "groups": ["toolforge"]},
                "object": {"a": 1},
                "oldObject": {"a": 0},
                "dryRun": true,
                "options": {"kind": "UpdateOptions"},
            }
        })
    );
}

#[test]
fn through_a_subresource_goes_an_object_of_its_own_kind() {
    let attributes = attributes(Some("scale"));
    let review = question(ASKED, &attributes, attributes.kind, Value::Null, Value::Null);
    assert_eq!(
        review["request"]["kind"],
        json!({"group": "autoscaling", "version": "v1", "kind": "Scale"})
    );
    assert_eq!(review["request"]["subResource"], "scale");
}

fn read(response: &Value, phase: Phase) -> Result<Answer, AnswerError> {
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    answer(review.to_string().as_bytes(), ASKED, phase)
}

#[test]
fn an_answer_is_read() {
    let patch = STANDARD.encode("[]");
    let response =
        json!({"uid": "u", "allowed": true, "patch": patch, "patchType": "JSONPatch", "warnings": ["w"]});
    let answer = read(&response, Phase::Mutating).unwrap();
    assert!(answer.allowed);
    assert_eq!(answer.patch, Some(json!([])));
    assert_eq!(answer.warnings, ["w"]);
}

#[test]
fn what_is_no_answer_to_the_question_is_refused() {
    let patch = STANDARD.encode("[]");
    for (response, phase, problem) in [
        (Value::Null, Phase::Validating, "webhook response was absent"),
        (
            json!({"uid": "v", "allowed": true}),
            Phase::Validating,
            "expected response.uid=\"u\", got \"v\"",
        ),
        (
            json!({"allowed": true}),
            Phase::Validating,
            "expected response.uid=\"u\", got \"\"",
        ),
        (
            json!({"uid": "u", "allowed": true, "patch": patch}),
            Phase::Mutating,
            "webhook returned response.patch but not response.patchType",
        ),
        (
            json!({"uid": "u", "allowed": true, "patch": patch, "patchType": "Merge"}),
            Phase::Mutating,
            "webhook returned invalid response.patchType of \"Merge\"",
        ),
        (
            json!({"uid": "u", "allowed": true, "patch": patch, "patchType": "JSONPatch"}),
            Phase::Validating,
            "validating webhook may not return response.patch",
        ),
    ] {
        assert_eq!(read(&response, phase).unwrap_err().to_string(), problem);
    }
    for bytes in ["", "{}", "[]", "null", r#"{"apiVersion":"v1","kind":"Pod"}"#] {
        assert!(
            answer(bytes.as_bytes(), ASKED, Phase::Mutating).is_err(),
            "{bytes}"
        );
    }
    let broken = json!({"uid": "u", "allowed": true, "patch": "%", "patchType": "JSONPatch"});
    assert!(matches!(
        read(&broken, Phase::Mutating),
        Err(AnswerError::Patch(_))
    ));
}

#[test]
fn the_first_known_version_that_a_webhook_names_is_spoken() {
    let of = |names: &[&str]| Version::of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(of(&["v1"]), Version::V1);
    assert_eq!(of(&["v2", "v1beta1", "v1"]), Version::V1Beta1);
    assert_eq!(of(&["v1", "v1beta1"]), Version::V1);
}

#[test]
fn an_older_review_is_asked_and_answered_as_it_was_then() {
    let asked = Asked {
        uid: "u",
        version: Version::V1Beta1,
    };
    let attributes = attributes(None);
    let review = question(asked, &attributes, attributes.kind, Value::Null, Value::Null);
    assert_eq!(review["apiVersion"], "admission.k8s.io/v1beta1");
    let patch = STANDARD.encode("[]");
    let response = json!({"allowed": true, "patch": patch});
    for review in [
        json!({"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", "response": response}),
        json!({"response": response}),
    ] {
        let answer = answer(review.to_string().as_bytes(), asked, Phase::Mutating).unwrap();
        assert!(answer.allowed);
        assert_eq!(answer.patch, Some(json!([])));
    }
    let newer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    let refused = answer(newer.to_string().as_bytes(), asked, Phase::Mutating).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "expected webhook response of admission.k8s.io/v1beta1, Kind=AdmissionReview, got admission.k8s.io/v1, Kind=AdmissionReview"
    );
}
