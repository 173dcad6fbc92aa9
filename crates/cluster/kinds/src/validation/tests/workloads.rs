//! What makes Pods.

use serde_json::{Value, json};

use super::{cases, changed, check, with, wrong};

fn deployment() -> Value {
    json!({"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"app": "a"}}, "strategy": {},
        "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}}})
}

#[test]
fn deployments_and_replica_sets() {
    let good = deployment();
    let cases = cases! {
        "/spec/replicas" => (-1) => "spec.replicas: Invalid value: -1: must be greater than or equal to 0";
        "/spec/selector" => null => "spec.selector: Required value";
        "/spec/selector" => {} => "spec.selector: Invalid value: {}: empty selector is invalid for deployment";
        "/spec/selector" => {"matchLabels": {"app": "b"}} => "spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` does not match template `labels`";
        "/spec/selector" => {"matchExpressions": [{"key": "app", "operator": "In"}]} => "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'";
        "/spec/template/spec/restartPolicy" => "Never" => "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"";
        "/spec/template/spec/containers/0/image" => "" => "spec.template.spec.containers[0].image: Required value";
        "/spec/template/metadata/labels" => {"app": "a", "x": "-"} => "spec.template.metadata.labels: Invalid value: \"-\"";
    };
    check("apps", "Deployment", &good, &cases);
    check("apps", "ReplicaSet", &good, &cases);
    let cases = cases! {
        "/spec/strategy" => {"type": "Recreate", "rollingUpdate": {}} => "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'";
        "/spec/strategy" => {"type": "X"} => "spec.strategy: Unsupported value: {\"type\":\"X\"}: supported values: \"Recreate\", \"RollingUpdate\"";
        "/spec/strategy" => {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}} => "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0";
        "/spec/strategy" => {"rollingUpdate": {"maxSurge": "x"}} => "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be";
        "/spec/progressDeadlineSeconds" => 0 => "spec.progressDeadlineSeconds: Invalid value: 0: must be greater than minReadySeconds";
    };
    check("apps", "Deployment", &good, &cases);
    let said = changed(
        "apps",
        "Deployment",
        &good,
        "/spec/selector",
        json!({"matchLabels": {"app": "a", "b": "c"}}),
    );
    assert!(
        said.contains(
            "spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"a\",\"b\":\"c\"}}: field is immutable"
        ),
        "{said}"
    );
    assert_eq!(
        changed("apps", "Deployment", &good, "/spec/replicas", json!(3)),
        ""
    );
}

#[test]
fn stateful_sets() {
    let good = with(&deployment(), "/spec/strategy", Value::Null);
    check(
        "apps",
        "StatefulSet",
        &good,
        &cases! {
            "/spec/podManagementPolicy" => "X" => "spec.podManagementPolicy: Invalid value: \"X\": must be 'OrderedReady' or 'Parallel'";
            "/spec/updateStrategy" => {"type": "X"} => "spec.updateStrategy: Invalid value: {\"type\":\"X\"}: must be 'RollingUpdate' or 'OnDelete'";
            "/spec/updateStrategy" => {"rollingUpdate": {"maxUnavailable": 0}} => "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0";
            "/spec/updateStrategy" => {"rollingUpdate": {"maxUnavailable": "101%"}} => "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%";
            "/spec/persistentVolumeClaimRetentionPolicy" => {"whenScaled": "X"} => "spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: \"X\": supported values: \"Retain\", \"Delete\"";
            "/spec/ordinals" => {"start": -1} => "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0";
            "/spec/serviceName" => "a.b" => "spec.serviceName: Invalid value: \"a.b\": a lowercase RFC 1123 label";
            "/spec/selector" => {} => "spec.selector: Invalid value: {}: empty selector is invalid for statefulset";
        },
    );
    assert_eq!(
        changed("apps", "StatefulSet", &good, "/spec/replicas", json!(3)),
        ""
    );
    let said = changed("apps", "StatefulSet", &good, "/spec/serviceName", json!("b"));
    assert!(
        said.starts_with("spec: Forbidden: updates to statefulset spec for fields other than 'replicas'"),
        "{said}"
    );
}

#[test]
fn jobs_and_cron_jobs() {
    let spec = json!({"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}}});
    let job = json!({"metadata": {"name": "a", "uid": "u"}, "spec": spec});
    check(
        "batch",
        "Job",
        &job,
        &cases! {
            "/spec/completions" => (-1) => "spec.completions: Invalid value: -1: must be greater than or equal to 0";
            "/spec/completionMode" => "X" => "spec.completionMode: Unsupported value: \"X\": supported values: \"NonIndexed\", \"Indexed\"";
            "/spec/managedBy" => "a" => "spec.managedBy: Invalid value: \"a\": must be a domain-prefixed path (such as \"acme.io/foo\")";
            "/spec/managedBy" => "a.b/ " => "spec.managedBy: Invalid value: \" \": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
            "/spec/selector" => {"matchLabels": {"app": "a"}} => "spec.template.metadata.labels: Invalid value: {\"batch.kubernetes.io/controller-uid\":\"u\",\"batch.kubernetes.io/job-name\":\"a\",\"controller-uid\":\"u\",\"job-name\":\"a\"}: `selector` does not match template `labels`\nspec.selector: Invalid value: {\"matchLabels\":{\"app\":\"a\",\"batch.kubernetes.io/controller-uid\":\"u\"}}: `selector` not auto-generated";
            "/spec/template/metadata" => {"labels": {"job-name": "b"}} => "spec.template.metadata.labels[job-name]: Invalid value: {\"batch.kubernetes.io/controller-uid\":\"u\",\"batch.kubernetes.io/job-name\":\"a\",\"controller-uid\":\"u\",\"job-name\":\"b\"}: must be 'a'";
            "/spec/template/spec/restartPolicy" => "Always" => "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"";
        },
    );
    assert_eq!(changed("batch", "Job", &job, "/spec/parallelism", json!(2)), "");
    assert!(
        changed("batch", "Job", &job, "/spec/completions", json!(2))
            .starts_with("spec.completions: Invalid value: 2: field is immutable")
    );
    let said = changed(
        "batch",
        "Job",
        &job,
        "/spec/template/spec/restartPolicy",
        json!("OnFailure"),
    );
    assert!(
        said.starts_with("spec.template: Invalid value: {") && said.ends_with(": field is immutable"),
        "{said}"
    );
    let cron = json!({"metadata": {"name": "a"}, "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": spec}}});
    check(
        "batch",
        "CronJob",
        &cron,
        &cases! {
            "/spec/schedule" => "* *" => "spec.schedule: Invalid value: \"* *\": expected exactly 5 fields, found 2: [* *]";
            "/spec/schedule" => "" => "spec.schedule: Required value";
            "/spec/concurrencyPolicy" => "X" => "spec.concurrencyPolicy: Unsupported value: \"X\"";
            "/metadata/name" => ("a".repeat(53)) => "metadata.name: Invalid value: \"aaaaa";
            "/spec/jobTemplate/spec/template/spec/restartPolicy" => "Always" => "spec.jobTemplate.spec.template.spec.restartPolicy: Required value";
        },
    );
}

#[test]
fn indexed_jobs() {
    let spec = json!({"completionMode": "Indexed", "completions": 3, "backoffLimitPerIndex": 1, "suspend": true,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}}});
    let job = json!({"metadata": {"name": "a", "uid": "u"}, "spec": spec});
    check(
        "batch",
        "Job",
        &job,
        &cases! {
            "/metadata/name" => ("a".repeat(62)) => "metadata.name: Invalid value: \"aaaaaaaa";
            "/metadata/name" => "a.b" => "metadata.name: Invalid value: \"a.b\": will not able to create pod with invalid DNS label: a.b-2";
            "/spec/completions" => 100_001 => "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000";
            "/spec/maxFailedIndexes" => 4 => "spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions";
            "/spec/parallelism" => 100_001 => "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed";
            "/spec/podFailurePolicy" => {"rules": [{"onPodConditions": [{"type": "a", "status": "True"}]}]} => "spec.podFailurePolicy.rules[0].action: Required value: valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]";
            "/spec/podFailurePolicy" => {"rules": [{"action": "Count"}]} => "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required";
        },
    );
    let said = changed("batch", "Job", &job, "/spec/completions", json!(2));
    assert_eq!(
        said,
        "spec.completions: Invalid value: 2: can only be modified in tandem with spec.parallelism"
    );
    let tolerant = json!([{"key": "a", "operator": "Exists"}]);
    let spec = "/spec/template/spec";
    let said = changed("batch", "Job", &job, &format!("{spec}/tolerations"), tolerant);
    assert_eq!(said, "");
    let near = json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        [{"topologyKey": "a", "labelSelector": {"matchLabels": {"a": "b"}}}]}});
    let said = changed("batch", "Job", &job, &format!("{spec}/affinity"), near);
    assert!(said.ends_with(": field is immutable"), "{said}");
}

#[test]
fn an_empty_deployment_lacks_a_selector_and_containers() {
    let said = wrong("apps", "Deployment", &json!({"metadata": {"name": "a"}}));
    assert_eq!(
        said,
        "spec.selector: Required value\nspec.template.spec.containers: Required value"
    );
}
