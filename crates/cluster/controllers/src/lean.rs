//! What the caches leave out. A Pod as its type has it is several times as large as its JSON, and most of that says how
//! its containers are run, which only a node asks. Called by `cache.rs` for every object that comes in.
//!
//! What is left out must be nothing that a controller reads, and nothing that a write through the main resource or the
//! status would take away: metadata stays whole but for the managed fields, and of a Pod only `spec` is thinned, which
//! no controller writes.

use k8s_openapi::api::core::v1::{
    Container, ContainerStatus, Pod, PodSpec, PodStatus, ResourceRequirements, Toleration,
};
use kube::Resource;

/// Takes out what no controller reads of any object: managed fields, which are as large as the rest. An update without
/// them keeps them.
pub(crate) fn thin<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    fit(&mut meta.owner_references);
    fit(&mut meta.finalizers);
}

/// As [`thin`], and of a Pod what only its node needs.
pub(crate) fn thin_pod(pod: &mut Pod) {
    thin(pod);
    if let Some(spec) = &mut pod.spec {
        thin_spec(spec);
    }
    if let Some(status) = &mut pod.status {
        thin_status(status);
    }
}

fn thin_spec(spec: &mut PodSpec) {
    spec.volumes = None;
    spec.ephemeral_containers = None;
    spec.image_pull_secrets = None;
    spec.host_aliases = None;
    spec.dns_config = None;
    spec.security_context = None;
    fit::<Toleration>(&mut spec.tolerations);
    spec.containers.shrink_to_fit();
    fit(&mut spec.init_containers);
    let containers = spec.containers.iter_mut();
    containers
        .chain(spec.init_containers.iter_mut().flatten())
        .for_each(thin_container);
}

/// Leaves the name, ports, resources and restart policy.
fn thin_container(container: &mut Container) {
    let kept = Container {
        name: std::mem::take(&mut container.name),
        image: container.image.take(),
        ports: container.ports.take(),
        resources: container.resources.take(),
        restart_policy: container.restart_policy.take(),
        ..Container::default()
    };
    *container = kept;
    fit(&mut container.ports);
    container.resources.iter_mut().for_each(fit_resources);
}

fn thin_status(status: &mut PodStatus) {
    fit(&mut status.conditions);
    fit(&mut status.host_ips);
    fit(&mut status.pod_ips);
    let lists = [
        &mut status.container_statuses,
        &mut status.init_container_statuses,
        &mut status.ephemeral_container_statuses,
    ];
    lists.into_iter().for_each(fit::<ContainerStatus>);
}

fn fit_resources(resources: &mut ResourceRequirements) {
    fit(&mut resources.claims);
}

/// Gives back what a list has reserved while it was read: up to four times the one element that it usually has.
fn fit<T>(list: &mut Option<Vec<T>>) {
    if let Some(list) = list {
        list.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn thinned(pod: Value) -> Value {
        let mut pod: Pod = serde_json::from_value(pod).expect("a pod");
        thin_pod(&mut pod);
        serde_json::to_value(&pod).expect("a value")
    }

    #[test]
    fn how_containers_are_run_goes_and_what_decides_stays() {
        let stays = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7",
                "labels": {"app": "a"}, "annotations": {"note": "b"}, "finalizers": ["f"],
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "v"}],
            },
            "spec": {
                "containers": [{
                    "name": "main", "image": "i",
                    "ports": [{"name": "http", "containerPort": 80, "hostPort": 8080}],
                    "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1m"}},
                }],
                "initContainers": [{"name": "first", "image": "i", "restartPolicy": "Always"}],
                "nodeName": "here", "nodeSelector": {"a": "b"}, "priority": 3, "hostname": "h", "subdomain": "s",
                "tolerations": [{"key": "k", "operator": "Exists"}], "schedulingGates": [{"name": "g"}],
                "overhead": {"cpu": "1m"}, "restartPolicy": "Never", "terminationGracePeriodSeconds": 4,
            },
            "status": {
                "phase": "Running", "podIP": "1.2.3.4", "podIPs": [{"ip": "1.2.3.4"}],
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{
                    "name": "main", "image": "i", "imageID": "", "ready": true, "restartCount": 2,
                    "state": {"terminated": {"exitCode": 3}},
                }],
            },
        });
        let mut whole = stays.clone();
        whole["metadata"]["managedFields"] = json!([{"manager": "m"}]);
        whole["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
        whole["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "b"}]);
        whole["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
        whole["spec"]["containers"][0]["readinessProbe"] = json!({"httpGet": {"port": "http"}});
        whole["spec"]["initContainers"][0]["command"] = json!(["true"]);
        assert_eq!(thinned(whole), stays);
    }
}
