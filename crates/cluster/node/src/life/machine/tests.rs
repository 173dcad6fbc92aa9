mod changes;
mod hooks;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use serde_json::{Value, json};

use super::*;
use crate::life::Surroundings;

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).expect("time")
}

fn facts(spec: &Value) -> PodFacts {
    let metadata = json!({"name": "p", "namespace": "n", "uid": "u"});
    let pod: Pod = serde_json::from_value(json!({"metadata": metadata, "spec": spec})).expect("pod");
    PodFacts::of(&pod)
}

fn life(spec: &Value) -> PodLife {
    PodLife::new(facts(spec), at(0))
}

/// What the life wants at a time.
fn wants(life: &mut PodLife, milliseconds: i64) -> Vec<Action> {
    life.next(at(milliseconds)).0
}

fn starts(index: usize, attempt: u32) -> Vec<Action> {
    vec![Action::Start { index, attempt }]
}

fn started(life: &mut PodLife, index: usize, milliseconds: i64) {
    life.take(
        Happened::Started {
            index,
            id: format!("id{index}"),
        },
        at(milliseconds),
    );
}

fn ended(life: &mut PodLife, index: usize, code: i32, milliseconds: i64) -> Vec<Note> {
    let exit = Exit {
        code,
        signal: None,
        out_of_memory: false,
        at: at(milliseconds),
    };
    let message = None;
    let happened = Happened::Ended { index, exit, message };
    life.take(happened, at(milliseconds))
}

fn status(life: &PodLife, milliseconds: i64) -> PodStatus {
    let around = Surroundings {
        pod_ip: Some([127, 64, 0, 2].into()),
        host_ip: [127, 0, 0, 1].into(),
        runtime: "process".to_owned(),
        gates_open: true,
        before: PodStatus::default(),
    };
    life.status(&around, at(milliseconds))
}

fn phase(life: &PodLife) -> String {
    status(life, 0).phase.unwrap_or_default()
}

fn holds(life: &PodLife, condition: &str) -> bool {
    let conditions = status(life, 0).conditions.unwrap_or_default();
    conditions
        .iter()
        .any(|known| known.type_ == condition && known.status == "True")
}

fn one(restart: &str) -> PodLife {
    life(&json!({"restartPolicy": restart, "containers": [{"name": "c", "image": "i"}]}))
}

#[test]
fn a_container_without_probes_is_ready_as_soon_as_it_runs() {
    let mut life = one("Always");
    assert_eq!(wants(&mut life, 0), starts(0, 0));
    assert_eq!(phase(&life), "Pending");
    started(&mut life, 0, 5);
    assert_eq!(wants(&mut life, 5), []);
    assert_eq!(phase(&life), "Running");
    assert!(holds(&life, "Ready") && holds(&life, "ContainersReady") && holds(&life, "Initialized"));
    let status = status(&life, 5);
    let container = &status.container_statuses.as_ref().expect("containers")[0];
    assert_eq!(container.container_id.as_deref(), Some("process://id0"));
    assert_eq!(
        (container.ready, container.started, container.restart_count),
        (true, Some(true), 0)
    );
    assert_eq!(status.pod_ip.as_deref(), Some("127.64.0.2"));
}

#[test]
fn the_restart_policy_decides_what_an_end_means() {
    for (policy, code, restarts, expected) in [
        ("Always", 0, true, "Running"),
        ("Always", 1, true, "Running"),
        ("OnFailure", 0, false, "Succeeded"),
        ("OnFailure", 1, true, "Running"),
        ("Never", 0, false, "Succeeded"),
        ("Never", 1, false, "Failed"),
    ] {
        let mut life = one(policy);
        wants(&mut life, 0);
        started(&mut life, 0, 0);
        ended(&mut life, 0, code, 10);
        assert_eq!(phase(&life), expected, "{policy} {code}");
        let next = wants(&mut life, 10);
        assert_eq!(
            next,
            if restarts { starts(0, 1) } else { vec![] },
            "{policy} {code}"
        );
    }
}

