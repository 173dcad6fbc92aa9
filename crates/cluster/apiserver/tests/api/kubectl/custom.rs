//! Kinds that users define, as people use them.

use super::{Kubectl, start};
use crate::custom::conversion::{Webhook, sites};
use crate::custom::crates;

const OBJECT: &str = "
apiVersion: stable.example.org/v1
kind: Crate
metadata: {name: one, labels: {app: a}}
spec:
  replicas: 2
  items: [{name: x}]
";

async fn defined(kubectl: &Kubectl) {
    kubectl
        .run_with(&["apply", "-f", "-"], &crates().to_string())
        .await;
    kubectl
        .line("wait --for=condition=Established crd/crates.stable.example.org --timeout=60s")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_is_defined_used_and_explained() {
    let (api, kubectl) = start().await;
    defined(&kubectl).await;
    assert!(
        kubectl
            .line("get crd")
            .await
            .contains("crates.stable.example.org")
    );
    let listed = kubectl.line("api-resources --api-group=stable.example.org").await;
    assert!(
        listed.contains("cr ") && listed.contains("stable.example.org/v1 ") && listed.contains("Crate"),
        "{listed}"
    );
    let explained = kubectl.line("explain crate.spec.color").await;
    assert!(
        explained.contains("The color.") && explained.contains("ENUM:\n    red\n    blue"),
        "{explained}"
    );

    kubectl.run_with(&["apply", "-f", "-"], OBJECT).await;
    let table = kubectl.line("get cr").await;
    let mut lines = table.lines();
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["NAME", "COLOR", "REPLICAS", "AGE"]
    );
    assert!(lines.next().unwrap().starts_with("one"), "{table}");
    assert!(kubectl.line("get cr -o wide").await.contains("PHASE"));
    assert!(
        kubectl
            .line("get all")
            .await
            .contains("crate.stable.example.org/one")
    );
    let described = kubectl.line("describe crate one").await;
    assert!(described.contains("Replicas:  2"), "{described}");
    let again = kubectl.run_with(&["apply", "-f", "-"], OBJECT).await;
    // The items of the list have got a default, so kubectl's own merge sends the list again.
    assert!(again.contains("crate.stable.example.org/one"), "{again}");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_patched_scaled_applied_and_deleted() {
    let (api, kubectl) = start().await;
    defined(&kubectl).await;
    kubectl.run_with(&["create", "-f", "-"], OBJECT).await;
    kubectl.line("scale cr/one --replicas=4").await;
    assert_eq!(kubectl.line("get cr one -o jsonpath={.spec.replicas}").await, "4");
    kubectl
        .run(&[
            "patch",
            "cr",
            "one",
            "--type=merge",
            "-p",
            r#"{"spec":{"replicas":3}}"#,
        ])
        .await;
    let refused = kubectl
        .try_run(&[
            "patch",
            "cr",
            "one",
            "--type=merge",
            "-p",
            r#"{"spec":{"replicas":30}}"#,
        ])
        .await;
    assert!(
        !refused.success && refused.err.contains("more replicas than the most"),
        "{}",
        refused.err
    );
    kubectl
        .run(&[
            "patch",
            "cr",
            "one",
            "--subresource=status",
            "--type=merge",
            "-p",
            r#"{"status":{"phase":"Ready"}}"#,
        ])
        .await;
    kubectl
        .line("wait --for=jsonpath={.status.phase}=Ready cr/one --timeout=60s")
        .await;
    kubectl
        .run_with(
            &["apply", "--server-side", "--force-conflicts", "-f", "-"],
            OBJECT,
        )
        .await;
    assert_eq!(kubectl.line("get cr one -o jsonpath={.spec.replicas}").await, "2");
    kubectl.line("label cr one l=1").await;
    kubectl.line("annotate cr -l l=1 a=b").await;
    let wrong = kubectl
        .ended(
            kubectl.command(&["apply", "-f", "-"]),
            Some(&OBJECT.replace("replicas", "replica")),
        )
        .await;
    assert!(
        !wrong.success && wrong.err.contains("unknown field \"spec.replica\""),
        "{}",
        wrong.err
    );
    kubectl.line("delete cr one --timeout=60s").await;
    kubectl
        .line("delete crd crates.stable.example.org --timeout=60s")
        .await;
    // kubectl remembers what there was, and asks for it.
    let gone = kubectl.try_run(&["get", "crates"]).await;
    assert!(
        gone.err
            .contains("the server could not find the requested resource"),
        "{}",
        gone.err
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_a_webhook_converts_are_used_side_by_side() {
    let (api, kubectl) = start().await;
    let (_webhook, config, _running) = Webhook::start().await;
    kubectl
        .run_with(&["apply", "-f", "-"], &sites(&config).to_string())
        .await;
    kubectl
        .line("wait --for=condition=Established crd/sites.stable.example.org --timeout=60s")
        .await;
    let object = |port: u16| {
        format!(
            "apiVersion: stable.example.org/v2\nkind: Site\nmetadata: {{name: a}}\nspec: {{hostPort: 'a.org:{port}'}}\n"
        )
    };
    for (flags, port) in [
        (&["apply", "-f", "-"][..], 1),
        (&["apply", "-f", "-"], 2),
        (&["apply", "--server-side", "--force-conflicts", "-f", "-"], 3),
    ] {
        kubectl.run_with(flags, &object(port)).await;
        let two = kubectl.line("get sites.v2.stable.example.org a").await;
        assert!(two.contains(&format!("a.org:{port}")), "{two}");
        let one = kubectl
            .line("get sites.v1.stable.example.org a -o jsonpath={.spec.port}")
            .await;
        assert_eq!(one, port.to_string());
    }
    let same = kubectl.run_with(&["diff", "-f", "-"], &object(3)).await;
    assert_eq!(same, "");
    kubectl
        .line("annotate sites.v2.stable.example.org a made-by=hand")
        .await;
    kubectl
        .line("delete sites.v2.stable.example.org a --timeout=60s")
        .await;
    api.stop().await;
}
