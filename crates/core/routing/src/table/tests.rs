//! The table against the rules of Ingresses, and against a table made from scratch.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Decision, RouteTable};
use crate::{
    AppProtocol, Change, Endpoint, EndpointSlice, Ingress, IngressClass, Kind, Object, ObjectKey, Path,
    PathKind, PortRef, Rule, Service, ServicePort, ServiceRef, Settings, SlicePort, Snapshot, SnapshotError,
    Target,
};

const CONTROLLER: &str = "toolforge.org/gateway";

fn settings() -> Settings {
    Settings {
        ingress_class: "toolforge".into(),
        controller: CONTROLLER.into(),
        default_backend: ServiceRef {
            namespace: "tool-fourohfour".into(),
            target: target("fourohfour"),
        },
        policy: "example.org".into(),
    }
}

fn target(service: &str) -> Target {
    Target {
        service: service.into(),
        port: PortRef::Number(8000),
    }
}

fn ingress(namespace: &str, name: &str, created_seconds: i64, rules: &[(&str, &str, PathKind)]) -> Ingress {
    Ingress {
        key: ObjectKey::new(namespace, name),
        created_seconds,
        class: Some("toolforge".into()),
        refused: None,
        rules: rules
            .iter()
            .map(|(host, path, kind)| Rule {
                host: (*host).into(),
                paths: vec![Path {
                    path: (*path).into(),
                    kind: *kind,
                    target: Some(target(name)),
                }],
            })
            .collect(),
        default_backend: None,
        tls: Vec::new(),
        annotations: BTreeMap::new(),
    }
}

fn service(namespace: &str, name: &str) -> Service {
    let ports = vec![
        ServicePort {
            name: "metrics".into(),
            port: 9100,
            protocol: AppProtocol::Http1,
        },
        ServicePort {
            name: "http".into(),
            port: 8000,
            protocol: AppProtocol::Http1,
        },
    ];
    Service {
        key: ObjectKey::new(namespace, name),
        ports,
    }
}

fn endpoint(last: u8, ready: bool, serving: bool, terminating: bool) -> Endpoint {
    Endpoint {
        address: [127, 64, 0, last].into(),
        ready,
        serving,
        terminating,
    }
}

fn slice(namespace: &str, name: &str, service: &str, endpoints: Vec<Endpoint>) -> EndpointSlice {
    EndpointSlice {
        key: ObjectKey::new(namespace, name),
        service: service.into(),
        ports: vec![SlicePort {
            name: "http".into(),
            port: 8080,
        }],
        endpoints,
    }
}

fn put(objects: impl IntoIterator<Item = Object>) -> RouteTable {
    RouteTable::new(settings()).with(objects.into_iter().map(Change::Put))
}

/// The Ingresses given, each with a Service of its name and one ready endpoint.
fn served(ingresses: Vec<Ingress>) -> RouteTable {
    put(ingresses.into_iter().enumerate().flat_map(|(index, ingress)| {
        let (namespace, name) = (ingress.key.namespace.clone(), ingress.key.name.clone());
        let endpoints = vec![endpoint(u8::try_from(index).unwrap(), true, true, false)];
        let objects: [Object; 3] = [
            Object::Service(service(&namespace, &name)),
            Object::Slice(slice(&namespace, &format!("{name}-1"), &name, endpoints)),
            Object::Ingress(ingress),
        ];
        objects
    }))
}

/// Who gets the request: `namespace/ingress`, or a dash.
fn winner(table: &RouteTable, host: &str, path: &str) -> String {
    match table.decide(host, path) {
        Decision::Backend(backend) => format!("{}/{}", backend.namespace, backend.ingress),
        Decision::NoEndpoints(backend) => {
            format!("{}/{} without endpoints", backend.namespace, backend.ingress)
        }
        Decision::NotFound(_) | Decision::Moved(_) => "-".into(),
    }
}

