//! What each door lets through.

use super::*;
use crate::by_kind;

fn kind(group: &str, name: &str) -> &'static Kind {
    by_kind(group, "v1", name).unwrap()
}

#[test]
fn a_new_object_has_its_first_generation_and_status() {
    let mut object =
        json!({"metadata": {"name": "a", "generation": 9}, "spec": {}, "status": {"replicas": 7}});
    prepare_for_create(kind("apps", "ReplicaSet"), &mut object);
    assert_eq!(
        object,
        json!({"metadata": {"name": "a", "generation": 1}, "spec": {}, "status": {"replicas": 0}})
    );
    let mut node = json!({"metadata": {"name": "a"}, "status": {"capacity": {"cpu": "1"}}});
    prepare_for_create(kind("", "Node"), &mut node);
    assert_eq!(node["status"]["capacity"]["cpu"], "1");
    let mut namespace = json!({"metadata": {"name": "a"}});
    prepare_for_create(kind("", "Namespace"), &mut namespace);
    assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(namespace["status"]["phase"], "Active");
}

#[test]
fn a_pod_is_born_pending_with_its_quality_of_service() {
    let pod = |resources: Value| json!({"spec": {"containers": [{"name": "a", "resources": resources}]}});
    let cases = [
        (json!({}), "BestEffort"),
        (json!({"requests": {"cpu": "1"}}), "Burstable"),
        (
            json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}),
            "Guaranteed",
        ),
        (
            json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1"}}),
            "Guaranteed",
        ),
        (
            json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}),
            "Burstable",
        ),
    ];
    for (resources, expected) in cases {
        let mut object = pod(resources);
        prepare_for_create(kind("", "Pod"), &mut object);
        assert_eq!(
            object["status"],
            json!({"phase": "Pending", "qosClass": expected})
        );
    }
}

#[test]
fn the_main_door_keeps_the_status_and_counts_generations() {
    let old = json!({"metadata": {"name": "a", "uid": "u", "generation": 2}, "spec": {"replicas": 1}, "status": {"x": 1}});
    let mut new = json!({"metadata": {"name": "a"}, "spec": {"replicas": 1}, "status": {"x": 2}});
    prepare_for_update(kind("apps", "Deployment"), &old, &mut new, None);
    assert_eq!(new, old);
    new["spec"]["replicas"] = 3.into();
    prepare_for_update(kind("apps", "Deployment"), &old, &mut new, None);
    assert_eq!(new["metadata"]["generation"], 3);
    let mut annotated = old.clone();
    annotated["metadata"]["annotations"] = json!({"a": "b"});
    prepare_for_update(kind("apps", "Deployment"), &old, &mut annotated, None);
    assert_eq!(annotated["metadata"]["generation"], 3);
}

#[test]
fn the_status_door_changes_the_status_only() {
    let old = json!({"metadata": {"name": "a", "uid": "u", "generation": 2, "labels": {"a": "b"}}, "spec": {"replicas": 1}, "status": {}});
    let mut new =
        json!({"metadata": {"name": "a", "labels": {}}, "spec": {"replicas": 5}, "status": {"replicas": 1}});
    prepare_for_update(
        kind("apps", "Deployment"),
        &old,
        &mut new,
        Some(Subresource::Status),
    );
    let mut expected = old.clone();
    expected["status"]["replicas"] = 1.into();
    assert_eq!(new, expected);
}

