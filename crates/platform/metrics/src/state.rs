//! `/metrics`: the state of the cluster's objects, with kube-state-metrics' names and labels.
//!
//! Each object is rendered once, when it changes, and what was rendered is kept: a page is made of these pieces while it
//! is being read. Labels and annotations of objects do not become labels of figures (as with
//! kube-state-metrics, unless it is told otherwise), and Secrets are not looked at.

mod autoscaler;
mod block;
mod claims;
mod cluster;
mod control;
mod gzip;
mod jobs;
mod lines;
mod network;
mod page;
mod pod;
mod slices;
mod table;
mod workload;

use std::sync::Arc;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    Endpoints, LimitRange, Namespace, Node, PersistentVolumeClaim, Pod, ResourceQuota, Service,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::watcher;
use kube::{Api, Client};

pub(crate) use page::page;
use prometheus_client::registry::Registry;
use table::{Rendered, Table};

/// The objects of every kind, rendered.
#[derive(Debug)]
pub(crate) struct State {
    tables: Vec<Arc<Table>>,
    /// What the component tells of itself.
    own: Registry,
}

/// What there is to follow, and a future that follows it until it is dropped.
pub(crate) fn follow(
    client: &Client,
    own: Registry,
) -> (Arc<State>, impl Future<Output = ()> + Send + use<>) {
    let mut tables = Vec::new();
    let mut following: Vec<futures::future::BoxFuture<'static, ()>> = Vec::new();
    macro_rules! follow {
        ($($kind:ty: $plural:literal,)*) => {$(
            let table = Arc::new(Table::new($plural, <$kind as Rendered>::FAMILIES));
            tables.push(table.clone());
            following.push(Box::pin(follow_kind::<$kind>(client.clone(), table)));
        )*};
    }
    follow! {
        CertificateSigningRequest: "certificatesigningrequests",
        CronJob: "cronjobs",
        Deployment: "deployments",
        EndpointSlice: "endpointslices",
        Endpoints: "endpoints",
        HorizontalPodAutoscaler: "horizontalpodautoscalers",
        Ingress: "ingresses",
        IngressClass: "ingressclasses",
        Job: "jobs",
        Lease: "leases",
        LimitRange: "limitranges",
        MutatingWebhookConfiguration: "mutatingwebhookconfigurations",
        Namespace: "namespaces",
        NetworkPolicy: "networkpolicies",
        Node: "nodes",
        PersistentVolumeClaim: "persistentvolumeclaims",
        PodDisruptionBudget: "poddisruptionbudgets",
        Pod: "pods",
        ReplicaSet: "replicasets",
        ResourceQuota: "resourcequotas",
        Service: "services",
        StatefulSet: "statefulsets",
        ValidatingWebhookConfiguration: "validatingwebhookconfigurations",
    }
    let state = Arc::new(State { tables, own });
    let all = async {
        futures::future::join_all(following).await;
    };
    (state, all)
}

async fn follow_kind<K>(client: Client, table: Arc<Table>)
where
    K: Rendered
        + kube::Resource<DynamicType = ()>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug
        + Send
        + 'static,
{
    let what = table.plural();
    let mut follower = table::Follower::new(table);
    let api = Api::<K>::all(client);
    crate::usage::each(api, watcher::Config::default(), what, |event| {
        follower.take(event);
    })
    .await;
}
