//! The Endpoints object of a Service, as older clients read it. Pure.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service};
use kube::api::ObjectMeta;

use super::ports::{Backends, Port, address, is_headless, publishes_not_ready};
use super::slices::{HEADLESS, hostname, reference};
use crate::object::Object;
use crate::pod::Pod;
use crate::pods::{is_ready, node};

/// Names who keeps an Endpoints object; without it, it is somebody's own.
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
/// What we write there.
const MANAGER: &str = "endpoint-controller";

/// Whether the object is kept by this controller.
pub(crate) fn is_ours(endpoints: &Endpoints) -> bool {
    endpoints
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(MANAGED_BY))
        .is_some_and(|by| by == MANAGER)
}

/// The object that `service` should have; `present` is kept where it is right already.
pub(crate) fn desired_endpoints(
    service: &Service,
    backends: &Backends<'_>,
    present: Option<&Arc<Endpoints>>,
) -> Option<Endpoints> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    if is_headless(service) {
        labels.insert(HEADLESS.into(), String::new());
    } else {
        labels.remove(HEADLESS);
    }
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    let subsets: Vec<EndpointSubset> = backends
        .iter()
        .filter_map(|(ports, pods)| subset(service, ports, pods))
        .collect();
    let Some(present) = present else {
        let metadata = ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        return Some(Endpoints {
            metadata,
            subsets: Some(subsets),
        });
    };
    let same = present.subsets.as_deref().unwrap_or_default() == subsets
        && present.metadata.labels.as_ref() == Some(&labels);
    if same {
        return None;
    }
    let mut changed = (**present).clone();
    changed.metadata.labels = Some(labels);
    changed.subsets = Some(subsets);
    Some(changed)
}

fn subset(service: &Service, ports: &[Port], pods: &[&Arc<Pod>]) -> Option<EndpointSubset> {
    let everyone = publishes_not_ready(service);
    // This older form has no word for "terminating": such Pods are left out, unless everybody is to be listed.
    let listed = pods.iter().filter(|pod| everyone || !pod.is_dying());
    let (ready, waiting): (Vec<_>, Vec<_>) = listed.partition(|pod| everyone || is_ready(pod));
    if ready.is_empty() && waiting.is_empty() {
        return None;
    }
    let addresses = |pods: Vec<&&Arc<Pod>>| {
        let all: Vec<EndpointAddress> = pods.into_iter().map(|pod| pod_address(service, pod)).collect();
        Some(all).filter(|all| !all.is_empty())
    };
    let ports: Vec<EndpointPort> = ports.iter().map(endpoint_port).collect();
    Some(EndpointSubset {
        addresses: addresses(ready),
        not_ready_addresses: addresses(waiting),
        ports: Some(ports).filter(|ports| !ports.is_empty()),
    })
}

fn pod_address(service: &Service, pod: &Pod) -> EndpointAddress {
    EndpointAddress {
        ip: address(pod).unwrap_or_default().to_owned(),
        node_name: node(pod).map(str::to_owned),
        hostname: hostname(service, pod),
        target_ref: Some(reference(pod)),
    }
}

fn endpoint_port(port: &Port) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone()).filter(|name| !name.is_empty()),
        port: port.number,
        protocol: Some(port.protocol.clone()),
        app_protocol: port.app_protocol.clone(),
    }
}
