//! Tables after the algorithm that Kubernetes documents.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::behavior::{Decision, History, Numbers, decide};
use super::figures::{Figures, PodFigures};
use super::plan::{Observed, Plan, Scaled, plan};
use super::proposal::{Measured, Proposal, Target, Wanted, propose};
use super::ratio::Tolerance;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().expect("a time")
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A Pod in a word: it runs for hours, or `waits`, `starts`, `fails`, `ends`, has `never` been ready or has `gone` unready.
fn pod(name: &str, how: &str) -> Arc<Pod> {
    let (phase, ready, started, since) = match how {
        "waits" => ("Pending", "False", -10, -10),
        "starts" => ("Running", "True", -20, -10),
        "never" => ("Running", "False", -3600, -3590),
        "gone" => ("Running", "False", -3600, -10),
        "fails" => ("Failed", "False", -3600, -10),
        _ => ("Running", "True", -3600, -3500),
    };
    let time = |by: i64| (now() + seconds(by)).to_string();
    let mut pod = json!({
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m", "memory": "100"}}}]},
        "status": {
            "phase": phase, "startTime": time(started),
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": time(since)}],
        },
    });
    if how == "ends" {
        pod["metadata"]["deletionTimestamp"] = json!(time(-1));
    }
    Arc::new(serde_json::from_value(pod).expect("a Pod"))
}

fn figures(used: &[(String, i64)]) -> Figures {
    let one = |millis: i64| PodFigures {
        at: now() - seconds(1),
        window: seconds(15),
        containers: vec![(
            "c".to_owned(),
            [("cpu".to_owned(), millis), ("memory".to_owned(), millis)].into(),
        )],
    };
    used.iter()
        .map(|(name, millis)| (name.clone(), one(*millis)))
        .collect()
}

/// Pods, each with how it is and what it uses; a use below 0 is not known.
fn proposed(target: Target, resource: &str, replicas: i64, pods: &[(&str, i64)]) -> Result<Proposal, String> {
    let named = |at: usize| format!("p{at}");
    let all: Vec<Arc<Pod>> = pods
        .iter()
        .enumerate()
        .map(|(at, (how, _))| pod(&named(at), how))
        .collect();
    let used: Vec<(String, i64)> = pods
        .iter()
        .enumerate()
        .filter(|(_, (_, used))| *used >= 0)
        .map(|(at, (_, used))| (named(at), *used))
        .collect();
    let wanted = Wanted {
        resource,
        container: None,
        target,
    };
    let measured = Measured {
        replicas,
        pods: &all,
        figures: &figures(&used),
        tolerance: Tolerance::of(None),
        now: now(),
    };
    propose(wanted, measured)
}

