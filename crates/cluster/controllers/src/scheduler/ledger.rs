//! What Pods take up on each node, kept up to date change by change, so that a decision costs the same with ten Pods and
//! with ten thousand. Pure; the scheduler feeds it and decides under its lock.

use std::collections::{BTreeMap, HashMap};

use super::resources::{Amounts, Side, add, of_pod, subtract};
use crate::object::Object;
use crate::pod::{Demands, Pod};
use crate::pods::{is_finished, node};
use crate::text::Text;

/// A port of the machine itself: protocol and number.
pub(crate) type HostPort = (Text, i32);

/// What one Pod takes up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Need {
    /// What it asks for.
    pub(crate) amounts: Demands,
    /// Ports of the machine that it takes.
    pub(crate) ports: Box<[HostPort]>,
}

impl Need {
    /// What `pod` takes up.
    pub(crate) fn of(pod: &Pod) -> Self {
        Self {
            amounts: of_pod(pod, Side::Requests).clone(),
            ports: host_ports(pod),
        }
    }
}

/// What all Pods of a node take up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// How many they are.
    pub(crate) pods: usize,
    /// What they ask for.
    pub(crate) amounts: Amounts,
    ports: BTreeMap<HostPort, usize>,
}

impl Usage {
    /// Whether that port is taken.
    pub(crate) fn has_port(&self, port: &HostPort) -> bool {
        self.ports.contains_key(port)
    }

    /// Puts a Pod to it.
    pub(crate) fn add(&mut self, need: &Need) {
        self.pods += 1;
        add(&mut self.amounts, need.amounts.iter());
        for port in &need.ports {
            *self.ports.entry(port.clone()).or_default() += 1;
        }
    }

    fn remove(&mut self, need: &Need) {
        self.pods = self.pods.saturating_sub(1);
        subtract(&mut self.amounts, need.amounts.iter());
        for port in &need.ports {
            if let Some(count) = self.ports.get_mut(port) {
                *count -= 1;
                if *count == 0 {
                    self.ports.remove(port);
                }
            }
        }
    }
}

#[derive(Debug)]
struct Entry {
    node: Text,
    need: Need,
    /// Sent there by us, while the API does not say so yet.
    assumed: bool,
}

/// All Pods that take up room, and the sums by node.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pods: HashMap<Box<str>, Entry>,
    nodes: HashMap<Text, Usage>,
}

impl Ledger {
    /// What is taken up on a node.
    pub(crate) fn usage(&self, node: &str) -> Usage {
        self.nodes.get(node).cloned().unwrap_or_default()
    }

    /// Takes note of a Pod as the API has it now.
    pub(crate) fn observe(&mut self, pod: &Pod) {
        let uid = pod.uid();
        match node(pod) {
            Some(node) if !is_finished(pod) => self.put(uid, node, Need::of(pod), false),
            Some(_) => self.remove(uid),
            // One that we have sent somewhere stays there until the API tells.
            None if is_finished(pod) => self.remove(uid),
            None => {}
        }
    }

    /// Takes note that a Pod is gone, or has not been bound after all.
    pub(crate) fn forget(&mut self, pod: &Pod) {
        self.remove(pod.uid());
    }

    /// Reserves room for a Pod that is about to be bound.
    pub(crate) fn assume(&mut self, pod: &Pod, node: &str) {
        self.put(pod.uid(), node, Need::of(pod), true);
    }

    /// Whether the Pod has been sent to a node, and the API does not say so yet.
    pub(crate) fn is_assumed(&self, pod: &Pod) -> bool {
        self.pods.get(pod.uid()).is_some_and(|entry| entry.assumed)
    }

    fn put(&mut self, uid: &str, node: &str, need: Need, assumed: bool) {
        self.remove(uid);
        let node = Text::from(node);
        self.nodes.entry(node.clone()).or_default().add(&need);
        let entry = Entry { node, need, assumed };
        self.pods.insert(uid.into(), entry);
    }

    fn remove(&mut self, uid: &str) {
        let Some(entry) = self.pods.remove(uid) else {
            return;
        };
        if let Some(usage) = self.nodes.get_mut(&entry.node) {
            usage.remove(&entry.need);
            if usage.pods == 0 {
                self.nodes.remove(&entry.node);
            }
        }
    }
}

fn host_ports(pod: &Pod) -> Box<[HostPort]> {
    let taken = pod
        .ports
        .iter()
        .filter_map(|port| Some((port.protocol.clone(), port.host?)));
    taken.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use toolforge_model::Quantity;

    use super::*;

    fn pod(uid: &str, node: Option<&str>, phase: &str) -> Pod {
        let resources = json!({"requests": {"cpu": "100m"}});
        let ports = json!([{"containerPort": 80, "hostPort": 8080}]);
        let spec =
            json!({"nodeName": node, "containers": [{"name": "c", "resources": resources, "ports": ports}]});
        serde_json::from_value(json!({"metadata": {"uid": uid}, "spec": spec, "status": {"phase": phase}}))
            .expect("a pod")
    }

    fn taken(ledger: &Ledger) -> (usize, Quantity, bool) {
        let usage = ledger.usage("n");
        let cpu = usage.amounts.get("cpu").copied().unwrap_or_default();
        (usage.pods, cpu, usage.has_port(&("TCP".into(), 8080)))
    }

    #[test]
    fn sums_follow_every_change() {
        let mut ledger = Ledger::default();
        let tenths = |count: i64| {
            "100m"
                .parse::<Quantity>()
                .map(|one| (0..count).fold(Quantity::default(), |sum, _| sum + one))
        };
        let waiting = pod("a", None, "Pending");
        ledger.observe(&waiting);
        assert_eq!(taken(&ledger).0, 0);
        ledger.assume(&waiting, "n");
        assert!(ledger.is_assumed(&waiting));
        ledger.observe(&waiting);
        assert_eq!(taken(&ledger).0, 1);
        ledger.observe(&pod("a", Some("n"), "Running"));
        ledger.observe(&pod("b", Some("n"), "Running"));
        assert!(!ledger.is_assumed(&waiting));
        assert_eq!(taken(&ledger), (2, tenths(2).expect("an amount"), true));
        ledger.observe(&pod("a", Some("n"), "Succeeded"));
        assert_eq!(taken(&ledger).0, 1);
        ledger.forget(&pod("b", Some("n"), "Running"));
        ledger.forget(&pod("b", Some("n"), "Running"));
        assert_eq!(taken(&ledger), (0, Quantity::default(), false));
    }
}
