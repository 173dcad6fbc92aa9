//! Sets of objects that kubectl keeps as a whole: `apply --prune` in its three forms, and the dump of all there is.

use super::start;

const MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, labels: {set: one}}\ndata: {a: b}\n";

#[tokio::test(flavor = "multi_thread")]
async fn prunes_what_a_set_does_not_name_any_more() {
    let (api, kubectl) = start().await;
    let (first, second) = (MAP.replace("NAME", "first"), MAP.replace("NAME", "second"));
    let both = format!("{first}---\n{second}");
    // Without a list of kinds kubectl looks through all that it knows, also those that are never there.
    kubectl.run_with(&["apply", "-f", "-"], &both).await;
    let pruned = kubectl
        .run_with(&["apply", "--prune", "-l", "set=one", "-f", "-"], &first)
        .await;
    assert!(pruned.contains("configmap/second pruned"), "{pruned}");
    // A set with a parent, which may be a ConfigMap or a Secret.
    for parent in ["configmaps/parent", "parent"] {
        let set = format!("--applyset={parent}");
        for (manifests, expected) in [
            (&both, "configmap/second created"),
            (&first, "configmap/second pruned"),
        ] {
            let mut apply = kubectl.command(&["apply", "--prune", &set, "-n", "default", "-f", "-"]);
            apply.env("KUBECTL_APPLYSET", "true");
            let ended = kubectl.ended(apply, Some(manifests)).await;
            assert!(
                ended.success && ended.out.contains(expected),
                "{}{}",
                ended.out,
                ended.err
            );
        }
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dumps_all_there_is() {
    let (api, kubectl) = start().await;
    kubectl.line("cluster-info dump -n kube-system").await;
    let none = kubectl.try_run(&["get", "ds,rc,pv"]).await;
    assert!(
        none.success && none.err.contains("No resources found"),
        "{}",
        none.err
    );
    api.stop().await;
}