/// What it shows, the target in percent, Pods as [`proposed`] takes them, and how many there shall be.
type Case = (&'static str, i64, &'static [(&'static str, i64)], i64);

#[test]
fn use_of_cpu_against_a_share_of_what_is_asked_for() {
    let cases: &[Case] = &[
        ("twice the target doubles", 50, &[("runs", 100), ("runs", 100)], 4),
        ("half the target halves", 50, &[("runs", 25), ("runs", 25)], 1),
        (
            "parts of Pods are rounded up",
            50,
            &[("runs", 60), ("runs", 60)],
            3,
        ),
        ("a tenth above is borne", 50, &[("runs", 55), ("runs", 55)], 2),
        ("a tenth below is borne", 50, &[("runs", 45), ("runs", 45)], 2),
        ("more than a tenth is not", 50, &[("runs", 56), ("runs", 56)], 3),
        (
            "what is missing uses nothing on the way up",
            50,
            &[("runs", 120), ("", -1)],
            3,
        ),
        ("and so may hold it", 50, &[("runs", 90), ("", -1)], 2),
        (
            "what is missing uses all it asks for on the way down",
            50,
            &[("runs", 5), ("", -1)],
            2,
        ),
        (
            "all that it asks for may be less than the target",
            200,
            &[("runs", 20), ("", -1), ("runs", 20)],
            2,
        ),
        (
            "what waits uses nothing on the way up",
            50,
            &[("runs", 120), ("waits", -1)],
            3,
        ),
        (
            "what starts uses nothing on the way up",
            50,
            &[("runs", 120), ("starts", 400)],
            3,
        ),
        (
            "what starts does not count on the way down",
            50,
            &[("runs", 20), ("starts", 400)],
            1,
        ),
        (
            "what has never been ready does not count",
            50,
            &[("runs", 20), ("never", 400)],
            1,
        ),
        (
            "what has been ready once counts",
            50,
            &[("runs", 100), ("gone", 100)],
            4,
        ),
        (
            "what has failed does not count",
            50,
            &[("runs", 100), ("fails", 1)],
            2,
        ),
        ("what ends does not count", 50, &[("runs", 100), ("ends", 100)], 2),
    ];
    for (name, percent, pods, expected) in cases {
        let replicas = i64::try_from(pods.len()).expect("few");
        let proposal = proposed(Target::Percent(*percent), "cpu", replicas, pods);
        assert_eq!(
            proposal.map(|proposal| proposal.replicas),
            Ok(*expected),
            "{name}"
        );
    }
    let told = proposed(Target::Percent(50), "cpu", 2, &[("runs", 30), ("runs", 31)]).expect("a proposal");
    assert_eq!((told.percent, told.average), (Some(30), 30));
}

#[test]
fn use_of_memory_against_an_amount() {
    let cases: &[(&[(&str, i64)], i64)] = &[
        (&[("runs", 300), ("runs", 100)], 4),
        (&[("runs", 105), ("runs", 105)], 2),
        (&[("runs", 30), ("runs", 20)], 1),
        // Memory does not fall when a Pod has started: all that is measured counts.
        (&[("runs", 100), ("starts", 300)], 4),
        (&[("runs", 300), ("", -1)], 3),
        (&[("runs", 20), ("", -1)], 2),
    ];
    for (pods, expected) in cases {
        let proposal = proposed(Target::Each(100), "memory", 2, pods);
        assert_eq!(
            proposal.map(|proposal| proposal.replicas),
            Ok(*expected),
            "{pods:?}"
        );
    }
}

#[test]
fn nothing_is_proposed_where_nothing_is_known() {
    let said = |pods: &[(&str, i64)]| proposed(Target::Percent(50), "cpu", 1, pods).expect_err("no proposal");
    assert_eq!(
        said(&[]),
        "no pods returned by selector while calculating replica count"
    );
    assert_eq!(
        said(&[("runs", -1)]),
        "no metrics returned from resource metrics API"
    );
    assert_eq!(
        said(&[("waits", 5)]),
        "did not receive metrics for targeted pods (pods might be unready)"
    );
    let other = proposed(Target::Percent(50), "ephemeral-storage", 1, &[("runs", 5)]);
    assert_eq!(
        other,
        Err("no metrics returned from resource metrics API".to_owned())
    );
}

/// Decides at a number of seconds.
fn decided(behavior: &Value, history: &mut History, at: i64, current: i64, asked: i64) -> Decision {
    let behavior = serde_json::from_value(behavior.clone()).expect("a behavior");
    let numbers = Numbers {
        current,
        asked,
        least: 1,
        most: 100,
    };
    let now = now() + seconds(at);
    history.begin(current, now);
    let decision = decide(Option::as_ref(&behavior), numbers, history, now);
    if decision.replicas != current {
        history.changed(decision.replicas - current, now);
    }
    decision
}

#[test]
fn without_a_behavior_it_goes_up_at_once_and_down_after_five_minutes() {
    let mut history = History::default();
    let mut at = |at: i64, current: i64, asked: i64| {
        let decision = decided(&Value::Null, &mut history, at, current, asked);
        (decision.replicas, decision.stabilized.0, decision.limited.0)
    };
    assert_eq!(at(0, 1, 1), (1, "ReadyForNewScale", "DesiredWithinRange"));
    assert_eq!(at(15, 1, 10), (4, "ReadyForNewScale", "ScaleUpLimit"));
    assert_eq!(at(30, 4, 10), (8, "ReadyForNewScale", "ScaleUpLimit"));
    assert_eq!(at(45, 8, 200), (16, "ReadyForNewScale", "ScaleUpLimit"));
    assert_eq!(at(60, 90, 200), (100, "ReadyForNewScale", "TooManyReplicas"));
    assert_eq!(at(75, 100, 0), (100, "ScaleDownStabilized", "TooManyReplicas"));
    assert_eq!(at(359, 100, 0).1, "ScaleDownStabilized");
    assert_eq!(at(361, 100, 0), (1, "ReadyForNewScale", "TooFewReplicas"));
}

#[test]
fn a_behavior_sets_windows_and_rates() {
    let behavior = json!({
        "scaleUp": {"stabilizationWindowSeconds": 30, "selectPolicy": "Max", "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 60}, {"type": "Percent", "value": 100, "periodSeconds": 60}]},
        "scaleDown": {"stabilizationWindowSeconds": 0, "selectPolicy": "Min", "policies": [
            {"type": "Pods", "value": 5, "periodSeconds": 60}, {"type": "Percent", "value": 10, "periodSeconds": 60}]},
    });
    let mut history = History::default();
    let mut at = |at: i64, current: i64, asked: i64| {
        let decision = decided(&behavior, &mut history, at, current, asked);
        (decision.replicas, decision.stabilized.0, decision.limited.0)
    };
    assert_eq!(at(0, 10, 50), (10, "ScaleUpStabilized", "DesiredWithinRange"));
    assert_eq!(at(15, 10, 40), (10, "ScaleUpStabilized", "DesiredWithinRange"));
    // The lowest of the window, and no more than twice what there was a minute ago.
    assert_eq!(at(40, 10, 60), (20, "ScaleUpStabilized", "ScaleUpLimit"));
    assert_eq!(at(60, 20, 60), (20, "ReadyForNewScale", "ScaleUpLimit"));
    assert_eq!(at(101, 20, 60), (40, "ReadyForNewScale", "ScaleUpLimit"));
    // A tenth of what there was, which is less than five.
    assert_eq!(at(200, 40, 1), (36, "ReadyForNewScale", "ScaleDownLimit"));
    assert_eq!(at(215, 36, 1), (36, "ReadyForNewScale", "ScaleDownLimit"));
    assert_eq!(at(261, 36, 1), (32, "ReadyForNewScale", "ScaleDownLimit"));
}

#[test]
fn a_direction_can_be_switched_off() {
    let off = json!({"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 9, "periodSeconds": 15}]});
    let behavior = json!({ "scaleDown": off });
    let decision = decided(&behavior, &mut History::default(), 0, 10, 2);
    assert_eq!((decision.replicas, decision.limited.0), (10, "ScaleDownLimit"));
    let behavior = json!({ "scaleUp": off });
    let decision = decided(&behavior, &mut History::default(), 0, 10, 20);
    assert_eq!((decision.replicas, decision.limited.0), (10, "ScaleUpLimit"));
}

#[test]
fn a_behavior_says_how_much_is_borne() {
    let behavior =
        serde_json::from_value(json!({"scaleUp": {"tolerance": "0"}, "scaleDown": {"tolerance": "500m"}}));
    let behavior = behavior.expect("a behavior");
    let all = [pod("p0", ""), pod("p1", "")];
    let replicas = |millis: i64| {
        let used = [("p0".to_owned(), millis), ("p1".to_owned(), millis)];
        let measured = Measured {
            replicas: 2,
            pods: &all,
            figures: &figures(&used),
            tolerance: Tolerance::of(Some(&behavior)),
            now: now(),
        };
        let wanted = Wanted {
            resource: "cpu",
            container: Some("c"),
            target: Target::Each(100),
        };
        propose(wanted, measured).expect("a proposal").replicas
    };
    assert_eq!([replicas(101), replicas(50), replicas(49)], [3, 2, 1]);
}

fn autoscaler(metrics: &Value) -> HorizontalPodAutoscaler {
    let object = json!({
        "metadata": {"name": "web", "namespace": "n", "generation": 2},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2, "maxReplicas": 4, "metrics": metrics,
        },
    });
    serde_json::from_value(object).expect("an autoscaler")
}

fn cpu() -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": 50});
    json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})
}

fn queue() -> Value {
    json!({"type": "External", "external": {"metric": {"name": "jobs"}, "target": {"type": "Value", "value": "3"}}})
}

fn planned(autoscaler: &HorizontalPodAutoscaler, replicas: i32, millis: i64) -> Plan {
    let names: Vec<String> = (0..replicas).map(|at| format!("p{at}")).collect();
    let used: Vec<(String, i64)> = names.iter().map(|name| (name.clone(), millis)).collect();
    let pods = names.iter().map(|name| pod(name, "")).collect();
    let scale = Scaled {
        replicas,
        selector: "app=web".to_owned(),
    };
    let observed = Observed {
        autoscaler,
        scale: &Ok(scale),
        rivals: &[],
        pods: &Ok((pods, figures(&used))),
        now: now(),
    };
    plan(observed, &mut History::default())
}

/// Type, status and reason of each condition.
fn told(status: &HorizontalPodAutoscalerStatus) -> Vec<String> {
    let conditions = status.conditions.iter().flatten();
    let reason = |reason: &Option<String>| reason.clone().unwrap_or_default();
    conditions
        .map(|one| format!("{}={} {}", one.type_, one.status, reason(&one.reason)))
        .collect()
}

#[test]
fn a_busy_workload_gets_more_replicas_and_its_autoscaler_says_so() {
    let autoscaler = autoscaler(&json!([cpu()]));
    let mut plan = planned(&autoscaler, 2, 80);
    let why = "cpu resource utilization (percentage of request) above target";
    assert_eq!(plan.rescale, Some((4, why.to_owned())));
    plan.rescaled(&mut History::default(), now());
    assert_eq!(plan.events[0].2, format!("New size: 4; reason: {why}"));
    let status = plan.status(&autoscaler, now());
    assert_eq!(
        told(&status),
        [
            "AbleToScale=True SucceededRescale",
            "ScalingActive=True ValidMetricFound",
            "ScalingLimited=False DesiredWithinRange"
        ]
    );
    assert_eq!(
        serde_json::to_value(&status.current_metrics).expect("JSON"),
        json!([{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 80, "averageValue": "80m"}}}])
    );
    assert_eq!((status.current_replicas, status.desired_replicas), (Some(2), 4));
    assert!(status.last_scale_time.is_some());
    assert_eq!(status.observed_generation, Some(2));
}

