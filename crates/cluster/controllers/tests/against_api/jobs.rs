//! Jobs and `CronJobs`, and what stands around them.

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{DeleteParams, ListParams, PropagationPolicy};
use serde_json::{Value, json};

use crate::cluster::{Cluster, create, in_time, merge, until, until_gone, until_one};

/// A Job whose Pods end as `end` says.
fn job(name: &str, end: &str, spec: &Value) -> Value {
    let mut whole = spec.clone();
    whole["template"] = json!({
        "metadata": {"labels": {"end": end}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]},
    });
    json!({"metadata": {"name": name}, "spec": whole})
}

fn holds(job: &Job, kind: &str) -> Option<()> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let holds = |condition: &&k8s_openapi::api::batch::v1::JobCondition| {
        condition.type_ == kind && condition.status == "True"
    };
    conditions.iter().find(holds).map(|_| ())
}

fn none_tracked(pods: &[Pod]) -> Option<()> {
    pods.iter()
        .all(|pod| pod.metadata.finalizers.is_none())
        .then_some(())
}

#[tokio::test]
async fn a_job_completes_and_counts_each_pod_over_restarts() {
    let mut cluster = Cluster::start().await;
    let (jobs, pods) = (cluster.api::<Job>(), cluster.api::<Pod>());
    create(
        &jobs,
        job("sum", "Succeeded", &json!({"completions": 12, "parallelism": 4})),
    )
    .await;
    for _ in 0..3 {
        in_time(cluster.stop_controllers()).await;
        cluster.start_controllers();
    }
    let done = until_one(&jobs, "sum", "it is complete", |job| {
        holds(job, "Complete").map(|()| job.status.clone().unwrap())
    })
    .await;
    assert_eq!((done.succeeded, done.failed, done.active), (Some(12), None, None));
    assert!(done.start_time.is_some() && done.completion_time.is_some());
    until(&pods, &ListParams::default(), "no pod is tracked", none_tracked).await;
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 12);
    let completed = |all: &[Event]| {
        let mut reasons = all.iter().filter_map(|event| event.reason.as_deref());
        reasons.any(|reason| reason == "Completed").then_some(())
    };
    until(
        &cluster.api::<Event>(),
        &ListParams::default(),
        "it is told",
        completed,
    )
    .await;
}

#[tokio::test]
async fn an_indexed_job_gives_each_pod_its_index() {
    let cluster = Cluster::start().await;
    let (jobs, pods) = (cluster.api::<Job>(), cluster.api::<Pod>());
    let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"});
    create(&jobs, job("grid", "Succeeded", &spec)).await;
    let indexes = until_one(&jobs, "grid", "it is complete", |job| {
        holds(job, "Complete")?;
        job.status.as_ref()?.completed_indexes.clone()
    })
    .await;
    assert_eq!(indexes, "0-2");
    for pod in pods.list(&ListParams::default()).await.unwrap().items {
        let index = &pod.metadata.annotations.unwrap()["batch.kubernetes.io/job-completion-index"];
        assert!(pod.metadata.name.unwrap().starts_with(&format!("grid-{index}-")));
    }
}

#[tokio::test]
async fn a_failed_job_says_so_and_a_deleted_one_takes_its_pods_along() {
    let cluster = Cluster::start().await;
    let (jobs, pods) = (cluster.api::<Job>(), cluster.api::<Pod>());
    create(&jobs, job("bad", "Failed", &json!({"backoffLimit": 0}))).await;
    let failed = until_one(&jobs, "bad", "it has failed", |job| {
        holds(job, "Failed").map(|()| job.status.clone().unwrap())
    })
    .await;
    assert_eq!((failed.failed, failed.completion_time), (Some(1), None));
    jobs.delete("bad", &DeleteParams::background()).await.unwrap();
    until(&pods, &ListParams::default(), "its pod is gone", |all| {
        all.is_empty().then_some(())
    })
    .await;
    // A Pod that nobody will count is set free.
    create(&jobs, job("left", "Succeeded", &json!({"suspend": true}))).await;
    let mut forgotten =
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    forgotten["metadata"]["finalizers"] = json!(["batch.kubernetes.io/job-tracking"]);
    create(&pods, forgotten).await;
    until(&pods, &ListParams::default(), "the pod is free", none_tracked).await;
}

#[tokio::test]
async fn a_job_goes_when_its_time_to_live_is_over() {
    let cluster = Cluster::start().await;
    let jobs = cluster.api::<Job>();
    create(
        &jobs,
        job("brief", "Succeeded", &json!({"ttlSecondsAfterFinished": 1})),
    )
    .await;
    until_gone(&jobs, "brief").await;
    until(
        &cluster.api::<Pod>(),
        &ListParams::default(),
        "its pods are gone",
        |all| all.is_empty().then_some(()),
    )
    .await;
}

#[tokio::test]
async fn a_suspended_job_gives_its_pods_up_and_goes_on_later() {
    let cluster = Cluster::start().await;
    let (jobs, pods) = (cluster.api::<Job>(), cluster.api::<Pod>());
    create(
        &jobs,
        job("nap", "", &json!({"parallelism": 2, "completions": 2})),
    )
    .await;
    let running =
        |wanted: Option<i32>| move |job: &Job| (job.status.as_ref()?.active == wanted).then_some(());
    until_one(&jobs, "nap", "two run", running(Some(2))).await;
    merge(&jobs, "nap", json!({"spec": {"suspend": true}})).await;
    until(&pods, &ListParams::default(), "its pods are gone", |all| {
        all.is_empty().then_some(())
    })
    .await;
    until_one(&jobs, "nap", "it says so", |job| holds(job, "Suspended")).await;
    merge(&jobs, "nap", json!({"spec": {"suspend": false}})).await;
    until_one(&jobs, "nap", "two run again", running(Some(2))).await;
    assert_eq!(jobs.get("nap").await.unwrap().status.unwrap().failed, None);
    let foreground = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        ..DeleteParams::default()
    };
    jobs.delete("nap", &foreground).await.unwrap();
    until_gone(&jobs, "nap").await;
}

#[tokio::test]
async fn a_cron_job_starts_jobs_at_its_times() {
    let cluster = Cluster::start().await;
    let (cron_jobs, jobs) = (cluster.api::<CronJob>(), cluster.api::<Job>());
    let template = job("x", "Succeeded", &json!({}));
    let spec = json!({
        "schedule": "@every 1s", "successfulJobsHistoryLimit": 1, "jobTemplate": {"spec": template["spec"]},
    });
    create(&cron_jobs, json!({"metadata": {"name": "tick"}, "spec": spec})).await;
    until_one(&cron_jobs, "tick", "a job of it succeeded", |tick| {
        tick.status.as_ref()?.last_successful_time.clone()
    })
    .await;
    let started = jobs.list(&ListParams::default()).await.unwrap().items;
    let owner = &started[0].metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!((owner.kind.as_str(), owner.name.as_str()), ("CronJob", "tick"));
    merge(&cron_jobs, "tick", json!({"spec": {"suspend": true}})).await;
    cron_jobs
        .delete("tick", &DeleteParams::background())
        .await
        .unwrap();
    until(&jobs, &ListParams::default(), "its jobs are gone", |all| {
        all.is_empty().then_some(())
    })
    .await;
}
