//! Which Pod, Service or node a proxy request is for, and at which address. Kubernetes' rules and words.

use std::net::{IpAddr, Ipv4Addr};

use rand::seq::IndexedRandom as _;
use serde_json::Value;
use toolforge_kinds::Status;

use crate::rest::Call;
use crate::store::{Key, Resource};

/// The addresses that Pods of this machine have (127.64.0.0/11): the only ones on loopback that are Pods'.
const POD_NETWORKS: (Ipv4Addr, u32) = (Ipv4Addr::new(127, 64, 0, 0), 11);

/// `SCHEME:NAME:PORT`, of which only the name has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) https: bool,
    pub(super) name: &'a str,
    pub(super) port: &'a str,
}

impl<'a> Named<'a> {
    /// Reads the name of a path.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match *parts.as_slice() {
            [name] => ("", name, ""),
            [name, port] => ("", name, port),
            [scheme, name, port] => (scheme, name, port),
            _ => return None,
        };
        let known = matches!(scheme, "" | "http" | "https");
        (known && !name.is_empty()).then_some(Self {
            https: scheme == "https",
            name,
            port,
        })
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) https: bool,
    pub(super) address: IpAddr,
    pub(super) port: u16,
}

/// The place of a Pod's port; of its first one when none is named.
pub(super) fn pod(call: &Call, named: Named<'_>) -> Result<Place, Status> {
    let pod = call
        .api
        .store
        .get(&call.key(named.name))
        .ok_or_else(|| Status::not_found(call.kind, named.name))?;
    let pod = pod.value();
    let port = if named.port.is_empty() {
        first_port(&pod).unwrap_or(if named.https { 443 } else { 80 })
    } else {
        let invalid = |_| Status::bad_request(format!("invalid pod port {:?}", named.port));
        named.port.parse().map_err(invalid)?
    };
    let address = pod.pointer("/status/podIP").and_then(Value::as_str);
    let address = address.and_then(|address| address.parse().ok());
    let address = address
        .filter(|address| is_proxied_to(*address))
        .ok_or_else(|| Status::bad_request("address not allowed"))?;
    Ok(Place {
        https: named.https,
        address,
        port,
    })
}

fn first_port(pod: &Value) -> Option<u16> {
    let containers = pod.pointer("/spec/containers")?.as_array()?;
    let port = containers
        .iter()
        .find_map(|container| container.pointer("/ports/0/containerPort"))?;
    port.as_u64()?.try_into().ok()
}

/// The place of one of the Pods behind a Service's port.
pub(super) fn service(call: &Call, named: Named<'_>) -> Result<Place, Status> {
    let service = call
        .api
        .store
        .get(&call.key(named.name))
        .ok_or_else(|| Status::not_found(call.kind, named.name))?;
    let port = port_name(&service.value(), named)?;
    let none = || Status::service_unavailable(format!("no endpoints available for service {:?}", named.name));
    let namespace = call.namespace.as_deref();
    let endpoints = Resource::find("", "endpoints").ok_or_else(none)?;
    let endpoints = call.api.store.get(&Key::new(endpoints, namespace, named.name));
    let endpoints = endpoints.ok_or_else(none)?;
    let places: Vec<Place> = places(&endpoints.value(), &port)
        .filter(|(pod, place)| is_address_of(call, pod, place.address))
        .map(|(_, place)| Place {
            https: named.https,
            ..place
        })
        .collect();
    places.choose(&mut rand::rng()).copied().ok_or_else(none)
}

/// The name of the port that is meant, by number or by name.
fn port_name(service: &Value, named: Named<'_>) -> Result<String, Status> {
    let Ok(number) = named.port.parse::<u16>() else {
        return Ok(named.port.to_owned());
    };
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let found = ports
        .into_iter()
        .flatten()
        .find(|port| port.get("port").and_then(Value::as_u64) == Some(u64::from(number)))
        .ok_or_else(|| {
            Status::service_unavailable(format!(
                "no service port {number} found for service {:?}",
                named.name
            ))
        })?;
    let name = found.get("name").and_then(Value::as_str);
    Ok(name.unwrap_or_default().to_owned())
}