#[test]
fn a_refusal_is_told_and_nothing_is_remembered() {
    let autoscaler = autoscaler(&json!([cpu()]));
    let mut plan = planned(&autoscaler, 2, 80);
    plan.refused("no");
    assert_eq!(plan.events[0].1, "FailedRescale");
    let status = plan.status(&autoscaler, now());
    assert_eq!(told(&status)[0], "AbleToScale=False FailedUpdateScale");
    assert_eq!((status.current_replicas, status.last_scale_time), (Some(2), None));
}

#[test]
fn bounds_hold_whatever_is_used() {
    let autoscaler = autoscaler(&json!([cpu()]));
    let why = |replicas: i32| planned(&autoscaler, replicas, 50).rescale;
    assert_eq!(
        why(9),
        Some((4, "Current number of replicas above Spec.MaxReplicas".to_owned()))
    );
    assert_eq!(
        why(1),
        Some((2, "Current number of replicas below Spec.MinReplicas".to_owned()))
    );
    assert_eq!(why(2), None);
    let off = planned(&autoscaler, 0, 50);
    assert_eq!(off.rescale, None);
    assert_eq!(
        told(&off.status(&autoscaler, now()))[1],
        "ScalingActive=False ScalingDisabled"
    );
}

#[test]
fn metrics_that_nobody_tells_never_take_replicas_away() {
    let alone = autoscaler(&json!([queue()]));
    let plan = planned(&alone, 3, 1);
    assert_eq!(plan.rescale, None);
    let reasons: Vec<&str> = plan.events.iter().map(|(_, reason, _)| *reason).collect();
    assert_eq!(
        reasons,
        ["FailedGetExternalMetric", "FailedComputeMetricsReplicas"]
    );
    assert!(
        plan.events[1]
            .2
            .starts_with("invalid metrics (1 invalid out of 1), first error is: unable to get metric jobs")
    );
    assert_eq!(
        told(&plan.status(&alone, now()))[1],
        "ScalingActive=False FailedGetExternalMetric"
    );

    let both = autoscaler(&json!([queue(), cpu()]));
    assert_eq!(planned(&both, 3, 1).rescale, None);
    let up = planned(&both, 3, 90);
    assert_eq!(up.rescale.as_ref().map(|(replicas, _)| *replicas), Some(4));
    let status = up.status(&both, now());
    assert_eq!(told(&status)[1], "ScalingActive=True ValidMetricFound");
    let kinds: Vec<String> = status
        .current_metrics
        .iter()
        .flatten()
        .map(|one| one.type_.clone())
        .collect();
    assert_eq!(kinds, ["", "Resource"]);
}

