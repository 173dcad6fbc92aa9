//! What Pods get, and what they may not have.

use base64::Engine;
use serde_json::{Value, json};

use crate::api::api;
use crate::requests::{GOOD, pod, request, with_image};
use crate::server::Guards;

/// Asks the mutating guards in their order and applies their patches.
async fn completed(guards: &Guards, review: &Value) -> Value {
    let mut review = review.clone();
    for path in ["/mutate/volumes", "/mutate/pod"] {
        review["object"] = patched(guards, path, &review).await;
    }
    review["object"].take()
}

async fn patched(guards: &Guards, route: &str, review: &Value) -> Value {
    let response = guards.ask(route, review).await;
    assert_eq!(response["allowed"], true, "{response}");
    let mut object = review["object"].clone();
    if let Some(patch) = response["patch"].as_str() {
        assert_eq!(response["patchType"], "JSONPatch");
        let patch = base64::engine::general_purpose::STANDARD.decode(patch).unwrap();
        let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
    }
    object
}

#[tokio::test]
async fn a_pod_is_completed_with_its_tools_account_and_then_admitted() {
    let guards = Guards::start(api()).await;
    for (namespace, uid) in [("tool-alpha", 52_001), ("tool-late", 52_002)] {
        let mut review = pod(namespace, &with_image(GOOD));
        review["object"]["metadata"]["labels"] = json!({"toolforge": "tool"});
        guards.refuses("/validate/pod", &review).await;
        review["object"] = completed(&guards, &review).await;
        assert_eq!(review["object"]["spec"]["securityContext"]["fsGroup"], uid);
        let context = &review["object"]["spec"]["containers"][0]["securityContext"];
        assert_eq!(context["runAsUser"], uid);
        let annotations = &review["object"]["metadata"]["annotations"];
        assert_eq!(annotations["kubernetes.io/psp"], format!("{namespace}-psp"));
        assert_eq!(
            review["object"]["spec"]["containers"][0]["env"][0]["name"],
            "HOME"
        );
        guards.admits("/validate/pod", &review).await;
        assert_eq!(completed(&guards, &review).await, review["object"]);
    }
}

#[tokio::test]
async fn only_new_ephemeral_containers_of_a_running_pod_are_completed() {
    let guards = Guards::start(api()).await;
    let mut review = pod("tool-alpha", &with_image(GOOD));
    review["object"] = completed(&guards, &review).await;
    review["object"]["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": GOOD}]);
    review["operation"] = json!("UPDATE");
    assert_eq!(completed(&guards, &review).await, review["object"]);
    review["subResource"] = json!("ephemeralcontainers");
    let changed = completed(&guards, &review).await;
    assert_eq!(
        changed["spec"]["containers"],
        review["object"]["spec"]["containers"]
    );
    assert_eq!(
        changed["spec"]["ephemeralContainers"][0]["securityContext"]["allowPrivilegeEscalation"],
        false
    );
}

#[tokio::test]
async fn a_pod_that_reaches_for_the_machine_is_refused() {
    let guards = Guards::start(api()).await;
    for (field, value) in [
        ("hostNetwork", json!(true)),
        ("securityContext", json!({"runAsUser": 0})),
        ("volumes", json!([{"name": "x", "hostPath": {"path": "/etc"}}])),
    ] {
        let mut spec = with_image(GOOD);
        spec[field] = value;
        let review = pod("tool-alpha", &spec);
        for path in ["/mutate/pod", "/validate/pod"] {
            let message = guards.refuses(path, &review).await;
            assert!(message.contains(&format!("spec.{field}")), "{message}");
        }
    }
}

#[tokio::test]
async fn a_volume_of_the_machine_is_refused_before_it_is_completed() {
    let guards = Guards::start(api()).await;
    let mut spec = with_image(GOOD);
    spec["volumes"] = json!([{"name": "x", "hostPath": {"path": "/etc"}}]);
    let mut review = pod("tool-alpha", &spec);
    for path in ["/mutate/volumes", "/validate/volumes"] {
        let message = guards.refuses(path, &review).await;
        assert!(message.starts_with("No hostPath volumes allowed"), "{message}");
    }
    review["namespace"] = json!("default");
    review["object"] = json!({"metadata": {"labels": {"toolforge": "tool"}}, "spec": with_image(GOOD)});
    let message = guards.refuses("/mutate/volumes", &review).await;
    assert!(
        message.starts_with("Only tools can have tool volumes mounted to them"),
        "{message}"
    );
}

#[tokio::test]
async fn a_workload_that_may_make_no_pods_any_more_can_still_be_scaled_down() {
    let guards = Guards::start(api()).await;
    let replica_set = |replicas: u8, image: &str| {
        let mut spec = with_image(image);
        spec["hostNetwork"] = json!(true);
        json!({"metadata": {"name": "web"}, "spec": {"replicas": replicas, "template": {"spec": spec}}})
    };
    let mut review = request(("apps", "v1", "ReplicaSet"), "tool-alpha", &replica_set(1, GOOD));
    guards.refuses("/validate/pod", &review).await;
    review["operation"] = json!("UPDATE");
    review["oldObject"] = replica_set(1, GOOD);
    review["object"] = replica_set(0, GOOD);
    guards.admits("/validate/pod", &review).await;
    review["object"] = replica_set(0, &GOOD.replace("php73", "php74"));
    guards.refuses("/validate/pod", &review).await;
}
