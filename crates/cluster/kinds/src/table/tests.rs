//! Each table as `kubectl get -o wide` would print it.

use serde_json::json;

use super::*;
use crate::by_kind;

/// Half past noon on a day in June.
fn now() -> Timestamp {
    "2026-06-01T12:30:00Z".parse().unwrap()
}

/// The table as text: names of columns, then a line for each object, cells parted by bars.
fn printed(group: &str, kind: &str, objects: &[Value]) -> String {
    let kind = by_kind(group, "v1", kind).unwrap();
    let objects: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut object = object.clone();
            object["metadata"]["creationTimestamp"] = "2026-06-01T12:00:00Z".into();
            object
        })
        .collect();
    let table = table(
        kind,
        &objects.iter().collect::<Vec<_>>(),
        now(),
        IncludeObject::None,
    );
    let names: Vec<String> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            let name = column["name"].as_str().unwrap();
            if column["priority"] == 1 {
                format!("({name})")
            } else {
                name.to_owned()
            }
        })
        .collect();
    let mut lines = vec![names.join(" | ")];
    for row in table["rows"].as_array().unwrap() {
        let cells = row["cells"].as_array().unwrap();
        assert_eq!(cells.len(), names.len(), "cells and columns of {}", kind.kind);
        let cells: Vec<String> = cells
            .iter()
            .map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned))
            .collect();
        lines.push(cells.join(" | "));
    }
    lines.join("\n")
}

fn pod(name: &str, spec: Value, status: Value) -> Value {
    let mut pod = json!({"metadata": {"name": name}});
    pod["spec"] = spec;
    pod["status"] = status;
    pod
}

