//! A cluster to test with: objects as JSON, as the API gives them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::board::world::{self, Place, Shelf};

/// A world that is filled object by object.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) world: world::World,
}

impl World {
    /// Takes in an object of any kind that the pages know.
    pub(crate) fn put(&mut self, object: &Value) {
        let world = &mut self.world;
        match object["kind"].as_str().unwrap() {
            "Namespace" => put::<k8s_openapi::api::core::v1::Namespace, _>(&mut world.namespaces, object),
            "Node" => put::<k8s_openapi::api::core::v1::Node, _>(&mut world.nodes, object),
            "Pod" => put::<k8s_openapi::api::core::v1::Pod, _>(&mut world.pods, object),
            "Service" => put::<k8s_openapi::api::core::v1::Service, _>(&mut world.services, object),
            "Event" => put::<k8s_openapi::api::core::v1::Event, _>(&mut world.events, object),
            "ResourceQuota" => put::<k8s_openapi::api::core::v1::ResourceQuota, _>(&mut world.quotas, object),
            "Ingress" => put::<k8s_openapi::api::networking::v1::Ingress, _>(&mut world.ingresses, object),
            "Deployment" => put::<k8s_openapi::api::apps::v1::Deployment, _>(&mut world.deployments, object),
            "ReplicaSet" => put::<k8s_openapi::api::apps::v1::ReplicaSet, _>(&mut world.replica_sets, object),
            "CronJob" => put::<k8s_openapi::api::batch::v1::CronJob, _>(&mut world.cron_jobs, object),
            "Job" => put::<k8s_openapi::api::batch::v1::Job, _>(&mut world.jobs, object),
            kind => unreachable!("{kind}"),
        }
        let namespace = object["metadata"]["namespace"].as_str();
        world.changed(Place::Namespace(namespace.unwrap_or_default()));
    }
}

fn put<K: DeserializeOwned, T: From<K>>(shelf: &mut Shelf<T>, object: &Value) {
    let namespace = object["metadata"]["namespace"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let seen = T::from(serde_json::from_value::<K>(object.clone()).unwrap());
    let objects: &mut BTreeMap<String, T> = shelf.entry(namespace).or_default();
    objects.insert(name, seen);
}

pub(crate) fn namespace(name: &str, maintainers: &Value) -> Value {
    json!({ "kind": "Namespace", "metadata": {
        "name": name,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": { "tenancy": "tool" },
        "annotations": { "toolforge.org/maintainers": maintainers.to_string() },
    } })
}

pub(crate) fn node(name: &str) -> Value {
    json!({
        "kind": "Node",
        "metadata": { "name": name, "creationTimestamp": "2026-01-01T00:00:00Z", "labels": { "kubernetes.io/os": "linux" } },
        "spec": { "taints": [{ "key": "disk", "value": "slow", "effect": "NoSchedule" }] },
        "status": {
            "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "110" },
            "addresses": [{ "type": "InternalIP", "address": "10.0.0.1" }],
            "nodeInfo": { "kubeletVersion": "v1.37.0", "architecture": "", "bootID": "", "containerRuntimeVersion": "",
                "kernelVersion": "", "kubeProxyVersion": "", "machineID": "", "operatingSystem": "", "osImage": "", "systemUUID": "" },
            "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "posting",
                "lastTransitionTime": "2026-01-01T00:01:00Z" }],
        },
    })
}

pub(crate) fn pod(namespace: &str, name: &str, status: &Value) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": namespace, "creationTimestamp": "2026-01-02T00:00:00Z",
            "labels": { "name": "t" },
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "top secret", "note": "a note" },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "t-abc", "uid": "1" }],
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [{
                "name": "webservice", "image": "registry.example/web:latest", "command": ["serve", "--fast"],
                "env": [{ "name": "PASSWORD", "value": "top secret" }],
                "resources": { "limits": { "cpu": "500m", "memory": "512Mi" }, "requests": { "cpu": "125m" } },
                "volumeMounts": [{ "name": "home", "mountPath": "/data/project/t" }],
            }],
            "volumes": [{ "name": "home", "hostPath": { "path": "/data/project/t" } },
                { "name": "s", "secret": { "secretName": "keys" } }],
        },
        "status": status,
    })
}

pub(crate) fn service(namespace: &str, name: &str) -> Value {
    json!({ "kind": "Service", "metadata": { "name": name, "namespace": namespace },
        "spec": { "selector": { "name": name }, "ports": [{ "port": 8000, "targetPort": 8000, "protocol": "TCP" }] } })
}

pub(crate) fn ingress(namespace: &str, host: &str, service: &str) -> Value {
    json!({ "kind": "Ingress", "metadata": { "name": format!("{service}-subdomain"), "namespace": namespace },
        "spec": { "ingressClassName": "toolforge", "rules": [{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix",
            "backend": { "service": { "name": service, "port": { "number": 8000 } } } }] } }] } })
}

pub(crate) fn deployment(namespace: &str, name: &str, replicas: i32, available: i32) -> Value {
    json!({ "kind": "Deployment", "metadata": { "name": name, "namespace": namespace, "labels": { "name": name } },
        "spec": { "replicas": replicas, "selector": {}, "template": {} },
        "status": { "availableReplicas": available } })
}
