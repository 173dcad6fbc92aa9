//! What leads to a tool: its Ingress, Services and endpoints.

use serde_json::{Value, json};

use crate::api::api;
use crate::requests::{INGRESS, ingress, pod, request, with_image};
use crate::server::Guards;

#[tokio::test]
async fn an_ingress_may_have_its_tools_host_and_no_other() {
    let guards = Guards::start(api()).await;
    let path = "/validate/ingress";
    guards
        .admits(path, &ingress("tool-alpha", &["alpha.toolforge.org"]))
        .await;
    let message = guards
        .refuses(path, &ingress("tool-alpha", &["beta.toolforge.org"]))
        .await;
    assert!(
        message.contains("Ingress host must be <toolname>.toolforge.org"),
        "{message}"
    );
    assert!(
        message.contains("spec.rules[0].host is \"beta.toolforge.org\""),
        "{message}"
    );
    for hosts in [
        &["alpha.toolforge.org", "beta.toolforge.org"][..],
        &["alpha.toolforge.org.evil.com"],
        &["alpha.toolforgeXorg"],
        &["*.toolforge.org"],
        &[""],
    ] {
        guards.refuses(path, &ingress("tool-alpha", hosts)).await;
    }
    let backend = json!({"spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}});
    guards
        .refuses(path, &request(INGRESS, "tool-alpha", &backend))
        .await;
    for annotation in ["configuration-snippet", "server-alias"] {
        let key = format!("nginx.ingress.kubernetes.io/{annotation}");
        let object = json!({"metadata": {"annotations": {key: "x"}}, "spec": {"rules": [{"host": "alpha.toolforge.org"}]}});
        guards
            .refuses(path, &request(INGRESS, "tool-alpha", &object))
            .await;
    }
}

#[tokio::test]
async fn an_update_is_held_to_the_same_and_a_deletion_to_nothing() {
    let guards = Guards::start(api()).await;
    let path = "/validate/ingress";
    let mut update = ingress("tool-alpha", &["beta.toolforge.org"]);
    update["operation"] = json!("UPDATE");
    update["oldObject"] = json!({"spec": {"rules": [{"host": "alpha.toolforge.org"}]}});
    guards.refuses(path, &update).await;
    update["oldObject"] = update["object"].clone();
    update["oldObject"]["metadata"] = json!({"finalizers": ["x"]});
    update["object"]["metadata"] = json!({});
    guards.admits(path, &update).await;
    let mut deletion = ingress("tool-alpha", &["beta.toolforge.org"]);
    deletion["operation"] = json!("DELETE");
    guards.admits(path, &deletion).await;
}

#[tokio::test]
async fn safe_namespaces_are_left_alone() {
    let guards = Guards::start(api()).await;
    for namespace in ["kube-system", "tool-fourohfour"] {
        guards
            .admits("/validate/ingress", &ingress(namespace, &["anything.example"]))
            .await;
    }
    guards
        .admits("/validate/images", &pod("kube-system", &with_image("nginx")))
        .await;
}

#[tokio::test]
async fn services_stay_inside_the_cluster() {
    let guards = Guards::start(api()).await;
    let service = |spec: &Value| request(("", "v1", "Service"), "tool-alpha", &json!({ "spec": spec }));
    guards
        .admits(
            "/validate/service",
            &service(&json!({"selector": {"name": "alpha"}})),
        )
        .await;
    let message = guards
        .refuses("/validate/service", &service(&json!({"type": "NodePort"})))
        .await;
    assert!(message.contains("spec.type is \"NodePort\""), "{message}");
}

#[tokio::test]
async fn endpoints_are_written_by_controllers_only() {
    let guards = Guards::start(api()).await;
    let object = json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]});
    let mut review = request(("", "v1", "Endpoints"), "tool-alpha", &object);
    review["userInfo"] = json!({"username": "alpha", "groups": ["toolforge", "system:authenticated"]});
    let message = guards.refuses("/validate/endpoints", &review).await;
    assert!(
        message.contains("subsets[0].addresses[0].ip is \"10.0.0.1\""),
        "{message}"
    );
    review["userInfo"] = json!({"username": "system:kube-controller-manager", "groups": []});
    guards.admits("/validate/endpoints", &review).await;
}
