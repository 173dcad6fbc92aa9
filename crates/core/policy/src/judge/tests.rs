use std::sync::Arc;

use serde_json::{Value, json};
use toolforge_model::ToolAccount;

use super::{Guard, ObjectKind, Question, Unjudged};
use crate::psp::{Phase, tool_policy};
use crate::{Policies, PolicySettings, Verdict, Writer};

fn policies() -> Policies {
    PolicySettings::with("toolforge.org", "r.example")
        .resolve()
        .unwrap()
}

fn kind_of(text: &str) -> ObjectKind<'_> {
    let (version, kind) = text.rsplit_once('/').unwrap();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    ObjectKind { group, version, kind }
}

fn judged(guard: Guard, kind: &str, namespace: &str, object: &Value) -> Result<Verdict, Unjudged> {
    let account = ToolAccount {
        uid: 52_001,
        home: "/data/project/alpha".to_owned(),
    };
    let policies = policies();
    let policy = tool_policy(&"alpha".parse().unwrap(), &account, &policies.pod);
    let question = Question {
        kind: kind_of(kind),
        namespace,
        object,
        pod_policies: Some(&[Arc::new(policy)]),
        writer: Writer::default(),
        phase: Phase::Final,
    };
    guard.judge(&policies, question)
}

#[test]
fn each_guard_judges_its_kinds_in_their_version_and_no_other() {
    let judges = |guard: Guard, kind: &str| guard.judges(kind_of(kind));
    for kind in [
        "v1/Pod",
        "apps/v1/Deployment",
        "batch/v1/CronJob",
        "v1/PodTemplate",
    ] {
        for guard in [Guard::Images, Guard::Pod, Guard::Volumes] {
            assert!(judges(guard, kind), "{kind}");
        }
        assert!(
            !judges(Guard::Ingress, kind) && !judges(Guard::Service, kind),
            "{kind}"
        );
    }
    assert!(judges(Guard::Ingress, "networking.k8s.io/v1/Ingress"));
    assert!(judges(Guard::Service, "v1/Service"));
    assert!(judges(Guard::Endpoints, "v1/Endpoints"));
    assert!(judges(Guard::Endpoints, "discovery.k8s.io/v1/EndpointSlice"));
    for kind in [
        "apps/v1/Pod",
        "apps/v1beta1/Deployment",
        "extensions/v1beta1/Ingress",
        "evil.example/v1/Ingress",
        "v1/pod",
        "v1/Secret",
    ] {
        assert!(Guard::ALL.iter().all(|guard| !judges(*guard, kind)), "{kind}");
    }
}

#[test]
fn the_verdict_is_that_of_the_guard() {
    let pod = json!({"spec": {"hostNetwork": true, "containers": [{"name": "c", "image": "nginx"}]}});
    let rules = |guard, kind: &str, object: &Value| -> Vec<&str> {
        let verdict = judged(guard, kind, "tool-alpha", object).unwrap();
        verdict.offences().iter().map(|offence| offence.rule).collect()
    };
    assert_eq!(rules(Guard::Images, "v1/Pod", &pod), ["images/registry"]);
    assert!(rules(Guard::Pod, "v1/Pod", &pod).contains(&"pod/host-namespace"));
    let service = json!({"spec": {"type": "NodePort"}});
    assert_eq!(rules(Guard::Service, "v1/Service", &service), ["service/type"]);
    let volume =
        json!({"spec": {"containers": [], "volumes": [{"name": "x", "hostPath": {"path": "/etc"}}]}});
    assert_eq!(rules(Guard::Volumes, "v1/Pod", &volume), ["volumes/host-path"]);
    let endpoints = json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]});
    assert_eq!(
        rules(Guard::Endpoints, "v1/Endpoints", &endpoints),
        ["endpoints/address"]
    );
    let slice = json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]});
    assert_eq!(
        rules(Guard::Endpoints, "discovery.k8s.io/v1/EndpointSlice", &slice),
        ["endpoints/address"]
    );
    let ingress = json!({"spec": {"rules": [{"host": "beta.toolforge.org"}]}});
    assert_eq!(
        rules(Guard::Ingress, "networking.k8s.io/v1/Ingress", &ingress),
        ["ingress/host"]
    );
}

#[test]
fn what_cannot_be_judged_is_told_with_the_reason() {
    let told = |guard, kind: &str, namespace: &str, object: &Value| {
        judged(guard, kind, namespace, object).unwrap_err().to_string()
    };
    assert_eq!(
        told(Guard::Pod, "v1/Secret", "tool-alpha", &json!({})),
        "Unsupported Kind=Secret, Group=: this guard does not know how to judge it"
    );
    assert_eq!(
        told(Guard::Pod, "v1/Pod", "default", &json!({"spec": {}})),
        "namespace \"default\" is not the namespace tool-<toolname> of a tool"
    );
    assert_eq!(
        told(Guard::Images, "v1/Pod", "tool-alpha", &json!({})),
        "the Pod cannot be judged: spec is missing"
    );
    let wrong = json!({"spec": {"rules": "all"}});
    let told = told(
        Guard::Ingress,
        "networking.k8s.io/v1/Ingress",
        "tool-alpha",
        &wrong,
    );
    assert!(
        told.starts_with("the Ingress cannot be judged: invalid type"),
        "{told}"
    );
}

#[test]
fn a_guard_that_needs_the_policies_does_not_judge_without() {
    let question = Question {
        kind: kind_of("v1/Pod"),
        namespace: "tool-alpha",
        object: &json!({"spec": {"containers": []}}),
        pod_policies: None,
        writer: Writer::default(),
        phase: Phase::Final,
    };
    for guard in Guard::ALL.into_iter().filter(|guard| guard.judges(question.kind)) {
        let judged = guard.judge(&policies(), question);
        assert_eq!(judged.is_err(), guard.needs_pod_policies(), "{guard:?}");
    }
}
