//! Hostile Ingresses, and the question whether one that was let through takes anything from anybody.
//!
//! Included by the property tests (`tests/hostile.rs`) and by a fuzz target: bytes choose among fragments that have a
//! meaning to somebody, the guard judges, and then those who really route are asked: the gateway's table, a URL parser as
//! browsers have it, and a reader that takes paths for patterns.

use std::sync::LazyLock;

use k8s_openapi::api::networking::v1::Ingress as ApiIngress;
use serde_json::{Map, Value, json};
use toolforge_policy::{IngressPolicy, admit_ingress};
use toolforge_routing::{
    AppProtocol, PortRef, RouteTable, Service, ServicePort, ServiceRef, Settings, SlicePort, Target,
};
use toolforge_routing::{
    Backend, Change, Decision, Endpoint, EndpointSlice, Ingress, IngressClass, Object, ObjectKey,
};

const TOOL: &str = "alpha";
const NAMESPACE: &str = "tool-alpha";
const OWN_HOSTS: [&str; 2] = ["alpha.toolforge.org", "alpha.wmflabs.org"];
const SHARED_HOST: &str = "tools.wmflabs.org";
/// Tools whose names are near enough to be mistaken, each with a host and a path of its own.
const OTHERS: [&str; 9] = [
    "beta",
    "al",
    "alph",
    "alphabet",
    "alpha-x",
    "a",
    "tools",
    "xn--alph-53d",
    "0",
];

const HOSTS: [&str; 40] = [
    "alpha",
    "beta",
    "alphabet",
    "tools",
    "al",
    ".",
    "..",
    "-",
    "toolforge",
    "wmflabs",
    "org",
    "toolforge.org",
    "*",
    "*.",
    "",
    " ",
    "\n",
    "\0",
    ":",
    ":443",
    "/",
    "@",
    "%2e",
    "_",
    "~^.*$",
    ";",
    "xn--",
    "xn--alph-53d",
    "ALPHA",
    "Toolforge.ORG",
    "\u{430}",
    "\u{3002}",
    "\u{200b}",
    "\u{ad}",
    "\u{ff41}",
    "\u{212a}",
    "127.0.0.1",
    "[::1]",
    "alpha.toolforge.org",
    "tools.wmflabs.org",
];
const PATHS: [&str; 40] = [
    "/",
    "//",
    "/alpha",
    "/alpha/",
    "alpha",
    "/beta",
    "beta",
    "bet",
    "-x",
    ".",
    "..",
    "/..",
    "/../",
    "/./",
    "%2e",
    "%2f",
    "%2E%2E",
    "%5c",
    "%252f",
    "%00",
    "%61",
    "\\",
    "*",
    ".*",
    "(",
    ")",
    "(/|$)(.*)",
    "|",
    "?",
    "+",
    "$",
    "^",
    ";",
    "{",
    "}",
    "\n",
    "#",
    "~",
    "\u{430}",
    "x",
];
const KINDS: [&str; 5] = ["Prefix", "Exact", "ImplementationSpecific", "Regex", ""];
const ANNOTATIONS: [(&str, &str); 14] = [
    ("nginx.ingress.kubernetes.io/server-alias", "beta.toolforge.org"),
    ("nginx.ingress.kubernetes.io/use-regex", "true"),
    ("nginx.ingress.kubernetes.io/proxy-body-size", "8m"),
    ("nginx.ingress.kubernetes.io/rewrite-target", "/$1"),
    ("nginx.ingress.kubernetes.io/rewrite-target", "/beta"),
    ("nginx.ingress.kubernetes.io/app-root", "/beta"),
    ("nginx.ingress.kubernetes.io/default-backend", "web"),
    (
        "nginx.ingress.kubernetes.io/auth-url",
        "https://beta.toolforge.org/",
    ),
    ("nginx.ingress.kubernetes.io/affinity", "cookie"),
    ("kubernetes.io/ingress.class", "toolforge"),
    ("kubernetes.io/ingress.class", "nginx"),
    ("external-dns.alpha.kubernetes.io/hostname", "beta.toolforge.org"),
    ("owner", "Ada"),
    ("kubernetes.io/ingress.class", ""),
];

/// Choices out of bytes; when they are used up, everything is the first.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn number(&mut self, below: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % below
    }

    pub(crate) fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.number(of.len())]
    }

    /// Up to four fragments in a row.
    pub(crate) fn text(&mut self, of: &[&str]) -> String {
        (0..self.number(5)).map(|_| *self.one(of)).collect()
    }
}

/// A host that is often nearly right: otherwise nothing would be let through.
fn host(choices: &mut Choices<'_>) -> String {
    match choices.number(6) {
        0 | 1 => OWN_HOSTS[choices.number(2)].to_owned(),
        2 | 3 => SHARED_HOST.to_owned(),
        _ => choices.text(&HOSTS),
    }
}

fn path(choices: &mut Choices<'_>) -> String {
    let beginning = *choices.one(&["/alpha", "/alpha/", "/", ""]);
    format!("{beginning}{}", choices.text(&PATHS))
}

