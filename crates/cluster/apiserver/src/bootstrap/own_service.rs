//! The Service under which Pods find the API: `default/kubernetes`, with its endpoints.
//!
//! Written at each opening, and again when somebody deletes it: `kubectl delete services --all` must not hurt.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{ensure, replace};
use crate::api::Api;
use crate::error::ApiError;
use crate::server::Config;
use crate::store::Resource;

/// The port of the Service `kubernetes`.
const HTTPS: u16 = 443;
/// Where these objects live.
const RESOURCES: [(&str, &str); 3] = [
    ("", "services"),
    ("", "endpoints"),
    ("discovery.k8s.io", "endpointslices"),
];

/// Writes the objects again when one of them has gone; works until the API closes.
pub(crate) async fn keep(api: Arc<Api>, objects: Vec<Value>) {
    let subscribe = |(group, plural)| api.store.subscribe(Resource::find(group, plural)?);
    let mut changes: Vec<watch::Receiver<u64>> = RESOURCES.into_iter().filter_map(subscribe).collect();
    if changes.is_empty() {
        return;
    }
    loop {
        for change in &mut changes {
            change.mark_unchanged();
        }
        for object in &objects {
            if let Err(problem) = ensure(&api, object).await {
                tracing::warn!(%problem, "the API's own Service could not be written");
            }
        }
        let any = futures::future::select_all(changes.iter_mut().map(|change| Box::pin(change.changed())));
        tokio::select! {
            () = api.closing.cancelled() => return,
            (more, ..) = any => if more.is_err() { return },
        }
    }
}

/// Brings the address up to date, which may differ from that of the last run, and the labels, of which there were fewer
/// once: without the one that says that there is a slice already, the controllers make a second one.
pub(super) async fn refresh(api: &Arc<Api>, wanted: &Value) -> Result<(), ApiError> {
    replace(api, wanted, |current| {
        let mut new = current.clone();
        for field in ["subsets", "endpoints", "ports"] {
            if let Some(value) = wanted.get(field) {
                new[field] = value.clone();
            }
        }
        if let Some(port) = wanted.pointer("/spec/ports/0/targetPort")
            && let Some(found) = new.pointer_mut("/spec/ports/0/targetPort")
        {
            *found = port.clone();
        }
        for (key, value) in wanted["metadata"]["labels"].as_object().into_iter().flatten() {
            new["metadata"]["labels"][key] = value.clone();
        }
        (new != *current).then_some(new)
    })
    .await
}

/// Host and port of the advertised URL.
fn endpoint(config: &Config) -> (String, u16) {
    let rest = config
        .advertise
        .trim_start_matches("https://")
        .trim_end_matches('/');
    match rest.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.parse().unwrap_or(HTTPS)),
        None => (rest.to_owned(), HTTPS),
    }
}

/// Service, Endpoints and `EndpointSlice` named `kubernetes`.
pub(crate) fn objects(config: &Config) -> Vec<Value> {
    let (host, port) = endpoint(config);
    let address = Ipv4Addr::from(config.service_network + 1).to_string();
    let labels = json!({ "component": "apiserver", "provider": "kubernetes" });
    let mut objects = vec![json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "kubernetes", "namespace": "default", "labels": labels },
        "spec": {
            "type": "ClusterIP", "clusterIP": address, "sessionAffinity": "None",
            "ports": [{ "name": "https", "protocol": "TCP", "port": HTTPS, "targetPort": port }],
        },
    })];
    if host.parse::<Ipv4Addr>().is_ok() {
        objects.push(json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": {
                "name": "kubernetes", "namespace": "default",
                "labels": { "endpointslice.kubernetes.io/skip-mirror": "true" },
            },
            "subsets": [{ "addresses": [{ "ip": host }], "ports": [{ "name": "https", "port": port, "protocol": "TCP" }] }],
        }));
        objects.push(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": "kubernetes", "namespace": "default",
                "labels": { "kubernetes.io/service-name": "kubernetes" },
            },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": [host], "conditions": { "ready": true } }],
            "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
        }));
    }
    objects
}
