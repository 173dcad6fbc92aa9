//! The `EndpointSlices` that mirror an Endpoints object that somebody writes by hand, so that what reads slices alone
//! sees it as well. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use kube::api::ObjectMeta;

use super::slices::{MANAGED_BY, SERVICE_NAME};
use crate::owner::{controlled_by, is_dying};

/// What stands in [`MANAGED_BY`] of a mirrored slice.
pub(crate) const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// The label of Endpoints that are not to be mirrored.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// The annotation of Endpoints that serve to elect a leader.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
/// Annotations that say nothing of the mirrored object.
const NOT_COPIED: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "endpoints.kubernetes.io/last-change-trigger-time",
];
/// Addresses of a subset that are mirrored; Kubernetes' value.
const MOST_PER_SUBSET: usize = 1000;
/// Endpoints in one slice.
const MOST_PER_SLICE: usize = 100;

/// Whether the object is to be mirrored: its Service selects nothing, and nobody has said no.
pub(crate) fn is_mirrored(endpoints: &Endpoints, service: &Service) -> bool {
    let meta = &endpoints.metadata;
    let skips = meta.labels.as_ref().and_then(|labels| labels.get(SKIP));
    let elects = meta
        .annotations
        .as_ref()
        .is_some_and(|all| all.contains_key(LEADER));
    let selects = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    !is_dying(meta)
        && !is_dying(&service.metadata)
        && skips.is_none_or(|skips| skips != "true")
        && !elects
        && selects.is_none_or(BTreeMap::is_empty)
}

/// Whether a slice mirrors the Endpoints of that name.
pub(crate) fn is_mirror_of(slice: &EndpointSlice, name: &str) -> bool {
    let label = |key: &str| slice.metadata.labels.as_ref().and_then(|labels| labels.get(key));
    label(MANAGED_BY).is_some_and(|by| by == MANAGER) && label(SERVICE_NAME).is_some_and(|of| of == name)
}

/// The slices that mirror `endpoints`.
pub(crate) fn mirrored(endpoints: &Endpoints) -> Vec<EndpointSlice> {
    let mut slices = Vec::new();
    for subset in endpoints.subsets.iter().flatten() {
        let all = addresses(subset);
        for family in ["IPv4", "IPv6"] {
            let of_family: Vec<Endpoint> = all
                .iter()
                .filter(|(address, _)| family_of(&address.ip) == Some(family))
                .map(|(address, ready)| endpoint(address, *ready))
                .collect();
            for some in of_family.chunks(MOST_PER_SLICE) {
                slices.push(slice(endpoints, subset, family, some.to_vec()));
            }
        }
    }
    slices
}

/// The addresses of a subset, and whether they are ready.
fn addresses(subset: &EndpointSubset) -> Vec<(&EndpointAddress, bool)> {
    let ready = subset.addresses.iter().flatten().map(|address| (address, true));
    let waiting = subset.not_ready_addresses.iter().flatten();
    ready
        .chain(waiting.map(|address| (address, false)))
        .take(MOST_PER_SUBSET)
        .collect()
}

fn family_of(ip: &str) -> Option<&'static str> {
    match ip.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => Some("IPv4"),
        IpAddr::V6(_) => Some("IPv6"),
    }
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            ..EndpointConditions::default()
        }),
        hostname: address.hostname.clone(),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

fn slice(endpoints: &Endpoints, subset: &EndpointSubset, family: &str, list: Vec<Endpoint>) -> EndpointSlice {
    let name = endpoints.metadata.name.clone().unwrap_or_default();
    let mut labels = endpoints.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), name.clone());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    let mut annotations = endpoints.metadata.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| !NOT_COPIED.contains(&key.as_str()));
    let ports = subset.ports.iter().flatten().map(|port| EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
        app_protocol: port.app_protocol.clone(),
    });
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: endpoints.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: Some(annotations).filter(|all| !all.is_empty()),
            owner_references: Some(vec![controlled_by(endpoints)]),
            ..ObjectMeta::default()
        },
        address_type: family.to_owned(),
        endpoints: Some(list),
        ports: Some(ports.collect()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoints(labels: &serde_json::Value) -> Endpoints {
        let subsets = json!([{
            "addresses": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}], "notReadyAddresses": [{"ip": "192.0.2.2"}],
            "ports": [{"name": "http", "port": 80}],
        }]);
        serde_json::from_value(json!({"metadata": {"name": "own", "labels": labels}, "subsets": subsets}))
            .expect("endpoints")
    }

    #[test]
    fn each_family_has_its_slice() {
        let slices = mirrored(&endpoints(&json!({"a": "b"})));
        let shape = |slice: &EndpointSlice| -> Vec<String> {
            let all = slice.endpoints.as_deref().unwrap_or_default().iter();
            let ready = |one: &Endpoint| one.conditions.as_ref().and_then(|all| all.ready);
            all.map(|one| format!("{} {} {:?}", slice.address_type, one.addresses[0], ready(one)))
                .collect()
        };
        let shapes: Vec<String> = slices.iter().flat_map(shape).collect();
        assert_eq!(
            shapes,
            [
                "IPv4 192.0.2.1 Some(true)",
                "IPv4 192.0.2.2 Some(false)",
                "IPv6 2001:db8::1 Some(true)",
            ]
        );
        assert!(is_mirror_of(&slices[0], "own") && !is_mirror_of(&slices[0], "other"));
    }

    #[test]
    fn services_that_select_and_endpoints_that_decline_are_left_alone() {
        let service = |selector: serde_json::Value| -> Service {
            serde_json::from_value(json!({"spec": {"selector": selector}})).expect("a service")
        };
        let (open, selecting) = (service(json!(null)), service(json!({"a": "b"})));
        assert!(is_mirrored(&endpoints(&json!({})), &open));
        assert!(!is_mirrored(&endpoints(&json!({})), &selecting));
        assert!(!is_mirrored(
            &endpoints(&json!({"endpointslice.kubernetes.io/skip-mirror": "true"})),
            &open
        ));
    }
}