fn backend(choices: &mut Choices<'_>) -> Value {
    match choices.number(8) {
        0 => json!({"resource": {"kind": "Service", "name": "web"}}),
        1 => json!({}),
        _ => json!({"service": {"name": "web", "namespace": "tool-beta", "port": {"number": 80}}}),
    }
}

/// An Ingress of the tool, as the bytes choose.
pub(crate) fn ingress(bytes: &[u8]) -> ApiIngress {
    let choices = &mut Choices::of(bytes);
    let mut spec = Map::new();
    let rules: Vec<Value> = (0..choices.number(3))
        .map(|_| {
            let paths: Vec<Value> = (0..choices.number(3))
                .map(|_| json!({"path": path(choices), "pathType": choices.one(&KINDS), "backend": backend(choices)}))
                .collect();
            let mut rule = json!({"http": {"paths": paths}});
            if choices.number(8) != 1 {
                rule["host"] = json!(host(choices));
            }
            rule
        })
        .collect();
    spec.insert("rules".to_owned(), json!(rules));
    if choices.number(8) == 1 {
        spec.insert("defaultBackend".to_owned(), backend(choices));
    }
    if choices.number(4) == 1 {
        spec.insert("tls".to_owned(), json!([{"hosts": [host(choices)]}]));
    }
    if choices.number(4) == 1 {
        spec.insert(
            "ingressClassName".to_owned(),
            json!(choices.one(&["toolforge", "nginx", "", "other"])),
        );
    }
    let mut metadata =
        json!({"name": "hostile", "namespace": NAMESPACE, "creationTimestamp": "1970-01-01T00:00:00Z"});
    if choices.number(4) == 1 {
        let (key, value) = choices.one(&ANNOTATIONS);
        metadata["annotations"] = json!({*key: value});
    }
    serde_json::from_value(json!({"metadata": metadata, "spec": spec}))
        .expect("it has the shape of an Ingress")
}

static POLICY: LazyLock<IngressPolicy> = LazyLock::new(|| {
    let domains = ["toolforge.org", "wmflabs.org"].map(|domain| domain.parse().expect("a domain"));
    let policy = IngressPolicy::new(domains.into(), "toolforge", []).expect("there are domains");
    policy.with_legacy_hosts([SHARED_HOST.parse().expect("a host")])
});

/// The gateway's table as the other tools have made it.
static OTHERS_TABLE: LazyLock<RouteTable> = LazyLock::new(|| {
    let target = Target {
        service: "web".into(),
        port: PortRef::Number(80),
    };
    let settings = Settings {
        ingress_class: "toolforge".to_owned(),
        controller: "toolforge.org/gateway".to_owned(),
        default_backend: ServiceRef {
            namespace: "tool-fourohfour".to_owned(),
            target,
        },
        policy: String::new(),
    };
    let class = IngressClass {
        name: "other".to_owned(),
        controller: "toolforge.org/gateway".to_owned(),
        is_default: true,
    };
    let others = OTHERS.iter().flat_map(|tool| {
        let own = json!({"host": format!("{tool}.toolforge.org"), "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}},
        ]}});
        let shared = json!({"host": SHARED_HOST, "http": {"paths": [
            {"path": format!("/{tool}"), "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}},
        ]}});
        let metadata = json!({"name": "web", "namespace": format!("tool-{tool}"), "creationTimestamp": "2020-01-01T00:00:00Z"});
        let ingress = serde_json::from_value(json!({"metadata": metadata, "spec": {"rules": [own, shared]}}));
        let ingress: ApiIngress = ingress.expect("it is an Ingress");
        let read = Ingress::read(&ingress, None).expect("it has a name");
        [vec![Object::Ingress(read)], service(&format!("tool-{tool}"))].concat()
    });
    let all = others
        .chain(service("tool-fourohfour"))
        .chain(service(NAMESPACE))
        .chain([Object::Class(class)]);
    RouteTable::new(settings).with(all.map(Change::Put))
});

fn service(namespace: &str) -> Vec<Object> {
    let key = ObjectKey::new(namespace, "web");
    let endpoint = Endpoint {
        address: [10, 0, 0, 1].into(),
        ready: true,
        serving: true,
        terminating: false,
    };
    vec![
        Object::Service(Service {
            key: key.clone(),
            ports: vec![ServicePort {
                name: "".into(),
                port: 80,
                protocol: AppProtocol::Http1,
            }],
        }),
        Object::Slice(EndpointSlice {
            key,
            service: "web".into(),
            ports: vec![SlicePort {
                name: "".into(),
                port: 8000,
            }],
            endpoints: vec![endpoint],
        }),
    ]
}

