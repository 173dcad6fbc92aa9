//! Which of several policies applies.

use serde_json::{Value, json};

use super::super::{PSP_ANNOTATION, Phase, PodSecurityPolicy, judge_pod};
use super::{SOMEBODY, created, pod, policy, with_container, with_pod};
use crate::Workload;

fn open(name: &str) -> PodSecurityPolicy {
    policy(name, &json!({"privileged": true}))
}

fn giving(name: &str, user: i64) -> PodSecurityPolicy {
    let range = json!([{"min": user, "max": user + 9}]);
    policy(
        name,
        &json!({"runAsUser": {"rule": "MustRunAs", "ranges": range}}),
    )
}

fn closed(name: &str) -> PodSecurityPolicy {
    policy(name, &json!({"volumes": []}))
}

fn applied(policies: &[&PodSecurityPolicy], spec: &Value) -> Option<String> {
    let made = created(policies, &pod(spec)).ok()?;
    Some(
        made["metadata"]["annotations"][PSP_ANNOTATION]
            .as_str()
            .unwrap()
            .to_owned(),
    )
}

#[test]
fn a_policy_that_changes_nothing_goes_before_those_that_do() {
    let (changing, still) = (giving("a", 1000), open("z"));
    assert_eq!(
        applied(&[&changing, &still], &with_container(&json!({}))).unwrap(),
        "z"
    );
}

#[test]
fn the_first_by_name_goes_before_the_others_of_its_sort() {
    let (b, a) = (giving("b", 1), giving("a", 2));
    assert_eq!(applied(&[&b, &a], &with_container(&json!({}))).unwrap(), "a");
    let (b, a) = (open("b"), open("a"));
    assert_eq!(applied(&[&b, &a], &with_container(&json!({}))).unwrap(), "a");
}

#[test]
fn a_policy_that_refuses_is_passed_over() {
    let spec = with_pod(&json!({"volumes": [{"name": "v", "emptyDir": {}}]}));
    let (refusing, giving) = (closed("a"), giving("b", 1));
    assert_eq!(applied(&[&refusing, &giving], &spec).unwrap(), "b");
    assert_eq!(applied(&[&refusing], &spec), None);
}

#[test]
fn an_annotation_that_somebody_wrote_is_replaced() {
    let mut pod = pod(&with_container(&json!({})));
    pod["metadata"]["annotations"] = json!({PSP_ANNOTATION: "privileged-psp", "other": "stays"});
    let made = created(&[&open("a")], &pod).unwrap();
    assert_eq!(
        made["metadata"]["annotations"],
        json!({PSP_ANNOTATION: "a", "other": "stays"})
    );
}

fn judged(policies: &[&PodSecurityPolicy], phase: Phase, pod: &Value) -> (Option<String>, Value) {
    let workload = Workload::read("Pod", "other", pod).unwrap();
    let judgement = judge_pod(policies.to_vec(), SOMEBODY, &workload, phase);
    let mut changed = pod.clone();
    judgement.completion().make_in(&mut changed);
    (judgement.policy().map(|policy| policy.name().to_owned()), changed)
}

#[test]
fn later_the_policy_that_applied_is_asked_first_and_changes_nothing() {
    let (a, b) = (open("a"), giving("b", 1000));
    let mut pod = pod(&with_container(&json!({"securityContext": {"runAsUser": 1000}})));
    pod["metadata"]["annotations"] = json!({PSP_ANNOTATION: "b"});
    assert_eq!(
        judged(&[&a, &b], Phase::Final, &pod),
        (Some("b".to_owned()), pod.clone())
    );
    // It refuses by now, and another does not.
    pod["spec"]["containers"][0]["securityContext"] = json!({});
    assert_eq!(judged(&[&a, &b], Phase::Final, &pod).0.as_deref(), Some("a"));
    assert_eq!(judged(&[&b], Phase::Final, &pod).0, None);
}

#[test]
fn containers_for_debugging_are_completed_and_nothing_else_is() {
    let giving = giving("b", 1000);
    let mut pod = pod(&with_container(&json!({"securityContext": {"runAsUser": 1000}})));
    pod["metadata"]["annotations"] = json!({PSP_ANNOTATION: "b"});
    pod["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "x"}]);
    let (applied, changed) = judged(&[&giving], Phase::EphemeralContainers, &pod);
    assert_eq!(applied.as_deref(), Some("b"));
    assert_eq!(
        changed["spec"]["ephemeralContainers"][0]["securityContext"],
        json!({"runAsUser": 1000})
    );
    assert_eq!(changed["spec"]["containers"], pod["spec"]["containers"]);
    pod["spec"]["containers"][0]["securityContext"] = json!({});
    assert_eq!(judged(&[&giving], Phase::EphemeralContainers, &pod).0, None);
}

#[test]
fn one_policy_speaks_for_itself_and_several_say_who_they_are() {
    let spec = with_container(&json!({"securityContext": {"privileged": true}}));
    let (a, b) = (giving("a", 1), giving("b", 1));
    let words = "Containers must not be privileged: spec.containers[0].securityContext.privileged is true; \
                 leave securityContext.privileged out";
    assert_eq!(created(&[&a], &pod(&spec)).unwrap_err().message(), words);
    assert_eq!(
        created(&[&b, &a], &pod(&spec)).unwrap_err().message(),
        format!("Policy a: {words}. Policy b: {words}")
    );
}

#[test]
fn nobody_without_a_policy_has_pods_and_is_told_how_one_is_granted() {
    let message = created(&[], &pod(&with_container(&json!({}))))
        .unwrap_err()
        .message();
    assert_eq!(
        message,
        "Pods need a PodSecurityPolicy that their maker or their service account may use: neither user \"jane\" \
         nor service account \"default\" may use any in namespace other; ask an administrator to bind a Role with \
         the verb use on podsecuritypolicies of policy.toolforge.org"
    );
}
