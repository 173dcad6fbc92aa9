//! What controllers need of a Pod survives that it is read, and the rest takes no memory.

use serde_json::{Value, json};

use super::*;

/// A Pod of a webservice as the API has it, with `node` in its specification.
fn written(node: Option<&str>) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "fourohfour-6b8f7d9c5-x2x7q", "generateName": "fourohfour-6b8f7d9c5-", "namespace": "tool-fourohfour",
            "uid": "0b6a3f0e-3c0e-4f6e-9a39-1d1f9b5f0c11", "resourceVersion": "1234567",
            "creationTimestamp": "2026-01-02T03:04:05Z", "generation": 1,
            "deletionTimestamp": "2026-01-02T03:05:00Z", "deletionGracePeriodSeconds": 30,
            "labels": {
                "app.kubernetes.io/component": "web", "app.kubernetes.io/managed-by": "webservice",
                "name": "fourohfour", "pod-template-hash": "6b8f7d9c5", "toolforge": "tool",
            },
            "annotations": {
                "controller.kubernetes.io/pod-deletion-cost": "7", "kubernetes.io/psp": "tool-fourohfour-psp",
            },
            "finalizers": ["batch.kubernetes.io/job-tracking"],
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "fourohfour-6b8f7d9c5",
                "uid": "5f0d4f6e-8c35-4e0e-8d71-7f60d1a5a3b2", "controller": true, "blockOwnerDeletion": true,
            }],
            "managedFields": [{"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": {"f:status": {}}}],
        },
        "spec": {
            "nodeName": node, "schedulerName": "default-scheduler", "priority": 3, "priorityClassName": "tools",
            "nodeSelector": {"disk": "ssd"}, "schedulingGates": [{"name": "example.org/wait"}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "disk", "operator": "Exists"}]},
            ]}}},
            "activeDeadlineSeconds": 60, "hostname": "web", "subdomain": "db", "overhead": {"memory": "1Mi"},
            "serviceAccountName": "default", "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
            "securityContext": {"runAsUser": 52000, "supplementalGroups": [1]},
            "volumes": [{"name": "home", "hostPath": {"path": "/data/project", "type": "Directory"}}],
            "containers": [{
                "name": "webservice", "image": "docker-registry.example.org/toolforge-python311-sssd-web:latest",
                "command": ["/usr/bin/webservice-runner", "--type", "uwsgi-python", "--port", "8000"],
                "env": [{"name": "HOME", "value": "/data/project/fourohfour"}], "workingDir": "/data/project/fourohfour/",
                "ports": [
                    {"name": "http", "containerPort": 8000, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"},
                    {"containerPort": 80, "hostPort": 8080},
                ],
                "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "125m", "memory": "256Mi"}},
                "startupProbe": {"httpGet": {"path": "/", "port": 8000}}, "volumeMounts": [{"name": "home", "mountPath": "/data"}],
            }],
            "initContainers": [{"name": "first", "resources": {"limits": {"memory": "768Mi"}}}],
        },
        "status": {
            "phase": "Running", "qosClass": "Burstable", "startTime": "2026-01-02T03:04:06Z",
            "hostIP": "127.64.0.1", "podIP": "127.64.3.7", "podIPs": [{"ip": "127.64.3.7"}],
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z", "message": "at last"},
                {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-01-02T03:04:06Z"},
                {"type": "ContainersReady", "status": "True", "lastTransitionTime": "2026-01-02T03:04:09Z"},
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:09Z", "message": "well"},
            ],
            "containerStatuses": [{
                "name": "webservice", "ready": true, "restartCount": 2, "imageID": "", "started": true,
                "image": "docker-registry.example.org/toolforge-python311-sssd-web:latest",
                "lastState": {"terminated": {"exitCode": 1}}, "state": {"running": {"startedAt": "2026-01-02T03:04:08Z"}},
            }],
            "initContainerStatuses": [{
                "name": "first", "ready": true, "restartCount": 1, "imageID": "", "image": "",
                "state": {"terminated": {"exitCode": 3, "finishedAt": "2026-01-02T03:04:07Z"}},
            }],
        },
    })
}