/// Whether the guard lets the Ingress through; when it does, panics if anybody else loses or gains anything by it.
pub(crate) fn is_harmless_or_refused(ingress: &ApiIngress) -> bool {
    if !admit_ingress(&POLICY, NAMESPACE, ingress).is_allowed() {
        return false;
    }
    let read = Ingress::read(ingress, None).expect("it has a name");
    let table = OTHERS_TABLE.with([Change::Put(Object::Ingress(read))]);
    let (hosts, paths) = probes(ingress);
    for host in &hosts {
        for path in &paths {
            let (before, after) = (OTHERS_TABLE.decide(host, path), table.decide(host, path));
            if is_own(host, path) {
                continue;
            }
            assert_eq!(
                backend_of(before),
                backend_of(after),
                "{host:?} {path:?} leads elsewhere"
            );
            assert_ne!(
                backend_of(after).namespace,
                NAMESPACE,
                "{host:?} {path:?} leads to the tool"
            );
        }
    }
    check_other_readers(ingress, &paths);
    true
}

fn backend_of(decision: Decision<'_>) -> &Backend {
    match decision {
        Decision::Backend(backend) | Decision::NoEndpoints(backend) | Decision::NotFound(backend) => backend,
        Decision::Moved(host) => unreachable!("{host} is registered, and nothing is"),
    }
}

/// What is the tool's by the words of the rule, written down once more and otherwise.
fn is_own(host: &str, path: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut segments = path.split('/');
    OWN_HOSTS.contains(&host)
        || host == SHARED_HOST && segments.next() == Some("") && segments.next() == Some(TOOL)
}

/// Hosts and paths to ask for: those of the others, and what the Ingress itself names, in several ways.
fn probes(ingress: &ApiIngress) -> (Vec<String>, Vec<String>) {
    let mut hosts: Vec<String> = OTHERS
        .iter()
        .map(|tool| format!("{tool}.toolforge.org"))
        .collect();
    hosts.extend(OWN_HOSTS.map(str::to_owned));
    hosts.extend(
        [
            "",
            "tools.wmflabs.org",
            "TOOLS.wmflabs.org.",
            "toolforge.org",
            "evil.com",
            "nobody.wmflabs.org",
        ]
        .map(str::to_owned),
    );
    let mut paths: Vec<String> = OTHERS.iter().map(|tool| format!("/{tool}/x")).collect();
    paths.extend(
        [
            "/",
            "/x",
            "//",
            "/alpha",
            "/alpha/x",
            "/alpha/../beta",
            "/ALPHA/x",
            "/%61lpha/x",
            "/alphax",
        ]
        .map(str::to_owned),
    );
    for rule in ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten()) {
        let host = rule.host.clone().unwrap_or_default();
        hosts.extend([
            format!("{host}."),
            format!("{host}:443"),
            format!("x.{host}"),
            host.replace('*', "beta"),
            host,
        ]);
        for path in rule.http.iter().flat_map(|http| &http.paths) {
            let path = path.path.clone().unwrap_or_default();
            paths.extend([format!("{path}x"), format!("{path}/x"), format!("{path}-x"), path]);
        }
    }
    (hosts, paths)
}

/// Whoever else may read the Ingress one day must not find more in it than the gateway.
fn check_other_readers(ingress: &ApiIngress, probes: &[String]) {
    let spec = ingress.spec.as_ref();
    for rule in spec.iter().flat_map(|spec| spec.rules.iter().flatten()) {
        let host = rule.host.as_deref().unwrap_or_default();
        let url =
            url::Url::parse(&format!("https://{host}/")).expect("what is let through is a host to a browser");
        let seen = url.host_str().unwrap_or_default();
        assert!(
            OWN_HOSTS.contains(&seen) || seen == SHARED_HOST,
            "a browser reads {host:?} as {seen:?}"
        );
        for path in rule.http.iter().flat_map(|http| &http.paths) {
            if path.path_type == "ImplementationSpecific" && has_patterns(ingress) {
                // On its own host whatever a pattern matches is the tool's.
                assert!(OWN_HOSTS.contains(&seen), "a pattern on {seen:?}");
                continue;
            }
            let path = path.path.as_deref().unwrap_or("/");
            let resolved = url
                .join(path)
                .expect("what is let through is a path to a browser");
            assert_eq!(resolved.path(), path, "a browser reads {path:?} otherwise");
            if seen == SHARED_HOST {
                check_pattern(path, probes);
            }
        }
    }
}

fn has_patterns(ingress: &ApiIngress) -> bool {
    let annotations = ingress.metadata.annotations.iter().flatten();
    let mut names = annotations.map(|(name, _)| name.as_str());
    names.any(|name| name.ends_with("/use-regex") || name.ends_with("/rewrite-target"))
}

/// A path on a shared host matches nothing of the others' when it is taken for a pattern, as nginx can be told to.
fn check_pattern(path: &str, probes: &[String]) {
    let Ok(pattern) = regex::Regex::new(&format!("(?i)^{path}")) else {
        return;
    };
    for probe in probes
        .iter()
        .filter(|probe| !probe.to_ascii_lowercase().starts_with("/alpha"))
    {
        assert!(
            !pattern.is_match(probe),
            "as a pattern {path:?} matches {probe:?}"
        );
    }
}
