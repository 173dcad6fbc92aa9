//! Registrations in a table: who goes first, and what patterns claim.

use super::{Registered, RegisteredRoute, check_pattern};
use crate::{
    AppProtocol, Change, Decision, Endpoint, EndpointSlice, Ingress, Kind, Object, ObjectKey, Outcome, Path,
    PathKind, PortRef, RouteTable, Rule, Service, ServicePort, ServiceRef, Settings, SlicePort, Snapshot,
    Target,
};

fn settings() -> Settings {
    Settings {
        ingress_class: "toolforge".into(),
        controller: "toolforge.org/gateway".into(),
        default_backend: ServiceRef {
            namespace: "tool-fourohfour".into(),
            target: target(),
        },
        policy: String::new(),
    }
}

fn target() -> Target {
    Target {
        service: "web".into(),
        port: PortRef::Number(8000),
    }
}

/// An Ingress of a tool with an endpoint at 127.64.0.9, for these paths of hosts.
fn kubernetes(tool: &str, paths: &[(&str, &str)]) -> Vec<Change> {
    let key = ObjectKey::new(format!("tool-{tool}"), "web");
    let rules = paths.iter().map(|(host, path)| Rule {
        host: (*host).into(),
        paths: vec![Path {
            path: (*path).into(),
            kind: PathKind::Prefix,
            target: Some(target()),
        }],
    });
    let ingress = Ingress {
        key: key.clone(),
        created_seconds: 1,
        class: Some("toolforge".into()),
        refused: None,
        rules: rules.collect(),
        default_backend: None,
        tls: Vec::new(),
        annotations: std::collections::BTreeMap::new(),
    };
    let service = Service {
        key: key.clone(),
        ports: vec![ServicePort {
            name: "".into(),
            port: 8000,
            protocol: AppProtocol::Http1,
        }],
    };
    let slice = EndpointSlice {
        key,
        service: "web".into(),
        ports: vec![SlicePort {
            name: "".into(),
            port: 8080,
        }],
        endpoints: vec![Endpoint {
            address: [127, 64, 0, 9].into(),
            ready: true,
            serving: true,
            terminating: false,
        }],
    };
    [
        Object::Ingress(ingress),
        Object::Service(service),
        Object::Slice(slice),
    ]
    .map(Change::Put)
    .into()
}

fn route(host: &str, path: &str) -> RegisteredRoute {
    RegisteredRoute {
        host: host.into(),
        path: path.into(),
        rest: None,
        moved_to: None,
    }
}

fn registered(tool: &str, name: &str, last: u8, routes: Vec<RegisteredRoute>) -> Registered {
    Registered {
        key: ObjectKey::new(format!("tool-{tool}"), name),
        created_seconds: i64::from(last),
        routes,
        address: ([10, 0, 0, last], 40_000).into(),
        is_alive: true,
    }
}

fn put(registered: Registered) -> Change {
    Change::Put(Object::Registered(registered))
}

fn table(changes: Vec<Change>) -> RouteTable {
    RouteTable::new(settings()).with(changes)
}

/// The address that gets a request, or what happens instead.
fn to(table: &RouteTable, host: &str, path: &str) -> String {
    match table.decide(host, path) {
        Decision::Backend(backend) => backend.endpoints[0].to_string(),
        Decision::NoEndpoints(backend) => format!("{} is silent", backend.registration),
        Decision::NotFound(_) => "-".to_owned(),
        Decision::Moved(host) => format!("moved to {host}"),
    }
}

const OWN: &str = "a.toolforge.org";
const SHARED: &str = "tools.wmflabs.org";
const KUBERNETES: &str = "127.64.0.9:8080";

/// Facts 5.1: a hit goes to the registered backend, and only what is left to Kubernetes.
#[test]
fn registration_goes_before_every_ingress_and_takes_no_more_than_it_claims() {
    let mut changes = kubernetes("a", &[(OWN, "/"), (OWN, "/deep/er"), (SHARED, "/a/deep/er")]);
    changes.extend(kubernetes("b", &[("b.toolforge.org", "/"), (SHARED, "/b")]));
    changes.push(put(registered(
        "a",
        "all",
        1,
        vec![route(OWN, "/"), route(SHARED, "/a")],
    )));
    let all = table(changes);
    for (host, path, expected) in [
        (OWN, "/", "10.0.0.1:40000"),
        (OWN, "/any/path", "10.0.0.1:40000"),
        (OWN, "/deep/er", "10.0.0.1:40000"),
        (SHARED, "/a", "10.0.0.1:40000"),
        (SHARED, "/a/deep/er", "10.0.0.1:40000"),
        (SHARED, "/ab", "-"),
        (SHARED, "/b/x", KUBERNETES),
        ("b.toolforge.org", "/", KUBERNETES),
    ] {
        assert_eq!(to(&all, host, path), expected, "{host}{path}");
    }
    let gone = all.with([Change::Remove(Kind::Registered, ObjectKey::new("tool-a", "all"))]);
    assert_eq!(to(&gone, OWN, "/any/path"), KUBERNETES);
    let mut changes = kubernetes("a", &[(OWN, "/")]);
    changes.push(put(registered("a", "api", 2, vec![route(OWN, "/api/")])));
    let part = table(changes);
    for (path, expected) in [
        ("/", KUBERNETES),
        ("/apis", KUBERNETES),
        ("/api", "10.0.0.2:40000"),
        ("/api/x", "10.0.0.2:40000"),
    ] {
        assert_eq!(to(&part, OWN, path), expected, "{path}");
    }
}

