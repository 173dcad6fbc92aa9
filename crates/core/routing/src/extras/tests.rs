//! Annotations as they come from the API, in the table.

use serde_json::{Value, json};

use crate::{
    AppProtocol, Change, Decision, Endpoint, EndpointSlice, Ingress, Object, ObjectKey, Outcome, PortRef,
    RouteTable, Service, ServicePort, ServiceRef, Settings, SlicePort, Snapshot, Target,
};

const HOST: &str = "alpha.toolforge.org";

fn settings() -> Settings {
    let target = Target {
        service: "fourohfour".into(),
        port: PortRef::Number(8000),
    };
    Settings {
        ingress_class: "toolforge".into(),
        controller: "toolforge.org/gateway".into(),
        default_backend: ServiceRef {
            namespace: "tool-fourohfour".into(),
            target,
        },
        policy: String::new(),
    }
}

fn ingress(name: &str, annotations: &[(&str, &str)], paths: &[(&str, &str)]) -> Object {
    let annotations = annotations.iter();
    let annotations: serde_json::Map<String, Value> = annotations
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), json!(value)))
        .collect();
    let backend = json!({ "service": { "name": name, "port": { "number": 8000 } } });
    let paths: Vec<Value> = paths
        .iter()
        .map(|(path, kind)| json!({ "path": path, "pathType": kind, "backend": backend }))
        .collect();
    let object = json!({
        "metadata": { "namespace": "tool-alpha", "name": name, "annotations": annotations },
        "spec": { "ingressClassName": "toolforge", "rules": [{ "host": HOST, "http": { "paths": paths } }] },
    });
    Object::Ingress(Ingress::read(&serde_json::from_value(object).unwrap(), None).unwrap())
}

/// A Service with one endpoint at this address.
fn service(name: &str, last: u8) -> Vec<Object> {
    let key = ObjectKey::new("tool-alpha", name);
    let port = |port| ServicePort {
        name: format!("p{port}").into(),
        port,
        protocol: AppProtocol::Http1,
    };
    let slice = EndpointSlice {
        key: key.clone(),
        service: name.into(),
        ports: vec![SlicePort {
            name: "p8000".into(),
            port: 8080,
        }],
        endpoints: vec![Endpoint {
            address: [127, 64, 0, last].into(),
            ready: true,
            serving: true,
            terminating: false,
        }],
    };
    let ports = vec![port(8000), port(9000)];
    vec![Object::Service(Service { key, ports }), Object::Slice(slice)]
}

fn table(objects: Vec<Object>) -> RouteTable {
    let services = [service("web", 1), service("other", 2), service("auth", 3)].concat();
    let all = objects.into_iter().chain(services);
    RouteTable::new(settings()).with(all.map(Change::Put))
}

fn winner(table: &RouteTable, path: &str) -> String {
    match table.decide(HOST, path) {
        Decision::Backend(backend) => backend.ingress.to_string(),
        _ => "-".to_owned(),
    }
}

#[test]
fn patterns_and_paths_are_asked_by_their_length() {
    let table = table(vec![
        ingress(
            "web",
            &[("use-regex", "true")],
            &[("/foo/bar/.+", "ImplementationSpecific"), ("/foo", "Prefix")],
        ),
        ingress(
            "other",
            &[],
            &[
                ("/foo/bar/(.+)", "ImplementationSpecific"),
                ("/foo/bar", "Prefix"),
            ],
        ),
    ]);
    for (path, expected) in [
        ("/foo/bar/1", "web"),
        ("/FOO/BAR/1", "web"),
        ("/foo/bar", "other"),
        ("/foo/bar/", "other"),
        ("/foo/x", "web"),
        ("/foo/bar/(.+)", "other"),
        ("/x/foo/bar/1", "-"),
    ] {
        assert_eq!(winner(&table, path), expected, "{path}");
    }
}

#[test]
fn what_is_not_understood_is_not_served_and_says_why() {
    for annotations in [
        &[("auth-url", "http://169.254.169.254/")][..],
        &[("auth-type", "basic")],
        &[("whitelist-source-range", "x")],
        &[("something-new", "x")],
    ] {
        let table = table(vec![ingress("web", annotations, &[("/", "Prefix")])]);
        assert_eq!(winner(&table, "/"), "-", "{annotations:?}");
        let explained = table.explain(HOST, "/");
        assert_eq!(explained.outcome, Outcome::NotFound);
        let name = annotations[0].0;
        assert!(
            explained.others[0]
                .why
                .contains(&format!("nginx.ingress.kubernetes.io/{name}")),
            "{explained:?}"
        );
    }
}

#[test]
fn a_route_without_annotations_has_nothing_more() {
    let table = table(vec![ingress(
        "web",
        &[("proxy-buffering", "on")],
        &[("/", "Prefix")],
    )]);
    let Decision::Backend(backend) = table.decide(HOST, "/") else {
        panic!("it is served")
    };
    assert_eq!(backend.extras, None);
}

#[test]
fn services_that_annotations_name_are_found_and_followed() {
    let asks = ingress(
        "web",
        &[
            ("auth-url", "http://auth.tool-alpha.svc:8000/check"),
            ("default-backend", "other"),
        ],
        &[("/", "Prefix")],
    );
    let first = table(vec![asks]);
    let extras = |table: &RouteTable| match table.decide(HOST, "/") {
        Decision::Backend(backend) => backend.extras.clone().unwrap(),
        _ => panic!("it is served"),
    };
    let known = extras(&first);
    assert_eq!(
        known.auth.as_ref().unwrap().endpoints,
        ["127.64.0.3:8080".parse().unwrap()]
    );
    assert_eq!(
        known.pages.as_ref().unwrap().endpoints,
        ["127.64.0.2:8080".parse().unwrap()]
    );
    let moved = first.with(service("auth", 9).into_iter().map(Change::Put));
    assert_eq!(
        extras(&moved).auth.as_ref().unwrap().endpoints,
        ["127.64.0.9:8080".parse().unwrap()]
    );
}

#[test]
fn a_kept_table_has_the_same_annotations() {
    let table = table(vec![
        ingress(
            "web",
            &[("rewrite-target", "/$1")],
            &[("/x/(.*)", "ImplementationSpecific")],
        ),
        ingress("other", &[("auth-type", "basic")], &[("/y", "Prefix")]),
    ]);
    let text = serde_json::to_string(&Snapshot::of(&table)).unwrap();
    let kept: Snapshot = serde_json::from_str(&text).unwrap();
    let kept = kept.into_table(&settings()).unwrap();
    assert_eq!(kept.routes(), table.routes());
    assert_eq!(
        (winner(&kept, "/x/1").as_str(), winner(&kept, "/y").as_str()),
        ("web", "-")
    );
}

#[test]
fn explanation_says_what_annotations_do() {
    let table = table(vec![ingress(
        "web",
        &[("permanent-redirect", "https://example.org")],
        &[("/", "Prefix")],
    )]);
    let explained = table.explain(HOST, "/");
    assert_eq!(explained.outcome, Outcome::Redirected);
    assert!(
        explained.because[1].contains("permanent-redirect: https://example.org"),
        "{explained:?}"
    );
}
