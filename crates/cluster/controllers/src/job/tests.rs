//! The plan and the report against a small world, in which the controller may be killed after any of its writes.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::counts::Observed;
use super::facts::{FAILURES, TRACKING, end_of, index_of, is_tracked};
use super::plan::{Action, plan};
use super::pod::desired;
use super::report::report;
use crate::object::Object;
use crate::pod::Pod;
use crate::pods::is_active;

/// How far a round of the controller gets before it is killed.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    Planned,
    Written,
    Released,
}

struct World {
    job: Job,
    /// The Pods as the API has them.
    written: Vec<v1::Pod>,
    /// The same as the controller knows them.
    pods: Vec<Arc<Pod>>,
    now: Timestamp,
    made: usize,
    said: Vec<String>,
}

impl World {
    fn new(spec: Value) -> Self {
        let mut whole = json!({
            "parallelism": 1, "backoffLimit": 6,
            "template": {"spec": {"containers": [{"name": "c"}]}},
        });
        let (Value::Object(whole_map), Value::Object(spec)) = (&mut whole, spec) else {
            panic!("not an object")
        };
        whole_map.extend(spec);
        let job = json!({"metadata": {"name": "work", "namespace": "ns", "uid": "job"}, "spec": whole});
        Self {
            job: serde_json::from_value(job).expect("a job"),
            written: Vec::new(),
            pods: Vec::new(),
            now: Timestamp::from_second(1_000_000).expect("a time"),
            made: 0,
            said: Vec::new(),
        }
    }

    fn observed(&self) -> Observed<'_> {
        Observed {
            job: &self.job,
            spec: self.job.spec.as_ref().expect("a spec"),
            pods: &self.pods,
            now: self.now,
        }
    }

    fn change(&mut self, change: impl Fn(&mut Value)) {
        let mut value = serde_json::to_value(&self.job).expect("json");
        change(&mut value["spec"]);
        self.job = serde_json::from_value(value).expect("a job");
    }

    /// One round; when the controller wants to be called again.
    fn round(&mut self, until: Until) -> Option<Duration> {
        if end_of(&self.job).is_some() {
            return None;
        }
        let (action, again) = plan(self.observed());
        match action {
            Action::Rest => {}
            Action::Create(new) => {
                for new in new {
                    let mut pod = desired(&self.job, &new);
                    pod.metadata.name = Some(format!("work-{}", self.made));
                    pod.metadata.uid = Some(format!("uid-{}", self.made));
                    pod.metadata.creation_timestamp = Some(Time(self.now));
                    self.made += 1;
                    self.pods.push(Arc::new(Pod::from(&pod)));
                    self.written.push(pod);
                }
            }
            Action::Remove(pods) => pods.iter().for_each(|pod| {
                self.edit(pod, |pod| {
                    pod.metadata.finalizers = None;
                    pod.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
                });
            }),
            Action::End(pods) => pods.iter().for_each(|pod| {
                self.edit(pod, |pod| {
                    pod.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
                });
            }),
        }
        if until == Until::Planned {
            return again;
        }
        let report = report(self.observed());
        self.job.status = Some(report.status);
        self.said.extend(report.notes.into_iter().map(|note| note.reason));
        if until == Until::Released {
            report
                .release
                .iter()
                .for_each(|pod| self.edit(pod, |pod| pod.metadata.finalizers = None));
        }
        again
    }

    fn settle(&mut self) -> Option<Duration> {
        let mut again = None;
        for _ in 0..6 {
            again = self.round(Until::Released);
        }
        again
    }

    fn edit(&mut self, wanted: &Arc<Pod>, change: impl Fn(&mut v1::Pod)) {
        for (written, pod) in self.written.iter_mut().zip(&mut self.pods) {
            if pod.uid == wanted.uid {
                change(written);
                *pod = Arc::new(Pod::from(&*written));
            }
        }
    }

    /// The node ends the Pods that `which` chooses.
    fn end(&mut self, phase: &str, which: impl Fn(&Pod) -> bool) {
        let chosen: Vec<Arc<Pod>> = self
            .pods
            .iter()
            .filter(|pod| is_active(pod) && which(pod))
            .cloned()
            .collect();
        let code = i32::from(phase == "Failed");
        let ended = json!({"phase": phase, "containerStatuses": [{
            "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code, "finishedAt": self.now.to_string()}},
        }]});
        for pod in chosen {
            self.edit(&pod, |pod| {
                pod.status = serde_json::from_value(ended.clone()).ok();
            });
        }
    }

    /// The node is done with the Pods that are being deleted.
    fn bury(&mut self) {
        self.pods.retain(|pod| !pod.is_dying() || is_tracked(pod));
        let left = |uid: &String| self.pods.iter().any(|pod| pod.uid() == uid);
        self.written
            .retain(|pod| pod.metadata.uid.as_ref().is_some_and(left));
    }

    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn active(&self) -> usize {
        self.pods.iter().filter(|pod| is_active(pod)).count()
    }

    fn status(&self) -> JobStatus {
        self.job.status.clone().unwrap_or_default()
    }

    /// The conditions that hold, with their reasons.
    fn conditions(&self) -> Vec<String> {
        let all = self.status().conditions.unwrap_or_default();
        let holding = all.into_iter().filter(|condition| condition.status == "True");
        holding
            .map(|condition| format!("{}={}", condition.type_, condition.reason.unwrap_or_default()))
            .collect()
    }

    fn message(&self) -> String {
        let last = self.status().conditions.unwrap_or_default().pop();
        last.and_then(|condition| condition.message).unwrap_or_default()
    }
}

