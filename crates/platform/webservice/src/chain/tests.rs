//! Chains over synthetic observations: each link is broken once.

use serde_json::{Value, json};
use toolforge_policy::PolicySettings;

use super::*;
use crate::diagnosis::Failure;

const HOST: &str = "alpha.toolforge.org";

fn ingress() -> Value {
    json!({
        "metadata": { "name": "alpha-subdomain", "namespace": "tool-alpha" },
        "spec": {
            "ingressClassName": "toolforge",
            "rules": [{ "host": HOST, "http": { "paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": "alpha", "port": { "number": 8000 } } },
            }] } }],
        },
    })
}

fn service() -> Value {
    json!({
        "metadata": { "name": "alpha" },
        "spec": { "selector": { "name": "alpha" }, "ports": [{ "name": "http", "port": 8000, "targetPort": 8000 }] },
    })
}

fn slice(ready: bool) -> Value {
    json!({
        "metadata": { "name": "alpha-x", "labels": { "kubernetes.io/service-name": "alpha" } },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": ["10.0.0.1"], "conditions": { "ready": ready } }],
    })
}

/// One Pod of the newest version, ready or not.
fn scene(ready: bool, check: &Value) -> Scene {
    let owned = |kind: &str, uid: &str| json!([{ "apiVersion": "apps/v1", "kind": kind, "name": uid, "uid": uid, "controller": true }]);
    let revision = json!({ "deployment.kubernetes.io/revision": "1" });
    let deployment = json!({
        "metadata": { "name": "alpha", "uid": "d", "generation": 1, "annotations": revision },
        "spec": { "replicas": 1, "selector": {}, "template": {} },
        "status": { "observedGeneration": 1 },
    });
    let set = json!({
        "metadata": { "name": "s", "uid": "s", "annotations": revision, "ownerReferences": owned("Deployment", "d") },
        "spec": { "selector": {} },
    });
    let pod = json!({
        "metadata": { "name": "alpha-1", "uid": "p", "labels": { "name": "alpha" }, "ownerReferences": owned("ReplicaSet", "s") },
        "spec": { "containers": [{ "name": "webservice", "readinessProbe": check }] },
        "status": { "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }] },
    });
    Scene {
        deployment: serde_json::from_value(deployment).unwrap(),
        replica_sets: vec![serde_json::from_value(set).unwrap()],
        pods: vec![serde_json::from_value(pod).unwrap()],
        events: Vec::new(),
    }
}

/// What is wrong with a world that is otherwise in order.
struct Wrong {
    reach: Reach,
    ingress: Option<Value>,
    service: Option<Value>,
    endpoint_ready: bool,
    standing: Standing,
    check: Value,
}

impl Default for Wrong {
    fn default() -> Self {
        Self {
            reach: Reach::Answer {
                status: 200,
                from_the_tool: true,
            },
            ingress: Some(ingress()),
            service: Some(service()),
            endpoint_ready: true,
            standing: Standing::Ready,
            check: json!({ "tcpSocket": { "port": "http" } }),
        }
    }
}

const UNAVAILABLE: Reach = Reach::Answer {
    status: 503,
    from_the_tool: false,
};

fn chain(wrong: Wrong) -> Chain {
    let policies = PolicySettings::with("toolforge.org", "registry.example")
        .resolve()
        .unwrap();
    let object = |value: Option<Value>| value.into_iter().collect::<Vec<_>>();
    let tool = "alpha".parse().unwrap();
    walk(&Observed {
        tool: &tool,
        url: format!("https://{HOST}/"),
        host: HOST.to_owned(),
        reach: wrong.reach,
        ingress_class: "toolforge",
        policy: Some(&policies.ingress),
        ingresses: serde_json::from_value(json!(object(wrong.ingress))).unwrap(),
        services: serde_json::from_value(json!(object(wrong.service))).unwrap(),
        slices: vec![serde_json::from_value(slice(wrong.endpoint_ready)).unwrap()],
        scene: scene(wrong.standing == Standing::Ready, &wrong.check),
        standing: wrong.standing,
    })
}

fn failed(exit: Exit) -> Standing {
    Standing::Failed(Failure::new(exit, "It is so.", "Do something."))
}

fn marks(chain: &Chain) -> Vec<(&'static str, Mark)> {
    chain.links.iter().map(|link| (link.name, link.mark)).collect()
}

#[test]
fn a_chain_that_holds_has_no_broken_link() {
    let whole = chain(Wrong::default());
    assert!(
        whole.links.iter().all(|link| link.mark == Mark::Ok),
        "{:?}",
        marks(&whole)
    );
    let names: Vec<_> = whole.links.iter().map(|link| link.name).collect();
    let expected = [
        "name",
        "tls",
        "gateway",
        "ingress",
        "service",
        "endpoints",
        "deployment",
        "pod",
        "process",
    ];
    assert_eq!(names, expected);
    assert_eq!((whole.broken, whole.exit_code), (None, 0));
}

#[test]
fn the_way_to_the_gateway_comes_first() {
    for (reach, link) in [
        (Reach::NoName("none".to_owned()), "name"),
        (
            Reach::NoConnection {
                address: "192.0.2.1:443".to_owned(),
                error: "refused".to_owned(),
            },
            "tls",
        ),
        (Reach::NoTls("expired".to_owned()), "tls"),
        (Reach::NoAnswer("timeout".to_owned()), "gateway"),
        (UNAVAILABLE, "gateway"),
    ] {
        let chain = chain(Wrong {
            reach,
            ..Wrong::default()
        });
        assert_eq!((chain.broken, chain.exit_code), (Some(link), 8));
        assert!(chain.next.is_some());
    }
}

#[test]
fn objects_that_others_bent_are_named() {
    let bent = |object: Value, path: &str, value: Value| {
        let mut object = object;
        *object.pointer_mut(path).unwrap() = value;
        Some(object)
    };
    let with = |ingress, service| Wrong {
        reach: UNAVAILABLE,
        ingress,
        service,
        ..Wrong::default()
    };
    let whole = || (Some(ingress()), Some(service()));
    for (wrong, link, code, words) in [
        (
            with(None, whole().1),
            "ingress",
            8,
            "no Ingress for alpha.toolforge.org",
        ),
        (
            with(bent(ingress(), "/spec/rules/0/host", json!("other")), whole().1),
            "ingress",
            8,
            "no Ingress for",
        ),
        (
            with(
                bent(ingress(), "/spec/ingressClassName", json!("nginx")),
                whole().1,
            ),
            "ingress",
            8,
            "class \"nginx\"",
        ),
        (
            with(
                bent(
                    ingress(),
                    "/metadata",
                    json!({ "name": "a", "annotations": {
                "nginx.ingress.kubernetes.io/configuration-snippet": "return 200;",
            } }),
                ),
                whole().1,
            ),
            "ingress",
            4,
            "does not serve the Ingress a",
        ),
        (with(whole().0, None), "service", 8, "no Service alpha"),
        (
            with(whole().0, bent(service(), "/spec/ports/0/port", json!(80))),
            "service",
            8,
            "the port that",
        ),
        (
            with(whole().0, bent(service(), "/spec/ports/0/targetPort", json!(80))),
            "service",
            8,
            "another port",
        ),
        (
            with(whole().0, bent(service(), "/spec/selector/name", json!("b"))),
            "service",
            8,
            "selects other labels",
        ),
        (
            Wrong {
                reach: UNAVAILABLE,
                endpoint_ready: false,
                ..Wrong::default()
            },
            "endpoints",
            8,
            "not noted",
        ),
    ] {
        let chain = chain(wrong);
        assert_eq!((chain.broken, chain.exit_code), (Some(link), code), "{words}");
        assert!(
            chain.reason.as_ref().is_some_and(|reason| reason.contains(words)),
            "{:?}",
            chain.reason
        );
        assert!(
            marks(&chain).contains(&("gateway", Mark::Follows)),
            "it only passes on what it has"
        );
    }
}

#[test]
fn what_is_wrong_with_the_tool_is_told_by_its_kind() {
    let path = json!({ "httpGet": { "path": "/healthz", "port": "http" } });
    for (exit, check, link) in [
        (Exit::Quota, Value::Null, "deployment"),
        (Exit::Admission, Value::Null, "deployment"),
        (Exit::Image, Value::Null, "pod"),
        (Exit::Tool, Value::Null, "pod"),
        (Exit::Time, Value::Null, "pod"),
        (Exit::NotListening, Value::Null, "process"),
        (Exit::HealthCheck, path, "health"),
    ] {
        let wrong = Wrong {
            reach: UNAVAILABLE,
            endpoint_ready: false,
            standing: failed(exit),
            check,
            ..Wrong::default()
        };
        let chain = chain(wrong);
        assert_eq!((chain.broken, chain.exit_code), (Some(link), exit.code()));
        assert_eq!(chain.reason.as_deref(), Some("It is so."));
        assert!(marks(&chain).contains(&("endpoints", Mark::Follows)));
    }
}

#[test]
fn one_that_is_stopped_or_coming_is_told_so() {
    let stopped = Wrong {
        reach: UNAVAILABLE,
        ingress: None,
        standing: Standing::Absent,
        ..Wrong::default()
    };
    let stopped = chain(stopped);
    assert_eq!((stopped.broken, stopped.exit_code), (Some("deployment"), 1));
    let coming = Standing::Coming("fetching its image");
    let coming = chain(Wrong {
        reach: UNAVAILABLE,
        endpoint_ready: false,
        standing: coming,
        ..Wrong::default()
    });
    assert_eq!((coming.broken, coming.exit_code), (Some("pod"), 10));
    assert!(
        coming
            .reason
            .is_some_and(|reason| reason.contains("fetching its image"))
    );
}

#[test]
fn programs_read_it_by_its_keys() {
    let value = json!(chain(Wrong {
        reach: UNAVAILABLE,
        service: None,
        ..Wrong::default()
    }));
    assert_eq!(value["broken"], "service");
    assert_eq!(value["exit_code"], 8);
    assert_eq!(
        value["links"][4],
        json!({ "name": "service", "mark": "broken", "said": "There is no Service alpha." })
    );
}
