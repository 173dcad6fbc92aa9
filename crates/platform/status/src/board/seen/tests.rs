use serde_json::{Value, json};

use super::*;
use crate::board::example;

fn pod(status: &Value) -> PodSeen {
    let object = example::pod("tool-t", "t-1", status);
    serde_json::from_value::<k8s_openapi::api::core::v1::Pod>(object)
        .unwrap()
        .into()
}

#[test]
fn values_of_variables_are_dropped_and_their_names_are_kept() {
    let seen = pod(&json!({}));
    assert!(!format!("{seen:?}").contains("top secret"));
    assert_eq!(*seen.containers[0].environment, ["PASSWORD"]);
    assert_eq!(
        seen.meta
            .annotations
            .iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>(),
        ["note"]
    );
    assert_eq!(seen.volumes[1].1, "Secret keys", "its name only");
}

#[test]
fn a_pod_of_which_nothing_is_known_is_borne() {
    let nothing: k8s_openapi::api::core::v1::Pod = serde_json::from_value(json!({})).unwrap();
    let seen = PodSeen::from(nothing);
    assert!(!seen.ready && seen.containers.is_empty());
}

#[test]
fn containers_keep_their_order_and_their_states() {
    let mut object = example::pod(
        "tool-t",
        "t-1",
        &json!({
            "initContainerStatuses": [{ "name": "first", "ready": true, "restartCount": 1, "image": "", "imageID": "",
                "state": { "terminated": { "exitCode": 0, "reason": "Completed" } } }],
        }),
    );
    object["spec"]["initContainers"] =
        json!([{ "name": "first", "image": "i", "envFrom": [{ "secretRef": { "name": "all" } }] }]);
    let seen = PodSeen::from(serde_json::from_value::<k8s_openapi::api::core::v1::Pod>(object).unwrap());
    let names: Vec<_> = seen
        .containers
        .iter()
        .map(|container| (container.name.as_str(), container.role))
        .collect();
    assert_eq!(names, [("first", Role::Init), ("webservice", Role::Main)]);
    assert!(matches!(
        &seen.containers[0].state,
        ContainerState::Ended { code: 0, .. }
    ));
    assert_eq!(
        (seen.restarts, seen.containers[0].environment[0].as_str()),
        (1, "all of Secret all")
    );
}

#[test]
fn a_node_says_its_role_by_label_or_name() {
    let role = |name: &str, label: Option<&str>| {
        let mut object = example::node(name);
        if let Some(label) = label {
            object["metadata"]["labels"] = json!({ label: "" });
        }
        NodeSeen::from(serde_json::from_value::<k8s_openapi::api::core::v1::Node>(object).unwrap()).role
    };
    assert_eq!(
        role("a", Some("node-role.kubernetes.io/control-plane")),
        "control"
    );
    assert_eq!(role("a", Some("node-role.kubernetes.io/nfs")), "nfs");
    assert_eq!(role("tools-k8s-control-1", None), "control");
    assert_eq!(role("tools-k8s-worker-1", None), "worker");
}

#[test]
fn a_quota_of_nothing_is_never_half_used() {
    let quota = serde_json::from_value::<k8s_openapi::api::core::v1::ResourceQuota>(json!({ "status": {
        "hard": { "pods": "10", "services.nodeports": "0", "limits.memory": "8Gi", "secrets": "1" },
        "used": { "pods": "4", "services.nodeports": "0", "limits.memory": "4096Mi", "secrets": "2" },
    } }));
    let lines = QuotaSeen::from(quota.unwrap()).lines;
    let percents: Vec<_> = lines
        .iter()
        .map(|line| (line.resource.as_str(), line.percent))
        .collect();
    assert_eq!(
        percents,
        [
            ("limits.memory", 50),
            ("pods", 40),
            ("secrets", 200),
            ("services.nodeports", 0)
        ]
    );
}