#[test]
fn a_container_that_keeps_failing_waits_longer_and_longer() {
    let mut life = one("Always");
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    ended(&mut life, 0, 1, 0);
    assert_eq!(wants(&mut life, 0), starts(0, 1), "the first restart is at once");
    started(&mut life, 0, 0);
    let notes = ended(&mut life, 0, 1, 0);
    assert_eq!(notes[0].reason, "BackOff");
    assert_eq!(wants(&mut life, 9_999), []);
    assert_eq!(life.wake_at(at(9_999)), Some(at(10_000)));
    let status = status(&life, 9_999);
    let container = &status.container_statuses.expect("containers")[0];
    let waiting = container
        .state
        .clone()
        .and_then(|state| state.waiting)
        .expect("waiting");
    assert_eq!(waiting.reason.as_deref(), Some("CrashLoopBackOff"));
    assert_eq!(
        waiting.message.as_deref(),
        Some("back-off 10s restarting failed container=c pod=p_n(u)")
    );
    let last = container
        .last_state
        .clone()
        .and_then(|state| state.terminated)
        .expect("last");
    assert_eq!((last.exit_code, last.reason.as_deref()), (1, Some("Error")));
    assert_eq!(wants(&mut life, 10_000), starts(0, 2));
}

#[test]
fn init_containers_run_one_after_the_other_before_the_others() {
    let mut life = life(&json!({
        "initContainers": [{"name": "a"}, {"name": "b"}], "containers": [{"name": "c"}, {"name": "d"}]}));
    assert_eq!(wants(&mut life, 0), starts(0, 0));
    started(&mut life, 0, 0);
    assert_eq!(wants(&mut life, 0), []);
    assert!(!holds(&life, "Initialized"));
    ended(&mut life, 0, 0, 0);
    assert_eq!(wants(&mut life, 0), starts(1, 0));
    started(&mut life, 1, 0);
    ended(&mut life, 1, 1, 0);
    assert_eq!(wants(&mut life, 0), starts(1, 1), "a failed one runs again");
    started(&mut life, 1, 0);
    ended(&mut life, 1, 0, 0);
    let both = vec![
        Action::Start { index: 2, attempt: 0 },
        Action::Start { index: 3, attempt: 0 },
    ];
    assert_eq!(wants(&mut life, 0), both);
    assert!(holds(&life, "Initialized"));
}

#[test]
fn a_failed_init_container_fails_a_pod_that_never_restarts() {
    let mut life = life(&json!({"restartPolicy": "Never",
        "initContainers": [{"name": "a"}], "containers": [{"name": "c"}]}));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    ended(&mut life, 0, 1, 0);
    assert_eq!(wants(&mut life, 0), []);
    assert_eq!(phase(&life), "Failed");
}

#[test]
fn a_deleted_pod_is_asked_then_forced_then_taken_away() {
    let mut life = one("Always");
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    life.take(
        Happened::Deleted {
            grace: Duration::from_secs(30),
        },
        at(0),
    );
    assert_eq!(
        wants(&mut life, 0),
        [Action::Stop {
            index: 0,
            how: Stop::Ask
        }]
    );
    assert_eq!(wants(&mut life, 29_999), []);
    assert_eq!(life.wake_at(at(29_999)), Some(at(30_000)));
    assert_eq!(
        wants(&mut life, 30_000),
        [Action::Stop {
            index: 0,
            how: Stop::Force
        }]
    );
    ended(&mut life, 0, 137, 30_001);
    assert_eq!(wants(&mut life, 30_001), [Action::Finish]);
    assert_eq!(wants(&mut life, 30_002), [], "once is enough");
}

#[test]
fn a_second_deletion_shortens_the_time_and_never_lengthens_it() {
    let mut life = one("Always");
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    life.take(
        Happened::Deleted {
            grace: Duration::from_secs(30),
        },
        at(0),
    );
    wants(&mut life, 0);
    life.take(
        Happened::Deleted {
            grace: Duration::from_mins(1),
        },
        at(0),
    );
    wants(&mut life, 0);
    assert_eq!(life.wake_at(at(0)), Some(at(30_000)));
    life.take(
        Happened::Deleted {
            grace: Duration::ZERO,
        },
        at(10),
    );
    assert_eq!(
        wants(&mut life, 10),
        [Action::Stop {
            index: 0,
            how: Stop::Force
        }]
    );
}

