//! Which ports of which Pods belong to a Service. Pure; used for slices and for the older Endpoints alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::object::Object;
use crate::pod::{self, Pod};
use crate::pods::is_finished;

/// A port as a Pod serves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    /// The Service port's name; empty for an unnamed one.
    pub(crate) name: String,
    /// The number that the Pod listens on.
    pub(crate) number: i32,
    /// TCP, UDP or SCTP.
    pub(crate) protocol: String,
    /// What is spoken, where the Service says it.
    pub(crate) app_protocol: Option<String>,
}

/// The Pods behind a Service, by the ports that they serve it on: named target ports may differ from Pod to Pod.
pub(crate) type Backends<'a> = BTreeMap<Vec<Port>, Vec<&'a Arc<Pod>>>;

/// Whether the controllers fill in the endpoints of this Service.
pub(crate) fn is_ours(service: &Service) -> bool {
    service.spec.as_ref().is_some_and(|spec| {
        spec.selector
            .as_ref()
            .is_some_and(|selector| !selector.is_empty())
            && spec.type_.as_deref() != Some("ExternalName")
    })
}

/// Whether the Service selects that Pod.
pub(crate) fn selects(service: &Service, pod: &Pod) -> bool {
    let Some(selector) = service.spec.as_ref().and_then(|spec| spec.selector.as_ref()) else {
        return false;
    };
    !selector.is_empty()
        && selector
            .iter()
            .all(|(name, value)| pod.label(name) == Some(value))
}

/// The Pods of `pods` behind `service` that have an address and have not ended.
pub(crate) fn backends<'a>(service: &Service, pods: &'a [Arc<Pod>]) -> Backends<'a> {
    let mut backends = Backends::new();
    let chosen = pods
        .iter()
        .filter(|pod| selects(service, pod) && !is_finished(pod) && address(pod).is_some());
    for pod in chosen {
        let ports = ports_on(service, pod);
        // A Pod that serves none of the Service's ports is not behind it; a headless Service may have no ports at all.
        if !ports.is_empty() || service_ports(service).is_empty() {
            backends.entry(ports).or_default().push(pod);
        }
    }
    backends
}

/// The Pod's address.
pub(crate) fn address(pod: &Pod) -> Option<&str> {
    pod.address.as_deref()
}

/// Whether the Service has no address of its own.
pub(crate) fn is_headless(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some("None")
}

/// Whether the Service lists Pods that are not ready as if they were.
pub(crate) fn publishes_not_ready(service: &Service) -> bool {
    service
        .spec
        .as_ref()
        .and_then(|spec| spec.publish_not_ready_addresses)
        .unwrap_or(false)
}

fn service_ports(service: &Service) -> &[ServicePort] {
    service
        .spec
        .as_ref()
        .and_then(|spec| spec.ports.as_deref())
        .unwrap_or_default()
}

fn ports_on(service: &Service, pod: &Pod) -> Vec<Port> {
    let mut ports: Vec<Port> = service_ports(service)
        .iter()
        .filter_map(|port| {
            let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
            Some(Port {
                name: port.name.clone().unwrap_or_default(),
                number: number_on(port, &protocol, pod)?,
                protocol,
                app_protocol: port.app_protocol.clone(),
            })
        })
        .collect();
    ports.sort();
    ports
}

fn number_on(port: &ServicePort, protocol: &str, pod: &Pod) -> Option<i32> {
    match &port.target_port {
        None | Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) if name.is_empty() => Some(port.port),
        Some(IntOrString::String(name)) => {
            let named = |candidate: &&pod::Port| {
                candidate.name.as_deref() == Some(name) && candidate.protocol == *protocol
            };
            pod.ports.iter().find(named).map(|found| found.number)
        }
    }
}
