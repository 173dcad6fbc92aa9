//! Addresses and ports that the API hands out: cluster IPs and node ports of Services, each to one Service at a time.
//!
//! A number is reserved before its Service is written and given back when the write fails or the Service goes.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use toolforge_kinds::{FieldError, Kind, Status};

use crate::store::{Effect, Event, Previous, Stored};

/// Cluster IPs in the network: it is a /16, less its own address, its broadcast address and the API's.
const FIRST_OFFSET: u32 = 10;
const LAST_OFFSET: u32 = 0xFFFE;
/// Node ports, as in Kubernetes.
const FIRST_NODE_PORT: u32 = 30_000;
const LAST_NODE_PORT: u32 = 32_767;

/// What is taken.
#[derive(Debug)]
pub(crate) struct Allocator {
    network: u32,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    addresses: BTreeSet<u32>,
    ports: BTreeSet<u32>,
}

/// Numbers that are given back unless their Service is written.
#[derive(Debug)]
pub(crate) struct Reserved {
    allocator: Arc<Allocator>,
    addresses: Vec<u32>,
    ports: Vec<u32>,
}

impl Reserved {
    /// The Service is written.
    pub(crate) fn keep(mut self) {
        self.addresses.clear();
        self.ports.clear();
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.addresses.is_empty() && self.ports.is_empty() {
            return;
        }
        let mut taken = self.allocator.taken.lock();
        for address in &self.addresses {
            taken.addresses.remove(address);
        }
        for port in &self.ports {
            taken.ports.remove(port);
        }
    }
}

impl Allocator {
    /// An allocator for the /16 that begins at `network`.
    pub(crate) fn new(network: u32) -> Self {
        Self {
            network,
            taken: Mutex::new(Taken::default()),
        }
    }

    /// Takes what a stored Service has.
    pub(crate) fn load(&self, stored: &Stored) {
        if is_service(stored) {
            let mut taken = self.taken.lock();
            taken.addresses.extend(addresses(&stored.value()));
            taken.ports.extend(ports(&stored.value()));
        }
    }

    /// Gives back what a Service no longer has.
    pub(crate) fn applied(&self, event: &Event) {
        if !is_service(&event.object) {
            return;
        }
        let before = match (&event.previous, event.effect) {
            (Previous::Known(before), _) => before.value(),
            (_, Effect::Removed) => event.object.value(),
            _ => return,
        };
        let (mut kept_addresses, mut kept_ports) = (Vec::new(), Vec::new());
        if event.effect == Effect::Put {
            kept_addresses = addresses(&event.object.value());
            kept_ports = ports(&event.object.value());
        }
        let mut taken = self.taken.lock();
        for address in addresses(&before)
            .iter()
            .filter(|address| !kept_addresses.contains(address))
        {
            taken.addresses.remove(address);
        }
        for port in ports(&before).iter().filter(|port| !kept_ports.contains(port)) {
            taken.ports.remove(port);
        }
    }

    /// Fills in the addresses and ports of a Service that is about to be written.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        kind: &Kind,
        old: Option<&Value>,
        object: &mut Value,
    ) -> Result<Reserved, Status> {
        let mut reserved = Reserved {
            allocator: self.clone(),
            addresses: Vec::new(),
            ports: Vec::new(),
        };
        if kind.kind != "Service" || !kind.group.is_empty() {
            return Ok(reserved);
        }
        let name = crate::metadata::text(object, "name").to_owned();
        let invalid = |problem: FieldError| Status::invalid(kind, &name, vec![problem]);
        self.reserve_address(old, object, &mut reserved)
            .map_err(invalid)?;
        self.reserve_ports(old, object, &mut reserved).map_err(invalid)?;
        Ok(reserved)
    }

    fn reserve_address(
        &self,
        old: Option<&Value>,
        object: &mut Value,
        reserved: &mut Reserved,
    ) -> Result<(), FieldError> {
        let text = |value: &Value, field: &str| {
            value
                .get("spec")
                .and_then(|spec| spec.get(field))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let Some(_) = object.get("spec").and_then(Value::as_object) else {
            return Ok(());
        };
        if text(object, "type") == "ExternalName" {
            return Ok(());
        }
        let before = old.map(|old| text(old, "clusterIP")).unwrap_or_default();
        let mut wanted = text(object, "clusterIP");
        if wanted.is_empty() && !before.is_empty() {
            wanted.clone_from(&before);
        }
        if wanted == "None" {
            set_address(object, "None");
            return Ok(());
        }
        if !wanted.is_empty() && wanted == before {
            set_address(object, &wanted);
            return Ok(());
        }
        let mut taken = self.taken.lock();
        let address = if wanted.is_empty() {
            (FIRST_OFFSET..LAST_OFFSET)
                .map(|offset| self.network + offset)
                .find(|address| !taken.addresses.contains(address))
                .ok_or_else(|| {
                    FieldError::invalid(
                        "spec.clusterIPs",
                        json!([]),
                        "failed to allocate an IP: range is full",
                    )
                })?
        } else {
            self.chosen(&wanted, &taken)?
        };
        taken.addresses.insert(address);
        reserved.addresses.push(address);
        drop(taken);
        set_address(object, &Ipv4Addr::from(address).to_string());
        Ok(())
    }

    fn chosen(&self, wanted: &str, taken: &Taken) -> Result<u32, FieldError> {
        let refuse = |why: &str| {
            FieldError::invalid(
                "spec.clusterIPs",
                json!([wanted]),
                &format!("failed to allocate IP {wanted}: {why}"),
            )
        };
        let address: Ipv4Addr = wanted.parse().map_err(|_| refuse("not a valid IPv4 address"))?;
        let address = u32::from(address);
        if address <= self.network || address - self.network > LAST_OFFSET {
            return Err(refuse("the provided IP is not in the valid range"));
        }
        if taken.addresses.contains(&address) {
            return Err(refuse("provided IP is already allocated"));
        }
        Ok(address)
    }

    fn reserve_ports(
        &self,
        old: Option<&Value>,
        object: &mut Value,
        reserved: &mut Reserved,
    ) -> Result<(), FieldError> {
        let kind = object
            .pointer("/spec/type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if kind != "NodePort" && kind != "LoadBalancer" {
            return Ok(());
        }
        let before = old.map(ports).unwrap_or_default();
        let Some(list) = object.pointer_mut("/spec/ports").and_then(Value::as_array_mut) else {
            return Ok(());
        };
        let mut taken = self.taken.lock();
        for (index, entry) in list.iter_mut().enumerate() {
            let wanted = entry
                .get("nodePort")
                .and_then(Value::as_u64)
                .and_then(|port| u32::try_from(port).ok());
            let port = match wanted.filter(|port| *port > 0) {
                Some(port) if before.contains(&port) => continue,
                Some(port) if !(FIRST_NODE_PORT..=LAST_NODE_PORT).contains(&port) => {
                    let field = format!("spec.ports[{index}].nodePort");
                    let why = format!(
                        "provided port is not in the valid range. The range of valid ports is {FIRST_NODE_PORT}-{LAST_NODE_PORT}"
                    );
                    return Err(FieldError::invalid(&field, port, &why));
                }
                Some(port) if taken.ports.contains(&port) => {
                    let field = format!("spec.ports[{index}].nodePort");
                    return Err(FieldError::invalid(
                        &field,
                        port,
                        "provided port is already allocated",
                    ));
                }
                Some(port) => port,
                None => (FIRST_NODE_PORT..=LAST_NODE_PORT)
                    .find(|port| !taken.ports.contains(port))
                    .ok_or_else(|| {
                        FieldError::invalid("spec.ports", json!([]), "no free node port is left")
                    })?,
            };
            taken.ports.insert(port);
            reserved.ports.push(port);
            entry["nodePort"] = json!(port);
        }
        Ok(())
    }
}