/// Ready addresses with a port of this name, each with the name of its Pod.
fn places<'a>(endpoints: &'a Value, port: &'a str) -> impl Iterator<Item = (&'a str, Place)> {
    let list = |value: &'a Value, name: &str| value.get(name).and_then(Value::as_array).into_iter().flatten();
    list(endpoints, "subsets").flat_map(move |subset| {
        let number = list(subset, "ports").find_map(move |found| {
            let name = found.get("name").and_then(Value::as_str).unwrap_or_default();
            let number = found.get("port")?.as_u64()?;
            (name == port).then(|| u16::try_from(number).ok())?
        });
        list(subset, "addresses").filter_map(move |address| {
            let pod = address
                .pointer("/targetRef")
                .filter(|target| target["kind"] == "Pod")?;
            let place = Place {
                https: false,
                address: address.get("ip")?.as_str()?.parse().ok()?,
                port: number?,
            };
            Some((pod.get("name")?.as_str()?, place))
        })
    })
}

/// Endpoints can be written by hand: only what is a Pod's own address is proxied to.
fn is_address_of(call: &Call, pod: &str, address: IpAddr) -> bool {
    let Some(pods) = Resource::find("", "pods") else {
        return false;
    };
    let pod = call
        .api
        .store
        .get(&Key::new(pods, call.namespace.as_deref(), pod));
    let own = pod.is_some_and(|pod| {
        let pod = pod.value();
        let own = pod.pointer("/status/podIP").and_then(Value::as_str);
        own.and_then(|own| own.parse().ok()) == Some(address)
    });
    own && is_proxied_to(address)
}

/// Nobody reaches the machine's own services, or others near it, by way of the API.
fn is_proxied_to(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) if address.is_loopback() => {
            let (network, length) = POD_NETWORKS;
            u32::from(address) >> (32 - length) == u32::from(network) >> (32 - length)
        }
        IpAddr::V4(address) => {
            !(address.is_link_local()
                || address.is_multicast()
                || address.is_unspecified()
                || address.is_broadcast())
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_multicast()
                || address.is_unspecified()
                || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_may_have_a_scheme_and_a_port() {
        let parse = |text| Named::parse(text).map(|named| (named.https, named.name, named.port));
        assert_eq!(parse("web"), Some((false, "web", "")));
        assert_eq!(parse("web:http"), Some((false, "web", "http")));
        assert_eq!(parse("https:web:443"), Some((true, "web", "443")));
        assert_eq!(parse("https:web:"), Some((true, "web", "")));
        assert_eq!(parse("ftp:web:1"), None);
        assert_eq!(parse(":80"), None);
        assert_eq!(parse("a:b:c:d"), None);
    }

    #[test]
    fn only_addresses_of_pods_are_proxied_to() {
        for (address, allowed) in [
            ("127.0.0.1", false),
            ("127.64.0.5", true),
            ("127.95.255.1", true),
            ("127.96.0.1", false),
            ("169.254.169.254", false),
            ("10.1.2.3", true),
            ("::1", false),
        ] {
            assert_eq!(is_proxied_to(address.parse().unwrap()), allowed, "{address}");
        }
    }

    #[test]
    fn a_service_port_is_found_by_number_or_name() {
        let service = json!({"spec":{"ports":[{"name":"web","port":80},{"name":"api","port":81}]}});
        let find = |text| port_name(&service, Named::parse(text).unwrap());
        assert_eq!(find("s:81").unwrap(), "api");
        assert_eq!(find("s:web").unwrap(), "web");
        assert_eq!(find("s:82").unwrap_err().code, 503);
    }

    #[test]
    fn only_ready_addresses_of_pods_are_places() {
        let pod = json!({"kind":"Pod","name":"p"});
        let endpoints = json!({"subsets":[{
            "addresses":[{"ip":"127.64.0.2","targetRef":pod},{"ip":"127.64.0.3"}],
            "notReadyAddresses":[{"ip":"127.64.0.4","targetRef":pod}],
            "ports":[{"name":"web","port":8000}]}]});
        let found: Vec<(&str, Place)> = places(&endpoints, "web").collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0, found[0].1.port), ("p", 8000));
        assert_eq!(places(&endpoints, "other").count(), 0);
    }
}
