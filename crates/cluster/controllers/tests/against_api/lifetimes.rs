//! How namespaces and owned objects come and go.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;

use crate::cluster::{Cluster, create, merge, until, until_gone, until_one};

#[tokio::test]
async fn a_namespace_has_an_account_and_the_root_certificate() {
    let cluster = Cluster::start().await;
    let accounts = cluster.api::<ServiceAccount>();
    until_one(&accounts, "default", "the account is there", |_| Some(())).await;
    let maps = cluster.api::<ConfigMap>();
    let right = |map: &ConfigMap| {
        let text = map.data.as_ref()?.get("ca.crt")?;
        (text == cluster.authority.certificate_pem()).then_some(())
    };
    until_one(&maps, "kube-root-ca.crt", "the certificate is there", right).await;
    accounts
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    until_one(&accounts, "default", "the account is there again", |_| Some(())).await;
    merge(&maps, "kube-root-ca.crt", json!({"data": {"ca.crt": "forged"}})).await;
    until_one(&maps, "kube-root-ca.crt", "the certificate is right again", right).await;
}

#[tokio::test]
async fn a_deleted_namespace_ends_with_everything_in_it() {
    let cluster = Cluster::start().await;
    let (maps, pods) = (cluster.api::<ConfigMap>(), cluster.api::<Pod>());
    create(
        &maps,
        json!({"metadata": {"name": "held", "finalizers": ["example.org/hold"]}}),
    )
    .await;
    create(
        &pods,
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}),
    )
    .await;
    let running = |pod: &Pod| (pod.status.as_ref()?.phase.as_deref() == Some("Running")).then_some(());
    until_one(&pods, "p", "the pod runs", running).await;
    let namespaces: Api<Namespace> = Api::all(cluster.admin.clone());
    namespaces.delete("ns", &DeleteParams::default()).await.unwrap();
    let told = |namespace: &Namespace| {
        let conditions = namespace.status.as_ref()?.conditions.as_ref()?;
        let told = conditions.iter().any(|condition| {
            condition.type_ == "NamespaceFinalizersRemaining"
                && condition
                    .message
                    .as_deref()
                    .is_some_and(|message| message.contains("example.org/hold"))
        });
        told.then_some(())
    };
    until_one(&namespaces, "ns", "the finalizer is named", told).await;
    until_gone(&pods, "p").await;
    merge(&maps, "held", json!({"metadata": {"finalizers": null}})).await;
    until_gone(&namespaces, "ns").await;
}

#[tokio::test]
async fn an_object_follows_its_owner() {
    let cluster = Cluster::start().await;
    let maps = cluster.api::<ConfigMap>();
    let owner = create(&maps, json!({"metadata": {"name": "owner"}})).await;
    let reference =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}]);
    create(
        &maps,
        json!({"metadata": {"name": "child", "ownerReferences": reference}}),
    )
    .await;
    let forged = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "another"}]);
    create(
        &maps,
        json!({"metadata": {"name": "stray", "ownerReferences": forged}}),
    )
    .await;
    until_gone(&maps, "stray").await;
    maps.get("child").await.unwrap();
    maps.delete("owner", &DeleteParams::default()).await.unwrap();
    until_gone(&maps, "child").await;
}

#[tokio::test]
async fn a_pod_that_fits_nowhere_says_why_until_there_is_room() {
    let cluster = Cluster::start().await;
    let pods = cluster.api::<Pod>();
    let requests = json!({"requests": {"memory": "2Gi"}});
    create(
        &pods,
        json!({
            "metadata": {"name": "big"},
            "spec": {"containers": [{"name": "c", "image": "x", "resources": requests}]},
        }),
    )
    .await;
    let why = |pod: &Pod| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let found = conditions
            .iter()
            .find(|one| one.type_ == "PodScheduled" && one.status == "False")?;
        Some((found.reason.clone()?, found.message.clone()?))
    };
    let (reason, message) = until_one(&pods, "big", "it says why", why).await;
    assert_eq!(reason, "Unschedulable");
    // The node may not have been there at first.
    if message != "no nodes available to schedule pods" && !message.contains("not ready") {
        assert_eq!(message, "0/1 nodes are available: 1 Insufficient memory.");
    }
    cluster
        .until_told(r#"scheduler_pending_pods{queue="unschedulable"} 1"#)
        .await;
    let nodes: Api<Node> = Api::all(cluster.admin.clone());
    until_one(&nodes, "n1", "the node is there", |_| Some(())).await;
    let patch = json!({"status": {"allocatable": {"memory": "4Gi"}}});
    let params = kube::api::PatchParams::default();
    nodes
        .patch_status("n1", &params, &kube::api::Patch::Merge(patch))
        .await
        .unwrap();
    let bound = |pod: &Pod| pod.spec.as_ref()?.node_name.clone();
    assert_eq!(until_one(&pods, "big", "it is bound", bound).await, "n1");
    cluster
        .until_told(r#"scheduler_schedule_attempts_total{result="scheduled",profile="default-scheduler"} 1"#)
        .await;
    cluster
        .until_told(r#"scheduler_pending_pods{queue="unschedulable"} 0"#)
        .await;
}

#[tokio::test]
async fn pods_never_share_the_same_room() {
    let cluster = Cluster::start().await;
    let pods = cluster.api::<Pod>();
    let requests = json!({"requests": {"memory": "300Mi"}});
    for index in 0..8 {
        create(
            &pods,
            json!({
                "metadata": {"name": format!("p{index}")},
                "spec": {"containers": [{"name": "c", "image": "x", "resources": requests}]},
            }),
        )
        .await;
    }
    let settled = |all: &[Pod]| {
        let bound = all
            .iter()
            .filter(|pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()))
            .count();
        let short = |pod: &&Pod| {
            let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
            conditions
                .into_iter()
                .flatten()
                .any(|one| one.message.as_deref().unwrap_or_default().contains("memory"))
        };
        (bound + all.iter().filter(short).count() == 8).then_some(bound)
    };
    let bound = until(
        &pods,
        &ListParams::default(),
        "each pod is bound or refused",
        settled,
    )
    .await;
    assert_eq!(bound, 3);
}

#[tokio::test]
async fn an_owner_of_another_namespace_is_no_owner() {
    let cluster = Cluster::start().await;
    cluster.namespace("elsewhere").await;
    let maps = cluster.api::<ConfigMap>();
    let elsewhere: Api<ConfigMap> = Api::namespaced(cluster.admin.clone(), "elsewhere");
    let owner = create(&elsewhere, json!({"metadata": {"name": "owner"}})).await;
    let reference =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}]);
    create(
        &maps,
        json!({"metadata": {"name": "stray", "ownerReferences": reference}}),
    )
    .await;
    until_gone(&maps, "stray").await;
    elsewhere.get("owner").await.unwrap();
}