#[test]
fn a_pod_deleted_while_it_starts_is_stopped_when_it_has_started() {
    let mut life = one("Always");
    wants(&mut life, 0);
    life.take(
        Happened::Deleted {
            grace: Duration::from_secs(30),
        },
        at(0),
    );
    assert_eq!(wants(&mut life, 0), [], "the runtime is at it");
    started(&mut life, 0, 1);
    assert_eq!(
        wants(&mut life, 1),
        [Action::Stop {
            index: 0,
            how: Stop::Ask
        }]
    );
}

#[test]
fn what_is_wrong_with_a_container_stands_in_its_status() {
    let waiting = |life: &PodLife| {
        let status = status(life, 0);
        let state = status.container_statuses.expect("containers")[0]
            .state
            .clone()
            .expect("state");
        let waiting = state.waiting.expect("waiting");
        (waiting.reason.expect("reason"), waiting.message.expect("message"))
    };
    let mut life = one("Always");
    wants(&mut life, 0);
    let message = "configmap \"x\" not found".to_owned();
    life.take(
        Happened::NotCreated {
            index: 0,
            message: message.clone(),
        },
        at(0),
    );
    assert_eq!(waiting(&life), ("CreateContainerConfigError".to_owned(), message));
    assert_eq!(wants(&mut life, 9_999), []);
    assert_eq!(
        wants(&mut life, 10_000),
        starts(0, 0),
        "what was missing may have come"
    );
    let message = "exec: \"x\": not found".to_owned();
    life.take(
        Happened::NotStarted {
            index: 0,
            message: message.clone(),
        },
        at(10_000),
    );
    assert_eq!(waiting(&life), ("RunContainerError".to_owned(), message));
}

#[test]
fn a_container_killed_for_its_memory_says_so() {
    let mut life = one("Never");
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    let exit = Exit {
        code: 137,
        signal: Some(9),
        out_of_memory: true,
        at: at(5),
    };
    let ended = Happened::Ended {
        index: 0,
        exit,
        message: None,
    };
    life.take(ended, at(5));
    let status = status(&life, 5);
    let state = status.container_statuses.expect("containers")[0]
        .state
        .clone()
        .expect("state");
    assert_eq!(
        state.terminated.expect("ended").reason.as_deref(),
        Some("OOMKilled")
    );
}

