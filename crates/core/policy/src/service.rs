//! The service guard: a tool's Service leads to its own Pods, inside the cluster.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Service;
use toolforge_model::Namespace;

use crate::Verdict;
use crate::verdict::{Law, Offences, quoted};

const TYPE: Law = Law::fixed(
    "service/type",
    "Services of tools must be of type ClusterIP",
    "leave spec.type out; visitors reach the tool through its Ingress",
);
const EXTERNAL_NAME: Law = Law::fixed(
    "service/external-name",
    "Services of tools must lead to the tool's own Pods",
    "leave spec.externalName out and use spec.selector",
);
const EXTERNAL_IPS: Law = Law::fixed(
    "service/external-ips",
    "Services of tools must not claim addresses outside the cluster",
    "leave spec.externalIPs out",
);

/// What Services in the namespaces of tools are held to.
#[derive(Clone, Debug, Default)]
pub struct ServicePolicy {
    /// Namespaces whose Services are not looked at.
    pub safe_namespaces: BTreeSet<String>,
    /// Types that tools may have besides `ClusterIP`.
    pub allowed_types: BTreeSet<String>,
}

/// Whether a Service in this namespace stays inside the cluster. Namespaces that are no tool's are not looked at.
pub fn admit_service(policy: &ServicePolicy, namespace: &str, service: &Service) -> Verdict {
    let mut offences = Offences::default();
    let of_a_tool = namespace
        .parse::<Namespace>()
        .is_ok_and(|namespace| namespace.tool().is_some());
    if !of_a_tool || policy.safe_namespaces.contains(namespace) {
        return Verdict::default();
    }
    let Some(spec) = &service.spec else {
        return Verdict::default();
    };
    let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
    if kind != "ClusterIP" && !policy.allowed_types.contains(kind) {
        offences.value(&TYPE, "spec.type".to_owned(), &quoted(kind));
    }
    let external_name = spec.external_name.as_deref().filter(|name| !name.is_empty());
    if let Some(name) = external_name.filter(|_| !policy.allowed_types.contains("ExternalName")) {
        offences.value(&EXTERNAL_NAME, "spec.externalName".to_owned(), &quoted(name));
    }
    for (i, address) in spec.external_ips.iter().flatten().enumerate() {
        offences.value(&EXTERNAL_IPS, format!("spec.externalIPs[{i}]"), &quoted(address));
    }
    offences.into_verdict()
}

#[cfg(test)]
mod tests;