fn all(_: &Pod) -> bool {
    true
}

#[test]
fn as_many_pods_run_as_may_and_each_success_is_counted() {
    let mut world = World::new(json!({"completions": 3, "parallelism": 2}));
    world.settle();
    assert_eq!((world.active(), world.status().active), (2, Some(2)));
    world.end("Succeeded", all);
    world.settle();
    assert_eq!((world.active(), world.status().succeeded), (1, Some(2)));
    world.end("Succeeded", all);
    world.settle();
    assert_eq!(world.status().succeeded, Some(3));
    assert_eq!(
        world.conditions(),
        [
            "SuccessCriteriaMet=CompletionsReached",
            "Complete=CompletionsReached"
        ]
    );
    assert_eq!(world.status().completion_time, Some(Time(world.now)));
    assert_eq!(world.said, ["Completed"]);
}

#[test]
fn a_pod_is_counted_once_wherever_the_controller_is_killed() {
    let stops = [Until::Planned, Until::Written, Until::Released];
    for first in stops {
        for second in stops {
            let mut world = World::new(json!({"completions": 4, "parallelism": 4, "backoffLimit": 9}));
            world.settle();
            world.end("Succeeded", |pod| &*pod.name < "work-2");
            world.round(first);
            world.end("Failed", all);
            world.round(second);
            world.settle();
            let status = world.status();
            assert_eq!((status.succeeded, status.failed), (Some(2), Some(2)));
            assert!(world.pods.iter().all(|pod| !is_tracked(pod) || is_active(pod)));
            let noted = status.uncounted_terminated_pods.expect("always there");
            assert!(noted.failed.is_none() && noted.succeeded.is_none());
        }
    }
}

#[test]
fn failures_pause_twice_as_long_each_time_and_then_fail_the_job() {
    let mut world = World::new(json!({"completions": 1, "backoffLimit": 2}));
    for seconds in [10, 20] {
        world.settle();
        world.end("Failed", all);
        assert_eq!(world.settle(), Some(Duration::from_secs(seconds)));
        assert_eq!(world.active(), 0);
        world.wait(i64::try_from(seconds).expect("small"));
    }
    world.settle();
    assert_eq!(world.active(), 1);
    world.end("Failed", all);
    world.settle();
    assert_eq!(
        world.conditions(),
        [
            "FailureTarget=BackoffLimitExceeded",
            "Failed=BackoffLimitExceeded"
        ]
    );
    assert_eq!(world.message(), "Job has reached the specified backoff limit");
    assert_eq!(
        (world.status().failed, world.said.as_slice()),
        (Some(3), &["BackoffLimitExceeded".to_owned()][..])
    );
}

#[test]
fn a_failed_job_waits_for_its_last_pods_and_counts_them_as_failed() {
    let mut world = World::new(json!({"completions": 3, "parallelism": 3, "backoffLimit": 0}));
    world.settle();
    world.end("Failed", |pod| &*pod.name == "work-0");
    world.settle();
    assert_eq!(world.conditions(), ["FailureTarget=BackoffLimitExceeded"]);
    assert_eq!(
        (world.status().terminating, world.status().failed),
        (Some(2), Some(3))
    );
    world.bury();
    world.settle();
    assert_eq!(world.conditions()[1], "Failed=BackoffLimitExceeded");
}

