//! The `EndpointSlices` that a Service should have, and the difference from those it has. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ObjectReference, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use kube::api::ObjectMeta;

use super::ports::{Backends, Port, address, is_headless, publishes_not_ready};
use crate::object::Object;
use crate::owner::{controlled_by, is_dying};
use crate::pod::Pod;
use crate::pods::{is_ready, node};

/// Names the Service of a slice.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Names who keeps a slice.
pub(crate) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// What we write there.
pub(crate) const MANAGER: &str = "endpointslice-controller.kubernetes.io";
/// Marks slices and Endpoints of headless Services.
pub(crate) const HEADLESS: &str = "service.kubernetes.io/headless";
/// Endpoints in one slice, as in Kubernetes: small enough to be sent to every watcher on each change.
const MOST_PER_SLICE: usize = 100;

/// What has to be done to the slices of a Service.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// To be made.
    pub(crate) create: Vec<EndpointSlice>,
    /// To be written over the ones they were read from.
    pub(crate) replace: Vec<EndpointSlice>,
    /// To be deleted.
    pub(crate) delete: Vec<Arc<EndpointSlice>>,
}

/// Whether a slice is kept by this controller for that Service.
pub(crate) fn is_slice_of(slice: &EndpointSlice, service: &str) -> bool {
    let label = |name: &str| {
        slice
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(name))
            .map(String::as_str)
    };
    label(SERVICE_NAME) == Some(service) && label(MANAGED_BY) == Some(MANAGER)
}

/// The slices that `service` should have.
pub(crate) fn desired_slices(service: &Service, backends: &Backends<'_>) -> Vec<EndpointSlice> {
    let mut slices = Vec::new();
    for (ports, pods) in backends {
        for some in pods.chunks(MOST_PER_SLICE) {
            let endpoints = some.iter().map(|pod| endpoint(service, pod)).collect();
            slices.push(slice(service, ports, endpoints));
        }
    }
    if slices.is_empty() {
        // A Service without Pods has an empty slice, so that watchers can tell "none" from "not yet known".
        slices.push(slice(service, &[], Vec::new()));
    }
    slices
}

/// How to get from `present` to `desired`; slices are reused in order, those with the same ports first.
pub(crate) fn plan(desired: Vec<EndpointSlice>, present: &[Arc<EndpointSlice>]) -> Difference {
    let mut difference = Difference::default();
    let mut free: Vec<&Arc<EndpointSlice>> = present
        .iter()
        .filter(|slice| !is_dying(&slice.metadata))
        .collect();
    let mut unmatched = Vec::new();
    for want in desired {
        match free.iter().position(|have| have.ports == want.ports) {
            Some(index) => reuse(&mut difference, free.remove(index), want),
            None => unmatched.push(want),
        }
    }
    for want in unmatched {
        if free.is_empty() {
            difference.create.push(want);
        } else {
            reuse(&mut difference, free.remove(0), want);
        }
    }
    difference.delete = free.into_iter().cloned().collect();
    difference
}

fn reuse(difference: &mut Difference, have: &Arc<EndpointSlice>, want: EndpointSlice) {
    let same = have.endpoints.as_deref().unwrap_or_default() == want.endpoints.as_deref().unwrap_or_default()
        && have.ports.as_deref().unwrap_or_default() == want.ports.as_deref().unwrap_or_default()
        && have.metadata.labels == want.metadata.labels;
    if same {
        return;
    }
    let mut changed = (**have).clone();
    changed.endpoints = want.endpoints;
    changed.ports = want.ports;
    changed.metadata.labels = want.metadata.labels;
    difference.replace.push(changed);
}

fn slice(service: &Service, ports: &[Port], endpoints: Vec<Endpoint>) -> EndpointSlice {
    let name = service.metadata.name.clone().unwrap_or_default();
    let mut labels: BTreeMap<String, String> = service.metadata.labels.clone().unwrap_or_default();
    if is_headless(service) {
        labels.insert(HEADLESS.into(), String::new());
    } else {
        labels.remove(HEADLESS);
    }
    labels.insert(SERVICE_NAME.into(), name.clone());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels),
            owner_references: Some(vec![controlled_by(service)]),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".to_owned(),
        endpoints: Some(endpoints),
        ports: Some(ports.iter().map(slice_port).collect()),
    }
}

fn slice_port(port: &Port) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone()),
        port: Some(port.number),
        protocol: Some(port.protocol.clone()),
        app_protocol: port.app_protocol.clone(),
    }
}

fn endpoint(service: &Service, pod: &Pod) -> Endpoint {
    let serving = is_ready(pod);
    let terminating = pod.is_dying();
    Endpoint {
        addresses: address(pod).map(str::to_owned).into_iter().collect(),
        conditions: Some(EndpointConditions {
            ready: Some(publishes_not_ready(service) || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: hostname(service, pod),
        node_name: node(pod).map(str::to_owned),
        target_ref: Some(reference(pod)),
        ..Endpoint::default()
    }
}

/// The name under which DNS knows the Pod, if it asks for one of this Service.
pub(crate) fn hostname(service: &Service, pod: &Pod) -> Option<String> {
    let matches = pod.subdomain.as_deref() == service.metadata.name.as_deref();
    let hostname = pod.hostname.as_deref().filter(|name| matches && !name.is_empty());
    hostname.map(str::to_owned)
}

/// Points at the Pod.
pub(crate) fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: Some("Pod".to_owned()),
        namespace: Some(pod.namespace().to_owned()),
        name: Some(pod.name().to_owned()),
        uid: Some(pod.uid().to_owned()),
        ..ObjectReference::default()
    }
}