#[test]
fn longest_path_wins_and_exact_before_prefix() {
    let table = served(vec![
        ingress("tool-a", "root", 1, &[("a.example.org", "/", PathKind::Prefix)]),
        ingress("tool-a", "api", 2, &[("a.example.org", "/api", PathKind::Prefix)]),
        ingress(
            "tool-a",
            "v1",
            3,
            &[("a.example.org", "/api/v1/", PathKind::Prefix)],
        ),
        ingress(
            "tool-a",
            "exact",
            4,
            &[("a.example.org", "/api", PathKind::Exact)],
        ),
    ]);
    for (path, expected) in [
        ("/", "tool-a/root"),
        ("/apis", "tool-a/root"),
        ("/api", "tool-a/exact"),
        ("/api/", "tool-a/api"),
        ("/api/v1", "tool-a/v1"),
        ("/api/v1/x", "tool-a/v1"),
        ("/api/v10", "tool-a/api"),
    ] {
        assert_eq!(winner(&table, "a.example.org", path), expected, "{path}");
    }
}

#[test]
fn hosts_match_exactly_then_by_one_wildcard_label_then_any() {
    let table = served(vec![
        ingress("kube-system", "any", 1, &[("", "/", PathKind::Prefix)]),
        ingress(
            "kube-system",
            "wild",
            1,
            &[("*.Example.org", "/", PathKind::Prefix)],
        ),
        ingress("tool-a", "a", 1, &[("A.example.org", "/only", PathKind::Prefix)]),
    ]);
    for (host, path, expected) in [
        ("a.example.org", "/only", "tool-a/a"),
        ("A.EXAMPLE.ORG.:8443", "/only", "tool-a/a"),
        ("a.example.org", "/", "-"),
        ("b.example.org", "/only", "kube-system/wild"),
        ("b.c.example.org", "/", "kube-system/any"),
        ("example.org", "/", "kube-system/any"),
        ("", "/", "-"),
    ] {
        assert_eq!(winner(&table, host, path), expected, "{host}{path}");
    }
}

#[test]
fn oldest_ingress_has_the_path_then_the_first_by_name() {
    let claim = |namespace: &str, created| {
        ingress(
            namespace,
            "x",
            created,
            &[("a.example.org", "/", PathKind::Prefix)],
        )
    };
    let table = served(vec![claim("tool-c", 5), claim("tool-b", 5), claim("tool-a", 9)]);
    assert_eq!(winner(&table, "a.example.org", "/"), "tool-b/x");
    let gone = Change::Remove(Kind::Ingress, ObjectKey::new("tool-b", "x"));
    assert_eq!(winner(&table.with([gone]), "a.example.org", "/"), "tool-c/x");
    assert_eq!(
        winner(&table, "a.example.org", "/"),
        "tool-b/x",
        "the old table stays as it was"
    );
}

#[test]
fn ingress_is_not_routed_when_refused_or_of_another_class() {
    let rules = [("a.example.org", "/", PathKind::Prefix)];
    let refused = Ingress {
        refused: Some("not yours".into()),
        ..ingress("tool-a", "x", 1, &rules)
    };
    assert_eq!(winner(&served(vec![refused]), "a.example.org", "/"), "-");

    let other = Ingress {
        class: Some("nginx".into()),
        ..ingress("tool-a", "x", 1, &rules)
    };
    let table = served(vec![other]);
    assert_eq!(winner(&table, "a.example.org", "/"), "-");
    let class = |controller: &str| IngressClass {
        name: "nginx".into(),
        controller: controller.into(),
        is_default: false,
    };
    let ours = table.with([Change::Put(Object::Class(class(CONTROLLER)))]);
    assert_eq!(winner(&ours, "a.example.org", "/"), "tool-a/x");
    let theirs = ours.with([Change::Put(Object::Class(class("k8s.io/ingress-nginx")))]);
    assert_eq!(winner(&theirs, "a.example.org", "/"), "-");
}

#[test]
fn ingress_without_class_belongs_to_our_default_class_only() {
    let classless = Ingress {
        class: None,
        ..ingress("tool-a", "x", 1, &[("a.example.org", "/", PathKind::Prefix)])
    };
    let table = served(vec![classless]);
    assert_eq!(winner(&table, "a.example.org", "/"), "-");
    let class = IngressClass {
        name: "toolforge".into(),
        controller: CONTROLLER.into(),
        is_default: true,
    };
    let with_class = table.with([Change::Put(Object::Class(class))]);
    assert_eq!(winner(&with_class, "a.example.org", "/"), "tool-a/x");
    let without = with_class.with([Change::Replace(Kind::Class, Vec::new())]);
    assert_eq!(winner(&without, "a.example.org", "/"), "-");
}