#[test]
fn a_restart_in_place_counts_towards_the_limit() {
    let mut world = World::new(json!({"completions": 1, "backoffLimit": 1, "template": {"spec": {
        "restartPolicy": "OnFailure", "containers": [{"name": "c"}],
    }}}));
    world.settle();
    let pod = Arc::clone(&world.pods[0]);
    let status = json!({"phase": "Running", "containerStatuses": [
        {"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 1},
    ]});
    world.edit(&pod, |pod| {
        pod.status = serde_json::from_value(status.clone()).ok();
    });
    world.settle();
    assert_eq!(world.conditions(), ["FailureTarget=BackoffLimitExceeded"]);
}

#[test]
fn a_job_without_completions_ends_with_its_first_success() {
    let mut world = World::new(json!({"parallelism": 3}));
    world.settle();
    assert_eq!(world.active(), 3);
    world.end("Succeeded", |pod| &*pod.name == "work-1");
    world.settle();
    assert_eq!(world.active(), 2);
    assert!(world.conditions().is_empty());
    world.end("Failed", all);
    world.settle();
    assert_eq!(world.conditions()[1], "Complete=CompletionsReached");
}

#[test]
fn indexes_are_given_out_and_written_down() {
    let mut world = World::new(json!({"completions": 4, "parallelism": 3, "completionMode": "Indexed"}));
    world.settle();
    assert_eq!(
        world
            .pods
            .iter()
            .filter_map(|pod| index_of(pod))
            .collect::<Vec<_>>(),
        [0, 1, 2]
    );
    let spec = world.written[2].spec.clone().expect("a spec");
    assert_eq!(spec.hostname.as_deref(), Some("work-2"));
    assert_eq!(
        spec.containers[0].env.as_ref().expect("env")[0].name,
        "JOB_COMPLETION_INDEX"
    );
    world.end("Succeeded", |pod| index_of(pod) != Some(1));
    world.end("Failed", all);
    world.settle();
    let status = world.status();
    assert_eq!(
        (status.completed_indexes.as_deref(), status.succeeded),
        (Some("0,2"), Some(2))
    );
    world.wait(10);
    world.settle();
    world.end("Succeeded", all);
    world.settle();
    assert_eq!(world.status().completed_indexes.as_deref(), Some("0-3"));
    assert_eq!(world.conditions()[1], "Complete=CompletionsReached");
}

#[test]
fn each_index_fails_by_itself() {
    let mut world = World::new(json!({
        "completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 1,
        "backoffLimit": i32::MAX,
    }));
    world.settle();
    world.end("Failed", |pod| index_of(pod) == Some(1));
    assert_eq!(world.settle(), Some(Duration::from_secs(10)));
    assert_eq!(world.status().failed_indexes.as_deref(), Some(""));
    world.wait(10);
    world.settle();
    let again = world.written.last().expect("a pod").metadata.annotations.clone();
    assert_eq!(again.expect("annotations")[FAILURES], "1");
    world.end("Failed", |pod| index_of(pod) == Some(1));
    world.end("Succeeded", |pod| index_of(pod) == Some(0));
    world.settle();
    let status = world.status();
    assert_eq!(
        (status.failed_indexes.as_deref(), status.failed),
        (Some("1"), Some(2))
    );
    assert!(world.conditions().is_empty());
    world.end("Succeeded", all);
    world.settle();
    assert_eq!(
        world.conditions(),
        ["FailureTarget=FailedIndexes", "Failed=FailedIndexes"]
    );
    assert_eq!(world.status().completed_indexes.as_deref(), Some("0,2"));
}

#[test]
fn too_many_failed_indexes_end_the_job() {
    let mut world = World::new(json!({
        "completions": 5, "parallelism": 5, "completionMode": "Indexed", "backoffLimitPerIndex": 0,
        "maxFailedIndexes": 1, "backoffLimit": i32::MAX,
    }));
    world.settle();
    world.end("Failed", |pod| index_of(pod) < Some(2));
    world.settle();
    assert_eq!(world.conditions(), ["FailureTarget=MaxFailedIndexesExceeded"]);
    assert_eq!(world.active(), 0);
    assert_eq!(world.status().failed_indexes.as_deref(), Some("0-1"));
}

#[test]
fn the_failure_policy_decides_what_a_failure_means() {
    let rule = |action: &str| {
        let codes = json!({"operator": "In", "values": [1]});
        json!({"completions": 2, "parallelism": 2, "podFailurePolicy": {"rules": [{"action": action, "onExitCodes": codes}]}})
    };
    let mut world = World::new(rule("Ignore"));
    world.settle();
    world.end("Failed", all);
    world.settle();
    assert_eq!((world.status().failed, world.conditions().len()), (None, 0));

    let mut world = World::new(rule("FailJob"));
    world.settle();
    world.end("Failed", |pod| &*pod.name == "work-0");
    world.settle();
    world.bury();
    world.settle();
    assert_eq!(
        world.conditions(),
        ["FailureTarget=PodFailurePolicy", "Failed=PodFailurePolicy"]
    );
    assert_eq!(
        world.message(),
        "Container c for pod ns/work-0 failed with exit code 1 matching FailJob rule at index 0"
    );
}

#[test]
fn a_disrupted_pod_may_be_ignored() {
    let mut world = World::new(
        json!({"completions": 1, "backoffLimit": 0, "podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
        ]}}),
    );
    world.settle();
    let pod = Arc::clone(&world.pods[0]);
    let status = json!({"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True"}]});
    world.edit(&pod, |pod| {
        pod.status = serde_json::from_value(status.clone()).ok();
    });
    world.settle();
    world.wait(10);
    world.settle();
    assert_eq!((world.active(), world.status().failed), (1, None));
}

