//! What kubectl changes.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use super::{DEPLOYMENT, start};
use crate::harness::DEADLINE;

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
        "create serviceaccount default -n tool-x",
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
async fn replaces_prunes_and_asks_first() {
    let (api, kubectl) = start().await;
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, labels: {set: one}}\ndata: {a: b}\n";
    let (first, second) = (map.replace("NAME", "first"), map.replace("NAME", "second"));
    let both = format!("{first}---\n{second}");
    kubectl.run_with(&["apply", "-f", "-"], &both).await;
    let replaced = kubectl.run_with(&["replace", "-f", "-"], &first).await;
    assert_eq!(replaced, "configmap/first replaced\n");
    let uid = ["get", "cm", "first", "-o", "jsonpath={.metadata.uid}"];
    let before = kubectl.run(&uid).await;
    kubectl.run_with(&["replace", "--force", "-f", "-"], &first).await;
    assert_ne!(kubectl.run(&uid).await, before);
    let asked = kubectl.line("delete cm second --dry-run=server").await;
    assert_eq!(asked, "configmap \"second\" deleted (server dry run)\n");
    kubectl.line("get cm second").await;
    let prune = [
        "apply",
        "--prune",
        "-l",
        "set=one",
        "--prune-allowlist=core/v1/ConfigMap",
        "-f",
        "-",
    ];
    let pruned = kubectl.run_with(&prune, &first).await;
    assert!(pruned.contains("configmap/second pruned"), "{pruned}");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_lists_as_it_prints_them() {
    let (api, kubectl) = start().await;
    kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).await;
    let printed = kubectl.line("get deploy,svc,cm -l app=web -o yaml").await;
    assert!(printed.contains("kind: List"), "{printed}");
    kubectl.line("delete deploy,cm -l app=web").await;
    let applied = kubectl
        .run_with(
            &["create", "-f", "-"],
            &printed.replace("resourceVersion:", "selfLink:"),
        )
        .await;
    assert!(
        applied.contains("deployment.apps/web created") && applied.contains("configmap/settings created"),
        "{applied}"
    );
    kubectl.line("delete deploy,cm -l app=web").await;
    let wrong = printed
        .replace("resourceVersion:", "selfLink:")
        .replace("color:", "colour: [1]\n    color:");
    let refused = kubectl
        .ended(kubectl.command(&["create", "-f", "-"]), Some(&wrong))
        .await;
    assert!(
        !refused.success
            && refused
                .err
                .contains("ValidationError(ConfigMap.data.colour): invalid type"),
        "{}",
        refused.err
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_own_their_pods_from_birth() {
    let (api, kubectl) = start().await;
    kubectl
        .run(&[
            "create",
            "cronjob",
            "often",
            "--image=x",
            "--schedule=*/5 * * * *",
        ])
        .await;
    kubectl.line("create job once --from=cronjob/often").await;
    let uid = kubectl.line("get job once -o jsonpath={.metadata.uid}").await;
    let selected = kubectl
        .line(r"get job once -o jsonpath={.spec.selector.matchLabels.batch\.kubernetes\.io/controller-uid}")
        .await;
    assert_eq!(selected, uid);
    let labels = kubectl
        .line("get job once -o jsonpath={.spec.template.metadata.labels}")
        .await;
    assert!(
        labels.contains(r#""batch.kubernetes.io/job-name":"once""#),
        "{labels}"
    );
    api.stop().await;
}
