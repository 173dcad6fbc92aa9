//! Tables of what makes Pods.

use jiff::Timestamp;
use serde_json::Value;

use super::age::{human, seconds_between, since};
use super::text::{NONE, containers, or_none, selector};
use super::{AGE, Column, NAME, age, name};
use crate::value::{Read as _, int_at, list_at, text_at};

const CONTAINERS: Column = Column::text("Containers", "Names of the containers.").wide();
const IMAGES: Column = Column::text("Images", "Images of the containers.").wide();
const SELECTOR: Column = Column::text("Selector", "Which Pods belong to it.").wide();

pub(super) const DEPLOYMENT: &[Column] = &[
    NAME,
    Column::text("Ready", "Ready Pods of those that are wanted."),
    Column::number("Up-to-date", "Pods that are made from the present template."),
    Column::number("Available", "Pods that have been ready for long enough."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let [names, images] = containers(spec);
    vec![
        name(object),
        ready_of_wanted(object),
        status(object, "updatedReplicas"),
        status(object, "availableReplicas"),
        age(object, now),
        names,
        images,
        selector(spec.get("selector")),
    ]
}

pub(super) const SCALE: &[Column] = &[
    NAME,
    Column::number("Desired", "Pods that are wanted."),
    Column::number("Available", "Pods that there are."),
    AGE,
];

pub(super) fn scale(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        int_at(object, &["spec", "replicas"]).unwrap_or(0).into(),
        status(object, "replicas"),
        age(object, now),
    ]
}

pub(super) const REPLICA_SET: &[Column] = &[
    NAME,
    Column::number("Desired", "Pods that are wanted."),
    Column::number("Current", "Pods that there are."),
    Column::number("Ready", "Pods that are ready."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn replica_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let [names, images] = containers(spec);
    vec![
        name(object),
        int_at(spec, &["replicas"]).unwrap_or(0).into(),
        status(object, "replicas"),
        status(object, "readyReplicas"),
        age(object, now),
        names,
        images,
        selector(spec.get("selector")),
    ]
}

pub(super) const STATEFUL_SET: &[Column] = &[
    NAME,
    Column::text("Ready", "Ready Pods of those that are wanted."),
    AGE,
    CONTAINERS,
    IMAGES,
];

pub(super) fn stateful_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(&object["spec"]);
    vec![
        name(object),
        ready_of_wanted(object),
        age(object, now),
        names,
        images,
    ]
}

pub(super) const REVISION: &[Column] = &[
    NAME,
    Column::text("Controller", "Whose revision it is."),
    Column::number("Revision", "Number of the revision."),
    AGE,
];

pub(super) fn revision(object: &Value, now: Timestamp) -> Vec<Value> {
    let owners = list_at(object, &["metadata", "ownerReferences"]);
    let owner = owners.iter().find(|owner| owner.flag("controller")).map(|owner| {
        let kind = owner.text("kind").to_lowercase();
        match owner.text("apiVersion").split_once('/') {
            Some((group, _)) => format!("{kind}.{group}/{}", owner.text("name")),
            None => format!("{kind}/{}", owner.text("name")),
        }
    });
    let number = object.int("revision").unwrap_or(0);
    vec![
        name(object),
        or_none(&owner.unwrap_or_default()),
        number.into(),
        age(object, now),
    ]
}

pub(super) const JOB: &[Column] = &[
    NAME,
    Column::text("Status", "How the Job is, in one word."),
    Column::text("Completions", "Pods that have succeeded of those that have to."),
    Column::text("Duration", "Time that it has run."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let [names, images] = containers(spec);
    vec![
        name(object),
        job_status(object).into(),
        completions(object).into(),
        duration(object, now).into(),
        age(object, now),
        names,
        images,
        selector(spec.get("selector")),
    ]
}

fn job_status(object: &Value) -> &'static str {
    let is = |kind: &str| {
        list_at(object, &["status", "conditions"])
            .iter()
            .any(|condition| condition.text("type") == kind && condition.text("status") == "True")
    };
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if object.at(&["metadata", "deletionTimestamp"]).is_some() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(object: &Value) -> String {
    let succeeded = int_at(object, &["status", "succeeded"]).unwrap_or(0);
    match int_at(object, &["spec", "completions"]) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None => match int_at(object, &["spec", "parallelism"]).unwrap_or(0) {
            parallel if parallel > 1 => format!("{succeeded}/1 of {parallel}"),
            _ => format!("{succeeded}/1"),
        },
    }
}

fn duration(object: &Value, now: Timestamp) -> String {
    let moment = |key: &str| text_at(object, &["status", key]).parse::<Timestamp>().ok();
    match moment("startTime") {
        Some(start) => human(seconds_between(start, moment("completionTime").unwrap_or(now))),
        None => String::new(),
    }
}

pub(super) const CRON_JOB: &[Column] = &[
    NAME,
    Column::text("Schedule", "When Jobs are started."),
    Column::text("Timezone", "Time zone of the schedule."),
    Column::text("Suspend", "Whether it rests."),
    Column::number("Active", "Jobs that run now."),
    Column::text("Last Schedule", "Time since a Job was last started."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn cron_job(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let job = spec.at(&["jobTemplate", "spec"]).unwrap_or(&Value::Null);
    let [names, images] = containers(job);
    let suspend = match spec.get("suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let last = text_at(object, &["status", "lastScheduleTime"]);
    vec![
        name(object),
        spec.text("schedule").into(),
        or_none(spec.text("timeZone")),
        suspend.into(),
        list_at(object, &["status", "active"]).len().into(),
        if last.is_empty() {
            NONE.into()
        } else {
            since(last, now).into()
        },
        age(object, now),
        names,
        images,
        selector(job.get("selector")),
    ]
}

fn ready_of_wanted(object: &Value) -> Value {
    let ready = int_at(object, &["status", "readyReplicas"]).unwrap_or(0);
    format!("{ready}/{}", int_at(object, &["spec", "replicas"]).unwrap_or(0)).into()
}

fn status(object: &Value, key: &str) -> Value {
    int_at(object, &["status", key]).unwrap_or(0).into()
}
