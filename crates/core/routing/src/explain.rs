//! Why a request goes where it goes: the decision of a table taken apart, for people.
//!
//! `toolforge gateway explain` prints it. It asks the same table in the same way as the gateway does, and adds what the
//! table knows beside: the Ingresses that are not routed, the claims that lost, and what is missing behind a Service.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{
    AppProtocol, Backend, Decision, Ingress, IngressClass, ObjectKey, PathKind, Reason, Route, RouteTable,
    hosts::{Pattern, host_name},
    namespace::{Entry, NamespaceState, is_ours},
};

/// Where a request goes and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The host that the request names, in normal form; `None` when it names none.
    pub host: Option<String>,
    /// The path, as it is compared.
    pub path: String,
    /// What becomes of the request.
    pub outcome: Outcome,
    /// The route that it takes, when one covers it.
    pub route: Option<Chosen>,
    /// The endpoints behind the route, whether they take requests or not.
    pub endpoints: Vec<EndpointState>,
    /// What the outcome follows from, one sentence each, from the URL to the endpoint.
    pub because: Vec<String>,
    /// Other Ingresses that name this host, and why the request is not theirs.
    pub others: Vec<Other>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// An endpoint gets it.
    Served,
    /// It is led elsewhere, as annotations of the Ingress say.
    Redirected,
    /// It is answered with 503, because no endpoint takes requests.
    NoEndpoints,
    /// The default backend answers, as a rule with 404.
    NotFound,
    /// The visitor is led to the tool's own host.
    Moved,
}

/// A route as the Ingress has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chosen {
    /// The host of the rule; empty where it names none.
    pub host: String,
    /// The path of the rule.
    pub path: String,
    /// `Exact`, `Prefix`, or `Pattern` for a regular expression.
    pub path_type: String,
    /// The namespace.
    pub namespace: String,
    /// The Ingress; empty where a registration claims it.
    pub ingress: String,
    /// The registration, of a webservice outside of Kubernetes; `None` where it is an Ingress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
    /// The Service; empty where the Ingress names something that is none.
    pub service: String,
    /// The Service's port.
    pub port: String,
    /// What is spoken there: `http/1.1`, or `h2c` for HTTP/2 without TLS.
    pub protocol: String,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointState {
    /// Address and port.
    pub address: SocketAddr,
    /// Whether requests go to it.
    pub used: bool,
    /// Whether it says that it takes new requests.
    pub ready: bool,
    /// Whether it is being stopped.
    pub terminating: bool,
}

/// An Ingress that names the host and does not get the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Other {
    /// The namespace.
    pub namespace: String,
    /// The Ingress.
    pub ingress: String,
    /// Why not.
    pub why: String,
}

impl RouteTable {
    /// Why a request goes where [`decide`](Self::decide) sends it.
    pub fn explain(&self, authority: &str, path: &str) -> Explanation {
        let host = host_name(authority).map(std::borrow::Cow::into_owned);
        let entry = host.as_deref().and_then(|host| self.entry(host, path));
        let outcome = match self.decide(authority, path) {
            Decision::Backend(backend) | Decision::NoEndpoints(backend) if leads_elsewhere(backend, path) => {
                Outcome::Redirected
            }
            Decision::Backend(_) => Outcome::Served,
            Decision::NoEndpoints(_) => Outcome::NoEndpoints,
            Decision::NotFound(_) => Outcome::NotFound,
            Decision::Moved(_) => Outcome::Moved,
        };
        let route = entry.as_ref().map(|(pattern, entry)| chosen(pattern, entry));
        let mut explanation = Explanation {
            others: host
                .as_deref()
                .map_or_else(Vec::new, |host| self.others(host, route.as_ref())),
            host,
            path: path.to_owned(),
            outcome,
            route,
            endpoints: Vec::new(),
            because: Vec::new(),
        };
        match entry {
            Some((_, entry)) => self.explain_route(entry, &mut explanation),
            None => self.explain_nothing(&mut explanation),
        }
        explanation
    }

    fn explain_route(&self, entry: &Entry, explanation: &mut Explanation) {
        let backend = &entry.backend;
        let because = &mut explanation.because;
        if entry.registered.is_some() {
            explain_registration(entry, explanation);
            return;
        }
        if let Some(route) = &explanation.route {
            because.push(route_sentence(route, entry.claim.is_fallback));
        }
        let key = ObjectKey::new(backend.namespace.clone(), backend.ingress.clone());
        if let Some(reason) = self.reception(&key).and_then(|reception| reception.reason()) {
            because.push(in_one(&reason));
        }
        if let Some(extras) = &backend.extras {
            let asked: Vec<String> = extras.asked.obeyed().collect();
            because.push(format!("Its annotations ask for {}.", asked.join(", ")));
        }
        let nothing = NamespaceState::default();
        let state = self.namespace(&backend.namespace).unwrap_or(&nothing);
        explanation.endpoints = endpoints(state, &backend.service, &backend.port, &backend.endpoints);
        because.push(behind_sentence(state, entry, &explanation.endpoints));
        if backend.protocol == AppProtocol::H2c {
            because.push("They are asked over HTTP/2 without TLS (h2c).".to_owned());
        }
    }

