//! Hooks of containers.

use super::*;

fn life_with(hooks: &Value) -> PodLife {
    life(
        &json!({"terminationGracePeriodSeconds": 30, "containers": [{"name": "c", "image": "i", "lifecycle": hooks}]}),
    )
}

fn pause() -> Value {
    json!({"sleep": {"seconds": 1}})
}

fn hooked(life: &mut PodLife, kind: HookKind, failure: Option<&str>, milliseconds: i64) -> Vec<Note> {
    let failure = failure.map(ToOwned::to_owned);
    let happened = Happened::Hooked {
        index: 0,
        kind,
        attempt: 0,
        failure,
    };
    life.take(happened, at(milliseconds))
}

fn stop(how: Stop) -> Vec<Action> {
    vec![Action::Stop { index: 0, how }]
}

fn hook(kind: HookKind, until: Option<i64>) -> Vec<Action> {
    vec![Action::Hook {
        index: 0,
        kind,
        until: until.map(at),
    }]
}

fn delete(life: &mut PodLife, seconds: u64, milliseconds: i64) {
    let grace = Duration::from_secs(seconds);
    life.take(Happened::Deleted { grace }, at(milliseconds));
}

#[test]
fn a_container_runs_only_when_its_first_hook_is_through() {
    let mut life = life_with(&json!({"postStart": pause()}));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    assert_eq!(wants(&mut life, 0), hook(HookKind::PostStart, None));
    assert_eq!((phase(&life).as_str(), holds(&life, "Ready")), ("Pending", false));
    assert_eq!(wants(&mut life, 1), [], "once");
    hooked(&mut life, HookKind::PostStart, None, 1000);
    assert_eq!((phase(&life).as_str(), holds(&life, "Ready")), ("Running", true));
}

#[test]
fn a_container_whose_first_hook_fails_is_stopped_and_starts_again() {
    let mut life = life_with(&json!({"postStart": pause()}));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    wants(&mut life, 0);
    let notes = hooked(&mut life, HookKind::PostStart, Some("no"), 10);
    assert_eq!(
        (notes[0].reason, notes[0].message.as_str()),
        ("FailedPostStartHook", "PostStartHook failed: no")
    );
    assert_eq!(wants(&mut life, 10), stop(Stop::Ask));
    ended(&mut life, 0, 143, 20);
    assert_eq!(wants(&mut life, 20), starts(0, 1));
}

#[test]
fn the_last_hook_comes_before_the_signal() {
    let mut life = life_with(&json!({"preStop": pause()}));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    delete(&mut life, 30, 1000);
    assert_eq!(wants(&mut life, 1000), hook(HookKind::PreStop, Some(31_000)));
    assert_eq!(wants(&mut life, 1500), []);
    hooked(&mut life, HookKind::PreStop, None, 2000);
    assert_eq!(wants(&mut life, 2000), stop(Stop::Ask));
    assert_eq!(life.wake_at(at(2000)), Some(at(31_000)));
    assert_eq!(wants(&mut life, 31_000), stop(Stop::Force));
}

#[test]
fn a_hook_that_uses_up_all_time_leaves_two_seconds() {
    let mut life = life_with(&json!({"preStop": pause()}));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    delete(&mut life, 5, 0);
    wants(&mut life, 0);
    assert_eq!(life.wake_at(at(0)), Some(at(5000)));
    assert_eq!(wants(&mut life, 5000), stop(Stop::Ask));
    assert_eq!(life.wake_at(at(5000)), Some(at(7000)));
    assert_eq!(wants(&mut life, 7000), stop(Stop::Force));
}

#[test]
fn who_has_no_time_has_none_for_hooks() {
    let mut life = life_with(&json!({"preStop": pause()}));
    wants(&mut life, 0);
    started(&mut life, 0, 0);
    delete(&mut life, 0, 10);
    assert_eq!(wants(&mut life, 10), stop(Stop::Force));
}
