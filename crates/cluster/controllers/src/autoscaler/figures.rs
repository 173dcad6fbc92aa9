//! What Pods use, as `metrics.k8s.io` tells it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Client, ResourceExt as _};
use serde::Deserialize;
use toolforge_model::Quantity;

use crate::controller::text_of;

/// The figures of a namespace's Pods, by name.
pub(crate) type Figures = BTreeMap<String, PodFigures>;

/// What one Pod used in a window of time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PodFigures {
    /// The end of the window.
    pub(crate) at: Timestamp,
    /// Its length.
    pub(crate) window: SignedDuration,
    /// Thousandths of each resource, by container.
    pub(crate) containers: Vec<(String, BTreeMap<String, i64>)>,
}

#[derive(Deserialize)]
struct Item {
    timestamp: Timestamp,
    #[serde(default)]
    window: String,
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
    #[serde(default)]
    usage: BTreeMap<String, String>,
}

/// Asks for the figures of the Pods that `selector` selects; an error is the text of the answer.
pub(crate) async fn ask(client: &Client, namespace: &str, selector: &str) -> Result<Figures, String> {
    let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
    let resource = ApiResource::from_gvk_with_plural(&kind, "pods");
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let list = api
        .list(&ListParams::default().labels(selector))
        .await
        .map_err(|error| {
            let why = text_of(&error);
            format!("unable to fetch metrics from resource metrics API: {why}")
        })?;
    let items = list.items.into_iter();
    let figures: Figures = items
        .filter_map(|item| {
            let name = item.name_any();
            Some((name, read(serde_json::from_value(item.data).ok()?)))
        })
        .collect();
    if figures.is_empty() {
        return Err("no metrics returned from resource metrics API".to_owned());
    }
    Ok(figures)
}

fn read(item: Item) -> PodFigures {
    let containers = item.containers.into_iter().map(|container| {
        let usage = container.usage.into_iter().filter_map(|(name, amount)| {
            let amount: Quantity = amount.parse().ok()?;
            Some((name, i64::try_from(amount.millis()).unwrap_or(i64::MAX)))
        });
        (container.name, usage.collect())
    });
    PodFigures {
        at: item.timestamp,
        // Go's notation is a friendly duration, too.
        window: item.window.parse().unwrap_or_default(),
        containers: containers.collect(),
    }
}

impl PodFigures {
    /// Thousandths of a resource: of one container, or of all together. None where it is not known of each of them.
    pub(crate) fn used(&self, resource: &str, container: Option<&str>) -> Option<i64> {
        let wanted = |name: &str| container.is_none_or(|container| container == name);
        let mut of = self.containers.iter().filter(|(name, _)| wanted(name)).peekable();
        of.peek()?;
        of.map(|(_, usage)| usage.get(resource).copied()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_the_metrics_server_writes_them() {
        let item = serde_json::from_str(
            r#"{"timestamp": "2026-01-01T00:00:10Z", "window": "15.204s",
                "containers": [{"name": "c", "usage": {"cpu": "250500000n", "memory": "64Ki"}},
                               {"name": "d", "usage": {"cpu": "1"}}]}"#,
        );
        let figures = read(item.expect("an item"));
        assert_eq!(figures.window, SignedDuration::from_millis(15_204));
        assert_eq!(figures.used("cpu", None), Some(1251));
        assert_eq!(figures.used("memory", None), None);
        assert_eq!(figures.used("memory", Some("c")), Some(65_536_000));
        assert_eq!(figures.used("cpu", Some("e")), None);
    }
}