#[test]
fn readiness_follows_its_probe() {
    let mut life = life(&json!({"containers": [{"name": "c",
        "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 10, "failureThreshold": 2}}]}));
    let probe = vec![Action::Probe {
        index: 0,
        kind: ProbeKind::Readiness,
    }];
    let outcome = |success| Happened::Probed {
        index: 0,
        kind: ProbeKind::Readiness,
        attempt: 0,
        success,
        output: String::new(),
    };
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    assert_eq!(wants(&mut life, 0), probe, "right after the start");
    life.take(outcome(false), at(1));
    assert!(!holds(&life, "Ready"));
    assert_eq!(life.wake_at(at(1)), Some(at(11)), "then quickly");
    assert_eq!(wants(&mut life, 11), probe);
    life.take(outcome(true), at(12));
    assert!(holds(&life, "Ready"));
    for (time, ready) in [(10_012, true), (20_012, false)] {
        assert_eq!(wants(&mut life, time), probe);
        life.take(outcome(false), at(time));
        assert_eq!(holds(&life, "Ready"), ready, "{time}");
    }
}

#[test]
fn a_failed_liveness_probe_restarts_the_container() {
    let mut life = life(
        &json!({"terminationGracePeriodSeconds": 3, "containers": [{"name": "c",
        "livenessProbe": {"tcpSocket": {"port": 80}, "failureThreshold": 1}}]}),
    );
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    wants(&mut life, 0);
    let outcome = |attempt, output: &str| Happened::Probed {
        index: 0,
        kind: ProbeKind::Liveness,
        attempt,
        success: false,
        output: output.to_owned(),
    };
    assert_eq!(life.take(outcome(7, ""), at(1)), [], "of another start");
    let notes = life.take(outcome(0, "refused"), at(1));
    assert_eq!(notes[0].message, "Liveness probe failed: refused");
    assert_eq!(notes[1].reason, "Killing");
    assert_eq!(
        wants(&mut life, 1),
        [Action::Stop {
            index: 0,
            how: Stop::Ask
        }]
    );
    assert_eq!(
        wants(&mut life, 3_001),
        [Action::Stop {
            index: 0,
            how: Stop::Force
        }]
    );
    ended(&mut life, 0, 137, 3_002);
    assert_eq!(wants(&mut life, 3_002), starts(0, 1));
}

#[test]
fn other_probes_wait_for_the_startup_probe() {
    let probe = json!({"tcpSocket": {"port": 80}});
    let mut life = life(&json!({"containers": [{"name": "c",
        "startupProbe": probe, "livenessProbe": probe, "readinessProbe": probe}]}));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    assert_eq!(
        wants(&mut life, 0),
        [Action::Probe {
            index: 0,
            kind: ProbeKind::Startup
        }]
    );
    let kind = ProbeKind::Startup;
    life.take(
        Happened::Probed {
            index: 0,
            kind,
            attempt: 0,
            success: true,
            output: String::new(),
        },
        at(1),
    );
    let both = [ProbeKind::Liveness, ProbeKind::Readiness].map(|kind| Action::Probe { index: 0, kind });
    assert_eq!(wants(&mut life, 1), both);
}

#[test]
fn a_pod_that_ran_before_the_node_restarted_runs_again_and_counts() {
    let mut before = one("Always");
    wants(&mut before, 0);
    started(&mut before, 0, 0);
    let mut life = PodLife::recover(before.facts.clone(), &status(&before, 0), at(60_000));
    assert_eq!(wants(&mut life, 60_000), starts(0, 1));
    let status = status(&life, 60_000);
    let container = &status.container_statuses.expect("containers")[0];
    assert_eq!(container.restart_count, 1);
    let last = container
        .last_state
        .clone()
        .and_then(|state| state.terminated)
        .expect("last");
    assert_eq!(last.exit_code, 137);
    assert_eq!(
        (
            last.started_at.expect("start").0,
            last.finished_at.expect("end").0
        ),
        (at(0), at(60_000))
    );
    assert_eq!(
        status.start_time.expect("start").0,
        at(0),
        "the Pod is as old as it was"
    );
}

#[test]
fn a_pod_that_has_finished_stays_finished_over_a_restart_of_the_node() {
    let mut before = one("Never");
    wants(&mut before, 0);
    started(&mut before, 0, 0);
    ended(&mut before, 0, 0, 5);
    let mut life = PodLife::recover(before.facts.clone(), &status(&before, 5), at(60_000));
    assert_eq!(wants(&mut life, 60_000), []);
    assert_eq!(phase(&life), "Succeeded");
    assert_eq!(life.wake_at(at(60_000)), None);
}

#[test]
fn a_pod_past_its_deadline_is_stopped_and_failed() {
    let mut life = life(&json!({"activeDeadlineSeconds": 5, "containers": [{"name": "c"}]}));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    assert_eq!(life.wake_at(at(0)), Some(at(0) + SignedDuration::from_secs(5)));
    assert_eq!(
        wants(&mut life, 5_000),
        [Action::Stop {
            index: 0,
            how: Stop::Ask
        }]
    );
    assert_eq!(status(&life, 0).reason.as_deref(), Some("DeadlineExceeded"));
    assert_eq!(phase(&life), "Failed");
}

#[test]
fn a_clock_that_steps_back_delays_a_start_and_does_not_lose_it() {
    let mut before = one("Always");
    wants(&mut before, 0);
    started(&mut before, 0, 0);
    let mut life = PodLife::recover(before.facts.clone(), &status(&before, 0), at(10));
    assert_eq!(wants(&mut life, 9), []);
    assert_eq!(life.wake_at(at(9)), Some(at(10)));
    assert_eq!(wants(&mut life, 10), starts(0, 1));
}