#[test]
fn pods() {
    let one = json!({"containers": [{"name": "a"}], "nodeName": "n"});
    let with_init = json!({"containers": [{"name": "a"}], "initContainers": [{"name": "i"}, {"name": "j"}]});
    let with_sidecar =
        json!({"containers": [{"name": "a"}], "initContainers": [{"name": "s", "restartPolicy": "Always"}]});
    let running = json!({"name": "a", "ready": true, "state": {"running": {}}, "restartCount": 0});
    let mut terminating = pod(
        "terminating",
        one.clone(),
        json!({"phase": "Running", "containerStatuses": [running]}),
    );
    terminating["metadata"]["deletionTimestamp"] = "2026-06-01T12:29:00Z".into();
    let objects = [
        pod("pending", one.clone(), json!({"phase": "Pending"})),
        pod(
            "running",
            one.clone(),
            json!({"phase": "Running", "podIPs": [{"ip": "127.64.0.2"}], "containerStatuses": [running]}),
        ),
        pod(
            "crashing",
            one.clone(),
            json!({"phase": "Running", "containerStatuses": [{"name": "a", "ready": false,
            "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"finishedAt": "2026-06-01T12:25:00Z"}}}]}),
        ),
        pod(
            "completed",
            one.clone(),
            json!({"phase": "Succeeded", "containerStatuses": [
            {"name": "a", "restartCount": 0, "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}]}),
        ),
        pod(
            "killed",
            one.clone(),
            json!({"phase": "Failed", "containerStatuses": [
            {"name": "a", "restartCount": 0, "state": {"terminated": {"exitCode": 137, "signal": 9}}}]}),
        ),
        pod(
            "failed",
            one,
            json!({"phase": "Failed", "containerStatuses": [
            {"name": "a", "restartCount": 0, "state": {"terminated": {"exitCode": 3}}}]}),
        ),
        pod(
            "initialising",
            with_init.clone(),
            json!({"phase": "Pending", "initContainerStatuses": [
            {"name": "i", "restartCount": 1, "state": {"terminated": {"exitCode": 0}}}, {"name": "j", "state": {"running": {}}}]}),
        ),
        pod(
            "init-failing",
            with_init.clone(),
            json!({"phase": "Pending", "initContainerStatuses": [
            {"name": "i", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}),
        ),
        pod(
            "init-failed",
            with_init,
            json!({"phase": "Failed", "initContainerStatuses": [
            {"name": "i", "restartCount": 0, "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}),
        ),
        pod(
            "sidecar",
            with_sidecar,
            json!({"phase": "Running", "containerStatuses": [running], "initContainerStatuses": [
            {"name": "s", "ready": true, "started": true, "restartCount": 2, "state": {"running": {}}}]}),
        ),
        terminating,
        pod(
            "evicted",
            json!({"containers": []}),
            json!({"phase": "Failed", "reason": "Evicted"}),
        ),
    ];
    insta::assert_snapshot!(printed("", "Pod", &objects));
}

#[test]
fn workloads() {
    let template =
        json!({"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y"}]}});
    let selector = json!({"matchLabels": {"app": "a"}});
    let spec = json!({"replicas": 3, "selector": selector, "template": template});
    let status = json!({"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2});
    let object = json!({"metadata": {"name": "a"}, "spec": spec, "status": status});
    let job = |status: Value| json!({"metadata": {"name": "a"}, "spec": {"completions": 2, "template": template, "selector": selector}, "status": status});
    let cron = json!({"metadata": {"name": "a"}, "spec": {"schedule": "*/5 * * * *", "suspend": false,
        "jobTemplate": {"spec": {"template": template}}}, "status": {"lastScheduleTime": "2026-06-01T12:28:00Z", "active": [{}]}});
    let revision = json!({"metadata": {"name": "a-1", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet",
        "name": "a", "controller": true}]}, "revision": 2});
    let tables = [
        printed("apps", "Deployment", std::slice::from_ref(&object)),
        printed("apps", "ReplicaSet", std::slice::from_ref(&object)),
        printed("apps", "StatefulSet", &[object]),
        printed("apps", "ControllerRevision", &[revision]),
        printed(
            "batch",
            "Job",
            &[
                job(json!({"startTime": "2026-06-01T12:00:10Z"})),
                job(
                    json!({"startTime": "2026-06-01T12:00:10Z", "completionTime": "2026-06-01T12:00:20Z", "succeeded": 2,
                    "conditions": [{"type": "Complete", "status": "True"}]}),
                ),
            ],
        ),
        printed("batch", "CronJob", &[cron]),
    ];
    insta::assert_snapshot!(tables.join("\n\n"));
}

#[test]
fn network() {
    let service = |name: &str, spec: Value, status: Value| json!({"metadata": {"name": name}, "spec": spec, "status": status});
    let ports = json!([{"port": 80, "protocol": "TCP"}, {"port": 443, "nodePort": 30443, "protocol": "TCP"}]);
    let services = [
        service(
            "a",
            json!({"type": "ClusterIP", "clusterIP": "127.96.0.2", "ports": ports, "selector": {"a": "b"}}),
            json!({}),
        ),
        service(
            "headless",
            json!({"type": "ClusterIP", "clusterIP": "None"}),
            json!({}),
        ),
        service(
            "external",
            json!({"type": "ExternalName", "externalName": "a.example"}),
            json!({}),
        ),
        service(
            "waiting",
            json!({"type": "LoadBalancer", "clusterIP": "127.96.0.3"}),
            json!({}),
        ),
        service(
            "balanced",
            json!({"type": "LoadBalancer"}),
            json!({"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}),
        ),
    ];
    let address = |last: u8| json!({"ip": format!("127.64.0.{last}")});
    let endpoints = json!({"metadata": {"name": "a"}, "subsets": [
        {"addresses": [address(1), address(2)], "ports": [{"port": 80}, {"port": 81}]}]});
    let slice = json!({"metadata": {"name": "a"}, "addressType": "IPv4", "ports": [{"port": 80}],
        "endpoints": [{"addresses": ["127.64.0.1"]}, {"addresses": ["127.64.0.2"]}]});
    let ingress = json!({"metadata": {"name": "a"}, "spec": {"ingressClassName": "toolforge", "tls": [{}],
        "rules": [{"host": "a"}, {"host": "b"}, {"host": "c"}, {}]}, "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}});
    let class = json!({"metadata": {"name": "a"}, "spec": {"controller": "toolforge.org/gateway"}});
    let policy = json!({"metadata": {"name": "a"}, "spec": {"podSelector": {"matchLabels": {"a": "b"}}}});
    let tables = [
        printed("", "Service", &services),
        printed("", "Endpoints", &[endpoints, json!({"metadata": {"name": "b"}})]),
        printed(
            "discovery.k8s.io",
            "EndpointSlice",
            &[slice, json!({"metadata": {"name": "b"}})],
        ),
        printed(
            "networking.k8s.io",
            "Ingress",
            &[ingress, json!({"metadata": {"name": "b"}, "spec": {}})],
        ),
        printed("networking.k8s.io", "IngressClass", &[class]),
        printed("networking.k8s.io", "NetworkPolicy", &[policy]),
    ];
    insta::assert_snapshot!(tables.join("\n\n"));
}

#[test]
fn everything_else() {
    let node = json!({"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "spec": {"unschedulable": true}, "status": {"conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "nodeInfo": {"kubeletVersion": "v1", "osImage": "Debian", "kernelVersion": "6", "containerRuntimeVersion": "process://1"}}});
    let claim = json!({"metadata": {"name": "a"}, "spec": {"volumeName": "v", "volumeMode": "Filesystem"},
        "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}});
    let event = json!({"metadata": {"name": "a.1"}, "type": "Warning", "reason": "BackOff", "message": "Back-off\n",
        "involvedObject": {"kind": "Pod", "name": "a"}, "source": {"component": "kubelet", "host": "n"},
        "firstTimestamp": "2026-06-01T12:00:00Z", "lastTimestamp": "2026-06-01T12:29:30Z", "count": 7});
    let quota = json!({"metadata": {"name": "a"}, "status": {"hard": {"pods": "10", "limits.cpu": "2", "requests.cpu": "1"},
        "used": {"pods": "3", "limits.cpu": "500m"}}});
    let binding = json!({"metadata": {"name": "a"}, "roleRef": {"kind": "ClusterRole", "name": "admin"}, "subjects": [
        {"kind": "User", "name": "u"}, {"kind": "Group", "name": "g"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]});
    let request = |status: Value| {
        json!({"metadata": {"name": "a"}, "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "username": "u",
            "expirationSeconds": 3600}, "status": status})
    };
    let tables = [
        printed(
            "",
            "Namespace",
            &[json!({"metadata": {"name": "a"}, "status": {"phase": "Active"}})],
        ),
        printed("", "Node", &[node]),
        printed("", "PersistentVolumeClaim", &[claim]),
        printed(
            "coordination.k8s.io",
            "Lease",
            &[json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "h"}})],
        ),
        printed(
            "policy",
            "PodDisruptionBudget",
            &[json!({"metadata": {"name": "a"}, "spec": {"minAvailable": "50%"}})],
        ),
        printed("", "Event", std::slice::from_ref(&event)),
        printed(
            "",
            "ConfigMap",
            &[json!({"metadata": {"name": "a"}, "data": {"a": ""}, "binaryData": {"b": ""}})],
        ),
        printed(
            "",
            "Secret",
            &[json!({"metadata": {"name": "a"}, "type": "Opaque", "data": {"a": ""}})],
        ),
        printed("", "ServiceAccount", &[json!({"metadata": {"name": "a"}})]),
        printed("", "ResourceQuota", &[quota]),
        printed("", "LimitRange", &[json!({"metadata": {"name": "a"}})]),
        printed(
            "rbac.authorization.k8s.io",
            "Role",
            &[json!({"metadata": {"name": "a"}})],
        ),
        printed("rbac.authorization.k8s.io", "RoleBinding", &[binding]),
        printed(
            "certificates.k8s.io",
            "CertificateSigningRequest",
            &[
                request(json!({})),
                request(json!({"certificate": "c", "conditions": [{"type": "Approved"}]})),
            ],
        ),
        printed(
            "apiregistration.k8s.io",
            "APIService",
            &[
                json!({"metadata": {"name": "v1."}, "spec": {}}),
                json!({"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": {"service": {"namespace": "n", "name": "s"}},
                    "status": {"conditions": [{"type": "Available", "status": "False", "reason": "ServiceNotFound"}]}}),
            ],
        ),
        printed(
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
            &[json!({"metadata": {"name": "a"}, "webhooks": [{}]})],
        ),
    ];
    insta::assert_snapshot!(tables.join("\n\n"));
}

#[test]
fn events_of_both_groups_print_the_same() {
    let new = json!({"metadata": {"name": "a.1"}, "note": "said", "regarding": {"kind": "Pod", "name": "a"}, "type": "Normal"});
    assert!(printed("events.k8s.io", "Event", &[new]).contains("pod/a |  |  | said"));
}

#[test]
fn rows_carry_what_is_asked_for() {
    let kind = by_kind("", "v1", "ConfigMap").unwrap();
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let row = |include| table(kind, &[&object], now(), include)["rows"][0]["object"].clone();
    assert_eq!(row(IncludeObject::None), Value::Null);
    assert_eq!(row(IncludeObject::Object), object);
    assert_eq!(
        row(IncludeObject::Metadata),
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}})
    );
}

#[test]
fn no_object_is_too_odd_to_print() {
    for kind in crate::all() {
        for object in [
            json!({}),
            json!({"metadata": 1, "spec": [1], "status": "x", "subsets": [1], "endpoints": {}}),
        ] {
            let table = table(kind, &[&object], now(), IncludeObject::Metadata);
            let cells = table["rows"][0]["cells"].as_array().unwrap().len();
            assert_eq!(
                cells,
                table["columnDefinitions"].as_array().unwrap().len(),
                "{}",
                kind.kind
            );
        }
    }
}
