//! What kubectl shows.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{DEPLOYMENT, Kubectl, start};
use crate::harness::DEADLINE;

#[tokio::test(flavor = "multi_thread")]
async fn shows_objects_in_every_form() {
    let (api, kubectl) = start().await;
    kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).await;
    let table = kubectl.run(&["get", "deployments"]).await;
    assert!(table.starts_with("NAME"), "{table}");
    assert!(table.contains("READY") && table.contains("0/2"), "{table}");
    let wide = kubectl.run(&["get", "deploy", "-o", "wide"]).await;
    assert!(wide.contains("registry/one:latest"), "{wide}");
    let yaml = kubectl.run(&["get", "deploy", "web", "-o", "yaml"]).await;
    assert!(
        yaml.contains("kind: Deployment") && yaml.contains("progressDeadlineSeconds: 600"),
        "{yaml}"
    );
    let json = kubectl.run(&["get", "cm", "settings", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["data"]["color"], "blue");
    assert_eq!(
        kubectl
            .run(&["get", "svc", "web", "-o", "jsonpath={.spec.ports[0].targetPort}"])
            .await,
        "8000"
    );
    let all = kubectl.run(&["get", "configmaps", "-A"]).await;
    assert!(
        all.contains("kube-public") && all.contains("cluster-info"),
        "{all}"
    );
    let chosen = kubectl.run(&["get", "cm", "-l", "app=web", "-o", "name"]).await;
    assert_eq!(chosen, "configmap/settings\n");
    let chosen = kubectl
        .run(&[
            "get",
            "cm",
            "--field-selector",
            "metadata.name=settings",
            "-o",
            "name",
        ])
        .await;
    assert_eq!(chosen, "configmap/settings\n");
    let described = kubectl.run(&["describe", "deployment", "web"]).await;
    assert!(
        described.contains("StrategyType:") && described.contains("RollingUpdate"),
        "{described}"
    );
    let described = kubectl.run(&["describe", "service", "web"]).await;
    assert!(described.contains("127.96."), "{described}");
    let everything = kubectl.run(&["get", "all"]).await;
    assert!(
        everything.contains("deployment.apps/web") && everything.contains("service/web"),
        "{everything}"
    );
    let missing = kubectl.try_run(&["get", "pod", "missing"]).await;
    assert_eq!(
        missing.err.trim(),
        "Error from server (NotFound): pods \"missing\" not found"
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_until_it_is_stopped() {
    let (api, kubectl) = start().await;
    let mut command = kubectl.command(&["get", "configmaps", "-w", "--no-headers", "-l", "seen"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    kubectl.run(&["create", "configmap", "first"]).await;
    kubectl.run(&["label", "configmap", "first", "seen=yes"]).await;
    let line = tokio::time::timeout(DEADLINE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(line.starts_with("first"), "{line}");
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_who_may_do_what() {
    let (api, kubectl) = start().await;
    assert_eq!(
        kubectl.run(&["auth", "can-i", "delete", "nodes"]).await.trim(),
        "yes"
    );
    kubectl
        .run(&["create", "rolebinding", "ada", "--clusterrole=view", "--user=ada"])
        .await;
    let ada = Kubectl::of(&api, "ada", &[]);
    assert_eq!(ada.run(&["auth", "can-i", "list", "pods"]).await.trim(), "yes");
    let refused = ada.try_run(&["auth", "can-i", "create", "pods"]).await;
    assert_eq!((refused.success, refused.out.trim()), (false, "no"));
    let list = ada.run(&["auth", "can-i", "--list"]).await;
    assert!(
        list.contains("selfsubjectaccessreviews.authorization.k8s.io") && list.contains("pods/log"),
        "{list}"
    );
    let who = ada
        .run(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])
        .await;
    assert_eq!(who, "ada");
    let forbidden = ada.try_run(&["get", "secrets"]).await;
    let expected = r#"secrets is forbidden: User "ada" cannot list resource "secrets" in API group "" in the namespace "default""#;
    assert!(forbidden.err.contains(expected), "{}", forbidden.err);
    let as_ada = kubectl.try_run(&["get", "secrets", "--as=ada"]).await;
    assert!(as_ada.err.contains(expected), "{}", as_ada.err);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explains_and_lists_what_there_is() {
    let (api, kubectl) = start().await;
    let explained = kubectl.run(&["explain", "deployment.spec.replicas"]).await;
    assert!(
        explained.contains("replicas") && explained.contains("<integer>"),
        "{explained}"
    );
    let resources = kubectl.run(&["api-resources"]).await;
    for expected in ["configmaps", "deploy", "ingresses", "rolebindings"] {
        assert!(resources.contains(expected), "{expected} in {resources}");
    }
    let versions = kubectl.run(&["api-versions"]).await;
    assert!(
        versions.contains("apps/v1\n") && versions.ends_with("v1\n"),
        "{versions}"
    );
    let version = kubectl.run(&["version", "-o", "json"]).await;
    assert!(version.contains("serverVersion"), "{version}");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_the_server_about_itself() {
    let (api, kubectl) = start().await;
    for (line, expected) in [
        ("cluster-info", "Kubernetes control plane is running at"),
        ("version", "Server Version: v1."),
        ("get --raw /healthz", "ok"),
        ("get --raw /readyz?verbose", "readyz check passed"),
        ("api-resources --api-group=apps --no-headers", "deployments"),
        (
            "api-resources --verbs=create,list --namespaced -o name",
            "ingresses.networking.k8s.io",
        ),
        ("explain ingress.spec.rules.host", "FIELD: host <string>"),
        ("explain pod.spec --recursive", "restartPolicy"),
        ("auth can-i --list --namespace=default", "*.*"),
        ("get namespaces -o custom-columns=N:.metadata.name", "kube-system"),
        (
            "get cm -A -o go-template={{range.items}}{{.metadata.name}}{{end}}",
            "cluster-info",
        ),
        ("get svc --sort-by=.metadata.name", "kubernetes"),
    ] {
        let shown = kubectl.line(line).await;
        assert!(shown.contains(expected), "kubectl {line}: {shown}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_what_happened() {
    let (api, kubectl) = start().await;
    let event = r#"{"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"type":"Warning","reason":"Failed",
        "message":"it broke","involvedObject":{"apiVersion":"v1","kind":"ConfigMap","name":"settings","namespace":"default"},
        "firstTimestamp":"2026-01-01T00:00:00Z","lastTimestamp":"2026-01-01T00:00:00Z","count":3}"#;
    kubectl.run_with(&["create", "-f", "-"], event).await;
    for line in [
        "events",
        "events --for configmap/settings",
        "events --types=Warning",
        "get events",
        "get events --field-selector=involvedObject.name=settings",
    ] {
        let shown = kubectl.line(line).await;
        assert!(shown.contains("it broke"), "kubectl {line}: {shown}");
    }
    let others = kubectl
        .try_run(&["get", "events", "--field-selector=reason=Started"])
        .await;
    assert_eq!(others.err.trim(), "No resources found in default namespace.");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explains_from_either_document() {
    let (api, kubectl) = start().await;
    for (line, expected) in [
        (
            "explain deployment.spec.strategy --output=plaintext-openapiv2",
            "Rolling update config params",
        ),
        (
            "explain ingress.spec --recursive --output=plaintext-openapiv2",
            "ingressClassName\t<string>",
        ),
        (
            "explain pod.spec.containers.ports",
            "containerPort\t<integer> -required-",
        ),
    ] {
        let shown = kubectl.line(line).await;
        assert!(shown.contains(expected), "kubectl {line}: {shown}");
    }
    api.stop().await;
}