#[test]
fn default_backend_of_an_ingress_takes_what_its_rules_do_not() {
    let mut with_default = ingress("tool-a", "x", 1, &[("a.example.org", "/api", PathKind::Exact)]);
    with_default.default_backend = Some(Box::new(target("x")));
    let younger = ingress("tool-a", "root", 9, &[("a.example.org", "/", PathKind::Prefix)]);
    let table = served(vec![with_default.clone()]);
    assert_eq!(winner(&table, "a.example.org", "/else"), "tool-a/x");
    assert_eq!(winner(&table, "b.example.org", "/"), "-");
    assert_eq!(
        winner(&served(vec![with_default, younger]), "a.example.org", "/else"),
        "tool-a/root"
    );
}

#[test]
fn endpoints_are_the_ready_ones_else_those_that_still_answer() {
    let rules = [("a.example.org", "/", PathKind::Prefix)];
    let with = |endpoints| {
        put([
            Object::Ingress(ingress("tool-a", "a", 1, &rules)),
            Object::Service(service("tool-a", "a")),
            Object::Slice(slice("tool-a", "a-1", "a", endpoints)),
        ])
    };
    let addresses = |table: &RouteTable| match table.decide("a.example.org", "/") {
        Decision::Backend(backend) => backend.endpoints.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let leaving = endpoint(1, false, true, true);
    let ready = endpoint(2, true, true, false);
    let broken = endpoint(3, false, false, false);
    let starting = endpoint(4, false, true, false);
    let all = vec![
        leaving.clone(),
        ready.clone(),
        ready,
        broken.clone(),
        starting.clone(),
    ];
    assert_eq!(addresses(&with(all)), ["127.64.0.2:8080"]);
    assert_eq!(
        addresses(&with(vec![broken.clone(), leaving])),
        ["127.64.0.1:8080"]
    );
    let none = with(vec![broken, starting]);
    assert_eq!(winner(&none, "a.example.org", "/"), "tool-a/a without endpoints");
}

#[test]
fn named_port_leads_through_service_and_slice() {
    let mut by_name = ingress("tool-a", "a", 1, &[("a.example.org", "/", PathKind::Prefix)]);
    let named = |name: &str| {
        Some(Target {
            service: "a".into(),
            port: PortRef::Name(name.into()),
        })
    };
    by_name.rules[0].paths[0].target = named("http");
    assert_eq!(
        winner(&served(vec![by_name.clone()]), "a.example.org", "/"),
        "tool-a/a"
    );
    for elsewhere in [named("metrics"), named("nothing"), None] {
        by_name.rules[0].paths[0].target = elsewhere;
        let table = served(vec![by_name.clone()]);
        assert_eq!(winner(&table, "a.example.org", "/"), "tool-a/a without endpoints");
    }
}

#[test]
fn default_backend_follows_its_own_service() {
    let table = RouteTable::new(settings());
    assert!(table.default_backend().endpoints.is_empty());
    let objects = [
        Object::Service(service("tool-fourohfour", "fourohfour")),
        Object::Slice(slice(
            "tool-fourohfour",
            "f",
            "fourohfour",
            vec![endpoint(9, true, true, false)],
        )),
    ];
    let table = table.with(objects.map(Change::Put));
    assert_eq!(
        table.default_backend().endpoints[0].to_string(),
        "127.64.0.9:8080"
    );
    assert!(
        matches!(table.decide("x.example.org", "/"), Decision::NotFound(backend) if backend.endpoints.len() == 1)
    );
    let gone = table.with([Change::Replace(Kind::Slice, Vec::new())]);
    assert!(gone.default_backend().endpoints.is_empty());
}

#[test]
fn unchanged_hosts_are_shared_between_tables() {
    let table = served(vec![
        ingress("tool-a", "a", 1, &[("a.example.org", "/", PathKind::Prefix)]),
        ingress("tool-b", "b", 1, &[("b.example.org", "/", PathKind::Prefix)]),
    ]);
    let next = table.with([Change::Remove(Kind::Ingress, ObjectKey::new("tool-a", "a"))]);
    let backend = |table: &RouteTable| match table.decide("b.example.org", "/") {
        Decision::Backend(backend) => backend.clone(),
        _ => unreachable!("the tool is served"),
    };
    assert!(std::sync::Arc::ptr_eq(&backend(&table), &backend(&next)));
}

#[test]
fn other_settings_are_another_class_and_another_default_backend() {
    let edge = Settings {
        ingress_class: "edge".into(),
        default_backend: ServiceRef {
            namespace: "tool-a".into(),
            target: target("x"),
        },
        ..settings()
    };
    let mut of_edge = ingress("tool-b", "y", 1, &[("b.example.org", "/", PathKind::Prefix)]);
    of_edge.class = Some("edge".into());
    let ours = ingress("tool-a", "x", 1, &[("a.example.org", "/", PathKind::Prefix)]);
    let before = served(vec![ours, of_edge]);
    assert_eq!(winner(&before, "b.example.org", "/"), "-");
    let after = before.with([Change::Settings(Box::new(edge))]);
    assert_eq!(winner(&after, "a.example.org", "/"), "-");
    assert_eq!(winner(&after, "b.example.org", "/"), "tool-b/y");
    assert_eq!(after.default_backend().endpoints.len(), 1);
    let back = after.with([Change::Settings(Box::new(settings()))]);
    assert_same(&back, &before);
}

#[test]
fn snapshot_of_other_settings_or_version_is_not_taken() {
    let table = served(vec![ingress(
        "tool-a",
        "a",
        1,
        &[("a.example.org", "/", PathKind::Prefix)],
    )]);
    let other = Settings {
        policy: "example.net".into(),
        ..settings()
    };
    assert_eq!(
        Snapshot::of(&table).into_table(&other).unwrap_err(),
        SnapshotError::Settings
    );
    let text = serde_json::to_string(&Snapshot::of(&table)).unwrap();
    let newer: Snapshot = serde_json::from_str(&text.replace("\"version\":1", "\"version\":2")).unwrap();
    assert_eq!(
        newer.into_table(&settings()).unwrap_err(),
        SnapshotError::Version(2)
    );
}

fn any_key() -> impl Strategy<Value = ObjectKey> {
    ("tool-[ab]", "[xyz]").prop_map(|(namespace, name)| ObjectKey::new(namespace, name))
}

fn any_path() -> impl Strategy<Value = Path> {
    let kind = prop_oneof![Just(PathKind::Exact), Just(PathKind::Prefix)];
    let path = prop_oneof![Just(""), Just("/"), Just("/p"), Just("/p/"), Just("/p/q")];
    let target = proptest::option::of("[xyz]".prop_map(|service| target(&service)));
    (path, kind, target).prop_map(|(path, kind, target)| Path {
        path: path.into(),
        kind,
        target,
    })
}

fn any_ingress() -> impl Strategy<Value = Object> {
    let host = prop_oneof![Just(""), Just("*.o"), Just("a.o"), Just("b.o"), Just("*")];
    let rules = proptest::collection::vec((host, proptest::collection::vec(any_path(), 0..3)), 0..3);
    let class = prop_oneof![Just(None), Just(Some("toolforge")), Just(Some("other"))];
    let refused = proptest::option::weighted(0.2, Just("no".to_owned()));
    (any_key(), 0_i64..3, class, refused, rules, any::<bool>()).prop_map(
        |(key, created_seconds, class, refused, rules, with_default)| {
            Object::Ingress(Ingress {
                key,
                created_seconds,
                class: class.map(Into::into),
                refused,
                rules: rules
                    .into_iter()
                    .map(|(host, paths)| Rule {
                        host: host.into(),
                        paths,
                    })
                    .collect(),
                default_backend: with_default.then(|| Box::new(target("x"))),
                tls: Vec::new(),
                annotations: BTreeMap::new(),
            })
        },
    )
}

fn any_object() -> impl Strategy<Value = Object> {
    let endpoints = proptest::collection::vec((0_u8..4, any::<bool>(), any::<bool>(), any::<bool>()), 0..3);
    prop_oneof![
        4 => any_ingress(),
        2 => any_key().prop_map(|key| Object::Service(service(&key.namespace, &key.name))),
        2 => (any_key(), "[xyz]", endpoints).prop_map(|(key, owner, endpoints)| {
            let endpoints = endpoints.into_iter().map(|(a, r, s, t)| endpoint(a, r, s, t)).collect();
            Object::Slice(slice(&key.namespace, &key.name, &owner, endpoints))
        }),
        1 => ("toolforge|other", any::<bool>(), any::<bool>()).prop_map(|(name, ours, is_default)| {
            let controller = if ours { CONTROLLER } else { "else" }.to_owned();
            Object::Class(IngressClass { name, controller, is_default })
        }),
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => any_object().prop_map(Change::Put),
        2 => any_object().prop_map(|object| Change::Remove(object.kind(), object.key())),
        1 => (any_object(), proptest::collection::vec(any_object(), 0..4))
            .prop_map(|(object, list)| Change::Replace(object.kind(), list)),
    ]
}

/// The objects that are left after the changes, told in the dullest way.
fn remaining(changes: &[Change]) -> Vec<Object> {
    let mut left: BTreeMap<(u8, ObjectKey), Object> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Put(object) => drop(left.insert((object.kind() as u8, object.key()), object.clone())),
            Change::Remove(kind, key) => drop(left.remove(&(*kind as u8, key.clone()))),
            Change::Replace(kind, list) => {
                left.retain(|(other, _), _| *other != *kind as u8);
                for object in list.iter().filter(|object| object.kind() == *kind) {
                    left.insert((*kind as u8, object.key()), object.clone());
                }
            }
            Change::Settings(_) => {}
        }
    }
    left.into_values().collect()
}

