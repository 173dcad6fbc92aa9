//! The ingress guard: a tool may claim its own host names, and nothing else.
//!
//! Called by the webhook for every CREATE and UPDATE, and by the gateway before it routes an Ingress.

mod annotations;
mod hosts;
mod paths;

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressRule, IngressSpec, IngressTLS};
use toolforge_annotations::Reading;
use toolforge_model::{Domain, ToolName};

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
const TLS_SECRET: Law = Law::fixed(
    "ingress/tls-secret",
    "The Secret of a certificate must be one of the tool's own namespace",
    "leave secretName out; the gateway has a certificate for the hosts of all tools",
);

/// What Ingresses are held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressPolicy {
    domains: Vec<Domain>,
    legacy_hosts: Vec<Domain>,
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
            legacy_hosts: Vec::new(),
            ingress_class: ingress_class.to_owned(),
            safe_namespaces,
        })
    }

    /// The same policy with the legacy domain switched on: hosts that all tools share, each with the path `/TOOL`.
    #[must_use]
    pub fn with_legacy_hosts(mut self, hosts: impl IntoIterator<Item = Domain>) -> Self {
        self.legacy_hosts = hosts.into_iter().collect();
        self
    }

    /// The first of the domains under which tools have their host names.
    pub fn main_domain(&self) -> &Domain {
        // There is no policy without one.
        &self.domains[0]
    }

    /// The domains under which tools have their host names, the main one first.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Hosts that all tools share, each with the path `/TOOL`.
    pub fn legacy_hosts(&self) -> &[Domain] {
        &self.legacy_hosts
    }

    /// The class of the Ingresses that the platform serves.
    pub fn ingress_class(&self) -> &str {
        &self.ingress_class
    }

    /// Namespaces whose Ingresses are not looked at.
    pub fn safe_namespaces(&self) -> &BTreeSet<String> {
        &self.safe_namespaces
    }
}

/// Whether an Ingress in this namespace claims nothing but its tool's own host names.
pub fn admit_ingress(policy: &IngressPolicy, namespace: &str, ingress: &Ingress) -> Verdict {
    if policy.safe_namespaces.contains(namespace) {
        return Verdict::default();
    }
    let mut offences = Offences::default();
    match ToolName::of_namespace(namespace) {
        None => offences.value(&NAMESPACE, "metadata.namespace".to_owned(), &quoted(namespace)),
        Some(tool) => {
            let reading = annotations::reading(namespace, ingress);
            annotations::check(ingress, &reading, &policy.ingress_class, &mut offences);
            if let Some(spec) = &ingress.spec {
                let is_pattern = |path: &HTTPIngressPath| is_pattern(&reading, path);
                check_spec(policy, &tool, spec, &is_pattern, &mut offences);
            }
        }
    }
    offences.into_verdict()
}

/// Whether a path is a regular expression, which was looked at as such.
fn is_pattern(reading: &Reading, path: &HTTPIngressPath) -> bool {
    let text = path.path.as_deref().unwrap_or_default();
    let extras = reading.extras.as_ref();
    path.path_type == "ImplementationSpecific" && extras.is_some_and(|extras| extras.pattern(text).is_some())
}

fn check_spec(
    policy: &IngressPolicy,
    tool: &ToolName,
    spec: &IngressSpec,
    is_pattern: &dyn Fn(&HTTPIngressPath) -> bool,
    offences: &mut Offences,
) {
    let hosts = hosts::Hosts::of(policy, tool);
    for (i, rule) in spec.rules.iter().flatten().enumerate() {
        check_rule(&hosts, tool, (i, rule), is_pattern, offences);
    }
    for (i, tls) in spec.tls.iter().flatten().enumerate() {
        check_tls(&hosts, i, tls, offences);
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

fn check_rule(
    hosts: &hosts::Hosts<'_>,
    tool: &ToolName,
    (index, rule): (usize, &IngressRule),
    is_pattern: &dyn Fn(&HTTPIngressPath) -> bool,
    offences: &mut Offences,
) {
    let field = format!("spec.rules[{index}]");
    let host = rule.host.as_deref().unwrap_or_default();
    let shared = hosts.is_shared(host);
    if !shared {
        hosts.check_own(host, format!("{field}.host"), offences);
    }
    let paths = rule.http.as_ref().map_or(&[][..], |http| &http.paths);
    if paths.is_empty() {
        if shared {
            offences.missing(&hosts.legacy_law(), format!("{field}.http"));
        } else {
            let text = "without http.paths the rule leads nowhere; write the path \"/\" and a Service";
            offences.warn("ingress/no-path", field.clone(), text);
        }
    }
    for (i, path) in paths.iter().enumerate() {
        let field = format!("{field}.http.paths[{i}]");
        paths::check_backend(&path.backend, &format!("{field}.backend"), offences);
        if shared {
            paths::check_shared(hosts, tool, path, &field, offences);
        } else if !is_pattern(path) {
            paths::check_own(path, &field, offences);
        }
    }
}

/// Certificates are for own hosts only: one for a shared host would be shown to the visitors of everybody.
fn check_tls(hosts: &hosts::Hosts<'_>, index: usize, tls: &IngressTLS, offences: &mut Offences) {
    let names = tls.hosts.as_deref().unwrap_or_default();
    for (i, host) in names.iter().enumerate() {
        hosts.check_own(host, format!("spec.tls[{index}].hosts[{i}]"), offences);
    }
    let secret = tls.secret_name.as_deref().unwrap_or_default();
    let field = format!("spec.tls[{index}].secretName");
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if !secret.bytes().all(plain) {
        offences.value(&TLS_SECRET, field, &quoted(secret));
    } else if names.is_empty() && !secret.is_empty() {
        let text = "names no host, so its certificate is shown to nobody; write the hosts of the tool";
        offences.warn("ingress/tls-without-host", format!("spec.tls[{index}]"), text);
    } else if names.is_empty() {
        let text = "names no host, so it does nothing; leave it out";
        offences.warn("ingress/tls-without-host", format!("spec.tls[{index}]"), text);
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
