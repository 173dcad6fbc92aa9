//! The service guard: a tool's Service leads to its own Pods, inside the cluster.

use std::collections::{BTreeMap, BTreeSet};

use crate::is_of_tool;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};

use crate::verdict::{Law, Offences, quoted};
use crate::{Verdict, annotations};

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
const NODE_PORT: Law = Law::fixed(
    "service/node-port",
    "Services of tools must not take ports of the machines",
    "leave it out; visitors reach the tool through its Ingress",
);
const LOAD_BALANCER: Law = Law::fixed(
    "service/load-balancer",
    "Services of tools must not ask for a load balancer",
    "leave it out; visitors reach the tool through its Ingress",
);
const ANNOTATION: Law = Law::fixed(
    "service/annotation",
    "Annotations that controllers of load balancers, names and routes may take orders from are not allowed",
    "leave it out; for a note of your own use a key without a slash",
);

/// Families of annotations on Services that claim nothing: Kubernetes' own choice among a Service's endpoints, and who
/// wants to be measured.
const FAMILIES: [&str; 2] = ["service.kubernetes.io", "prometheus.io"];

/// What Services in the namespaces of tools are held to.
#[derive(Clone, Debug, Default)]
pub struct ServicePolicy {
    /// Namespaces whose Services are not looked at.
    pub safe_namespaces: BTreeSet<String>,
    /// Types that tools may have besides `ClusterIP`, with the fields that belong to them.
    pub allowed_types: BTreeSet<String>,
    /// Whether tools may claim `externalIPs`: whoever does takes the traffic of that address from the whole cluster
    /// (CVE-2020-8554).
    pub external_ips: bool,
}

impl ServicePolicy {
    fn allows(&self, kind: &str) -> bool {
        kind == "ClusterIP" || self.allowed_types.contains(kind)
    }
}

/// Whether a Service in this namespace stays inside the cluster. Namespaces that are no tool's are not looked at.
pub fn admit_service(policy: &ServicePolicy, namespace: &str, service: &Service) -> Verdict {
    let mut offences = Offences::default();
    if !is_of_tool(namespace) || policy.safe_namespaces.contains(namespace) {
        return Verdict::default();
    }
    for key in service.metadata.annotations.iter().flat_map(BTreeMap::keys) {
        if !annotations::is_note(key, &FAMILIES) {
            let field = annotations::field(key);
            let found = format!("{field} is set");
            offences.shown_as(&ANNOTATION, field, found);
        }
    }
    if let Some(spec) = &service.spec {
        check_type(policy, spec, &mut offences);
        check_addresses(policy, spec, &mut offences);
    }
    offences.into_verdict()
}

fn check_type(policy: &ServicePolicy, spec: &ServiceSpec, offences: &mut Offences) {
    let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
    if !policy.allows(kind) {
        offences.value(&TYPE, "spec.type".to_owned(), &quoted(kind));
    }
    let external_name = spec.external_name.as_deref().filter(|name| !name.is_empty());
    if let Some(name) = external_name.filter(|_| !policy.allows("ExternalName")) {
        offences.value(&EXTERNAL_NAME, "spec.externalName".to_owned(), &quoted(name));
    }
}

/// The fields by which a Service of any type may be written and claims something outside.
fn check_addresses(policy: &ServicePolicy, spec: &ServiceSpec, offences: &mut Offences) {
    for (i, address) in spec.external_ips.iter().flatten().enumerate() {
        if !policy.external_ips {
            offences.value(&EXTERNAL_IPS, format!("spec.externalIPs[{i}]"), &quoted(address));
        }
    }
    let balanced = policy.allows("LoadBalancer");
    if !balanced && !policy.allows("NodePort") {
        let ports = spec.ports.iter().flatten().map(|port| port.node_port).enumerate();
        let ports = ports.map(|(i, number)| (format!("spec.ports[{i}].nodePort"), number));
        let check = [("spec.healthCheckNodePort".to_owned(), spec.health_check_node_port)];
        for (field, number) in ports.chain(check) {
            if let Some(number) = number.filter(|number| *number != 0) {
                offences.value(&NODE_PORT, field, &number.to_string());
            }
        }
    }
    if balanced {
        return;
    }
    let ranges = spec.load_balancer_source_ranges.as_ref();
    for (field, value) in [
        ("spec.loadBalancerIP", spec.load_balancer_ip.as_ref()),
        ("spec.loadBalancerClass", spec.load_balancer_class.as_ref()),
        (
            "spec.loadBalancerSourceRanges",
            ranges.and_then(|ranges| ranges.first()),
        ),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            offences.value(&LOAD_BALANCER, field.to_owned(), &quoted(value));
        }
    }
    if spec.allocate_load_balancer_node_ports == Some(true) {
        offences.value(
            &LOAD_BALANCER,
            "spec.allocateLoadBalancerNodePorts".to_owned(),
            "true",
        );
    }
}

#[cfg(test)]
mod tests;
