use k8s_openapi::api::core::v1::ResourceQuotaSpec;
use serde_json::json;

use super::*;

fn amounts(pairs: &[(&str, &str)]) -> BTreeMap<String, Written> {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Written((*text).to_owned())))
        .collect()
}

fn pod(phase: &str, memory: Option<&str>) -> Arc<Pod> {
    let resources = memory.map(|memory| json!({"limits": {"memory": memory}, "requests": {"cpu": "250m"}}));
    let containers = json!([{"name": "c", "resources": resources}]);
    let pod = json!({"spec": {"containers": containers}, "status": {"phase": phase}});
    Arc::new(serde_json::from_value(pod).expect("a pod"))
}

fn quota(hard: &[(&str, &str)]) -> ResourceQuota {
    ResourceQuota {
        spec: Some(ResourceQuotaSpec {
            hard: Some(amounts(hard)),
            ..ResourceQuotaSpec::default()
        }),
        ..ResourceQuota::default()
    }
}

fn counted() -> Counted {
    Counted {
        pods: vec![
            pod("Running", Some("512Mi")),
            pod("Pending", Some("512Mi")),
            pod("Failed", Some("512Mi")),
            pod("Running", None),
        ],
        objects: [
            ("pods".to_owned(), 4),
            ("secrets".to_owned(), 7),
            ("deployments.apps".to_owned(), 2),
        ]
        .into(),
        ..Counted::default()
    }
}

#[test]
fn a_tools_quota_counts_what_runs_and_what_is_there() {
    let hard = quota(&[
        ("limits.memory", "8Gi"),
        ("requests.cpu", "2"),
        ("requests.memory", "4Gi"),
        ("pods", "10"),
        ("count/pods", "10"),
        ("secrets", "64"),
        ("count/deployments.apps", "3"),
        ("services", "1"),
    ]);
    let used = desired_status(&hard, &counted()).used.expect("amounts");
    let expected = amounts(&[
        ("limits.memory", "1Gi"),
        ("requests.cpu", "500m"),
        ("requests.memory", "1Gi"),
        ("pods", "3"),
        ("count/pods", "4"),
        ("secrets", "7"),
        ("count/deployments.apps", "2"),
        ("services", "0"),
    ]);
    assert_eq!(used, expected);
}

#[test]
fn scopes_choose_pods() {
    let mut best_effort = quota(&[("pods", "10")]);
    best_effort.spec.get_or_insert_default().scopes = Some(vec!["BestEffort".into()]);
    let used = desired_status(&best_effort, &counted()).used.expect("amounts");
    assert_eq!(used["pods"].0, "1");
}

#[test]
fn the_same_amounts_in_other_words_are_no_news() {
    let status = |text: &str| ResourceQuotaStatus {
        hard: None,
        used: Some(amounts(&[("cpu", text)])),
    };
    assert!(is_same(Some(&status("1")), &status("1000m")));
    assert!(!is_same(Some(&status("1")), &status("2")));
    assert!(!is_same(None, &status("1")));
}
