//! How versions follow each other under all kinds of quota.

use super::*;

fn containers(cpu: &str, memory: &str) -> Vec<Container> {
    serde_json::from_value(json!([{
        "name": "webservice",
        "resources": { "limits": { "cpu": cpu, "memory": memory } },
    }]))
    .unwrap()
}

fn pod(cpu: &str, memory: &str) -> Pod {
    serde_json::from_value(json!({ "spec": { "containers": containers(cpu, memory) } })).unwrap()
}

fn quota(hard: &Value, used: &Value) -> Vec<ResourceQuota> {
    vec![serde_json::from_value(json!({ "status": { "hard": hard, "used": used } })).unwrap()]
}

#[test]
fn old_ones_go_first_only_where_they_must() {
    let hard = json!({ "pods": "4", "limits.cpu": "2", "limits.memory": "2Gi", "services": "1" });
    let used = |pods: u32, cpu: &str, memory: &str| json!({ "pods": pods.to_string(), "limits.cpu": cpu, "limits.memory": memory });
    let old = pod("500m", "512Mi");
    for (used, olds, new, replicas, surge, unavailable) in [
        (
            used(1, "500m", "512Mi"),
            1,
            ("500m", "512Mi"),
            1,
            json!(1),
            json!(0),
        ),
        // Full, and the new one takes what the old one gives back.
        (used(4, "2", "2Gi"), 1, ("500m", "512Mi"), 1, json!(0), json!(1)),
        (used(2, "2", "512Mi"), 2, ("500m", "512Mi"), 2, json!(0), json!(1)),
        // Bigger than what one old one gives back.
        (
            used(4, "2", "2Gi"),
            4,
            ("500m", "1Gi"),
            2,
            json!(0),
            json!("100%"),
        ),
    ] {
        let olds = vec![&old; olds];
        let roll = plan(&quota(&hard, &used), &olds, &containers(new.0, new.1), replicas).unwrap();
        let expected = json!({ "maxSurge": surge, "maxUnavailable": unavailable });
        assert_eq!(roll.strategy()["rollingUpdate"], expected, "{used} {roll:?}");
    }
    assert_eq!(
        plan(&[], &[&old], &containers("9", "9Gi"), 9),
        Ok(Roll::SideBySide)
    );
}

#[test]
fn what_goes_already_is_waited_for() {
    let hard = json!({ "pods": "2" });
    let full = quota(&hard, &json!({ "pods": "2" }));
    let (serving, mut going) = (pod("500m", "512Mi"), pod("500m", "512Mi"));
    let new = containers("500m", "512Mi");
    let roll = |going: &Pod| plan(&full, &[&serving, going], &new, 1).unwrap();
    assert!(matches!(roll(&going), Roll::OneByOne(_)));
    going.metadata = serde_json::from_value(json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" })).unwrap();
    assert_eq!(roll(&going), Roll::SideBySide);
}

#[test]
fn what_never_fits_is_refused_beforehand() {
    let quota = quota(
        &json!({ "limits.memory": "8Gi" }),
        &json!({ "limits.memory": "7Gi" }),
    );
    let old = pod("500m", "1Gi");
    let want = plan(&quota, &[&old], &containers("500m", "3Gi"), 1).unwrap_err();
    assert_eq!(want.to_string(), "limits.memory: 3Gi needed, 2Gi free");
}

#[test]
fn a_gap_is_announced() {
    let want = Want {
        key: "pods".to_owned(),
        needed: "1".to_owned(),
        free: "0".to_owned(),
    };
    assert_eq!(Roll::SideBySide.warning(1), None);
    let one = Roll::OneByOne(want.clone()).warning(1).unwrap();
    assert!(
        one.contains("pods: 1 needed, 0 free") && one.contains("error page"),
        "{one}"
    );
    let several = Roll::OneByOne(want).warning(2).unwrap();
    assert!(!several.contains("error page"), "{several}");
}

#[test]
fn pauses_are_for_those_who_know_them() {
    for (major, minor, knows) in [
        ("1", "37", true),
        ("1", "30+", true),
        ("1", "29", false),
        ("", "", false),
    ] {
        assert_eq!(knows_pause(major, minor), knows, "{major}.{minor}");
    }
}
