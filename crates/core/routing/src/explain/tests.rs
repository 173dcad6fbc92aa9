//! Every way for a request to go, and what is said of it.

use std::collections::BTreeMap;

use super::Outcome;
use crate::{
    AppProtocol, Change, Decision, Endpoint, EndpointSlice, Explanation, Ingress, Object, ObjectKey, Path,
    PathKind, PortRef, RouteTable, Rule, Service, ServicePort, ServiceRef, Settings, SlicePort, Target,
};

fn target(service: &str, port: PortRef) -> Target {
    Target {
        service: service.into(),
        port,
    }
}

fn table(objects: Vec<Object>) -> RouteTable {
    let settings = Settings {
        ingress_class: "toolforge".into(),
        controller: "toolforge.org/gateway".into(),
        default_backend: ServiceRef {
            namespace: "tool-fourohfour".into(),
            target: target("fourohfour", PortRef::Number(8000)),
        },
        policy: String::new(),
    };
    RouteTable::new(settings).with(objects.into_iter().map(Change::Put))
}

fn ingress(name: &str, host: &str, path: &str) -> Ingress {
    Ingress {
        key: ObjectKey::new("tool-a", name),
        created_seconds: 1,
        class: Some("toolforge".into()),
        refused: None,
        rules: vec![Rule {
            host: host.into(),
            paths: vec![Path {
                path: path.into(),
                kind: PathKind::Prefix,
                target: Some(target("web", PortRef::Number(8000))),
            }],
        }],
        default_backend: None,
        tls: Vec::new(),
        annotations: BTreeMap::new(),
    }
}

fn service() -> Object {
    Object::Service(Service {
        key: ObjectKey::new("tool-a", "web"),
        ports: vec![ServicePort {
            name: "http".into(),
            port: 8000,
            protocol: AppProtocol::Http1,
        }],
    })
}

fn slice(states: &[(bool, bool)]) -> Object {
    let endpoints = (1..).zip(states).map(|(last, (ready, terminating))| Endpoint {
        address: [127, 64, 0, last].into(),
        ready: *ready,
        serving: *ready,
        terminating: *terminating,
    });
    Object::Slice(EndpointSlice {
        key: ObjectKey::new("tool-a", "web-1"),
        service: "web".into(),
        ports: vec![SlicePort {
            name: "http".into(),
            port: 8080,
        }],
        endpoints: endpoints.collect(),
    })
}

fn root() -> Object {
    Object::Ingress(ingress("root", "a.example.org", "/"))
}

fn last(explanation: &Explanation) -> &str {
    explanation.because.last().unwrap()
}

#[test]
fn served_request_names_route_and_endpoints() {
    let table = table(vec![root(), service(), slice(&[(true, false), (false, false)])]);
    let explained = table.explain("A.example.org:443", "/x");
    assert_eq!(explained.outcome, Outcome::Served);
    assert_eq!(explained.host.as_deref(), Some("a.example.org"));
    let route = explained.route.as_ref().unwrap();
    assert_eq!((route.ingress.as_str(), route.path.as_str()), ("root", "/"));
    assert_eq!(
        last(&explained),
        "Service web in tool-a has 1 of 2 endpoints that take requests."
    );
    let states: Vec<_> = explained
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.address.to_string(), endpoint.used, endpoint.ready))
        .collect();
    assert_eq!(
        states,
        [
            ("127.64.0.1:8080".to_owned(), true, true),
            ("127.64.0.2:8080".to_owned(), false, false)
        ]
    );
}

#[test]
fn what_is_missing_behind_a_route_is_named() {
    let mut named_port = ingress("root", "a.example.org", "/");
    named_port.rules[0].paths[0].target = Some(target("web", PortRef::Name("https".into())));
    let mut no_service = ingress("root", "a.example.org", "/");
    no_service.rules[0].paths[0].target = None;
    for (objects, sentence) in [
        (vec![root()], "There is no Service web in tool-a."),
        (
            vec![root(), service()],
            "Service web has no endpoints: no Pod is running that its selector matches.",
        ),
        (
            vec![root(), service(), slice(&[(false, false), (false, false)])],
            "None of the 2 endpoints of Service web is ready.",
        ),
        (
            vec![Object::Ingress(named_port), service(), slice(&[(true, false)])],
            "Service web has no TCP port https.",
        ),
        (
            vec![Object::Ingress(no_service)],
            "It leads to something that is no Service, which is not served.",
        ),
    ] {
        let explained = table(objects).explain("a.example.org", "/");
        assert_eq!(explained.outcome, Outcome::NoEndpoints, "{sentence}");
        assert_eq!(last(&explained), sentence);
    }
}

