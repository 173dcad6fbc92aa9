//! What kubectl is refused, and in which words.

use super::{DEPLOYMENT, start};

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
async fn refuses_kinds_that_nobody_knows() {
    let (api, kubectl) = start().await;
    let foo = "apiVersion: example.org/v1\nkind: Foo\nmetadata: {name: a}\n";
    let refused = kubectl
        .ended(kubectl.command(&["apply", "-f", "-"]), Some(foo))
        .await;
    assert!(
        !refused.success
            && refused
                .err
                .contains(r#"no matches for kind "Foo" in version "example.org/v1""#),
        "{}",
        refused.err
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_in_the_words_of_kubernetes() {
    let (api, kubectl) = start().await;
    kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).await;
    for (line, expected) in [
        (
            "delete cm nope",
            r#"Error from server (NotFound): configmaps "nope" not found"#,
        ),
        (
            "patch cm nope -p {}",
            r#"(NotFound): configmaps "nope" not found"#,
        ),
        ("delete ns default", "this namespace may not be deleted"),
        (
            "create ns default",
            r#"(AlreadyExists): namespaces "default" already exists"#,
        ),
        ("create ns Bad_Name", "a lowercase RFC 1123 label must consist of"),
        (
            "create cm x --from-literal=a=b -n missing",
            r#"namespaces "missing" not found"#,
        ),
        (
            "create service nodeport np --tcp=80 --node-port=80",
            "The range of valid ports is 30000-32767",
        ),
        (
            "create quota q --hard=pods=-1",
            "must be greater than or equal to 0",
        ),
        (
            r#"patch deploy web -p {"spec":{"selector":{"matchLabels":{"app":"x"}}}}"#,
            "field is immutable",
        ),
        (
            r#"patch deploy web -p {"spec":{"replicas":"many"}}"#,
            "cannot unmarshal string into Go struct field",
        ),
        (
            r#"patch cm settings --type=merge -p {"metadata":{"name":"x"}}"#,
            "does not match the name on the URL",
        ),
        (
            r#"patch cm settings --type=merge -p {"metadata":{"resourceVersion":"1"}}"#,
            "the object has been modified; please apply",
        ),
        (
            r#"patch cm settings --type=json -p [{"op":"test","path":"/data/color","value":"red"}]"#,
            "value did not match",
        ),
        ("label cm settings a/b/c=d", "a qualified name must consist of"),
        (
            "scale deploy web --replicas=3 --current-replicas=7",
            "Expected replicas to be 7, was 2",
        ),
        (
            "get pods --field-selector=spec.bogus=1",
            "field label not supported: spec.bogus",
        ),
        ("get pods -l (", "unable to parse requirement"),
        (
            "create job x --from=cronjob/none",
            r#"cronjobs.batch "none" not found"#,
        ),
        ("cordon n", r#"nodes "n" not found"#),
    ] {
        let refused = kubectl.try_run(&line.split(' ').collect::<Vec<_>>()).await;
        assert!(
            !refused.success && refused.err.contains(expected),
            "kubectl {line}: {}{}",
            refused.out,
            refused.err
        );
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_plainly_what_is_not_offered() {
    let (api, kubectl) = start().await;
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"one"},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}}"#;
    kubectl.run_with(&["create", "-f", "-"], pod).await;
    kubectl
        .run(&[
            "patch",
            "pod",
            "one",
            "--subresource=status",
            "-p",
            r#"{"status":{"phase":"Running"}}"#,
        ])
        .await;
    kubectl.line("create deployment web --image=x").await;
    for (line, expected) in [
        ("exec one -- true", "nodes \"n\" not found"),
        ("cp one:/etc/motd motd", "nodes \"n\" not found"),
        ("attach one", "nodes \"n\" not found"),
        ("port-forward pod/one :80", "nodes \"n\" not found"),
        (
            "get --raw /api/v1/namespaces/default/pods/one/proxy/",
            "address not allowed",
        ),
        ("top pod", "Metrics API not available"),
        ("top node", "Metrics API not available"),
        (
            "get storageclasses",
            "the server doesn't have a resource type \"storageclasses\"",
        ),
    ] {
        let refused = kubectl.try_run(&line.split(' ').collect::<Vec<_>>()).await;
        assert!(
            !refused.success && refused.err.contains(expected),
            "kubectl {line}: {}{}",
            refused.out,
            refused.err
        );
    }
    // What is there although nobody acts on it in this API alone.
    kubectl
        .line("autoscale deployment web --max=3 --cpu-percent=50")
        .await;
    let told = kubectl.line("get hpa web --no-headers").await;
    assert!(
        told.contains("Deployment/web") && told.contains("cpu: <unknown>/50%"),
        "{told}"
    );
    api.stop().await;
}