fn read(value: Value) -> Pod {
    serde_json::from_value(value).expect("a pod")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn who_it_is_and_whose_survives() {
    let whole = written(Some("n1"));
    let pod = read(whole.clone());
    assert_eq!(
        (pod.namespace(), pod.name(), pod.uid(), pod.written_at()),
        (
            "tool-fourohfour",
            "fourohfour-6b8f7d9c5-x2x7q",
            "0b6a3f0e-3c0e-4f6e-9a39-1d1f9b5f0c11",
            1_234_567
        )
    );
    assert_eq!(pod.created, Some(time("2026-01-02T03:04:05Z")));
    let (at, grace_seconds) = (time("2026-01-02T03:05:00Z"), 30);
    assert_eq!(pod.deletion.as_deref(), Some(&Deletion { at, grace_seconds }));
    let labels: Vec<(&str, &str)> = pod.labels.iter().collect();
    assert_eq!((labels.len(), pod.label("name")), (5, Some("fourohfour")));
    assert_eq!(
        pod.annotations.iter().collect::<Vec<_>>(),
        [(crate::pods::DELETION_COST, "7")]
    );
    assert_eq!(pod.finalizers(), ["batch.kubernetes.io/job-tracking"]);
    assert_eq!(
        serde_json::to_value(pod.owners()).expect("owners"),
        whole["metadata"]["ownerReferences"]
    );
    assert_eq!(pod.controller_uid(), Some("5f0d4f6e-8c35-4e0e-8d71-7f60d1a5a3b2"));
}

#[test]
fn what_it_wants_survives() {
    let pod = read(written(Some("n1")));
    assert_eq!(pod.node.as_deref(), Some("n1"));
    assert_eq!(pod.placement, None, "where it goes is decided");
    let amounts = |of: &Demands| {
        of.iter()
            .map(|(name, amount)| format!("{name}={amount}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(amounts(&pod.requests), ["cpu=125m", "memory=769Mi"]);
    assert_eq!(amounts(&pod.limits), ["cpu=500m", "memory=769Mi"]);
    let port = |name: Option<&str>, number, host| Port {
        name: name.map(Text::from),
        protocol: "TCP".into(),
        number,
        host,
    };
    assert_eq!(
        *pod.ports,
        [port(Some("http"), 8000, None), port(None, 80, Some(8080))]
    );
    assert_eq!(
        (pod.hostname.as_deref(), pod.subdomain.as_deref()),
        (Some("web"), Some("db"))
    );
    assert_eq!(
        (pod.priority_class.as_deref(), pod.is_limited),
        (Some("tools"), true)
    );
}

#[test]
fn what_places_it_is_there_until_it_has_its_place() {
    for node in [None, Some("")] {
        let placement = read(written(node)).placement.expect("it has no place");
        assert_eq!(
            (&*placement.scheduler, placement.priority),
            ("default-scheduler", 3)
        );
        assert!(placement.is_gated);
        assert_eq!(placement.node_selector.get("disk"), Some("ssd"));
        assert_eq!(placement.required.expect("terms").node_selector_terms.len(), 1);
        assert_eq!(placement.tolerations.len(), 1);
    }
}

#[test]
fn how_it_is_survives() {
    let pod = read(written(Some("n1")));
    assert_eq!(
        (&*pod.phase, pod.address.as_deref()),
        ("Running", Some("127.64.3.7"))
    );
    let condition = |kind: &str, since| Condition {
        kind: kind.into(),
        status: "True".into(),
        since: Some(time(since)),
    };
    assert_eq!(
        *pod.conditions,
        [
            condition("PodScheduled", "2026-01-02T03:04:05Z"),
            condition("Initialized", "2026-01-02T03:04:06Z"),
            condition("ContainersReady", "2026-01-02T03:04:09Z"),
            condition("Ready", "2026-01-02T03:04:09Z"),
        ]
    );
    assert_eq!(pod.scheduled_message.as_deref(), Some("at last"));
    let end = End {
        exit_code: 3,
        at: Some(time("2026-01-02T03:04:07Z")),
    };
    let container = |name: &str, is_init, restarts, end| Container {
        name: name.into(),
        is_init,
        restarts,
        end,
    };
    assert_eq!(
        *pod.containers,
        [
            container("webservice", false, 2, None),
            container("first", true, 1, Some(end))
        ]
    );
}

#[test]
fn it_is_small() {
    // With what it points to it is about three times that; the API's own type takes 11 KB.
    assert!(size_of::<Pod>() <= 368, "{}", size_of::<Pod>());
    let (one, other) = (read(written(None)), read(written(Some("n1"))));
    assert!(one.requests.is_same(&other.requests));
}

#[test]
fn what_is_absent_or_null_is_empty() {
    let empty = read(json!({}));
    assert_eq!(
        read(json!({"metadata": null, "spec": null, "status": null})),
        empty
    );
    let nulls = json!({
        "metadata": {"name": null, "labels": null, "ownerReferences": null},
        "spec": {"containers": null, "tolerations": null},
        "status": {"phase": null, "podIP": "", "conditions": null, "containerStatuses": null},
    });
    assert_eq!(read(nulls), empty);
}
