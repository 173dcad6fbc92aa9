//! The API driven by the machine's kubectl.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use crate::harness::{DEADLINE, Harness};

struct Kubectl {
    home: PathBuf,
    kubeconfig: PathBuf,
}

/// How a command ended.
struct Ended {
    success: bool,
    out: String,
    err: String,
}

impl Kubectl {
    fn of(api: &Harness, user: &str, groups: &[&str]) -> Self {
        let home = api.folder.path().join(format!("home-{user}"));
        std::fs::create_dir_all(&home).unwrap();
        let kubeconfig = home.join("config");
        std::fs::write(&kubeconfig, api.kubeconfig(user, groups, "default")).unwrap();
        Self { home, kubeconfig }
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(line)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn ended(&self, mut command: Command, input: Option<&str>) -> Ended {
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl 1.30 or newer must be in PATH (`cargo xtask test` installs it)");
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin.write_all(input.as_bytes()).await.unwrap();
        }
        let output = tokio::time::timeout(DEADLINE, child.wait_with_output())
            .await
            .expect("kubectl ends")
            .unwrap();
        Ended {
            success: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    async fn try_run(&self, line: &[&str]) -> Ended {
        self.ended(self.command(line), None).await
    }

    async fn run(&self, line: &[&str]) -> String {
        let ended = self.try_run(line).await;
        assert!(
            ended.success,
            "kubectl {line:?} failed:\n{}{}",
            ended.out, ended.err
        );
        ended.out
    }

    async fn run_with(&self, line: &[&str], input: &str) -> String {
        let ended = self.ended(self.command(line), Some(input)).await;
        assert!(
            ended.success,
            "kubectl {line:?} failed:\n{}{}",
            ended.out, ended.err
        );
        ended.out
    }
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: registry/one:latest
        ports: [{containerPort: 8000}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 8000}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {color: blue}
";

async fn start() -> (Harness, Kubectl) {
    let api = Harness::start().await;
    let kubectl = Kubectl::of(&api, "admin", &["system:masters"]);
    (api, kubectl)
}

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
async fn applies_on_both_sides() {
    let (api, kubectl) = start().await;
    let created = kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).await;
    assert!(created.contains("deployment.apps/web created"), "{created}");
    let again = kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).await;
    assert!(again.contains("deployment.apps/web unchanged"), "{again}");
    let changed = DEPLOYMENT
        .replace("registry/one", "registry/two")
        .replace("{color: blue}", "{shade: dark}");
    let configured = kubectl.run_with(&["apply", "-f", "-"], &changed).await;
    assert!(
        configured.contains("deployment.apps/web configured"),
        "{configured}"
    );
    assert_eq!(
        kubectl
            .run(&["get", "cm", "settings", "-o", "jsonpath={.data}"])
            .await,
        r#"{"shade":"dark"}"#
    );

    let server_side = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ssa}\ndata: {a: '1'}\n";
    let applied = kubectl
        .run_with(&["apply", "--server-side", "-f", "-"], server_side)
        .await;
    assert!(applied.contains("configmap/ssa serverside-applied"), "{applied}");
    let other = kubectl.command(&["apply", "--server-side", "--field-manager=other", "-f", "-"]);
    let conflict = kubectl
        .ended(other, Some(&server_side.replace("'1'", "'2'")))
        .await;
    assert!(
        !conflict.success && conflict.err.contains("conflict with \"kubectl\""),
        "{}",
        conflict.err
    );
    let forced = [
        "apply",
        "--server-side",
        "--field-manager=other",
        "--force-conflicts",
        "-f",
        "-",
    ];
    kubectl
        .run_with(&forced, &server_side.replace("'1'", "'2'"))
        .await;
    assert_eq!(
        kubectl
            .run(&["get", "cm", "ssa", "-o", "jsonpath={.data.a}"])
            .await,
        "2"
    );

