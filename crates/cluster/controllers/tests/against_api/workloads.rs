//! Deployments and what they lead to.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod, ResourceQuota};
use kube::api::{DeleteParams, ListParams, PropagationPolicy};
use serde_json::{Value, json};

use crate::cluster::{Cluster, create, in_time, merge, until, until_gone, until_one};

fn deployment(replicas: u32) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "one"}]},
            },
        },
    })
}

fn available(wanted: i32) -> impl Fn(&Deployment) -> Option<()> {
    move |deployment| {
        let status = deployment.status.as_ref()?;
        let complete = status.observed_generation == deployment.metadata.generation
            && [
                status.replicas,
                status.updated_replicas,
                status.available_replicas,
            ]
            .iter()
            .all(|count| count.unwrap_or(0) == wanted);
        complete.then_some(())
    }
}

fn condition(deployment: &Deployment, kind: &str) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let found = conditions
        .iter()
        .find(|condition| condition.type_.as_deref() == Some(kind))?;
    found.message.clone()
}

#[tokio::test]
async fn a_deployment_becomes_pods_on_the_node_and_rolls_and_rolls_back() {
    let cluster = Cluster::start().await;
    let deployments = cluster.api::<Deployment>();
    create(&deployments, deployment(3)).await;
    let first = |deployment: &Deployment| {
        available(3)(deployment)?;
        let revision = deployment
            .metadata
            .annotations
            .as_ref()?
            .get("deployment.kubernetes.io/revision")?;
        Some((revision.clone(), deployment.metadata.generation))
    };
    let found = until_one(&deployments, "web", "three are available", first).await;
    assert_eq!(found, ("1".to_owned(), Some(1)), "a revision is no new wish");

    merge(
        &deployments,
        "web",
        json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "two"}]}}}}),
    )
    .await;
    until_one(&deployments, "web", "the rollout is over", available(3)).await;
    let two = |all: &[Pod]| {
        let images = all
            .iter()
            .filter_map(|pod| pod.spec.as_ref()?.containers[0].image.clone());
        (images.collect::<Vec<_>>() == ["two", "two", "two"]).then_some(())
    };
    until(
        &cluster.api::<Pod>(),
        &ListParams::default(),
        "only new pods are left",
        two,
    )
    .await;

    merge(
        &deployments,
        "web",
        json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "one"}]}}}}),
    )
    .await;
    let back = |deployment: &Deployment| {
        available(3)(deployment)?;
        let revision = &deployment.metadata.annotations.as_ref()?["deployment.kubernetes.io/revision"];
        (revision == "3").then_some(())
    };
    until_one(&deployments, "web", "the rollback is over", back).await;
    assert_eq!(
        cluster
            .api::<ReplicaSet>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        2
    );
}

#[tokio::test]
async fn a_quota_refusal_is_told_on_the_deployment_and_ends_with_the_quota() {
    let cluster = Cluster::start().await;
    let quotas = cluster.api::<ResourceQuota>();
    create(
        &quotas,
        json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}),
    )
    .await;
    let counted = |quota: &ResourceQuota| {
        let used = quota.status.as_ref()?.used.as_ref()?;
        (used.get("pods")?.0 == "0").then_some(())
    };
    until_one(&quotas, "q", "the quota is counted", counted).await;
    let deployments = cluster.api::<Deployment>();
    create(&deployments, deployment(2)).await;
    let message = until_one(&deployments, "web", "the refusal is told", |deployment| {
        condition(deployment, "ReplicaFailure")
    })
    .await;
    assert!(message.contains("exceeded quota: q"), "{message}");
    let about = |all: &[Event]| {
        all.iter()
            .any(|event| event.reason.as_deref() == Some("FailedCreate"))
            .then_some(())
    };
    until(
        &cluster.api::<Event>(),
        &ListParams::default(),
        "there is an event",
        about,
    )
    .await;

    merge(&quotas, "q", json!({"spec": {"hard": {"pods": "5"}}})).await;
    until_one(&deployments, "web", "both are available", available(2)).await;
    let healed = |deployment: &Deployment| condition(deployment, "ReplicaFailure").is_none().then_some(());
    until_one(&deployments, "web", "the failure is forgotten", healed).await;
    let used = |quota: &ResourceQuota| {
        let status = quota.status.as_ref()?;
        (status.used.as_ref()?.get("pods")?.0 == "2").then_some(())
    };
    until_one(&quotas, "q", "two pods are counted", used).await;
}

#[tokio::test]
async fn a_deleted_pod_is_replaced() {
    let cluster = Cluster::start().await;
    let deployments = cluster.api::<Deployment>();
    create(&deployments, deployment(1)).await;
    until_one(&deployments, "web", "one is available", available(1)).await;
    let pods = cluster.api::<Pod>();
    let first = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .remove(0)
        .metadata
        .name
        .unwrap();
    pods.delete(&first, &DeleteParams::default()).await.unwrap();
    until_gone(&pods, &first).await;
    until_one(&deployments, "web", "one is available again", available(1)).await;
}

