//! What one object costs, in the names of quota: `pods`, `requests.cpu`, `services.nodeports`, `count/jobs.batch`.

use serde_json::Value;
use toolforge_model::Quantity;

use crate::amounts::Amounts;
use crate::pod::{self, Side};

/// Kinds that are also counted under their plain plural.
const COUNTED_PLAINLY: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

/// Resources whose requests are counted with and without the prefix `requests.`.
const COMPUTE: &[&str] = &["cpu", "memory", "ephemeral-storage"];

/// What an object of a resource costs.
pub fn usage_of(group: &str, plural: &str, object: &Value) -> Amounts {
    let one = Quantity::from_units(1);
    let mut usage = Amounts::from([(count(group, plural).as_str(), one)]);
    if !group.is_empty() {
        return usage;
    }
    if COUNTED_PLAINLY.contains(&plural) {
        usage.set(plural, one);
    }
    match plural {
        "pods" if !is_over(object) => {
            usage.set("pods", one);
            usage.add(&of_resources(
                &pod::total(object, Side::Requests),
                &pod::total(object, Side::Limits),
            ));
        }
        "services" => usage.add(&of_service(object)),
        "persistentvolumeclaims" => usage.add(&of_claim(object)),
        _ => {}
    }
    usage
}

/// Whether a name of quota has to do with a resource.
pub(super) fn concerns(group: &str, plural: &str, name: &str) -> bool {
    if name == count(group, plural) {
        return true;
    }
    if !group.is_empty() {
        return false;
    }
    match plural {
        "pods" => {
            let bare = name
                .strip_prefix("requests.")
                .or_else(|| name.strip_prefix("limits."))
                .unwrap_or(name);
            name == "pods"
                || COMPUTE.contains(&bare)
                || bare.starts_with("hugepages-")
                || (name.starts_with("requests.") && is_extended(bare))
        }
        "services" => matches!(name, "services" | "services.nodeports" | "services.loadbalancers"),
        "persistentvolumeclaims" => {
            matches!(name, "persistentvolumeclaims" | "requests.storage")
                || name.contains(".storageclass.storage.k8s.io/")
        }
        _ => name == plural && COUNTED_PLAINLY.contains(&plural),
    }
}

/// `count/pods`, `count/deployments.apps`.
fn count(group: &str, plural: &str) -> String {
    if group.is_empty() {
        format!("count/{plural}")
    } else {
        format!("count/{plural}.{group}")
    }
}

/// Requests and limits under the names of quota.
pub(super) fn of_resources(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut usage = Amounts::default();
    for (name, amount) in requests.iter() {
        if COMPUTE.contains(&name) || name.starts_with("hugepages-") {
            usage.set(name, amount);
            usage.set(format!("requests.{name}"), amount);
        } else if is_extended(name) {
            usage.set(format!("requests.{name}"), amount);
        }
    }
    for (name, amount) in limits.iter().filter(|(name, _)| COMPUTE.contains(name)) {
        usage.set(format!("limits.{name}"), amount);
    }
    usage
}

/// Resources of devices carry a domain that is not Kubernetes' own.
fn is_extended(name: &str) -> bool {
    name.split_once('/')
        .is_some_and(|(domain, _)| domain != "kubernetes.io" && !domain.ends_with(".kubernetes.io"))
}

/// A Pod that has ended costs nothing but its place in the store.
fn is_over(pod: &Value) -> bool {
    matches!(
        pod.pointer("/status/phase").and_then(Value::as_str),
        Some("Succeeded" | "Failed")
    )
}

fn of_service(service: &Value) -> Amounts {
    let ports = service
        .pointer("/spec/ports")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let with_node_port = || {
        ports
            .iter()
            .filter(|port| port.get("nodePort").is_some_and(|port| *port != 0))
            .count()
    };
    let allocates = service
        .pointer("/spec/allocateLoadBalancerNodePorts")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let (balancers, node_ports) = match service.pointer("/spec/type").and_then(Value::as_str) {
        Some("NodePort") => (0, ports.len()),
        Some("LoadBalancer") if allocates => (1, ports.len()),
        Some("LoadBalancer") => (1, with_node_port()),
        _ => (0, 0),
    };
    Amounts::from([
        ("services.loadbalancers", Quantity::from_units(balancers)),
        (
            "services.nodeports",
            Quantity::from_units(i64::try_from(node_ports).unwrap_or(i64::MAX)),
        ),
    ])
}

fn of_claim(claim: &Value) -> Amounts {
    let requests = Amounts::read(claim.pointer("/spec/resources/requests"));
    let storage = requests.get("storage");
    let mut usage = Amounts::default();
    if let Some(storage) = storage {
        usage.set("requests.storage", storage);
    }
    if let Some(class) = claim.pointer("/spec/storageClassName").and_then(Value::as_str) {
        let prefix = format!("{class}.storageclass.storage.k8s.io");
        usage.set(
            format!("{prefix}/persistentvolumeclaims"),
            Quantity::from_units(1),
        );
        if let Some(storage) = storage {
            usage.set(format!("{prefix}/requests.storage"), storage);
        }
    }
    usage
}