fn assert_same(one: &RouteTable, other: &RouteTable) {
    assert_eq!(one.routes(), other.routes());
    assert_eq!(one.default_backend(), other.default_backend());
    assert_eq!(one.is_empty(), other.is_empty());
    for host in ["a.o", "b.o", "c.o", "o", "x.y.o"] {
        for path in ["/", "/p", "/p/", "/p/q", "/px", ""] {
            assert_eq!(one.decide(host, path), other.decide(host, path), "{host}{path}");
        }
    }
}

proptest! {
    #[test]
    fn changed_table_equals_one_made_from_scratch(
        batches in proptest::collection::vec(proptest::collection::vec(any_change(), 0..4), 0..10),
    ) {
        let mut table = RouteTable::new(settings());
        let mut all = Vec::new();
        for batch in batches {
            all.extend(batch.clone());
            table = table.with(batch);
            assert_same(&table, &put(remaining(&all)));
        }
    }

    #[test]
    fn snapshot_brings_the_table_back(changes in proptest::collection::vec(any_change(), 0..20)) {
        let table = RouteTable::new(settings()).with(changes);
        let text = serde_json::to_string(&Snapshot::of(&table)).unwrap();
        let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
        assert_same(&snapshot.into_table(&settings()).unwrap(), &table);
    }

    #[test]
    fn no_host_and_no_path_panics(host in ".{0,30}", path in ".{0,30}") {
        let table = served(vec![ingress("tool-a", "a", 1, &[("*.example.org", "/a", PathKind::Prefix)])]);
        let _ = table.decide(&host, &path);
    }
}

