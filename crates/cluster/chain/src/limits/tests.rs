//! Defaults and bounds of limit ranges.

use serde_json::json;

use super::*;

fn range(item: &Value) -> Value {
    json!({"spec": {"limits": [item]}})
}

fn pod(requests: &Value, limits: &Value) -> Value {
    json!({"spec": {"containers": [{"name": "web", "resources": {"requests": requests, "limits": limits}}]}})
}

#[test]
fn defaults_fill_what_is_missing_and_are_noted() {
    let range = range(&json!({
        "type": "Container",
        "default": {"cpu": "500m", "memory": "512Mi"},
        "defaultRequest": {"cpu": "150m", "memory": "256Mi"},
    }));
    let mut pod = json!({"spec": {
        "containers": [{"name": "web", "resources": {"limits": {"cpu": "1"}}}],
        "initContainers": [{"name": "init", "resources": null}],
    }});
    set_defaults(&range, &mut pod);
    assert_eq!(
        pod["spec"]["containers"][0]["resources"],
        json!({"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "150m", "memory": "256Mi"}})
    );
    assert_eq!(
        pod["spec"]["initContainers"][0]["resources"]["limits"]["cpu"],
        "500m"
    );
    assert_eq!(
        pod["metadata"]["annotations"][ANNOTATION],
        "LimitRanger plugin set: cpu, memory request for container web; memory limit for container web; \
         cpu, memory request for init container init; cpu, memory limit for init container init"
    );
    let before = pod.clone();
    set_defaults(&range, &mut pod);
    assert_eq!(pod, before, "setting defaults again changes nothing");
}

#[test]
fn a_range_without_defaults_leaves_the_pod_alone() {
    let mut pod = json!({"spec": {"containers": [{"name": "web"}]}});
    let before = pod.clone();
    set_defaults(
        &range(&json!({"type": "Container", "max": {"cpu": "1"}})),
        &mut pod,
    );
    assert_eq!(pod, before);
}

#[test]
fn bounds_are_told_in_the_words_of_kubernetes() {
    let gi = |amount: &str| json!({ "memory": amount });
    let none = json!({});
    for (item, requests, limits, expected) in [
        (
            json!({"max": gi("4Gi")}),
            gi("5Gi"),
            gi("5Gi"),
            "maximum memory usage per Container is 4Gi, but limit is 5Gi",
        ),
        (
            json!({"max": gi("4Gi")}),
            gi("5Gi"),
            gi("4Gi"),
            "maximum memory usage per Container is 4Gi, but request is 5Gi",
        ),
        (
            json!({"max": gi("4Gi")}),
            none.clone(),
            none.clone(),
            "maximum memory usage per Container is 4Gi.  No limit is specified",
        ),
        (
            json!({"min": gi("1Gi")}),
            gi("512Mi"),
            gi("2Gi"),
            "minimum memory usage per Container is 1Gi, but request is 512Mi",
        ),
        (
            json!({"min": gi("1Gi")}),
            none.clone(),
            gi("2Gi"),
            "minimum memory usage per Container is 1Gi.  No request is specified",
        ),
        (
            json!({"min": gi("1Gi")}),
            gi("1Gi"),
            gi("512Mi"),
            "minimum memory usage per Container is 1Gi, but limit is 512Mi",
        ),
        (
            json!({"maxLimitRequestRatio": gi("2")}),
            gi("1Gi"),
            gi("3Gi"),
            "memory max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            json!({"maxLimitRequestRatio": gi("2")}),
            none.clone(),
            gi("3Gi"),
            "memory max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
    ] {
        let mut item = item;
        item["type"] = json!("Container");
        assert_eq!(
            violations(&range(&item), "pods", &pod(&requests, &limits)),
            [expected]
        );
    }
}

#[test]
fn what_is_within_bounds_passes_to_the_last_byte() {
    let item = json!({"type": "Container", "min": {"cpu": "50m"}, "max": {"cpu": "1", "memory": "4Gi"}});
    let asked = json!({"cpu": "1000m", "memory": "4294967296"});
    assert!(violations(&range(&item), "pods", &pod(&asked, &asked)).is_empty());
}

#[test]
fn pods_are_bounded_as_a_whole_and_claims_by_their_request() {
    let item = json!({"type": "Pod", "max": {"cpu": "1"}});
    let one = json!({"cpu": "600m"});
    let container = json!({"resources": {"requests": one, "limits": one}});
    let pod = json!({"spec": {"containers": [container, container]}});
    assert_eq!(
        violations(&range(&item), "pods", &pod),
        ["maximum cpu usage per Pod is 1, but limit is 1200m"]
    );

    let item = json!({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}});
    let claim = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    assert_eq!(
        violations(&range(&item), "persistentvolumeclaims", &claim),
        ["maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"]
    );
}
