//! The ingress guard: a tool may claim its own host names, and nothing else.
//!
//! Called by the webhook for every CREATE and UPDATE, and by the gateway before it routes an Ingress.

mod annotations;

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressSpec};
use toolforge_model::{Domain, Namespace, ToolName};

use crate::Verdict;
use crate::verdict::{Law, Offences, quoted};

const NAMESPACE: Law = Law::fixed(
    "ingress/namespace",
    "An Ingress belongs into the namespace of a tool",
    "create it in the namespace tool-<toolname> of the tool that serves it",
);
const DEFAULT_BACKEND: Law = Law::fixed(
    "ingress/default-backend",
    "A default backend would claim the traffic of everybody",
    "leave it out and write a rule with the host of the tool",
);
const PATH: Law = Law::fixed(
    "ingress/path",
    "Ingress path must begin with / and have characters of a URL's path only",
    "use \"/\" or percent-encode the others",
);
const BACKEND: Law = Law::fixed(
    "ingress/backend",
    "Ingress backend must be a Service of the tool",
    "use backend.service with the name and the port of a Service",
);

/// What Ingresses are held to.
#[derive(Clone, Debug)]
pub struct IngressPolicy {
    domains: Vec<Domain>,
    ingress_class: String,
    safe_namespaces: BTreeSet<String>,
}

/// Why there is no such policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngressPolicyError {
    /// Without a domain nobody has a host name.
    #[error("got no domains, at least one is required, such as toolforge.org")]
    NoDomains,
}

impl IngressPolicy {
    /// A policy for these domains and this ingress class; Ingresses in the safe namespaces are not looked at.
    pub fn new(
        domains: Vec<Domain>,
        ingress_class: &str,
        safe_namespaces: impl IntoIterator<Item = String>,
    ) -> Result<Self, IngressPolicyError> {
        if domains.is_empty() {
            return Err(IngressPolicyError::NoDomains);
        }
        let safe_namespaces = safe_namespaces.into_iter().collect();
        Ok(Self {
            domains,
            ingress_class: ingress_class.to_owned(),
            safe_namespaces,
        })
    }

    /// The domains under which tools have their host names.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }
}

/// Whether an Ingress in this namespace claims nothing but its tool's own host names.
pub fn admit_ingress(policy: &IngressPolicy, namespace: &str, ingress: &Ingress) -> Verdict {
    if policy.safe_namespaces.contains(namespace) {
        return Verdict::default();
    }
    let mut offences = Offences::default();
    match namespace
        .parse::<Namespace>()
        .ok()
        .and_then(|namespace| namespace.tool())
    {
        None => offences.value(&NAMESPACE, "metadata.namespace".to_owned(), &quoted(namespace)),
        Some(tool) => {
            annotations::check(ingress, &policy.ingress_class, &mut offences);
            if let Some(spec) = &ingress.spec {
                check_spec(policy, &tool, spec, &mut offences);
            }
        }
    }
    offences.into_verdict()
}

fn check_spec(policy: &IngressPolicy, tool: &ToolName, spec: &IngressSpec, offences: &mut Offences) {
    let own: Vec<String> = policy.domains.iter().map(|domain| domain.host_of(tool)).collect();
    for (i, rule) in spec.rules.iter().flatten().enumerate() {
        let field = || format!("spec.rules[{i}].host");
        check_host(policy, &own, rule.host.as_deref(), field, offences);
        let paths = rule.http.iter().flat_map(|http| &http.paths);
        for (j, path) in paths.enumerate() {
            check_path(path, &format!("spec.rules[{i}].http.paths[{j}]"), offences);
        }
    }
    for (i, tls) in spec.tls.iter().flatten().enumerate() {
        for (j, host) in tls.hosts.iter().flatten().enumerate() {
            let field = || format!("spec.tls[{i}].hosts[{j}]");
            check_host(policy, &own, Some(host), field, offences);
        }
    }
    if spec.default_backend.is_some() {
        offences.shown_as(
            &DEFAULT_BACKEND,
            "spec.defaultBackend".to_owned(),
            "spec.defaultBackend is set".to_owned(),
        );
    }
    check_class(
        &policy.ingress_class,
        "spec.ingressClassName",
        spec.ingress_class_name.as_deref(),
        offences,
    );
}

/// Exactly the text of an own host name: other spellings of it (upper case, trailing dot) are read differently by
/// different proxies, so they are not let through.
fn check_host(
    policy: &IngressPolicy,
    own: &[String],
    host: Option<&str>,
    field: impl FnOnce() -> String,
    offences: &mut Offences,
) {
    if host.is_some_and(|host| own.iter().any(|own| own == host)) {
        return;
    }
    let allowed: Vec<String> = policy
        .domains
        .iter()
        .map(|domain| format!("<toolname>.{domain}"))
        .collect();
    let own: Vec<String> = own.iter().map(|own| quoted(own)).collect();
    let sentence = format!("Ingress host must be {}", allowed.join(" or "));
    let law = Law::spoken("ingress/host", sentence, format!("use {}", own.join(" or ")));
    match host {
        None | Some("") => {
            let field = field();
            let found = format!("{field} is missing, which claims every host");
            offences.shown_as(&law, field, found);
        }
        Some(host) => offences.value(&law, field(), &quoted(host)),
    }
}

fn check_path(path: &HTTPIngressPath, field: &str, offences: &mut Offences) {
    check_backend(&path.backend, &format!("{field}.backend"), offences);
    // Characters with a meaning in a proxy's configuration never come into one through a path.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!&()*+,=:@|".contains(&b);
    let text = path.path.as_deref().unwrap_or("/");
    if !text.starts_with('/') || !text.bytes().all(plain) {
        offences.value(&PATH, format!("{field}.path"), &quoted(text));
    }
}

fn check_backend(backend: &IngressBackend, field: &str, offences: &mut Offences) {
    match (&backend.service, &backend.resource) {
        (Some(_), None) => {}
        (_, Some(resource)) => {
            offences.value(
                &BACKEND,
                format!("{field}.resource"),
                &format!("a {}", quoted(&resource.kind)),
            );
        }
        (None, None) => {
            let field = format!("{field}.service");
            let found = format!("{field} is missing");
            offences.shown_as(&BACKEND, field, found);
        }
    }
}

/// The class says whose traffic this is: ours, or nobody's until the API fills in its default.
fn check_class(ours: &str, field: &str, class: Option<&str>, offences: &mut Offences) {
    if let Some(class) = class.filter(|class| !class.is_empty() && *class != ours) {
        let sentence = format!("Ingress class must be {ours}");
        let law = Law::spoken(
            "ingress/class",
            sentence,
            format!("leave it out or use {}", quoted(ours)),
        );
        offences.value(&law, field.to_owned(), &quoted(class));
    }
}

#[cfg(test)]
mod tests;