#[test]
fn an_annotation_written_with_a_status_is_no_new_wish() {
    let old = json!({"metadata": {"name": "a", "generation": 2}, "spec": {"replicas": 1}, "status": {}});
    let mut new = old.clone();
    new["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "1"});
    let expected = new.clone();
    let deployment = kind("apps", "Deployment");
    prepare_for_update(deployment, &old, &mut new, Some(Subresource::Status));
    assert_eq!(new, expected);
    prepare_for_update(deployment, &old, &mut new, None);
    assert_eq!(new["metadata"]["generation"], 3);
}

#[test]
fn deletion_is_not_undone() {
    let old = json!({"metadata": {"name": "a", "deletionTimestamp": "t", "deletionGracePeriodSeconds": 30}});
    let mut new = json!({"metadata": {"name": "a"}});
    prepare_for_update(kind("", "ConfigMap"), &old, &mut new, None);
    assert_eq!(new, old);
}

#[test]
fn approval_and_certificate_go_through_their_own_doors() {
    let csr = kind("certificates.k8s.io", "CertificateSigningRequest");
    let old = json!({"metadata": {"name": "a"}, "spec": {"username": "u"}, "status": {}});
    let approved = json!({"metadata": {"name": "a"}, "spec": {"username": "x"},
        "status": {"certificate": "c", "conditions": [{"type": "Approved"}, {"type": "Failed"}]}});
    let mut through_approval = approved.clone();
    prepare_for_update(csr, &old, &mut through_approval, Some(Subresource::Approval));
    assert_eq!(
        through_approval["status"],
        json!({"conditions": [{"type": "Approved"}]})
    );
    assert_eq!(through_approval["spec"]["username"], "u");
    let mut through_status = approved.clone();
    prepare_for_update(csr, &old, &mut through_status, Some(Subresource::Status));
    assert_eq!(
        through_status["status"],
        json!({"certificate": "c", "conditions": [{"type": "Failed"}]})
    );
    let mut through_main = approved;
    prepare_for_update(csr, &old, &mut through_main, None);
    assert_eq!(
        (&through_main["spec"], &through_main["status"]),
        (&old["spec"], &old["status"])
    );
}

#[test]
fn a_namespace_loses_its_finalizer_only_through_finalize() {
    let old = json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Terminating"}});
    let empty = json!({"metadata": {"name": "a"}, "spec": {"finalizers": []}, "status": {}});
    let mut main = empty.clone();
    prepare_for_update(kind("", "Namespace"), &old, &mut main, None);
    assert_eq!(main, old);
    let mut finalize = empty;
    prepare_for_update(
        kind("", "Namespace"),
        &old,
        &mut finalize,
        Some(Subresource::Finalize),
    );
    assert_eq!(finalize["spec"], json!({"finalizers": []}));
    assert_eq!(finalize["status"], old["status"]);
}

#[test]
fn a_service_keeps_its_address() {
    let old = json!({"metadata": {"name": "a"}, "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
        "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}});
    let mut new = json!({"metadata": {"name": "a"}, "spec": {"type": "ClusterIP"}});
    prepare_for_update(kind("", "Service"), &old, &mut new, None);
    assert_eq!(new["spec"], old["spec"]);
    let mut external = json!({"metadata": {"name": "a"}, "spec": {"type": "ExternalName", "externalName": "a.b",
        "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}});
    prepare_for_update(kind("", "Service"), &old, &mut external, None);
    assert_eq!(
        external["spec"],
        json!({"type": "ExternalName", "externalName": "a.b"})
    );
}

#[test]
fn a_service_that_changes_its_type_leaves_the_old_one_s_fields() {
    let old = json!({"metadata": {"name": "a"}, "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1",
        "allocateLoadBalancerNodePorts": true, "externalTrafficPolicy": "Cluster", "ports": [{"port": 80, "nodePort": 30000}]}});
    let mut new = old.clone();
    new["spec"]["type"] = "ClusterIP".into();
    prepare_for_update(kind("", "Service"), &old, &mut new, None);
    let spec = new["spec"].as_object().unwrap();
    assert!(
        !spec.contains_key("allocateLoadBalancerNodePorts") && !spec.contains_key("externalTrafficPolicy")
    );
    assert_eq!(new["spec"]["ports"], json!([{"port": 80}]));
    let mut new = old.clone();
    new["spec"]["type"] = "NodePort".into();
    prepare_for_update(kind("", "Service"), &old, &mut new, None);
    assert_eq!(new["spec"]["externalTrafficPolicy"], "Cluster");
}

#[test]
fn a_job_selects_its_own_pods() {
    let mut job = json!({"metadata": {"name": "a", "uid": "u"}, "spec": {"template": {"spec": {}}}});
    prepare_for_create(kind("batch", "Job"), &mut job);
    assert_eq!(
        job["spec"]["selector"],
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}})
    );
    assert_eq!(job["spec"]["template"]["metadata"]["labels"]["job-name"], "a");
    let mut again = json!({"metadata": {"name": "a"}, "spec": {"template": {"spec": {}}}});
    prepare_for_update(kind("batch", "Job"), &job, &mut again, None);
    assert_eq!(again["spec"], job["spec"]);
}