#[test]
fn nothing_found_says_what_the_host_has() {
    let table = table(vec![Object::Ingress(ingress("deep", "a.example.org", "/deep"))]);
    let explained = table.explain("a.example.org", "/");
    assert_eq!(explained.outcome, Outcome::NotFound);
    assert_eq!(
        explained.because[0],
        "No path of the host a.example.org covers /; it has: /deep."
    );
    assert_eq!(explained.others[0].why, "none of its paths covers this one");
    let unknown = table.explain("b.example.org", "/");
    assert_eq!(
        unknown.because[0],
        "No Ingress that is served names the host b.example.org."
    );
    assert!(unknown.others.is_empty());
    assert_eq!(table.explain("", "/").because, ["The URL names no host."]);
}

#[test]
fn ingresses_that_are_not_routed_say_why() {
    let mut refused = ingress("refused", "a.example.org", "/");
    refused.refused = Some("Ingress host must be one of the tool's own".into());
    let mut foreign = ingress("foreign", "*.example.org", "/");
    foreign.class = Some("nginx".into());
    let mut classless = ingress("classless", "a.example.org", "/");
    classless.class = None;
    let objects = [refused, foreign, classless].map(Object::Ingress).to_vec();
    let explained = table(objects).explain("a.example.org", "/");
    let others: Vec<_> = explained
        .others
        .iter()
        .map(|other| (other.ingress.as_str(), other.why.as_str()))
        .collect();
    assert_eq!(
        others,
        [
            (
                "classless",
                "it names no class, and there is no default one; ours is toolforge"
            ),
            (
                "foreign",
                "its class is nginx, which is another controller's; ours is toolforge"
            ),
            (
                "refused",
                "NotServed: Not served, and its status is withdrawn. Ingress host must be one of the tool's own"
            ),
        ]
    );
}

#[test]
fn a_younger_ingress_says_what_its_event_says_and_an_http2_port_what_it_speaks() {
    let mut younger = ingress("younger", "a.example.org", "/");
    younger.created_seconds = 2;
    let own = Path {
        path: "/own".into(),
        ..younger.rules[0].paths[0].clone()
    };
    younger.rules[0].paths.push(own);
    let Object::Service(mut http2) = service() else {
        unreachable!("it is a Service");
    };
    http2.ports[0].protocol = AppProtocol::H2c;
    let objects = vec![root(), Object::Ingress(younger), Object::Service(http2)];
    let table = table(objects);
    let explained = table.explain("a.example.org", "/own");
    let said = &explained.because[1];
    assert!(
        said.starts_with("PartlyServed: Not all of it is served")
            && said.contains("a.example.org/ is that of root"),
        "{said}"
    );
    assert_eq!(last(&explained), "They are asked over HTTP/2 without TLS (h2c).");
    assert_eq!(explained.route.unwrap().protocol, "h2c");
    let explained = table.explain("a.example.org", "/");
    assert!(explained.others[0].why.starts_with("PartlyServed: "));
    let not_served = table.not_served();
    assert_eq!(not_served.len(), 1, "{not_served:?}");
    assert_eq!(
        (&*not_served[0].0.name, not_served[0].1.word),
        ("younger", "PartlyServed")
    );
}

#[test]
fn explained_route_is_the_one_that_is_taken() {
    let exact = ingress("exact", "a.example.org", "/x");
    let wildcard = ingress("wildcard", "*.example.org", "/");
    let any = ingress("any", "", "/");
    let table = table([exact, wildcard, any].map(Object::Ingress).to_vec());
    for (host, path) in [
        ("a.example.org", "/x/y"),
        ("a.example.org", "/"),
        ("b.example.org", "/"),
        ("b.b.example.org", "/"),
        ("org", "/"),
    ] {
        let taken = match table.decide(host, path) {
            Decision::Backend(backend) | Decision::NoEndpoints(backend) => Some(backend.ingress.to_string()),
            Decision::NotFound(_) | Decision::Moved(_) => None,
        };
        let explained = table.explain(host, path).route.map(|route| route.ingress);
        assert_eq!(explained, taken, "{host}{path}");
    }
}
