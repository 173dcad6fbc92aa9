use serde_json::{Value, json};

use super::{RegistryPolicy, RegistryPolicyError, admit_images};
use crate::{Verdict, Workload, WorkloadError};

const GOOD: &str = "docker-registry.tools.wmflabs.org/toolforge-php73-sssd-web:latest";

fn policy() -> RegistryPolicy {
    let registries = vec![
        "docker-registry.tools.wmflabs.org".parse().unwrap(),
        "tools-harbor.wmcloud.org".parse().unwrap(),
    ];
    RegistryPolicy::new(registries, ["kube-system".to_owned()]).unwrap()
}

fn verdict_of(kind: &str, namespace: &str, object: &Value) -> Verdict {
    admit_images(&policy(), &Workload::read(kind, namespace, object).unwrap())
}

fn pod(spec: &Value) -> Verdict {
    verdict_of(
        "Pod",
        "tool-alpha",
        &json!({"metadata": {"name": "web"}, "spec": spec}),
    )
}

fn image(image: &str) -> Verdict {
    pod(&json!({"containers": [{"name": "web", "image": image}]}))
}

#[track_caller]
fn assert_refused_at(verdict: &Verdict, fields: &[&str]) {
    let found: Vec<&str> = verdict
        .offences()
        .iter()
        .map(|offence| offence.field.as_str())
        .collect();
    assert_eq!(found, fields);
}

#[test]
fn admits_images_from_any_allowed_registry() {
    for name in [
        GOOD,
        "docker-registry.tools.wmflabs.org/x",
        "Docker-Registry.tools.wmflabs.org/x",
        "tools-harbor.wmcloud.org/tool-alpha/web:1.0",
        "tools-harbor.wmcloud.org/x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ] {
        assert!(image(name).is_allowed(), "{name}: {}", image(name).message());
    }
}

#[test]
fn refuses_all_other_images() {
    for name in [
        "",
        "nginx",
        "nginx:latest",
        "docker.io/library/nginx",
        "docker-registry.tools.wmflabs.org",
        "docker-registry.tools.wmflabs.org/",
        "docker-registry.tools.wmflabs.org.evil/x",
        "docker-registry.tools.wmflabs.org:5000/x",
        "docker-registry.tools.wmflabs.org@evil.example/x",
        "evil.example/docker-registry.tools.wmflabs.org/x",
        "docker-registryXtools.wmflabs.org/x",
        "docker-registry.tools.wmflabs.org./x",
        "docker-registry.tools.wmflabs.org/../evil",
        "https://docker-registry.tools.wmflabs.org/x",
        " docker-registry.tools.wmflabs.org/x",
        "docker-registry.tools.wmflabs.org/x ",
        "docker-registry.tools.wmflabs.org/X",
        "docker-registry.tools.wmflabs.оrg/x", // a Cyrillic letter
    ] {
        assert_refused_at(&image(name), &["spec.containers[0].image"]);
    }
}

#[test]
fn looks_into_every_place_that_can_hold_an_image() {
    let bad = json!([{"name": "x", "image": "nginx"}]);
    let good = json!([{"name": "y", "image": GOOD}]);
    assert_refused_at(
        &pod(&json!({"containers": good, "initContainers": bad})),
        &["spec.initContainers[0].image"],
    );
    let ephemeral = pod(&json!({"containers": good, "ephemeralContainers": bad}));
    assert_refused_at(&ephemeral, &["spec.ephemeralContainers[0].image"]);
    let volume =
        pod(&json!({"containers": good, "volumes": [{"name": "v", "image": {"reference": "nginx"}}]}));
    assert_refused_at(&volume, &["spec.volumes[0].image.reference"]);
    let unnamed = pod(&json!({"containers": good, "volumes": [{"name": "v", "image": {}}]}));
    assert_refused_at(&unnamed, &["spec.volumes[0].image.reference"]);
    let missing = pod(&json!({"containers": [{"name": "x"}]}));
    assert_refused_at(&missing, &["spec.containers[0].image"]);
}

#[test]
fn looks_into_the_templates_of_all_workloads() {
    let spec = json!({"containers": [{"name": "x", "image": "nginx"}]});
    let template = json!({"spec": {"template": {"spec": spec}}});
    for kind in [
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "ReplicationController",
        "Job",
    ] {
        let verdict = verdict_of(kind, "tool-alpha", &template);
        assert_refused_at(&verdict, &["spec.template.spec.containers[0].image"]);
    }
    let cron_job = json!({"spec": {"jobTemplate": template}});
    let field = "spec.jobTemplate.spec.template.spec.containers[0].image";
    assert_refused_at(&verdict_of("CronJob", "tool-alpha", &cron_job), &[field]);
    let pod_template = json!({"template": {"spec": spec}});
    let field = "template.spec.containers[0].image";
    assert_refused_at(&verdict_of("PodTemplate", "tool-alpha", &pod_template), &[field]);
}

#[test]
fn names_all_offenders_in_one_message_and_where_images_may_come_from() {
    let containers =
        json!([{"name": "a", "image": "nginx"}, {"name": "b", "image": GOOD}, {"name": "c", "image": "a/b"}]);
    assert_eq!(
        pod(&json!({ "containers": containers })).message(),
        "The following container images did not match any of the allowed registries \
         (docker-registry.tools.wmflabs.org, tools-harbor.wmcloud.org): \
         [Kind=Pod, Namespace=tool-alpha Name=web Image=nginx] (spec.containers[0].image), \
         [Kind=Pod, Namespace=tool-alpha Name=web Image=a/b] (spec.containers[2].image); \
         use an image from docker-registry.tools.wmflabs.org, tools-harbor.wmcloud.org"
    );
}

#[test]
fn looks_away_in_safe_namespaces_only() {
    let object = json!({"spec": {"containers": [{"name": "x", "image": "nginx"}]}});
    assert!(verdict_of("Pod", "kube-system", &object).is_allowed());
    assert!(!verdict_of("Pod", "default", &object).is_allowed());
}

#[test]
fn refuses_kinds_that_it_does_not_know_and_templates_that_are_not_there() {
    let error = Workload::read("Ingress", "tool-alpha", json!({})).unwrap_err();
    assert!(
        error.to_string().starts_with("Unsupported Kind=Ingress"),
        "{error}"
    );
    let error = Workload::read("Deployment", "tool-alpha", json!({"spec": {}})).unwrap_err();
    assert!(matches!(error, WorkloadError::Missing("spec.template.spec")));
    let error = Workload::read("Pod", "tool-alpha", json!({"spec": {"containers": "x"}})).unwrap_err();
    assert!(matches!(error, WorkloadError::Unreadable { .. }));
}

#[test]
fn there_is_no_policy_without_a_registry() {
    let error = RegistryPolicy::new(vec![], []).unwrap_err();
    assert_eq!(error, RegistryPolicyError::NoRegistries);
    assert!(
        error
            .to_string()
            .starts_with("got no registries, at least one is required")
    );
}