#[test]
fn the_success_policy_ends_the_job_early() {
    let mut world = World::new(json!({
        "completions": 4, "parallelism": 4, "completionMode": "Indexed",
        "successPolicy": {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]},
    }));
    world.settle();
    world.end("Succeeded", |pod| index_of(pod) == Some(0));
    world.settle();
    assert_eq!(world.conditions(), ["SuccessCriteriaMet=SuccessPolicy"]);
    world.bury();
    world.settle();
    assert_eq!(world.conditions()[1], "Complete=SuccessPolicy");
    assert_eq!(world.message(), "Matched rules at index 0");
    assert_eq!(world.status().completed_indexes.as_deref(), Some("0"));
}

#[test]
fn a_suspended_job_has_no_pods_and_its_clock_stands() {
    let mut world =
        World::new(json!({"completions": 2, "parallelism": 2, "suspend": true, "activeDeadlineSeconds": 30}));
    world.settle();
    assert_eq!((world.active(), world.status().start_time), (0, None));
    assert_eq!(world.conditions(), ["Suspended=JobSuspended"]);
    world.change(|spec| spec["suspend"] = json!(false));
    world.settle();
    assert_eq!(
        (world.active(), world.status().start_time),
        (2, Some(Time(world.now)))
    );
    world.change(|spec| spec["suspend"] = json!(true));
    world.settle();
    world.bury();
    assert_eq!((world.pods.len(), world.status().failed), (0, None));
    world.wait(100);
    world.change(|spec| spec["suspend"] = json!(false));
    world.settle();
    assert_eq!(world.active(), 2);
    assert_eq!(world.said, ["Suspended", "Resumed", "Suspended", "Resumed"]);
    world.wait(30);
    world.settle();
    assert_eq!(world.conditions(), ["FailureTarget=DeadlineExceeded"]);
}

#[test]
fn fewer_pods_may_be_wanted_while_they_run() {
    let mut world = World::new(json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"}));
    world.settle();
    world.change(|spec| (spec["completions"], spec["parallelism"]) = (json!(1), json!(1)));
    world.settle();
    world.bury();
    assert_eq!(
        world
            .pods
            .iter()
            .filter_map(|pod| index_of(pod))
            .collect::<Vec<_>>(),
        [0]
    );
    assert_eq!(world.status().failed, None);
    world.end("Succeeded", all);
    world.settle();
    assert_eq!(world.conditions()[1], "Complete=CompletionsReached");
}

#[test]
fn a_deleted_pod_is_replaced_at_once_or_when_it_has_ended() {
    for (policy, active) in [("TerminatingOrFailed", 1), ("Failed", 0)] {
        let mut world = World::new(json!({"completions": 1, "podReplacementPolicy": policy}));
        world.settle();
        let pod = Arc::clone(&world.pods[0]);
        world.edit(&pod, |pod| {
            pod.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        });
        world.settle();
        world.wait(10);
        world.settle();
        assert_eq!(
            (world.active(), world.status().terminating),
            (active, Some(1)),
            "{policy}"
        );
    }
}

#[test]
fn every_pod_carries_the_finalizer_until_it_is_counted() {
    let mut world = World::new(json!({"completions": 1}));
    world.settle();
    assert_eq!(
        world.written[0].metadata.finalizers,
        Some(vec![TRACKING.to_owned()])
    );
    world.end("Succeeded", all);
    world.round(Until::Written);
    assert!(is_tracked(&world.pods[0]));
    assert_eq!(world.status().succeeded, None);
    world.settle();
    assert!(!is_tracked(&world.pods[0]));
}
