use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use serde_json::{Value, json};

use super::plan::{Observed, Plan, plan};

const CREATED: &str = "2026-03-01T00:00:30Z";

fn cron_job(spec: Value, status: &Value) -> CronJob {
    let mut whole = json!({
        "schedule": "*/10 * * * *", "concurrencyPolicy": "Allow",
        "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {}}},
    });
    if let (Value::Object(whole), Value::Object(spec)) = (&mut whole, spec) {
        whole.extend(spec);
    }
    let metadata = json!({"name": "tick", "namespace": "ns", "uid": "cron", "creationTimestamp": CREATED});
    serde_json::from_value(json!({"metadata": metadata, "spec": whole, "status": status}))
        .expect("a cron job")
}

fn job(name: &str, end: Option<&str>, time: &str) -> Arc<Job> {
    let conditions: Vec<Value> = end
        .iter()
        .map(|end| json!({"type": end, "status": "True"}))
        .collect();
    let completed = end.filter(|end| *end == "Complete").map(|_| time);
    let status = json!({"startTime": time, "completionTime": completed, "conditions": conditions});
    let job = json!({"metadata": {"name": name, "namespace": "ns", "uid": name}, "status": status});
    Arc::new(serde_json::from_value(job).expect("a job"))
}

fn planned(cron_job: &CronJob, jobs: &[Arc<Job>], now: &str) -> Plan {
    plan(Observed {
        cron_job,
        spec: &cron_job.spec,
        jobs,
        now: now.parse().expect("a time"),
        local: &TimeZone::UTC,
    })
}

fn start(plan: &Plan) -> Option<String> {
    plan.start.as_ref().map(|start| start.at.to_string())
}

fn reasons(plan: &Plan) -> Vec<&str> {
    plan.notes.iter().map(|(_, reason, _)| *reason).collect()
}

fn active(name: &str) -> Value {
    json!([{"name": name, "uid": name}])
}

#[test]
fn waits_for_its_time_and_starts_then() {
    let tick = cron_job(json!({}), &json!({}));
    let before = planned(&tick, &[], "2026-03-01T00:04:00Z");
    assert_eq!(
        (start(&before), before.again),
        (None, Some(Duration::from_millis(360_100)))
    );
    let due = planned(&tick, &[], "2026-03-01T00:10:00.1Z");
    assert_eq!(start(&due).as_deref(), Some("2026-03-01T00:10:00Z"));
    assert_eq!(due.again, Some(Duration::from_mins(10)));
    let job = due.start.expect("a start").job;
    assert_eq!(job.metadata.name.as_deref(), Some("tick-29538730"));
    let annotations = job.metadata.annotations.expect("annotations");
    assert_eq!(
        annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"],
        "2026-03-01T00:10:00Z"
    );
    assert_eq!(job.metadata.labels.expect("labels")["a"], "b");
}

#[test]
fn a_start_happens_once() {
    let tick = cron_job(json!({}), &json!({"lastScheduleTime": "2026-03-01T00:10:00Z"}));
    assert_eq!(start(&planned(&tick, &[], "2026-03-01T00:19:59Z")), None);
    assert!(start(&planned(&tick, &[], "2026-03-01T00:20:00Z")).is_some());
}

#[test]
fn only_the_last_of_missed_starts_is_made_up_for() {
    let tick = cron_job(json!({}), &json!({"lastScheduleTime": "2026-03-01T00:10:00Z"}));
    let few = planned(&tick, &[], "2026-03-01T05:03:00Z");
    assert_eq!(start(&few).as_deref(), Some("2026-03-01T05:00:00Z"));
    assert!(reasons(&few).is_empty());
    let many = planned(&tick, &[], "2026-03-09T05:03:00Z");
    assert_eq!(start(&many).as_deref(), Some("2026-03-09T05:00:00Z"));
    assert_eq!(reasons(&many), ["TooManyMissedTimes"]);
}