#[tokio::test]
async fn deleting_a_deployment_takes_its_pods_along_unless_they_are_to_stay() {
    let cluster = Cluster::start().await;
    let deployments = cluster.api::<Deployment>();
    let (sets, pods) = (cluster.api::<ReplicaSet>(), cluster.api::<Pod>());
    for policy in [PropagationPolicy::Background, PropagationPolicy::Foreground] {
        create(&deployments, deployment(2)).await;
        until_one(&deployments, "web", "two are available", available(2)).await;
        let params = DeleteParams {
            propagation_policy: Some(policy),
            ..DeleteParams::default()
        };
        deployments.delete("web", &params).await.unwrap();
        until_gone(&deployments, "web").await;
        let none = |all: &[ReplicaSet]| all.is_empty().then_some(());
        until(&sets, &ListParams::default(), "the replica set is gone", none).await;
        until(&pods, &ListParams::default(), "the pods are gone", |all| {
            all.is_empty().then_some(())
        })
        .await;
    }
    create(&deployments, deployment(1)).await;
    until_one(&deployments, "web", "one is available", available(1)).await;
    deployments.delete("web", &DeleteParams::orphan()).await.unwrap();
    until_gone(&deployments, "web").await;
    let orphan = |all: &[ReplicaSet]| all.first()?.metadata.owner_references.is_none().then_some(());
    until(
        &sets,
        &ListParams::default(),
        "the replica set has no owner",
        orphan,
    )
    .await;
    // The next Deployment of that kind takes it over.
    create(&deployments, deployment(1)).await;
    until_one(&deployments, "web", "one is available", available(1)).await;
    assert_eq!(sets.list(&ListParams::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn controllers_that_start_again_go_on_where_they_were() {
    let mut cluster = Cluster::start().await;
    let deployments = cluster.api::<Deployment>();
    create(&deployments, deployment(2)).await;
    until_one(&deployments, "web", "two are available", available(2)).await;
    in_time(cluster.stop_controllers()).await;
    merge(&deployments, "web", json!({"spec": {"replicas": 4}})).await;
    cluster.start_controllers();
    until_one(&deployments, "web", "four are available", available(4)).await;
    assert_eq!(
        cluster
            .api::<Pod>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        4
    );
}

#[tokio::test]
async fn a_stateful_set_numbers_its_pods_and_keeps_a_history() {
    let cluster = Cluster::start().await;
    let sets = cluster.api::<StatefulSet>();
    let template = |image: &str| {
        json!({
            "metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [{"name": "db", "image": image}]},
        })
    };
    let selector = json!({"matchLabels": {"app": "db"}});
    let spec = json!({"replicas": 2, "serviceName": "db", "selector": selector, "template": template("one")});
    create(&sets, json!({"metadata": {"name": "db"}, "spec": spec})).await;
    let done = |set: &StatefulSet| {
        let status = set.status.as_ref()?;
        let complete = status.observed_generation == set.metadata.generation
            && [
                Some(status.replicas),
                status.ready_replicas,
                status.updated_replicas,
            ] == [Some(2); 3]
            && status.current_revision == status.update_revision;
        complete.then_some(())
    };
    until_one(&sets, "db", "two are ready", done).await;
    merge(&sets, "db", json!({"spec": {"template": template("two")}})).await;
    until_one(&sets, "db", "the rollout is over", done).await;
    let pods = cluster
        .api::<Pod>()
        .list(&ListParams::default())
        .await
        .unwrap()
        .items;
    let seen: Vec<(String, String)> = pods
        .into_iter()
        .map(|pod| {
            (
                pod.metadata.name.unwrap(),
                pod.spec.unwrap().containers[0].image.clone().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("db-0".to_owned(), "two".to_owned()),
            ("db-1".to_owned(), "two".to_owned())
        ]
    );
    assert_eq!(
        cluster
            .api::<ControllerRevision>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        2
    );
}

#[tokio::test]
async fn claims_of_a_stateful_set_go_when_it_says_so() {
    let cluster = Cluster::start().await;
    let (sets, claims) = (
        cluster.api::<StatefulSet>(),
        cluster.api::<PersistentVolumeClaim>(),
    );
    let template = json!({
        "metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "db", "image": "one"}]},
    });
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    });
    let spec = json!({
        "replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": template,
        "volumeClaimTemplates": [claim],
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Delete"},
    });
    create(&sets, json!({"metadata": {"name": "db"}, "spec": spec})).await;
    let owned = |all: &[PersistentVolumeClaim]| {
        let is_owned = |claim: &PersistentVolumeClaim| claim.metadata.owner_references.is_some();
        (all.len() == 2 && all.iter().all(is_owned)).then_some(())
    };
    until(&claims, &ListParams::default(), "both claims are owned", owned).await;
    merge(&sets, "db", json!({"spec": {"replicas": 1}})).await;
    until_gone(&claims, "data-db-1").await;
    claims.get("data-db-0").await.unwrap();
    sets.delete("db", &DeleteParams::background()).await.unwrap();
    until_gone(&claims, "data-db-0").await;
}