fn is_service(stored: &Stored) -> bool {
    stored.key.resource.plural == "services" && stored.key.resource.group.is_empty()
}

fn set_address(object: &mut Value, address: &str) {
    object["spec"]["clusterIP"] = json!(address);
    object["spec"]["clusterIPs"] = json!([address]);
}

fn addresses(service: &Value) -> Vec<u32> {
    service
        .pointer("/spec/clusterIP")
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Ipv4Addr>().ok())
        .map(u32::from)
        .into_iter()
        .collect()
}

fn ports(service: &Value) -> Vec<u32> {
    service
        .pointer("/spec/ports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|port| u32::try_from(port.get("nodePort")?.as_u64()?).ok())
        .filter(|port| *port > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind() -> &'static Kind {
        toolforge_kinds::by_kind("", "v1", "Service").unwrap()
    }

    fn allocator() -> Arc<Allocator> {
        Arc::new(Allocator::new(u32::from(Ipv4Addr::new(127, 96, 0, 0))))
    }

    fn service(spec: &Value) -> Value {
        json!({"metadata":{"name":"a"},"spec":spec})
    }

    #[test]
    fn each_service_has_an_address_of_its_own() {
        let allocator = allocator();
        let (mut first, mut second) = (service(&json!({})), service(&json!({})));
        allocator.reserve(kind(), None, &mut first).unwrap().keep();
        allocator.reserve(kind(), None, &mut second).unwrap().keep();
        assert_eq!(first["spec"]["clusterIP"], "127.96.0.10");
        assert_eq!(second["spec"]["clusterIP"], "127.96.0.11");
    }

    #[test]
    fn an_address_of_a_failed_write_is_free_again() {
        let allocator = allocator();
        let mut first = service(&json!({}));
        drop(allocator.reserve(kind(), None, &mut first).unwrap());
        let mut second = service(&json!({}));
        allocator.reserve(kind(), None, &mut second).unwrap().keep();
        assert_eq!(first["spec"]["clusterIP"], second["spec"]["clusterIP"]);
    }

    #[test]
    fn a_chosen_address_must_be_free_and_in_the_network() {
        let allocator = allocator();
        for (address, fits) in [
            ("127.96.0.1", true),
            ("127.96.0.1", false),
            ("10.0.0.1", false),
            ("x", false),
        ] {
            let mut service = service(&json!({"clusterIP": address}));
            let reserved = allocator.reserve(kind(), None, &mut service);
            assert_eq!(reserved.is_ok(), fits, "{address}");
            if let Ok(reserved) = reserved {
                reserved.keep();
            }
        }
    }

    #[test]
    fn headless_services_have_none_and_updates_keep_theirs() {
        let allocator = allocator();
        let mut headless = service(&json!({"clusterIP":"None"}));
        allocator.reserve(kind(), None, &mut headless).unwrap().keep();
        assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
        let old = service(&json!({"clusterIP":"127.96.0.77"}));
        let mut new = service(&json!({}));
        allocator.reserve(kind(), Some(&old), &mut new).unwrap().keep();
        assert_eq!(new["spec"]["clusterIP"], "127.96.0.77");
    }

    #[test]
    fn node_ports_are_handed_out_once() {
        let allocator = allocator();
        let mut one = service(&json!({"type":"NodePort","ports":[{"port":80},{"port":81}]}));
        allocator.reserve(kind(), None, &mut one).unwrap().keep();
        assert_eq!(one["spec"]["ports"][1]["nodePort"], 30001);
        let mut two = service(&json!({"type":"NodePort","ports":[{"port":80,"nodePort":30001}]}));
        assert!(allocator.reserve(kind(), None, &mut two).is_err());
    }
}