#[test]
fn a_start_that_is_too_late_is_left_out() {
    let tick = cron_job(json!({"startingDeadlineSeconds": 100}), &json!({}));
    assert!(start(&planned(&tick, &[], "2026-03-01T00:11:30Z")).is_some());
    assert_eq!(start(&planned(&tick, &[], "2026-03-01T00:12:00Z")), None);
}

#[test]
fn what_runs_is_waited_for_or_replaced() {
    let running = [job("tick-1", None, CREATED)];
    let at = "2026-03-01T00:10:00Z";
    let with = |policy: &str| {
        let spec = json!({"concurrencyPolicy": policy});
        planned(
            &cron_job(spec, &json!({"active": active("tick-1")})),
            &running,
            at,
        )
    };
    assert!(with("Allow").start.expect("a start").instead_of.is_empty());
    let forbidden = with("Forbid");
    assert_eq!(
        (start(&forbidden), reasons(&forbidden)),
        (None, vec!["JobAlreadyActive"])
    );
    assert_eq!(with("Replace").start.expect("a start").instead_of.len(), 1);
}

#[test]
fn the_status_tells_what_runs_and_what_succeeded() {
    let end = "2026-03-01T00:01:00Z";
    let tick = cron_job(
        json!({}),
        &json!({"active": [{"name": "done", "uid": "done"}, {"name": "lost", "uid": "lost"}]}),
    );
    let plan = planned(
        &tick,
        &[job("done", Some("Complete"), end), job("new", None, end)],
        "2026-03-01T00:02:00Z",
    );
    assert_eq!(reasons(&plan), ["SawCompletedJob", "UnexpectedJob", "MissingJob"]);
    assert_eq!(plan.notes[0].2, "Saw completed job: done, condition: Complete");
    assert_eq!(plan.status.active, None);
    let success = plan.status.last_successful_time.expect("a success").0;
    assert_eq!(success, end.parse::<Timestamp>().expect("a time"));
}

#[test]
fn history_keeps_the_youngest() {
    let time = |minute: usize| format!("2026-03-01T00:0{minute}:00Z");
    let jobs: Vec<Arc<Job>> = (0..4)
        .map(|number| job(&format!("good-{number}"), Some("Complete"), &time(number)))
        .chain((0..2).map(|number| job(&format!("bad-{number}"), Some("Failed"), &time(number))))
        .collect();
    let spec = json!({"successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 0});
    let plan = planned(&cron_job(spec, &json!({})), &jobs, "2026-03-01T00:05:00Z");
    let names: Vec<_> = plan
        .forget
        .iter()
        .filter_map(|job| job.metadata.name.as_deref())
        .collect();
    assert_eq!(names, ["good-0", "good-1", "bad-0", "bad-1"]);
}

#[test]
fn a_suspended_or_impossible_schedule_starts_nothing() {
    let at = "2026-03-01T00:10:00Z";
    let suspended = planned(&cron_job(json!({"suspend": true}), &json!({})), &[], at);
    assert_eq!((start(&suspended), suspended.again), (None, None));
    for (spec, reason) in [
        (json!({"schedule": "0 0 31 2 *"}), "InvalidSchedule"),
        (json!({"schedule": "soon"}), "UnparseableSchedule"),
        (json!({"timeZone": "Mars/Olympus"}), "UnknownTimeZone"),
    ] {
        assert_eq!(reasons(&planned(&cron_job(spec, &json!({})), &[], at)), [reason]);
    }
}

#[test]
fn hours_are_those_of_the_zone() {
    let tick = cron_job(
        json!({"schedule": "0 9 * * *", "timeZone": "Asia/Tokyo"}),
        &json!({}),
    );
    let plan = planned(&tick, &[], "2026-03-02T00:00:00Z");
    let job = plan.start.expect("a start").job;
    let annotations = job.metadata.annotations.expect("annotations");
    assert_eq!(
        annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"],
        "2026-03-02T09:00:00+09:00"
    );
}