    fn explain_nothing(&self, explanation: &mut Explanation) {
        let Some(host) = &explanation.host else {
            explanation.because.push("The URL names no host.".to_owned());
            return;
        };
        let paths = self.paths_of(host);
        explanation.because.push(if paths.is_empty() {
            format!("No Ingress that is served names the host {host}.")
        } else {
            format!(
                "No path of the host {host} covers {}; it has: {}.",
                explanation.path,
                paths.join(", ")
            )
        });
        let default = self.default_backend();
        explanation.because.push(format!(
            "What nobody claims is answered by Service {} in {}{}.",
            default.service,
            default.namespace,
            if default.endpoints.is_empty() {
                ", which has no endpoint now: the gateway answers itself"
            } else {
                ""
            }
        ));
    }

    /// The Ingresses that name a host but for the chosen one.
    fn others(&self, host: &str, route: Option<&Chosen>) -> Vec<Other> {
        let mut others: Vec<Other> = Vec::new();
        for ingress in self.ingresses() {
            let key = &ingress.key;
            let is_chosen =
                route.is_some_and(|route| route.namespace == key.namespace && route.ingress == key.name);
            if is_chosen || !names_host(ingress, host) {
                continue;
            }
            others.push(Other {
                namespace: key.namespace.to_string(),
                ingress: key.name.to_string(),
                why: self.why_not(ingress, route),
            });
        }
        others.sort_by(|one, other| (&one.namespace, &one.ingress).cmp(&(&other.namespace, &other.ingress)));
        others
    }

    fn why_not(&self, ingress: &Ingress, route: Option<&Chosen>) -> String {
        if !is_ours(ingress, self.settings(), self.classes()) {
            return class_sentence(ingress, &self.settings().ingress_class, self.classes());
        }
        let reception = self.reception(&ingress.key);
        if let Some(reason) = reception.and_then(|reception| reception.reason()) {
            return in_one(&reason);
        }
        match route {
            Some(route) if route.registration.is_some() => {
                "what a tool has registered outside of Kubernetes goes before every Ingress".to_owned()
            }
            Some(_) => {
                "its paths do not cover this one, or are shorter, or an older Ingress has the same".to_owned()
            }
            None => "none of its paths covers this one".to_owned(),
        }
    }
}

/// As an Event says it.
fn in_one(reason: &Reason) -> String {
    format!("{}: {}", reason.word, reason.text)
}

fn chosen(pattern: &Pattern, entry: &Entry) -> Chosen {
    let route = Route {
        host: pattern.text(),
        path: entry.path.to_string(),
        kind: entry.kind,
        backend: entry.backend.clone(),
    };
    Chosen::from(&route)
}

impl From<&Route> for Chosen {
    fn from(route: &Route) -> Self {
        Self {
            host: route.host.clone(),
            path: if route.path.is_empty() {
                "/".to_owned()
            } else {
                route.path.clone()
            },
            path_type: match route.kind {
                PathKind::Exact => "Exact".to_owned(),
                PathKind::Prefix => "Prefix".to_owned(),
                PathKind::Pattern => "Pattern".to_owned(),
            },
            namespace: route.backend.namespace.to_string(),
            ingress: route.backend.ingress.to_string(),
            registration: Some(route.backend.registration.to_string()).filter(|name| !name.is_empty()),
            service: route.backend.service.to_string(),
            port: route.backend.port.to_string(),
            protocol: match route.backend.protocol {
                AppProtocol::Http1 => "http/1.1".to_owned(),
                AppProtocol::H2c => "h2c".to_owned(),
            },
        }
    }
}

/// The claim of a registration, and whether what stands behind it lives.
fn explain_registration(entry: &Entry, explanation: &mut Explanation) {
    let backend = &entry.backend;
    let (name, namespace) = (&backend.registration, &backend.namespace);
    let host = explanation.host.as_deref().unwrap_or_default();
    let path = if entry.path.is_empty() { "/" } else { &entry.path };
    let because = &mut explanation.because;
    because.push(match entry.rest() {
        Some(rest) => format!(
            "Registration {name} of {namespace} claims host {host} below the path {path}, where the rest matches {rest}."
        ),
        None => format!("Registration {name} of {namespace} claims host {host} with the path {path} (Prefix)."),
    });
    if let Some(host) = entry.moved_to() {
        because.push(format!(
            "It was registered as canonical: visitors of this host are led to {host}."
        ));
        return;
    }
    because.push(match backend.endpoints.first() {
        Some(address) => format!("It leads out of Kubernetes, to {address}, which answers its checks."),
        None => "What it leads to does not answer its checks.".to_owned(),
    });
    let endpoints = backend.endpoints.iter().map(|address| EndpointState {
        address: *address,
        used: true,
        ready: true,
        terminating: false,
    });
    explanation.endpoints = endpoints.collect();
}

