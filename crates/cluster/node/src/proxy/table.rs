//! What is listened on, and where it leads. Pure.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
};

use k8s_openapi::api::{
    core::v1::Service,
    discovery::v1::{Endpoint, EndpointSlice},
};

use crate::address::Network;

/// The label by which a slice belongs to its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Ready endpoints of each Service port.
pub(super) type Table = BTreeMap<SocketAddrV4, Vec<SocketAddr>>;

/// Puts Services and their endpoints together.
pub(super) fn table<'a>(
    network: Network,
    services: impl Iterator<Item = &'a Arc<Service>>,
    slices: impl Iterator<Item = &'a Arc<EndpointSlice>>,
) -> Table {
    let mut of: BTreeMap<(&str, &str), Vec<&EndpointSlice>> = BTreeMap::new();
    for slice in slices {
        let metadata = &slice.metadata;
        let name = metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(SERVICE_NAME));
        if let (Some(namespace), Some(name)) = (&metadata.namespace, name) {
            of.entry((namespace, name)).or_default().push(slice);
        }
    }
    let mut table = Table::new();
    for service in services {
        let metadata = &service.metadata;
        let (Some(namespace), Some(name)) = (&metadata.namespace, &metadata.name) else {
            continue;
        };
        let Some(address) = cluster_ip(service).filter(|address| network.holds(*address)) else {
            continue;
        };
        let slices = of
            .get(&(namespace.as_str(), name.as_str()))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let ports = service
            .spec
            .as_ref()
            .and_then(|spec| spec.ports.as_deref())
            .unwrap_or_default();
        for port in ports
            .iter()
            .filter(|port| port.protocol.as_deref().is_none_or(|name| name == "TCP"))
        {
            let Ok(number) = u16::try_from(port.port) else {
                continue;
            };
            let name = port.name.as_deref().unwrap_or_default();
            table.insert(SocketAddrV4::new(address, number), ready(slices, name));
        }
    }
    table
}

fn cluster_ip(service: &Service) -> Option<Ipv4Addr> {
    service.spec.as_ref()?.cluster_ip.as_ref()?.parse().ok()
}

/// Addresses of ready endpoints for the port of this name, each once, in a stable order.
fn ready(slices: &[&EndpointSlice], port_name: &str) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for slice in slices {
        let ports = slice.ports.iter().flatten();
        let numbers = ports
            .filter(|port| port.name.as_deref().unwrap_or_default() == port_name)
            .filter_map(|port| u16::try_from(port.port?).ok());
        for number in numbers {
            let endpoints = slice
                .endpoints
                .iter()
                .flatten()
                .filter(|endpoint| is_ready(endpoint));
            let addresses = endpoints.filter_map(|endpoint| endpoint.addresses.first()?.parse().ok());
            all.extend(addresses.map(|address| SocketAddr::new(address, number)));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// An endpoint that says nothing is ready, by the rule of the API.
fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint
        .conditions
        .as_ref()
        .and_then(|conditions| conditions.ready)
        .unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service(ip: &str) -> Arc<Service> {
        let service = json!({"metadata": {"namespace": "n", "name": "s"}, "spec": {"clusterIP": ip, "ports": [
            {"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]}});
        Arc::new(serde_json::from_value(service).expect("Service"))
    }

    fn slice(endpoints: &Value) -> Arc<EndpointSlice> {
        let slice = json!({"metadata": {"namespace": "n", "name": "s-1", "labels": {SERVICE_NAME: "s"}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 8000}, {"name": "dns", "port": 5300}],
            "endpoints": endpoints});
        Arc::new(serde_json::from_value(slice).expect("EndpointSlice"))
    }

    fn network() -> Network {
        Network::of(Ipv4Addr::new(127, 96, 0, 0))
    }

    fn of(ip: &str, endpoints: &Value) -> Vec<(String, Vec<String>)> {
        let (services, slices) = ([service(ip)], [slice(endpoints)]);
        let table = table(network(), services.iter(), slices.iter());
        table
            .iter()
            .map(|(from, to)| (from.to_string(), to.iter().map(ToString::to_string).collect()))
            .collect()
    }

    #[test]
    fn a_port_leads_to_ready_endpoints_of_its_name() {
        let endpoints = json!([
            {"addresses": ["127.64.0.3"], "conditions": {"ready": true}},
            {"addresses": ["127.64.0.2"]},
            {"addresses": ["127.64.0.4"], "conditions": {"ready": false}}]);
        let expected = vec!["127.64.0.2:8000".to_owned(), "127.64.0.3:8000".to_owned()];
        assert_eq!(
            of("127.96.0.7", &endpoints),
            [("127.96.0.7:80".to_owned(), expected)]
        );
    }

    #[test]
    fn a_service_without_endpoints_is_there_and_leads_nowhere() {
        assert_eq!(
            of("127.96.0.7", &json!([])),
            [("127.96.0.7:80".to_owned(), Vec::new())]
        );
    }

    #[test]
    fn services_without_an_address_of_ours_are_not_relayed() {
        for ip in ["None", "", "10.0.0.1", "127.97.0.7"] {
            assert_eq!(of(ip, &json!([])), [], "{ip}");
        }
    }
}