#[test]
fn what_cannot_be_scaled_is_told() {
    let autoscaler = autoscaler(&json!([cpu()]));
    let gone = Err("deployments.apps \"web\" not found".to_owned());
    let none = Err(String::new());
    let seen = |scale: &Result<Scaled, String>, rivals: &[String]| {
        let observed = Observed {
            autoscaler: &autoscaler,
            scale,
            rivals,
            pods: &none,
            now: now(),
        };
        let plan = plan(observed, &mut History::default());
        let reason = plan.events[0].1;
        (
            reason,
            told(&plan.status(&autoscaler, now())).pop().unwrap_or_default(),
        )
    };
    assert_eq!(
        seen(&gone, &[]),
        ("FailedGetScale", "AbleToScale=False FailedGetScale".to_owned())
    );
    let scale = |selector: &str| {
        Ok(Scaled {
            replicas: 2,
            selector: selector.to_owned(),
        })
    };
    assert_eq!(
        seen(&scale(""), &[]),
        (
            "SelectorRequired",
            "ScalingActive=False InvalidSelector".to_owned()
        )
    );
    let both = ["n/a".to_owned(), "n/web".to_owned()];
    assert_eq!(
        seen(&scale("app=web"), &both),
        (
            "AmbiguousSelector",
            "ScalingActive=False AmbiguousSelector".to_owned()
        )
    );
}
