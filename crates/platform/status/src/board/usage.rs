//! What nodes and Pods use now, from `metrics.k8s.io`. That API has no watch: it is asked as often as it measures.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde::{Deserialize, Serialize};
use toolforge_model::Quantity;

use crate::board::{follow::Shared, world::Place};

/// How often metrics-server measures by default (its `--metric-resolution`).
const RESOLUTION: Duration = Duration::from_secs(15);

/// Usage, as last measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// By name; nothing when the cluster does not measure.
    pub(crate) nodes: Option<BTreeMap<String, Amount>>,
    /// By namespace and name.
    pub(crate) pods: BTreeMap<String, BTreeMap<String, Amount>>,
}

/// An amount of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Amount {
    pub(crate) cpu_millis: i64,
    pub(crate) memory_bytes: i64,
}

impl Usage {
    /// What a Pod uses.
    pub(crate) fn of_pod(&self, namespace: &str, name: &str) -> Option<Amount> {
        self.pods.get(namespace)?.get(name).copied()
    }

    /// What a node uses.
    pub(crate) fn of_node(&self, name: &str) -> Option<Amount> {
        self.nodes.as_ref()?.get(name).copied()
    }
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: ItemMeta,
    #[serde(default)]
    usage: Measured,
    #[serde(default)]
    containers: Vec<Part>,
}

#[derive(Deserialize)]
struct ItemMeta {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
struct Part {
    usage: Measured,
}

#[derive(Deserialize, Default)]
struct Measured {
    cpu: Option<Quantity>,
    memory: Option<Quantity>,
}

impl Measured {
    fn amount(&self) -> Amount {
        let part = |quantity: Option<Quantity>, nanos: i128| {
            let amount = quantity.map_or(0, Quantity::nanos) / nanos;
            i64::try_from(amount).unwrap_or(i64::MAX)
        };
        Amount {
            cpu_millis: part(self.cpu, 1_000_000),
            memory_bytes: part(self.memory, 1_000_000_000),
        }
    }
}

/// Asks again and again, until it is dropped.
pub(crate) async fn follow(client: Client, shared: Shared) {
    let mut turns = tokio::time::interval(RESOLUTION);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        match measured(&client).await {
            Ok(usage) => shared.change(Place::Figures, |world| {
                world.usage = usage;
                if let Some(used) = world.in_use() {
                    world.load.take(Timestamp::now().as_second(), used);
                }
            }),
            // Many clusters do not measure; the pages say so.
            Err(error) => tracing::debug!(error = %error, "usage cannot be read"),
        }
    }
}

async fn measured(client: &Client) -> Result<Usage, kube::Error> {
    let ask = |what: &str| {
        let request = http::Request::get(format!("/apis/metrics.k8s.io/v1beta1/{what}"))
            .body(Vec::new())
            .map_err(kube::Error::HttpError);
        async move { client.request::<List>(request?).await }
    };
    let (nodes, pods) = tokio::try_join!(ask("nodes"), ask("pods"))?;
    Ok(usage(&nodes, &pods))
}

fn usage(nodes: &List, pods: &List) -> Usage {
    let nodes = nodes
        .items
        .iter()
        .map(|node| (node.metadata.name.clone(), node.usage.amount()));
    let mut usage = Usage {
        nodes: Some(nodes.collect()),
        pods: BTreeMap::new(),
    };
    for pod in &pods.items {
        let mut sum = Amount::default();
        for part in pod.containers.iter().map(|part| part.usage.amount()) {
            sum.cpu_millis += part.cpu_millis;
            sum.memory_bytes += part.memory_bytes;
        }
        let namespace = usage.pods.entry(pod.metadata.namespace.clone()).or_default();
        namespace.insert(pod.metadata.name.clone(), sum);
    }
    usage
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn containers_of_a_pod_are_added_up() {
        let nodes = json!({ "items": [{ "metadata": { "name": "n" }, "usage": { "cpu": "1500m", "memory": "2Ki" } }] });
        let pods = json!({ "items": [{
            "metadata": { "name": "p", "namespace": "tool-t" },
            "containers": [
                { "name": "a", "usage": { "cpu": "1250000n", "memory": "1Ki" } },
                { "name": "b", "usage": { "cpu": "2m", "memory": "1Ki" } },
            ],
        }] });
        let parse = |value| serde_json::from_value::<List>(value).unwrap();
        let usage = usage(&parse(nodes), &parse(pods));
        assert_eq!(usage.of_node("n").unwrap().cpu_millis, 1500);
        let pod = usage.of_pod("tool-t", "p").unwrap();
        assert_eq!((pod.cpu_millis, pod.memory_bytes), (3, 2048));
        assert_eq!(usage.of_pod("tool-t", "q"), None);
    }
}
