use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
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
use kube::runtime::watcher::Event;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use toolforge_exposition::{samples, undeclared};
use toolforge_figures::{PROCESS, Process};

use super::*;
use crate::state::table::{Follower, Rendered, Table};

fn pod(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "tool-demo", "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "demo-1", "uid": "r", "controller": true}]},
        "spec": {"nodeName": "one", "restartPolicy": "Always", "containers": [{"name": "web", "image": "r/python",
            "resources": {"requests": {"cpu": "150m", "memory": "256Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}}],
            "initContainers": [{"name": "init", "image": "r/init"}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]},
        "status": {"phase": "Running", "qosClass": "Burstable", "podIP": "127.64.0.2", "podIPs": [{"ip": "127.64.0.2"}],
            "hostIP": "127.0.0.1", "startTime": "2026-01-02T03:04:06Z",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:08Z"},
                {"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "web", "ready": true, "restartCount": 3, "image": "r/python", "imageID": "", "containerID": "process://1",
                "state": {"running": {"startedAt": "2026-01-02T03:04:07Z"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T03:04:06Z"}}}],
            "initContainerStatuses": [{"name": "init", "ready": true, "restartCount": 0, "image": "r/init", "imageID": "",
                "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]},
    })
}

fn table<K>(plural: &'static str, objects: &[Value]) -> Arc<Table>
where
    K: Rendered + kube::Resource<DynamicType = ()> + serde::de::DeserializeOwned,
{
    let table = Arc::new(Table::new(plural, K::FAMILIES));
    let mut follower = Follower::new(table.clone());
    for object in objects {
        let object: K = serde_json::from_value(object.clone()).expect("object");
        follower.take(Event::Apply(object));
    }
    table
}

fn whole(tables: Vec<Arc<Table>>) -> String {
    let mut text = String::new();
    for piece in pieces(&State {
        tables,
        own: Registry::default(),
    }) {
        text.push_str(std::str::from_utf8(&piece).expect("text"));
    }
    text
}

fn value(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let mut all = samples(text).map(|sample| sample.expect("every line is a figure"));
    let found = all.find(|sample| {
        sample.name == name && labels.iter().all(|(label, value)| sample.label(label) == *value)
    });
    found.map(|sample| sample.value)
}

#[test]
fn a_pod_has_the_figures_of_its_status() {
    let text = whole(vec![table::<Pod>("pods", &[pod("a")])]);
    let base = [("namespace", "tool-demo"), ("pod", "a"), ("uid", "u")];
    let with = |more: &[(&'static str, &'static str)]| [&base[..], more].concat();
    for (name, labels, expected) in [
        (
            "kube_pod_info",
            with(&[("created_by_name", "demo-1"), ("node", "one")]),
            1.0,
        ),
        ("kube_pod_status_phase", with(&[("phase", "Running")]), 1.0),
        ("kube_pod_status_phase", with(&[("phase", "Failed")]), 0.0),
        ("kube_pod_status_ready", with(&[("condition", "true")]), 1.0),
        (
            "kube_pod_container_status_restarts_total",
            with(&[("container", "web")]),
            3.0,
        ),
        (
            "kube_pod_container_status_last_terminated_reason",
            with(&[("reason", "OOMKilled")]),
            1.0,
        ),
        (
            "kube_pod_container_resource_requests",
            with(&[("resource", "cpu"), ("unit", "core")]),
            0.15,
        ),
        (
            "kube_pod_container_resource_limits",
            with(&[("resource", "memory"), ("unit", "byte")]),
            536_870_912.0,
        ),
        (
            "kube_pod_init_container_status_terminated_reason",
            with(&[("reason", "Completed")]),
            1.0,
        ),
        ("kube_pod_created", with(&[]), 1_767_323_045.0),
    ] {
        let found = value(&text, name, &labels).unwrap_or(f64::NAN);
        assert!((found - expected).abs() < 1e-9, "{name} {labels:?}: {found}");
    }
    assert_eq!(
        value(&text, "toolforge_metrics_objects", &[("resource", "pods")]),
        Some(1.0)
    );
}

#[test]
fn an_object_that_goes_takes_its_figures_along() {
    let table = table::<Pod>("pods", &[pod("a"), pod("b")]);
    let mut follower = Follower::new(table.clone());
    let gone: Pod = serde_json::from_value(pod("a")).expect("pod");
    follower.take(Event::Delete(gone));
    let text = whole(vec![table]);
    assert_eq!(value(&text, "kube_pod_info", &[("pod", "a")]), None);
    assert_eq!(value(&text, "kube_pod_info", &[("pod", "b")]), Some(1.0));
}

/// One object of every kind, with as much in it as has figures.
#[expect(clippy::too_many_lines, reason = "a list of objects")]
fn everything() -> Vec<Arc<Table>> {
    let meta = json!({"name": "x", "namespace": "n", "uid": "u", "generation": 2, "resourceVersion": "7",
        "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:05:05Z",
        "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "k", "uid": "o"}],
        "labels": {"node-role.kubernetes.io/worker": ""}});
    let of = |more: Value| {
        let mut object = json!({ "metadata": meta });
        for (key, value) in more.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        [object]
    };
    let template = json!({"metadata": {}, "spec": {"containers": []}});
    let condition = |kind: &str| json!([{"type": kind, "status": "True", "reason": "R"}]);
    let webhooks = json!([{"name": "w", "clientConfig": {"service": {"name": "s", "namespace": "n"}}, "sideEffects": "None", "admissionReviewVersions": ["v1"]}]);
    let mut rich = pod("x");
    rich["metadata"] = meta.clone();
    rich["status"]["phase"] = json!("Failed");
    rich["status"]["reason"] = json!("Evicted");
    rich["status"]["conditions"] = json!([
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:08Z"},
        {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-01-02T03:04:08Z"},
        {"type": "ContainersReady", "status": "True", "lastTransitionTime": "2026-01-02T03:04:08Z"},
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-02T03:04:08Z"},
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]);
    rich["spec"]["initContainers"][0]["resources"] = rich["spec"]["containers"][0]["resources"].clone();
    let states = json!([{"waiting": {"reason": "CrashLoopBackOff"}}, {"running": {"startedAt": "2026-01-02T03:04:07Z"}},
        {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-02T03:04:07Z"}}]);
    for field in ["containerStatuses", "initContainerStatuses"] {
        let base = rich["status"]["containerStatuses"][0].clone();
        let all = states
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(at, state)| {
                let mut one = base.clone();
                one["name"] = json!(format!("c{at}"));
                one["state"] = state.clone();
                one
            });
        rich["status"][field] = all.collect();
    }
    vec![
        table::<Pod>("pods", &[rich]),
        table::<Deployment>(
            "deployments",
            &of(
                json!({"spec": {"replicas": 4, "selector": {}, "template": template,
            "strategy": {"rollingUpdate": {"maxSurge": "30%", "maxUnavailable": "30%"}}},
            "status": {"replicas": 4, "conditions": condition("Available")}}),
            ),
        ),
        table::<ReplicaSet>(
            "replicasets",
            &of(json!({"spec": {"replicas": 1, "selector": {}}, "status": {"replicas": 1}})),
        ),
        table::<StatefulSet>(
            "statefulsets",
            &of(
                json!({"spec": {"replicas": 1, "selector": {}, "serviceName": "s", "template": template,
            "ordinals": {"start": 1}, "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}},
            "status": {"replicas": 1, "observedGeneration": 1, "currentRevision": "a", "updateRevision": "b"}}),
            ),
        ),
        table::<PodDisruptionBudget>(
            "poddisruptionbudgets",
            &of(json!({"status": {"currentHealthy": 1, "desiredHealthy": 1,
            "disruptionsAllowed": 0, "expectedPods": 1, "observedGeneration": 1}})),
        ),
        table::<Job>(
            "jobs",
            &of(
                json!({"spec": {"parallelism": 1, "completions": 1, "activeDeadlineSeconds": 9, "template": template},
            "status": {"failed": 1, "startTime": "2026-01-02T03:04:05Z", "completionTime": "2026-01-02T03:04:05Z", "conditions": [
                {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}, {"type": "Complete", "status": "False"},
                {"type": "Suspended", "status": "False"}]}}),
            ),
        ),
        table::<CronJob>(
            "cronjobs",
            &of(
                json!({"spec": {"schedule": "@daily", "concurrencyPolicy": "Allow", "startingDeadlineSeconds": 5,
            "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1, "jobTemplate": {"spec": {"template": template}}},
            "status": {"lastScheduleTime": "2026-01-02T03:04:05Z", "lastSuccessfulTime": "2026-01-02T03:04:05Z"}}),
            ),
        ),
        table::<Namespace>(
            "namespaces",
            &of(
                json!({"status": {"phase": "Active", "conditions": condition("NamespaceDeletionContentFailure")}}),
            ),
        ),
        table::<ResourceQuota>(
            "resourcequotas",
            &of(json!({"status": {"hard": {"pods": "10"}, "used": {"pods": "1"}}})),
        ),
        table::<LimitRange>(
            "limitranges",
            &of(json!({"spec": {"limits": [{"type": "Container", "default": {"cpu": "500m"}}]}})),
        ),
        table::<Node>(
            "nodes",
            &of(
                json!({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}, "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "capacity": {"cpu": "2", "pods": "10"},
            "allocatable": {"memory": "1Gi"}, "conditions": condition("Ready"), "nodeInfo": {"architecture": "", "bootID": "",
            "containerRuntimeVersion": "", "kernelVersion": "6", "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "",
            "operatingSystem": "", "osImage": "", "systemUUID": ""}}}),
            ),
        ),
        table::<Service>(
            "services",
            &of(
                json!({"spec": {"ports": [{"port": 80, "targetPort": "http"}], "externalIPs": ["1.2.3.4"]},
            "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}),
            ),
        ),
        table::<Endpoints>(
            "endpoints",
            &of(json!({"subsets": [{"addresses": [{"ip": "127.64.0.2"}], "ports": [{"port": 80}]}]})),
        ),
        table::<HorizontalPodAutoscaler>(
            "horizontalpodautoscalers",
            &of(
                json!({"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}, "minReplicas": 1, "maxReplicas": 3,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]},
            "status": {"currentReplicas": 1, "desiredReplicas": 2, "conditions": condition("AbleToScale"),
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 80, "averageValue": "40m"}}}]}}),
            ),
        ),
        table::<EndpointSlice>(
            "endpointslices",
            &of(
                json!({"addressType": "IPv4", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["127.64.0.2"], "hostname": "h", "nodeName": "one", "zone": "z", "targetRef": {"kind": "Pod", "name": "p", "namespace": "n"},
                "conditions": {"ready": true, "serving": true, "terminating": false}}]}),
            ),
        ),
        table::<NetworkPolicy>(
            "networkpolicies",
            &of(json!({"spec": {"podSelector": {}, "ingress": [{}]}})),
        ),
        table::<IngressClass>("ingressclasses", &of(json!({"spec": {"controller": "a.b/c"}}))),
        table::<Lease>(
            "leases",
            &of(json!({"spec": {"holderIdentity": "h", "renewTime": "2026-01-02T03:04:05.000000Z"}})),
        ),
        table::<CertificateSigningRequest>(
            "certificatesigningrequests",
            &of(
                json!({"spec": {"request": "", "signerName": "s"}, "status": {"certificate": "YWJj", "conditions": condition("Approved")}}),
            ),
        ),
        table::<MutatingWebhookConfiguration>(
            "mutatingwebhookconfigurations",
            &of(json!({ "webhooks": webhooks })),
        ),
        table::<ValidatingWebhookConfiguration>(
            "validatingwebhookconfigurations",
            &of(json!({ "webhooks": webhooks })),
        ),
        table::<PersistentVolumeClaim>(
            "persistentvolumeclaims",
            &of(
                json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": "Pending"}}),
            ),
        ),
        table::<Ingress>(
            "ingresses",
            &of(
                json!({"spec": {"tls": [{"hosts": ["a.b"], "secretName": "s"}], "rules": [{"host": "a.b",
            "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}}),
            ),
        ),
    ]
}

#[test]
fn every_family_is_there_once_with_lines_of_its_own_and_is_documented() {
    let tables = everything();
    let families: Vec<&Family> = tables.iter().flat_map(|table| table.families()).collect();
    let text = whole(tables.clone());
    let mut lines: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for sample in samples(&text) {
        let sample = sample.expect("every line is a figure");
        let labels = sample.labels().map(|(name, _)| name.to_owned());
        lines.entry(sample.name).or_default().extend(labels);
    }
    let mut missing = String::new();
    let documented = include_str!("../../../../../../docs/metrics.md");
    for family in families {
        assert_eq!(
            text.matches(&format!("# TYPE {} ", family.name)).count(),
            1,
            "{}",
            family.name
        );
        let Some(labels) = lines.get(family.name) else {
            let _ = writeln!(missing, "{} has no line here", family.name);
            continue;
        };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!(
            "| `{}` | {} | {} |",
            family.name,
            family.kind.as_str(),
            labels.join(", ")
        );
        if !documented.contains(&row) {
            let _ = writeln!(missing, "{row}");
        }
    }
    assert!(missing.is_empty(), "docs/metrics.md lacks:\n{missing}");
}

#[test]
fn what_the_component_tells_of_itself_is_declared() {
    let looks = crate::own::Looks::default();
    looks.ended(false);
    let state = State {
        tables: vec![table::<Pod>("pods", &[])],
        own: crate::own::registry(&looks, Process::Own),
    };
    let text = own(&state);
    let undeclared = undeclared(&text, &[crate::FAMILIES, PROCESS].concat());
    assert!(undeclared.is_empty(), "{undeclared:?}");
    let line = "toolforge_metrics_node_looks_total{result=\"failed\"} 1\n";
    assert!(text.contains(line) && !text.contains("# EOF"), "{text}");
}

#[test]
fn a_page_comes_in_pieces_of_bounded_size() {
    let pods: Vec<Value> = (0..300).map(|number| pod(&format!("pod-{number}"))).collect();
    let state = State {
        tables: vec![table::<Pod>("pods", &pods)],
        own: Registry::default(),
    };
    let sizes: Vec<usize> = pieces(&state).map(|piece| piece.len()).collect();
    assert!(sizes.len() > 3, "{sizes:?}");
    assert!(sizes.iter().all(|bytes| *bytes < 2 * PIECE_BYTES), "{sizes:?}");
    let families = pieces(&state).map(|piece| String::from_utf8_lossy(&piece).matches("# TYPE").count());
    assert_eq!(families.sum::<usize>(), <Pod as Rendered>::FAMILIES.len() + 1);
}

#[test]
fn who_takes_gzip_reads_the_same_page() {
    let pods: Vec<Value> = (0..150).map(|number| pod(&format!("pod-{number}"))).collect();
    let state = State {
        tables: vec![table::<Pod>("pods", &pods)],
        own: Registry::default(),
    };
    let plain: Vec<u8> = pieces(&state).flatten().collect();
    for _ in 0..2 {
        let stream: Vec<u8> = deflated(&state).flatten().collect();
        assert!(
            stream.len() < plain.len() / 10,
            "{} {}",
            stream.len(),
            plain.len()
        );
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&stream[..]), &mut read).expect("gzip");
        assert!(read == plain);
    }
    let mut follower = Follower::new(state.tables[0].clone());
    let gone: Pod = serde_json::from_value(pod("pod-7")).expect("pod");
    follower.take(Event::Delete(gone));
    let plain: Vec<u8> = pieces(&state).flatten().collect();
    let stream: Vec<u8> = deflated(&state).flatten().collect();
    let mut read = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&stream[..]), &mut read).expect("gzip");
    assert!(read == plain, "what was kept is of before the change");
}
