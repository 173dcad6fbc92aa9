//! Disruption budgets and evictions.

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{EvictParams, ListParams};
use serde_json::{Value, json};

use crate::cluster::{Cluster, create, until_one};

fn numbers(budget: &PodDisruptionBudget) -> Option<[i32; 4]> {
    let status = budget.status.as_ref()?;
    Some([
        status.expected_pods?,
        status.desired_healthy?,
        status.current_healthy?,
        status.disruptions_allowed?,
    ])
}

fn deployment(replicas: u32) -> Value {
    let template = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "one"}]},
    });
    let selector = json!({"matchLabels": {"app": "web"}});
    let spec = json!({"replicas": replicas, "selector": selector, "template": template});
    json!({"metadata": {"name": "web"}, "spec": spec})
}

#[tokio::test]
async fn no_more_pods_are_evicted_than_the_budget_allows_however_many_ask() {
    let mut cluster = Cluster::start().await;
    let (budgets, pods) = (cluster.api::<PodDisruptionBudget>(), cluster.api::<Pod>());
    create(&cluster.api::<Deployment>(), deployment(8)).await;
    let selector = json!({"matchLabels": {"app": "web"}});
    let spec = json!({"maxUnavailable": 3, "selector": selector});
    create(&budgets, json!({"metadata": {"name": "web"}, "spec": spec})).await;
    until_one(&budgets, "web", "three may go", |budget| {
        (numbers(budget)? == [8, 5, 8, 3]).then_some(())
    })
    .await;
    // Nobody makes new Pods or counts anew meanwhile.
    cluster.stop_controllers().await;
    let names: Vec<String> = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|pod| pod.metadata.name.unwrap())
        .collect();
    let params = EvictParams::default();
    let answers = join_all(names.iter().map(|name| pods.evict(name, &params))).await;
    let evicted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(evicted, 3);
    for answer in answers {
        if let Err(kube::Error::Api(status)) = answer {
            assert_eq!((status.code, status.reason.as_str()), (429, "TooManyRequests"));
            let cause = &status.details.unwrap().causes[0].message;
            assert_eq!(
                cause,
                "The disruption budget web needs 5 healthy pods and has 8 currently"
            );
        }
    }
    let status = budgets.get("web").await.unwrap().status.unwrap();
    assert_eq!(status.disruptions_allowed, Some(0));
    assert_eq!(status.disrupted_pods.unwrap().len(), 3);
    cluster.start_controllers();
    until_one(&budgets, "web", "three may go again", |budget| {
        (numbers(budget)? == [8, 5, 8, 3]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn pods_without_controller_are_counted_by_number() {
    let cluster = Cluster::start().await;
    let (budgets, pods) = (cluster.api::<PodDisruptionBudget>(), cluster.api::<Pod>());
    for (name, ready) in [("good", "yes"), ("bad", "no")] {
        let labels = json!({"app": "lone", "ready": ready});
        let spec = json!({"containers": [{"name": "c", "image": "x"}]});
        create(
            &pods,
            json!({"metadata": {"name": name, "labels": labels}, "spec": spec}),
        )
        .await;
    }
    let selector = json!({"matchLabels": {"app": "lone"}});
    create(
        &budgets,
        json!({"metadata": {"name": "lone"}, "spec": {"minAvailable": 1, "selector": selector}}),
    )
    .await;
    until_one(&budgets, "lone", "the two are counted", |budget| {
        (numbers(budget)? == [2, 1, 1, 0]).then_some(())
    })
    .await;
    let params = EvictParams::default();
    let refused = pods.evict("good", &params).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 429));
    // One that is not healthy takes nothing away.
    pods.evict("bad", &params).await.unwrap();
}
