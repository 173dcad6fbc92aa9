//! What a user writes, and what is stored.

use serde_json::{Value, json};

use crate::{apply_defaults, by_kind};

fn defaulted(group: &str, kind: &str, mut object: Value) -> Value {
    let kind = by_kind(group, "v1", kind).unwrap();
    apply_defaults(kind, &mut object);
    let mut again = object.clone();
    apply_defaults(kind, &mut again);
    assert_eq!(again, object, "defaults of {} are not idempotent", kind.kind);
    object
}

#[test]
fn pod() {
    let pod = defaulted(
        "",
        "Pod",
        json!({"spec": {
            "containers": [{
                "name": "a", "image": "busybox", "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": "1"}},
                "livenessProbe": {"httpGet": {"port": 80}},
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            }],
            "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}],
            "serviceAccountName": "sa",
        }}),
    );
    insta::assert_json_snapshot!(pod);
}

#[test]
fn deployment() {
    let object = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "x:1"}]}}}});
    insta::assert_json_snapshot!(defaulted("apps", "Deployment", object));
}

#[test]
fn recreate_has_no_rolling_update() {
    let object = defaulted(
        "apps",
        "Deployment",
        json!({"spec": {"strategy": {"type": "Recreate"}}}),
    );
    assert_eq!(object["spec"]["strategy"], json!({"type": "Recreate"}));
}

#[test]
fn job_and_cron_job() {
    let without_template = |kind: &str, key: &str, object: Value| {
        let mut spec = defaulted("batch", kind, object)["spec"].clone();
        assert!(crate::value::remove(&mut spec, key).is_some());
        spec
    };
    assert_eq!(
        without_template("Job", "template", json!({"metadata": {"name": "a"}})),
        json!({"completions": 1, "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed",
            "suspend": false, "podReplacementPolicy": "TerminatingOrFailed"})
    );
    let parallel = defaulted("batch", "Job", json!({"spec": {"parallelism": 3}}));
    assert_eq!(parallel["spec"].get("completions"), None);
    assert_eq!(
        without_template(
            "CronJob",
            "jobTemplate",
            json!({"spec": {"schedule": "* * * * *"}})
        ),
        json!({"schedule": "* * * * *", "concurrencyPolicy": "Allow", "suspend": false,
            "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1})
    );
}

#[test]
fn service_targets_its_own_port() {
    let service = defaulted(
        "",
        "Service",
        json!({"spec": {"ports": [{"port": 80}, {"port": 1, "targetPort": "x"}]}}),
    );
    insta::assert_json_snapshot!(service);
    let external = defaulted(
        "",
        "Service",
        json!({"spec": {"type": "ExternalName", "externalName": "a.b"}}),
    );
    assert_eq!(external["spec"].get("internalTrafficPolicy"), None);
}

#[test]
fn string_data_becomes_data() {
    let secret = defaulted(
        "",
        "Secret",
        json!({"stringData": {"a": "hi"}, "data": {"b": "aGk="}}),
    );
    assert_eq!(
        secret,
        json!({"type": "Opaque", "data": {"a": "aGk=", "b": "aGk="}})
    );
}

#[test]
fn limit_range_fills_from_max_and_min() {
    let limits = defaulted(
        "",
        "LimitRange",
        json!({"spec": {"limits": [
            {"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}, "default": {"memory": "1Gi"}},
            {"type": "Pod", "max": {"cpu": "2"}},
        ]}}),
    );
    assert_eq!(
        limits["spec"]["limits"],
        json!([
            {"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"},
                "default": {"memory": "1Gi", "cpu": "2"}, "defaultRequest": {"memory": "1Gi", "cpu": "2"}},
            {"type": "Pod", "max": {"cpu": "2"}},
        ])
    );
}

#[test]
fn bindings_and_webhooks() {
    let binding = defaulted(
        "rbac.authorization.k8s.io",
        "RoleBinding",
        json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [
            {"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]}),
    );
    assert_eq!(binding["roleRef"]["apiGroup"], "rbac.authorization.k8s.io");
    assert_eq!(binding["subjects"][0]["apiGroup"], "rbac.authorization.k8s.io");
    assert_eq!(binding["subjects"][1].get("apiGroup"), None);
    let hooks = defaulted(
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        json!({"webhooks": [{"name": "a.b.c", "clientConfig": {"service": {"name": "s", "namespace": "n"}},
            "rules": [{"operations": ["CREATE"]}]}]}),
    );
    insta::assert_json_snapshot!(hooks);
}

#[test]
fn namespace_is_labelled_with_its_name() {
    let namespace = defaulted("", "Namespace", json!({"metadata": {"name": "a"}}));
    assert_eq!(
        namespace["metadata"]["labels"],
        json!({"kubernetes.io/metadata.name": "a"})
    );
}

#[test]
fn network_policy_types_follow_the_rules() {
    let policy = defaulted(
        "networking.k8s.io",
        "NetworkPolicy",
        json!({"spec": {"egress": [{"ports": [{"port": 1}]}]}}),
    );
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(policy["spec"]["egress"][0]["ports"][0]["protocol"], "TCP");
}

#[test]
fn nothing_panics_on_objects_of_the_wrong_shape() {
    for kind in crate::all() {
        for object in [
            json!(null),
            json!([]),
            json!({"spec": []}),
            json!({"metadata": 1, "spec": {"template": 2,
            "containers": [1, null], "ports": [[]], "limits": [{"type": "Container", "max": 3}]}, "webhooks": [0],
            "stringData": {"a": 1}, "data": 1, "roleRef": "x", "subjects": [1], "subsets": [1]}),
        ] {
            let mut object = object;
            apply_defaults(kind, &mut object);
        }
    }
}

#[test]
fn autoscaler() {
    let reference = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"scaleTargetRef": reference, "maxReplicas": 3});
    let old = defaulted(
        "autoscaling",
        "HorizontalPodAutoscaler",
        json!({"metadata": {"name": "web"}, "spec": spec}),
    );
    let shown = json!({"scaleTargetRef": reference, "maxReplicas": 3, "minReplicas": 1, "targetCPUUtilizationPercentage": 80});
    assert_eq!(old["spec"], shown);
    let mut new = json!({"spec": {"scaleTargetRef": reference, "maxReplicas": 3, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}}}});
    apply_defaults(
        by_kind("autoscaling", "v2", "HorizontalPodAutoscaler").unwrap(),
        &mut new,
    );
    insta::assert_json_snapshot!(new);
}
