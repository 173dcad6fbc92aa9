//! Verbs that change a part of what runs, and the same verbs on kinds of users.

use serde_json::Value;

use super::{DEPLOYMENT, Kubectl, start};
use crate::custom::{crates, define};

/// What a path of an object says.
async fn at(kubectl: &Kubectl, object: &str, path: &str) -> String {
    kubectl
        .run(&["get", object, "-o", &format!("jsonpath={{{path}}}")])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn exposes_and_sets_parts_of_a_deployment() {
    let (api, kubectl) = start().await;
    kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).await;
    kubectl
        .line("expose deployment/web --name=open --port=80 --target-port=8000")
        .await;
    assert_eq!(at(&kubectl, "service/open", ".spec.selector.app").await, "web");
    assert_eq!(
        at(&kubectl, "service/open", ".spec.ports[0].targetPort").await,
        "8000"
    );
    kubectl
        .line("create secret generic keys --from-literal=key=value")
        .await;
    kubectl.line("set env deployment/web COLOR=blue").await;
    kubectl
        .line("set env deployment/web --from=secret/keys --prefix=MY_")
        .await;
    let env = kubectl.line("set env deployment/web --list").await;
    assert!(
        env.contains("COLOR=blue") && env.contains("MY_KEY from secret keys"),
        "{env}"
    );
    kubectl.line("set env deployment/web COLOR-").await;
    let env = kubectl.line("set env deployment/web --list").await;
    assert!(!env.contains("COLOR"), "{env}");
    kubectl
        .line("set resources deployment/web --requests=cpu=0.5 --limits=cpu=1,memory=1Gi")
        .await;
    let container = ".spec.template.spec.containers[0]";
    let resources = at(&kubectl, "deployment/web", &format!("{container}.resources")).await;
    assert_eq!(
        serde_json::from_str::<Value>(&resources).unwrap(),
        serde_json::json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}})
    );
    kubectl.line("create serviceaccount builder").await;
    kubectl.line("set serviceaccount deployment/web builder").await;
    let account = ".spec.template.spec.serviceAccountName";
    assert_eq!(at(&kubectl, "deployment/web", account).await, "builder");
    kubectl.line("set selector service/open app=other").await;
    assert_eq!(at(&kubectl, "service/open", ".spec.selector.app").await, "other");

    kubectl.line("rollout pause deployment/web").await;
    assert_eq!(at(&kubectl, "deployment/web", ".spec.paused").await, "true");
    let undo = kubectl.try_run(&["rollout", "restart", "deployment/web"]).await;
    assert!(
        !undo.success && undo.err.contains("can't restart paused deployment"),
        "{}",
        undo.err
    );
    kubectl.line("rollout resume deployment/web").await;
    assert_eq!(at(&kubectl, "deployment/web", ".spec.paused").await, "");
    kubectl
        .line("autoscale deployment/web --max=3 --dry-run=client")
        .await;
    api.stop().await;
}

const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules:
- {apiGroups: [''], resources: [pods], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}
";

#[tokio::test(flavor = "multi_thread")]
async fn reconciles_rights() {
    let (api, kubectl) = start().await;
    let reconcile = ["auth", "reconcile", "-f", "-"];
    let made = kubectl.run_with(&reconcile, ROLE).await;
    assert!(
        made.contains("role.rbac.authorization.k8s.io/reader reconciled"),
        "{made}"
    );
    let as_ann = ["auth", "can-i", "list", "pods", "--as=ann"];
    assert_eq!(kubectl.try_run(&as_ann).await.out, "no\n");
    // What is there stays, what is missing is added.
    kubectl
        .run_with(&reconcile, &ROLE.replace("verbs: [get]", "verbs: [list]"))
        .await;
    assert_eq!(kubectl.run(&as_ann).await, "yes\n");
    assert_eq!(kubectl.line("auth can-i get pods --as=ann").await, "yes\n");
    let other = ROLE.replace("kind: Role, name: reader", "kind: Role, name: writer");
    kubectl.run_with(&reconcile, &other).await;
    assert_eq!(
        at(&kubectl, "rolebinding/reader", ".roleRef.name").await,
        "writer"
    );
    api.stop().await;
}

const CRATE: &str = "
apiVersion: stable.example.org/v1
kind: Crate
metadata: {name: one}
spec: {color: red, replicas: 2}
";

#[tokio::test(flavor = "multi_thread")]
async fn treats_kinds_of_users_like_its_own() {
    let (api, kubectl) = start().await;
    define(&api, crates()).await;
    let kinds = kubectl.line("api-resources --api-group=stable.example.org").await;
    assert!(
        kinds.contains("crates") && kinds.contains("cr") && kinds.contains("Crate"),
        "{kinds}"
    );
    let applied = kubectl
        .run_with(&["apply", "--server-side", "-f", "-"], CRATE)
        .await;
    assert!(
        applied.contains("crate.stable.example.org/one serverside-applied"),
        "{applied}"
    );
    let four = CRATE.replace("replicas: 2", "replicas: 4");
    let diff = kubectl.command(&["diff", "--server-side", "-f", "-"]);
    let diff = kubectl.ended(diff, Some(&four)).await;
    assert!(
        !diff.success && diff.out.contains("-  replicas: 2\n+  replicas: 4\n"),
        "{}{}",
        diff.out,
        diff.err
    );
    let other = ["apply", "--server-side", "--field-manager=other", "-f", "-"];
    let conflict = kubectl.ended(kubectl.command(&other), Some(&four)).await;
    assert!(
        !conflict.success && conflict.err.contains("conflict with \"kubectl\": .spec.replicas"),
        "{}",
        conflict.err
    );
    kubectl.line("label crate/one set=mine").await;
    kubectl.line("annotate crate/one note=x").await;
    let two = CRATE.replace("name: one", "name: two, labels: {set: mine}");
    let prune = [
        "apply",
        "--prune",
        "-l",
        "set=mine",
        "--prune-allowlist=stable.example.org/v1/Crate",
        "-f",
        "-",
    ];
    kubectl.run_with(&prune, &two).await;
    let three = two.replace("name: two", "name: three");
    let pruned = kubectl.run_with(&prune, &three).await;
    assert!(pruned.contains("crate.stable.example.org/two pruned"), "{pruned}");
    // Server-side apply left no last configuration, so the first is nobody's to prune.
    let left = kubectl.line("get crates -o name").await;
    assert_eq!(
        left,
        "crate.stable.example.org/one\ncrate.stable.example.org/three\n"
    );
    let explained = kubectl
        .line("explain crate.spec.color --output=plaintext-openapiv2")
        .await;
    assert!(explained.contains("The color."), "{explained}");
    let yaml = kubectl
        .line("get --raw /apis/stable.example.org/v1/crates?limit=1")
        .await;
    assert!(yaml.contains("\"continue\""), "{yaml}");
    api.stop().await;
}
