//! Endpoints and `EndpointSlices` of real Services.

use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use crate::cluster::{Cluster, create, until, until_gone, until_one};

fn ready(slices: &[EndpointSlice]) -> Vec<bool> {
    let endpoints = slices.iter().filter(|slice| {
        slice
            .metadata
            .labels
            .as_ref()
            .is_some_and(|labels| labels.get("kubernetes.io/service-name").is_some())
    });
    endpoints
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .map(|endpoint| endpoint.conditions.as_ref().unwrap().ready.unwrap())
        .collect()
}

#[tokio::test]
async fn pods_appear_behind_their_service_and_leave_it() {
    let cluster = Cluster::start().await;
    let (services, pods) = (cluster.api::<Service>(), cluster.api::<Pod>());
    let (slices, endpoints) = (cluster.api::<EndpointSlice>(), cluster.api::<Endpoints>());
    create(
        &services,
        json!({
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 8000, "targetPort": 8000}]},
        }),
    )
    .await;
    let pod = |name: &str, ready: &str| {
        json!({
            "metadata": {"name": name, "labels": {"app": "web", "ready": ready}},
            "spec": {"containers": [{"name": "web", "image": "x"}]},
        })
    };
    create(&pods, pod("good", "yes")).await;
    let everything = ListParams::default();
    until(&slices, &everything, "the pod is behind it", |all| {
        (ready(all) == [true]).then_some(())
    })
    .await;
    create(&pods, pod("bad", "no")).await;
    let both = |all: &[EndpointSlice]| (ready(all).len() == 2).then(|| ready(all));
    let states = until(&slices, &everything, "both pods are behind it", both).await;
    assert_eq!(states.iter().filter(|state| **state).count(), 1);
    let apart = |found: &Endpoints| {
        let subset = found.subsets.as_ref()?.first()?.clone();
        let counts = (subset.addresses?.len(), subset.not_ready_addresses?.len());
        (counts == (1, 1)).then_some(())
    };
    until_one(&endpoints, "web", "one is ready and one is not", apart).await;

    pods.delete("good", &DeleteParams::default()).await.unwrap();
    until(&slices, &everything, "the pod has left", |all| {
        (ready(all) == [false]).then_some(())
    })
    .await;
    services.delete("web", &DeleteParams::default()).await.unwrap();
    until_gone(&endpoints, "web").await;
    until(&slices, &everything, "the slices are gone", |all| {
        all.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn endpoints_of_a_service_without_selector_stay_as_they_are() {
    let cluster = Cluster::start().await;
    let endpoints = cluster.api::<Endpoints>();
    create(
        &cluster.api::<Service>(),
        json!({"metadata": {"name": "own"}, "spec": {"ports": [{"port": 80}]}}),
    )
    .await;
    let own = json!([{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]);
    create(&endpoints, json!({"metadata": {"name": "own"}, "subsets": own})).await;
    // Work on a later Service shows that the controller has passed the first.
    create(
        &cluster.api::<Service>(),
        json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    )
    .await;
    until_one(&endpoints, "web", "the other service has endpoints", |_| Some(())).await;
    let left = endpoints.get("own").await.unwrap().subsets.unwrap();
    assert_eq!(left[0].addresses.as_ref().unwrap()[0].ip, "192.0.2.1");
    // Whoever reads slices alone sees it as well.
    let slices = cluster.api::<EndpointSlice>();
    let mirrored = |all: &[EndpointSlice]| {
        let slice = all
            .iter()
            .find(|slice| slice.metadata.labels.as_ref().unwrap()["kubernetes.io/service-name"] == "own")?;
        Some(slice.endpoints.as_ref()?.first()?.addresses.clone())
    };
    let found = until(&slices, &ListParams::default(), "it is mirrored", mirrored).await;
    assert_eq!(found, ["192.0.2.1"]);
    endpoints.delete("own", &DeleteParams::default()).await.unwrap();
    until(&slices, &ListParams::default(), "the mirror is gone", |all| {
        mirrored(all).is_none().then_some(())
    })
    .await;
}
