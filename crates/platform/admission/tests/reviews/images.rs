//! Where images come from, also in templates.

use serde_json::json;

use crate::api::api;
use crate::requests::{GOOD, OTHER, pod, request, with_image};
use crate::server::Guards;

#[tokio::test]
async fn images_come_from_an_allowed_registry_wherever_they_stand() {
    let guards = Guards::start(api()).await;
    let path = "/validate/images";
    guards.admits(path, &pod("tool-alpha", &with_image(GOOD))).await;
    guards.admits(path, &pod("tool-alpha", &with_image(OTHER))).await;
    let message = guards
        .refuses(path, &pod("tool-alpha", &with_image("nginx")))
        .await;
    assert!(
        message.contains("[Kind=Pod, Namespace=tool-alpha Name=web Image=nginx]"),
        "{message}"
    );
    guards
        .refuses(
            path,
            &pod(
                "tool-alpha",
                &with_image("docker-registry.tools.wmflabs.org.evil/x"),
            ),
        )
        .await;
    for list in ["initContainers", "ephemeralContainers"] {
        let mut spec = with_image(GOOD);
        spec[list] = json!([{"name": "x", "image": "busybox"}]);
        let mut review = pod("tool-alpha", &spec);
        review["subResource"] = json!("ephemeralcontainers");
        assert!(guards.refuses(path, &review).await.contains(list));
    }
    let both = json!({"containers": [{"name": "a", "image": "nginx"}, {"name": "b", "image": "redis"}]});
    let message = guards.refuses(path, &pod("tool-alpha", &both)).await;
    assert!(
        message.contains("Image=nginx") && message.contains("Image=redis"),
        "{message}"
    );
}

#[tokio::test]
async fn templates_are_refused_when_the_workload_is_made() {
    let guards = Guards::start(api()).await;
    let template = json!({"spec": {"template": {"spec": with_image("nginx")}}});
    for (group, kind) in [
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("", "ReplicationController"),
        ("batch", "Job"),
    ] {
        guards
            .refuses(
                "/validate/images",
                &request((group, "v1", kind), "tool-alpha", &template),
            )
            .await;
    }
    let cron_job = json!({"spec": {"jobTemplate": template}});
    guards
        .refuses(
            "/validate/images",
            &request(("batch", "v1", "CronJob"), "tool-alpha", &cron_job),
        )
        .await;
    let root = json!({"containers": [{"name": "a", "image": GOOD, "securityContext": {"runAsUser": 0}}]});
    let deployment = json!({"spec": {"template": {"spec": root}}});
    guards
        .refuses(
            "/validate/pod",
            &request(("apps", "v1", "Deployment"), "tool-alpha", &deployment),
        )
        .await;
}
