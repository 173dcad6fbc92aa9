//! One look at a webservice: everything that a verdict depends on, read at once.

use std::collections::BTreeMap;

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Event, Pod},
    },
};
use kube::{
    Api, Resource,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde::de::DeserializeOwned;
use toolforge_model::Quantity;

use crate::{error::WebserviceError, scene::Scene, session::Session};

const DOING: &str = "looking at your webservice";

/// What the cluster says of the webservice now. Events only explain; where they may not be read, there are none.
pub(crate) async fn look(session: &Session) -> Result<Scene, WebserviceError> {
    let deployments = session.api::<Deployment>();
    let events = session.api::<Event>();
    let parameters = ListParams::default();
    let (deployment, replica_sets, pods, events) = futures::join!(
        deployments.get_opt(session.tool.as_str()),
        all::<ReplicaSet>(session),
        all::<Pod>(session),
        events.list(&parameters),
    );
    Ok(Scene {
        deployment: deployment.map_err(WebserviceError::api(DOING))?,
        replica_sets: replica_sets?,
        pods: pods?,
        events: events.map(|list| list.items).unwrap_or_default(),
    })
}

/// All objects of a kind in the tool's namespace.
pub(crate) async fn all<K>(session: &Session) -> Result<Vec<K>, WebserviceError>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let list = session.api::<K>().list(&ListParams::default()).await;
    Ok(list.map_err(WebserviceError::api(DOING))?.items)
}

/// What one Pod uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) cpu: Quantity,
    pub(crate) memory: Quantity,
}

/// What each Pod uses now, by name. Nobody has measured anything where the cluster has no such API, or where a
/// Pod has just started.
pub(crate) async fn usage(session: &Session) -> BTreeMap<String, Usage> {
    let resource = ApiResource {
        group: "metrics.k8s.io".to_owned(),
        version: "v1beta1".to_owned(),
        api_version: "metrics.k8s.io/v1beta1".to_owned(),
        kind: "PodMetrics".to_owned(),
        plural: "pods".to_owned(),
    };
    let namespace = session.tool.namespace();
    let metrics: Api<DynamicObject> =
        Api::namespaced_with(session.client.clone(), namespace.as_str(), &resource);
    let Ok(list) = metrics.list(&ListParams::default()).await else {
        return BTreeMap::new();
    };
    list.items.iter().filter_map(usage_of).collect()
}

fn usage_of(metrics: &DynamicObject) -> Option<(String, Usage)> {
    let containers = metrics.data.get("containers")?.as_array()?;
    let sum = |name: &str| {
        containers
            .iter()
            .filter_map(|container| container.pointer(&format!("/usage/{name}"))?.as_str())
            .filter_map(|text| text.parse::<Quantity>().ok())
            .reduce(|sum, one| sum + one)
    };
    let usage = Usage {
        cpu: sum("cpu")?,
        memory: sum("memory")?,
    };
    Some((metrics.metadata.name.clone()?, usage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_a_pod_are_added() {
        let metrics = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "alpha-1" },
            "containers": [
                { "name": "a", "usage": { "cpu": "10m", "memory": "1Mi" } },
                { "name": "b", "usage": { "cpu": "2500000n", "memory": "1Ki" } },
            ],
        }))
        .unwrap();
        let (name, usage) = usage_of(&metrics).unwrap();
        assert_eq!(name, "alpha-1");
        assert_eq!(usage.memory.to_string().parse::<Quantity>(), "1025Ki".parse());
        assert_eq!(usage.cpu.to_string().parse::<Quantity>(), "12500u".parse());
    }
}