    let dry = kubectl
        .run_with(
            &["apply", "--dry-run=server", "-f", "-"],
            &server_side.replace("ssa", "dry"),
        )
        .await;
    assert!(dry.contains("configmap/dry created (server dry run)"), "{dry}");
    assert!(!kubectl.try_run(&["get", "cm", "dry"]).await.success);
    let difference = kubectl.command(&["diff", "-f", "-"]);
    let difference = kubectl
        .ended(difference, Some(&changed.replace("dark", "light")))
        .await;
    assert!(
        difference.out.contains("+  shade: light"),
        "{}{}",
        difference.out,
        difference.err
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_wrong_manifests_with_the_field_s_name() {
    let (api, kubectl) = start().await;
    let wrong = DEPLOYMENT.replace("replicas: 2", "replicass: 2");
    let refused = kubectl
        .ended(kubectl.command(&["create", "-f", "-"]), Some(&wrong))
        .await;
    assert!(
        !refused.success && refused.err.contains("spec.replicass"),
        "{}",
        refused.err
    );
    let wrong = DEPLOYMENT.replace("matchLabels: {app: web}", "matchLabels: {app: other}");
    let refused = kubectl
        .ended(kubectl.command(&["create", "-f", "-"]), Some(&wrong))
        .await;
    assert!(
        refused
            .err
            .contains("spec.template.metadata.labels: Invalid value"),
        "{}",
        refused.err
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_patches_labels_and_scales() {
    let (api, kubectl) = start().await;
    kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).await;
    let editor = kubectl.home.join("editor");
    std::fs::write(
        &editor,
        "#!/bin/sh\nsed -i 's/color: blue/color: green/' \"$1\"\n",
    )
    .unwrap();
    let mut permissions = std::fs::metadata(&editor).unwrap().permissions();
    permissions.set_mode(0o755);
    std::fs::set_permissions(&editor, permissions).unwrap();
    let mut edit = kubectl.command(&["edit", "configmap", "settings"]);
    edit.env("KUBE_EDITOR", &editor);
    let edited = kubectl.ended(edit, None).await;
    assert!(edited.success, "{}{}", edited.out, edited.err);
    let color = ["get", "cm", "settings", "-o", "jsonpath={.data.color}"];
    assert_eq!(kubectl.run(&color).await, "green");

    kubectl
        .run(&[
            "patch",
            "cm",
            "settings",
            "--type=merge",
            "-p",
            r#"{"data":{"color":"red"}}"#,
        ])
        .await;
    assert_eq!(kubectl.run(&color).await, "red");
    let operations = r#"[{"op":"replace","path":"/data/color","value":"pink"}]"#;
    kubectl
        .run(&["patch", "cm", "settings", "--type=json", "-p", operations])
        .await;
    assert_eq!(kubectl.run(&color).await, "pink");
    let strategic =
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"registry/three"}]}}}}"#;
    kubectl.run(&["patch", "deploy", "web", "-p", strategic]).await;
    let image = [
        "get",
        "deploy",
        "web",
        "-o",
        "jsonpath={.spec.template.spec.containers[*].image}",
    ];
    assert_eq!(kubectl.run(&image).await, "registry/three");
    kubectl
        .run(&["set", "image", "deploy/web", "main=registry/four"])
        .await;
    assert_eq!(kubectl.run(&image).await, "registry/four");
    kubectl.run(&["scale", "deploy", "web", "--replicas=5"]).await;
    assert_eq!(
        kubectl
            .run(&["get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"])
            .await,
        "5"
    );
    kubectl.run(&["annotate", "cm", "settings", "note=x"]).await;
    kubectl.run(&["label", "cm", "settings", "app-"]).await;
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: c, image: i}]}\n";
    kubectl.run_with(&["create", "-f", "-"], pod).await;
    let missing = kubectl.try_run(&["logs", "one"]).await;
    assert!(
        missing.err.contains("does not have a host assigned"),
        "{}",
        missing.err
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_with_its_own_words() {
    let (api, kubectl) = start().await;
    for line in [
        "create namespace tool-x",
        "create configmap settings --from-literal=color=blue -n tool-x",
        "create secret generic key --from-literal=k=v -n tool-x",
        "create serviceaccount bot -n tool-x",
        "create role reader --verb=get,list --resource=pods,pods/log -n tool-x",
        "create rolebinding reader --role=reader --serviceaccount=tool-x:bot -n tool-x",
        "create clusterrole lister --verb=list --resource=nodes",
        "create clusterrolebinding lister --clusterrole=lister --group=admins",
        "create deployment web --image=registry/one --replicas=2 --port=8000 -n tool-x",
        "create service clusterip web --tcp=80:8000 -n tool-x",
        "create ingress web --rule=x.example.org/*=web:80 -n tool-x",
        "create quota small --hard=services=4,requests.storage=2Gi -n tool-x",
        "create job once --image=registry/one -n tool-x -- true",
        "create cronjob often --image=registry/one --schedule=*/5_*_*_*_* -n tool-x",
        "create poddisruptionbudget web --selector=app=web --min-available=1 -n tool-x",
        "run shell --image=registry/one -n tool-x",
        "expose deployment web --name=exposed --port=80 -n tool-x",
    ] {
        let words: Vec<String> = line.split(' ').map(|word| word.replace('_', " ")).collect();
        kubectl
            .run(&words.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
    }
    let read = |line: &'static str| {
        let kubectl = &kubectl;
        async move { kubectl.run(&line.split(' ').collect::<Vec<_>>()).await }
    };
    assert_eq!(
        read("get cm settings -n tool-x -o jsonpath={.data.color}").await,
        "blue"
    );
    assert_eq!(
        read("get secret key -n tool-x -o jsonpath={.data.k}").await,
        "dg=="
    );
    assert_eq!(
        read("get role reader -n tool-x -o jsonpath={.rules[0].resources}").await,
        r#"["pods","pods/log"]"#
    );
    assert_eq!(
        read(
            "get deploy web -n tool-x -o jsonpath={.spec.template.spec.containers[0].ports[0].containerPort}"
        )
        .await,
        "8000"
    );
    assert_eq!(
        read(
            "get ingress web -n tool-x -o jsonpath={.spec.rules[0].http.paths[0].backend.service.port.number}"
        )
        .await,
        "80"
    );
    assert_eq!(
        read("get quota small -n tool-x -o jsonpath={.spec.hard.requests\\.storage}").await,
        "2Gi"
    );
    assert_eq!(
        read("get pdb web -n tool-x -o jsonpath={.spec.minAvailable}").await,
        "1"
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_and_waits() {
    let (api, kubectl) = start().await;
    kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).await;
    let deleted = kubectl.run(&["delete", "service", "web", "--wait"]).await;
    assert_eq!(deleted, "service \"web\" deleted\n");
    kubectl
        .run(&["delete", "deployment,configmap", "-l", "app=web", "--wait"])
        .await;
    assert!(!kubectl.try_run(&["get", "cm", "settings"]).await.success);

    kubectl
        .run_with(
            &["create", "-f", "-"],
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [example.org/x]}\n",
        )
        .await;
    let mut waiting = kubectl
        .command(&["delete", "configmap", "held", "--wait"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::timeout(DEADLINE, async {
        while kubectl
            .run(&[
                "get",
                "cm",
                "held",
                "-o",
                "jsonpath={.metadata.deletionTimestamp}",
            ])
            .await
            .is_empty()
        {}
    })
    .await
    .expect("the deletion is noted");
    kubectl
        .run(&[
            "patch",
            "cm",
            "held",
            "--type=merge",
            "-p",
            r#"{"metadata":{"finalizers":null}}"#,
        ])
        .await;
    let status = tokio::time::timeout(DEADLINE, waiting.wait())
        .await
        .expect("kubectl saw the end")
        .unwrap();
    assert!(status.success());
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
