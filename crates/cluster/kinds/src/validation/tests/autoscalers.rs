//! `HorizontalPodAutoscaler`s, in both versions.

use serde_json::{Value, json};

use super::with;
use crate::{by_kind, validate_create, validate_update};

fn good() -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "n"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1, "maxReplicas": 3,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
            "behavior": {"scaleUp": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}},
        },
    })
}

fn said(version: &str, object: &Value) -> String {
    let kind = by_kind("autoscaling", version, "HorizontalPodAutoscaler").unwrap();
    let errors = validate_create(kind, object);
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

#[test]
fn what_an_autoscaler_may_say() {
    assert_eq!(said("v2", &good()), "");
    let metric = "/spec/metrics/0/resource/target";
    let up = "/spec/behavior/scaleUp";
    let cases = [
        (
            "/spec/minReplicas",
            json!(0),
            "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
        ),
        (
            "/spec/maxReplicas",
            json!(0),
            "spec.maxReplicas: Invalid value: 0: must be greater than 0\nspec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
        ),
        (
            "/spec/scaleTargetRef/name",
            json!(""),
            "spec.scaleTargetRef.name: Required value",
        ),
        (
            "/spec/scaleTargetRef/apiVersion",
            json!("v1"),
            "spec.scaleTargetRef.apiVersion: Invalid value: \"v1\": apiVersion must specify API group",
        ),
        (
            "/spec/metrics/0/type",
            json!("Other"),
            "spec.metrics[0].type: Unsupported value: \"Other\": supported values: \"ContainerResource\", \"External\", \"Object\", \"Pods\", \"Resource\"",
        ),
        (
            "/spec/metrics/0/type",
            json!("Pods"),
            "spec.metrics[0].pods: Required value: must populate information for the given metric source",
        ),
        (
            metric,
            json!({"type": "Utilization"}),
            "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization",
        ),
        (
            metric,
            json!({"type": "AverageValue", "averageValue": "0"}),
            "spec.metrics[0].resource.target.averageValue: Invalid value: \"0\": must be positive",
        ),
        (
            up,
            json!({"stabilizationWindowSeconds": 3601, "policies": []}),
            "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600\nspec.behavior.scaleUp.policies: Required value: must specify at least one Policy",
        ),
        (
            up,
            json!({"selectPolicy": "All", "policies": [{"type": "Pods", "value": 0, "periodSeconds": 1801}]}),
            "spec.behavior.scaleUp.selectPolicy: Unsupported value: \"All\": supported values: \"Disabled\", \"Max\", \"Min\"\nspec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero\nspec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800",
        ),
    ];
    for (pointer, value, expected) in cases {
        assert_eq!(said("v2", &with(&good(), pointer, value)), expected);
    }
}

#[test]
fn the_older_version_is_held_to_the_same_rules() {
    let spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50,
    });
    let object = json!({"metadata": {"name": "web", "namespace": "n"}, "spec": spec});
    assert_eq!(said("v1", &object), "");
    assert_eq!(
        said(
            "v1",
            &with(&object, "/spec/targetCPUUtilizationPercentage", json!(0))
        ),
        "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0"
    );
}

#[test]
fn a_reference_that_was_taken_once_may_stay() {
    let kind = by_kind("autoscaling", "v2", "HorizontalPodAutoscaler").unwrap();
    let old = with(&good(), "/spec/scaleTargetRef/apiVersion", json!("v1"));
    let new = with(&old, "/spec/maxReplicas", json!(7));
    assert_eq!(validate_update(kind, &old, &new, None), []);
    assert_eq!(validate_update(kind, &good(), &old, None).len(), 1);
}