#[test]
fn pattern_is_looked_for_in_the_rest_of_the_path() {
    let matching = |rest: &str| RegisteredRoute {
        rest: Some(rest.into()),
        ..route(SHARED, "/a")
    };
    let mut changes = kubernetes("a", &[(SHARED, "/a")]);
    changes.extend([
        put(registered("a", "api", 1, vec![matching("^/(api|v[0-9])(/|$)")])),
        put(registered("a", "root", 2, vec![matching("^/$")])),
    ]);
    let table = table(changes);
    for (path, expected) in [
        ("/a/api", "10.0.0.1:40000"),
        ("/a/v2/x", "10.0.0.1:40000"),
        ("/a", "10.0.0.2:40000"),
        ("/a/", "10.0.0.2:40000"),
        ("/a/else", KUBERNETES),
    ] {
        assert_eq!(to(&table, SHARED, path), expected, "{path}");
    }
}

#[test]
fn of_two_for_the_same_the_living_has_it_and_then_the_newer() {
    let one = registered("a", "one", 1, vec![route(OWN, "/")]);
    let two = registered("a", "two", 2, vec![route(OWN, "/")]);
    let both = table(vec![put(one.clone()), put(two.clone())]);
    assert_eq!(to(&both, OWN, "/"), "10.0.0.2:40000");
    let dead = |registered: Registered| {
        put(Registered {
            is_alive: false,
            ..registered
        })
    };
    let only_one = both.with([dead(two)]);
    assert_eq!(to(&only_one, OWN, "/"), "10.0.0.1:40000");
    assert_eq!(to(&only_one.with([dead(one)]), OWN, "/"), "two is silent");
}

#[test]
fn what_no_registration_claims_of_a_host_is_left_to_wildcards() {
    let mut changes = kubernetes("operator", &[("*.toolforge.org", "/")]);
    changes.push(put(registered("a", "api", 1, vec![route(OWN, "/api")])));
    let both = table(changes);
    assert_eq!(to(&both, OWN, "/api/x"), "10.0.0.1:40000");
    assert_eq!(to(&both, OWN, "/"), KUBERNETES);
    assert_eq!(both.explain(OWN, "/").route.unwrap().host, "*.toolforge.org");
    // As soon as an Ingress names the host, wildcards have no part in it.
    let with = both.with(kubernetes("a", &[(OWN, "/own")]));
    assert_eq!(
        (to(&with, OWN, "/"), to(&with, OWN, "/own")),
        ("-".into(), KUBERNETES.into())
    );
}

#[test]
fn canonical_registration_leads_from_the_shared_host_to_its_own() {
    let moved = RegisteredRoute {
        moved_to: Some(OWN.into()),
        ..route(SHARED, "/a")
    };
    let table = table(vec![put(registered("a", "all", 1, vec![route(OWN, "/"), moved]))]);
    assert_eq!(to(&table, SHARED, "/a/x"), "moved to a.toolforge.org");
    assert_eq!(table.explain(SHARED, "/a/x").outcome, Outcome::Moved);
}

#[test]
fn registration_is_explained_with_the_ingress_that_lost() {
    let mut changes = kubernetes("a", &[(OWN, "/")]);
    changes.push(put(registered("a", "all", 1, vec![route(OWN, "/")])));
    let table = table(changes);
    let explained = table.explain(OWN, "/x");
    assert_eq!(explained.outcome, Outcome::Served);
    let route = explained.route.unwrap();
    assert_eq!(
        (route.registration.as_deref(), &*route.ingress),
        (Some("all"), "")
    );
    assert!(
        explained.because[1].contains("10.0.0.1:40000"),
        "{:?}",
        explained.because
    );
    assert!(explained.others[0].why.contains("goes before every Ingress"));
    assert_eq!(table.routes()[0].backend.registration.as_ref(), "all");
}

#[test]
fn registrations_are_kept_with_the_table_and_do_not_count_as_knowledge_of_the_cluster() {
    let with = table(vec![put(registered("a", "all", 1, vec![route(OWN, "/")]))]);
    assert!(with.is_empty());
    let text = serde_json::to_string(&Snapshot::of(&with)).unwrap();
    let again: Snapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(
        to(&again.into_table(&settings()).unwrap(), OWN, "/"),
        "10.0.0.1:40000"
    );
    let none = with.with([Change::Replace(Kind::Registered, Vec::new())]);
    assert_eq!((to(&none, OWN, "/"), none.host_count()), ("-".to_owned(), 0));
}

#[test]
fn patterns_are_bounded() {
    assert_eq!(check_pattern(".*", "/"), Ok(true));
    assert_eq!(check_pattern("^/api", "/"), Ok(false));
    for pattern in ["(", "(?=a)", "(a{1000}){1000}"] {
        assert!(check_pattern(pattern, "/").is_err(), "{pattern}");
    }
}