fn route_sentence(route: &Chosen, is_fallback: bool) -> String {
    let host = if route.host.is_empty() {
        "every other host".to_owned()
    } else {
        format!("host {}", route.host)
    };
    let Chosen {
        namespace,
        ingress,
        path,
        path_type,
        ..
    } = route;
    if is_fallback {
        format!(
            "Ingress {ingress} in {namespace} has a default backend for {host}, and no rule covers the path."
        )
    } else {
        format!("Ingress {ingress} in {namespace} claims {host} with the path {path} ({path_type}).")
    }
}

/// Whether annotations lead a request elsewhere, whoever sends it.
fn leads_elsewhere(backend: &Backend, path: &str) -> bool {
    backend.extras.as_ref().is_some_and(|extras| {
        extras.asked.redirect.is_some() || extras.asked.app_root.is_some() && path == "/"
    })
}

/// What is behind the route, or what is missing there.
fn behind_sentence(state: &NamespaceState, entry: &Entry, endpoints: &[EndpointState]) -> String {
    let backend = &entry.backend;
    let (service, port, namespace) = (&backend.service, &backend.port, &backend.namespace);
    if service.is_empty() {
        return "It leads to something that is no Service, which is not served.".to_owned();
    }
    let Some(known) = state.services.get(service.as_str()) else {
        return format!("There is no Service {service} in {namespace}.");
    };
    if !known
        .ports
        .iter()
        .any(|known| is_port(port, known.port, &known.name))
    {
        return format!("Service {service} has no TCP port {port}.");
    }
    let used = endpoints.iter().filter(|endpoint| endpoint.used).count();
    match (used, endpoints.len()) {
        (0, 0) => format!("Service {service} has no endpoints: no Pod is running that its selector matches."),
        (0, all) => format!("None of the {all} endpoints of Service {service} is ready."),
        (used, all) => {
            format!("Service {service} in {namespace} has {used} of {all} endpoints that take requests.")
        }
    }
}

/// Whether an Ingress means this port of a Service; a name has a letter in it (RFC 6335), so that it is never a number.
fn is_port(text: &str, number: u16, name: &str) -> bool {
    name == text || number.to_string() == text
}

/// All endpoints of a Service's port, sorted, each once.
fn endpoints(state: &NamespaceState, service: &str, port: &str, used: &[SocketAddr]) -> Vec<EndpointState> {
    let ports = state.services.get(service).map(|service| &service.ports);
    let named = ports.and_then(|ports| ports.iter().find(|known| is_port(port, known.port, &known.name)));
    let Some(named) = named else { return Vec::new() };
    let slices = state.slices.values().filter(|slice| slice.service == service);
    let mut all: Vec<_> = slices
        .flat_map(|slice| {
            let number = slice
                .ports
                .iter()
                .find(|port| port.name == named.name)
                .map(|port| port.port);
            slice.endpoints.iter().filter_map(move |endpoint| {
                let address = SocketAddr::new(endpoint.address, number?);
                Some(EndpointState {
                    address,
                    used: used.contains(&address),
                    ready: endpoint.ready,
                    terminating: endpoint.terminating,
                })
            })
        })
        .collect();
    all.sort_by_key(|endpoint| endpoint.address);
    all.dedup_by_key(|endpoint| endpoint.address);
    all
}

fn names_host(ingress: &Ingress, host: &str) -> bool {
    let parent = host.split_once('.').map(|(_, parent)| parent);
    ingress.rules.iter().any(|rule| match Pattern::read(&rule.host) {
        Some(Pattern::Exact(named)) => named == host,
        Some(Pattern::Wildcard(rest)) => parent == Some(&rest),
        Some(Pattern::Any) | None => false,
    })
}

fn class_sentence(ingress: &Ingress, ours: &str, classes: &BTreeMap<String, IngressClass>) -> String {
    match &ingress.class {
        Some(name) => format!("its class is {name}, which is another controller's; ours is {ours}"),
        None if classes.is_empty() => {
            format!("it names no class, and there is no default one; ours is {ours}")
        }
        None => format!("it names no class, and the default class is not ours, {ours}"),
    }
}

#[cfg(test)]
mod tests;