/// A table of ten thousand hosts is mostly such lists.
#[test]
fn what_is_kept_has_no_room_that_it_does_not_use() {
    let mut ingress = ingress("tool-a", "a", 1, &[("a.o", "/", PathKind::Prefix)]);
    ingress.rules.reserve(3);
    ingress.rules[0].paths.reserve(3);
    let mut service = service("tool-a", "a");
    service.ports.reserve(3);
    let mut slice = slice("tool-a", "a", "a", vec![endpoint(1, true, true, false)]);
    slice.endpoints.reserve(3);
    slice.ports.reserve(3);
    let objects = [
        Object::Service(service),
        Object::Slice(slice),
        Object::Ingress(ingress),
    ];
    let table = RouteTable::new(settings()).with(objects.map(Change::Put));

    let state = table.namespace("tool-a").unwrap();
    let (service, slice) = (state.services.get("a").unwrap(), state.slices.get("a").unwrap());
    let ingress = state.ingresses.get("a").unwrap();
    let Decision::Backend(backend) = table.decide("a.o", "/") else {
        unreachable!("it is routed");
    };
    let rooms = [
        (service.ports.capacity(), service.ports.len()),
        (slice.ports.capacity(), slice.ports.len()),
        (slice.endpoints.capacity(), slice.endpoints.len()),
        (ingress.rules.capacity(), ingress.rules.len()),
        (ingress.rules[0].paths.capacity(), ingress.rules[0].paths.len()),
        (backend.endpoints.capacity(), backend.endpoints.len()),
    ];
    assert!(rooms.iter().all(|(room, used)| room == used), "{rooms:?}");
}
