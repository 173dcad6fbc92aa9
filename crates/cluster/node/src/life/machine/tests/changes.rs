//! Pods that change, and what comes at their end.

use super::*;

fn changed(life: &mut PodLife, spec: &Value, milliseconds: i64) -> Vec<Note> {
    life.change(facts(spec), at(milliseconds))
}

fn spec(image: &str) -> Value {
    json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]})
}

fn with_debugger() -> Value {
    let mut spec = spec("i");
    spec["ephemeralContainers"] = json!([{"name": "debug", "image": "busybox"}]);
    spec
}

#[test]
fn another_image_starts_a_container_again_whatever_its_policy() {
    let mut life = life(&spec("one"));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    let notes = changed(&mut life, &spec("two"), 10);
    assert_eq!(
        notes[0].message,
        "Container c definition changed, will be restarted"
    );
    let ask = Action::Stop {
        index: 0,
        how: Stop::Ask,
    };
    assert_eq!(wants(&mut life, 10), [ask]);
    ended(&mut life, 0, 143, 20);
    assert_eq!(wants(&mut life, 20), starts(0, 1), "at once");
    started(&mut life, 0, 30);
    let status = status(&life, 30).container_statuses.expect("statuses");
    assert_eq!((status[0].image.as_str(), status[0].restart_count), ("two", 1));
    ended(&mut life, 0, 0, 40);
    assert_eq!(wants(&mut life, 40), [], "the next end is one as ever");
}

#[test]
fn a_nearer_deadline_counts() {
    let mut life = life(&spec("i"));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    let mut near = spec("i");
    near["activeDeadlineSeconds"] = json!(5);
    changed(&mut life, &near, 1000);
    assert_eq!(life.wake_at(at(1000)), Some(at(5000)));
    wants(&mut life, 5000);
    assert_eq!(phase(&life), "Failed");
}

#[test]
fn an_ephemeral_container_joins_a_pod_and_changes_nothing_of_it() {
    let mut life = life(&spec("i"));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    changed(&mut life, &with_debugger(), 10);
    assert!(holds(&life, "Ready"), "nobody waits for it");
    assert_eq!(wants(&mut life, 10), starts(1, 0));
    started(&mut life, 1, 20);
    let known = status(&life, 20);
    let debug = &known.ephemeral_container_statuses.as_ref().expect("statuses")[0];
    assert!(!debug.ready && debug.state.as_ref().is_some_and(|state| state.running.is_some()));
    ended(&mut life, 1, 1, 30);
    assert_eq!(wants(&mut life, 30), [], "never started again");
    assert_eq!((phase(&life).as_str(), holds(&life, "Ready")), ("Running", true));
}

#[test]
fn an_ephemeral_container_ends_with_what_it_looks_into() {
    let mut life = life(&with_debugger());
    assert_eq!(wants(&mut life, 0).len(), 2);
    started(&mut life, 0, 0);
    started(&mut life, 1, 0);
    ended(&mut life, 0, 0, 10);
    assert_eq!(phase(&life), "Succeeded");
    let ask = Action::Stop {
        index: 1,
        how: Stop::Ask,
    };
    assert_eq!(wants(&mut life, 10), [ask]);
}

#[test]
fn the_last_status_of_a_deleted_pod_is_final() {
    for (code, expected) in [(0, "Succeeded"), (143, "Failed")] {
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
        assert_eq!(phase(&life), "Running");
        ended(&mut life, 0, code, 10);
        assert_eq!(phase(&life), expected);
        let statuses = status(&life, 10).container_statuses.expect("statuses");
        assert!(
            statuses[0]
                .state
                .as_ref()
                .is_some_and(|state| state.terminated.is_some())
        );
    }
}

#[test]
fn containers_wait_for_volumes() {
    let mut spec = spec("i");
    spec["volumes"] = json!([{"name": "v", "secret": {"secretName": "s"}}]);
    let mut life = life(&spec);
    assert_eq!(wants(&mut life, 0), []);
    assert_eq!(life.wake_at(at(0)), None, "nothing is polled");
    let message = "secret \"s\" not found".to_owned();
    let notes = life.take(Happened::VolumesFailed { message }, at(0));
    assert_eq!((notes[0].reason, notes[0].index), ("FailedMount", None));
    life.take(Happened::VolumesReady, at(10));
    assert_eq!(wants(&mut life, 10), starts(0, 0));
}
