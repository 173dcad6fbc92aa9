use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn a_stopped_deployment_is_archived_as_it_ran() {
    let stopped = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "tool-alpha",
            "uid": "u",
            "resourceVersion": "7",
            "managedFields": [],
            "annotations": { stop::STOPPED: "2", "own": "kept" },
        },
        "spec": { "replicas": 0 },
        "status": { "replicas": 0 },
    });
    let expected = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "tool-alpha", "annotations": { "own": "kept" } },
        "spec": { "replicas": 2 },
    });
    assert_eq!(portable(&stopped), Some(expected));
}

#[test]
fn what_the_cluster_makes_again_by_itself_is_left_out() {
    let controlled =
        json!({ "kind": "Pod", "metadata": { "name": "x", "ownerReferences": [{ "controller": true }] } });
    let ours = json!({ "kind": "ResourceQuota", "metadata": { "name": "x", "labels": { labels::MANAGED_BY: "toolforge-accounts" } } });
    for object in [
        controlled,
        ours,
        json!({ "kind": "ConfigMap", "metadata": { "name": "kube-root-ca.crt" } }),
        json!({ "kind": "ServiceAccount", "metadata": { "name": "default" } }),
    ] {
        assert_eq!(portable(&object), None, "{object}");
    }
}

#[test]
fn what_is_given_by_the_cluster_is_asked_for_anew() {
    let service = json!({ "kind": "Service", "metadata": { "name": "s" }, "spec": { "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [] } });
    assert_eq!(portable(&service).unwrap()["spec"], json!({ "ports": [] }));
    let headless = json!({ "kind": "Service", "metadata": { "name": "s" }, "spec": { "clusterIP": "None" } });
    assert_eq!(
        portable(&headless).unwrap()["spec"],
        json!({ "clusterIP": "None" })
    );
    let job = json!({ "kind": "Job", "metadata": { "name": "j" }, "spec": { "selector": {}, "template": { "metadata": { "labels": { "job-name": "j", "own": "x" } } } } });
    assert_eq!(
        portable(&job).unwrap()["spec"],
        json!({ "template": { "metadata": { "labels": { "own": "x" } } } })
    );
}

#[test]
fn the_file_is_private_and_the_folder_too() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("a/b");
    put(&folder, "x.yaml", "old and long", &Fence::default()).unwrap();
    put(&folder, "x.yaml", "new", &Fence::default()).unwrap();
    assert_eq!(std::fs::read_to_string(folder.join("x.yaml")).unwrap(), "new");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("x.yaml"))), (0o700, 0o600));
}
