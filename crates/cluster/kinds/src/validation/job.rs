//! Jobs and `CronJobs`.

use serde_json::{Value, json};

use super::path::{Errors, join, not_negative, one_of, optional_one_of, prefixed_path, unchanged};
use super::{job_policies, labels, names, pod};
use crate::FieldError;
use crate::cron::{self, Schedule};
use crate::value::{Read as _, equivalent, remove, text_at};

/// Pods of an indexed Job at one time.
const INDEXED_PARALLELISM: i64 = 100_000;

/// Longest name of who manages a Job, in bytes.
const MANAGER_BYTES: usize = 63;

/// A Job.
pub(super) fn job(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    job_spec(spec, "spec", errors);
    // The selector is made from the uid, which a dry run in a test may not have.
    if !spec.has("selector") && !text_at(object, &["metadata", "uid"]).is_empty() {
        errors.push(FieldError::required("spec.selector", ""));
    }
    let Some(selector) = spec.get("selector") else {
        return;
    };
    labels::selector(selector, "spec.selector", errors);
    let template_labels = spec.at(&["template", "metadata", "labels"]);
    if !labels::selects(selector, template_labels) {
        let detail = "`selector` does not match template `labels`";
        let given = template_labels.cloned().unwrap_or_default();
        errors.push(FieldError::invalid(
            "spec.template.metadata.labels",
            given,
            detail,
        ));
    }
}

/// A Job whose selector is made for it has the labels and the selector that were made, and no others of these names.
fn generated_selector(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let uid = text_at(object, &["metadata", "uid"]);
    let Some(selector) = spec.get("selector").filter(|_| !spec.flag("manualSelector")) else {
        return;
    };
    if uid.is_empty() {
        errors.push(FieldError::required("metadata.uid", ""));
    }
    let name = text_at(object, &["metadata", "name"]);
    let expected = json!({
        "controller-uid": uid,
        "job-name": name,
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
    });
    let template_labels = spec.at(&["template", "metadata", "labels"]);
    for key in [
        "controller-uid",
        "job-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
    ] {
        let detail = format!("must be '{}'", expected.text(key));
        let at = format!("spec.template.metadata.labels[{key}]");
        match template_labels.and_then(|labels| labels.get(key)) {
            None => errors.push(FieldError::required(&at, &detail)),
            Some(value) if value != &expected[key] => {
                let given = template_labels.cloned().unwrap_or_default();
                errors.push(FieldError::invalid(&at, given, &detail));
            }
            Some(_) => {}
        }
    }
    if !labels::selects(selector, Some(&expected)) {
        let detail = "`selector` not auto-generated";
        errors.push(FieldError::invalid("spec.selector", selector.clone(), detail));
    }
}

/// What only a new Job may not have.
pub(super) fn validate_new(object: &Value, errors: &mut Errors) {
    generated_selector(object, errors);
    pod_names(object, errors);
}

/// Pods of an indexed Job have its name and their index as host name.
fn pod_names(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let completions = spec.int("completions").unwrap_or(0);
    if spec.text("completionMode") != "Indexed" || completions < 1 {
        return;
    }
    let name = text_at(object, &["metadata", "name"]);
    let last = format!("{name}-{}", completions - 1);
    if !names::label(&last).is_empty() {
        let detail = format!("will not able to create pod with invalid DNS label: {last}");
        errors.push(FieldError::invalid("metadata.name", name, &detail));
    }
}

fn job_spec(spec: &Value, path: &str, errors: &mut Errors) {
    let numbers = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    not_negative(spec, path, &numbers, errors);
    if let Some(manager) = spec.get("managedBy").and_then(Value::as_str) {
        let at = join(path, "managedBy");
        prefixed_path(&at, manager, errors);
        if manager.len() > MANAGER_BYTES {
            errors.push(FieldError::too_long(&at, MANAGER_BYTES));
        }
    }
    completions(spec, path, errors);
    job_policies::validate(spec, path, errors);
    let template = join(path, "template");
    pod::template(&spec["template"], &template, errors);
    let policy = text_at(spec, &["template", "spec", "restartPolicy"]);
    let at = join(&template, "spec.restartPolicy");
    match policy {
        "Always" => errors.push(FieldError::required(
            &at,
            "valid values: \"OnFailure\", \"Never\"",
        )),
        "OnFailure" if spec.has("podFailurePolicy") => {
            let detail = "only \"Never\" is supported when podFailurePolicy is specified";
            errors.push(FieldError::invalid(&at, policy, detail));
        }
        "OnFailure" | "Never" | "" => {}
        other => errors.push(FieldError::not_supported(&at, other, &["OnFailure", "Never"])),
    }
}

fn completions(spec: &Value, path: &str, errors: &mut Errors) {
    optional_one_of(spec, path, "completionMode", &["NonIndexed", "Indexed"], errors);
    if spec.text("completionMode") != "Indexed" {
        return;
    }
    if !spec.has("completions") {
        let detail = "when completion mode is Indexed";
        errors.push(FieldError::required(&join(path, "completions"), detail));
    }
    if let Some(count) = spec
        .int("parallelism")
        .filter(|count| *count > INDEXED_PARALLELISM)
    {
        let detail =
            format!("must be less than or equal to {INDEXED_PARALLELISM} when completion mode is Indexed");
        errors.push(FieldError::invalid(&join(path, "parallelism"), count, &detail));
    }
}

/// A `CronJob`.
pub(super) fn cron_job(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let schedule = spec.text("schedule");
    if schedule.is_empty() {
        errors.push(FieldError::required("spec.schedule", ""));
    } else if schedule.contains("TZ") {
        let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.push(FieldError::invalid("spec.schedule", schedule, detail));
    } else if let Err(why) = Schedule::parse(schedule) {
        errors.push(FieldError::invalid("spec.schedule", schedule, &why));
    }
    time_zone(spec, errors);
    let numbers = [
        "startingDeadlineSeconds",
        "successfulJobsHistoryLimit",
        "failedJobsHistoryLimit",
    ];
    not_negative(spec, "spec", &numbers, errors);
    one_of(
        spec,
        "spec",
        "concurrencyPolicy",
        &["Allow", "Forbid", "Replace"],
        errors,
    );
    let job = spec.at(&["jobTemplate", "spec"]).unwrap_or(&Value::Null);
    job_spec(job, "spec.jobTemplate.spec", errors);
    if job.flag("manualSelector") {
        let path = "spec.jobTemplate.spec.manualSelector";
        errors.push(FieldError::not_supported(path, true, &["nil", "false"]));
    }
    if job.has("selector") {
        errors.push(FieldError::invalid(
            "spec.jobTemplate.spec.selector",
            job["selector"].clone(),
            "`selector` will be auto-generated",
        ));
    }
}

fn time_zone(spec: &Value, errors: &mut Errors) {
    let Some(zone) = spec.get("timeZone").and_then(Value::as_str) else {
        return;
    };
    let detail = match zone {
        "" => "timeZone must be nil or non-empty string".to_owned(),
        _ if zone.eq_ignore_ascii_case("local") => {
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones".to_owned()
        }
        _ if cron::time_zone(zone).is_none() => format!("unknown time zone {zone}"),
        _ => return,
    };
    errors.push(FieldError::invalid("spec.timeZone", zone, &detail));
}

/// What of a Job stays; a suspended Job that has not started may still change where its Pods go.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    completions_update(old, new, errors);
    unchanged(old, new, &["spec", "selector"], errors);
    template_update(old, new, errors);
    for field in [
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        unchanged(old, new, &["spec", field], errors);
    }
}

/// An indexed Job may grow and shrink, when its Pods do so with it.
fn completions_update(old: &Value, new: &Value, errors: &mut Errors) {
    if text_at(new, &["spec", "completionMode"]) != "Indexed" {
        unchanged(old, new, &["spec", "completions"], errors);
        return;
    }
    let after = new["spec"].int("completions");
    if let Some(after) = after.filter(|after| old["spec"].int("completions") != Some(*after))
        && new["spec"].int("parallelism") != Some(after)
    {
        let detail = "can only be modified in tandem with spec.parallelism";
        errors.push(FieldError::invalid("spec.completions", after, detail));
    }
}

fn template_update(old: &Value, new: &Value, errors: &mut Errors) {
    let waiting = old["spec"].flag("suspend") && !old["status"].has("startTime");
    let (before, after) = (template_of(old, waiting), template_of(new, waiting));
    if !equivalent(before.as_ref(), after.as_ref()) {
        let given = new.at(&["spec", "template"]).cloned().unwrap_or_default();
        errors.push(FieldError::invalid(
            "spec.template",
            given,
            super::path::IMMUTABLE,
        ));
    }
}

/// The template, without what a Job that waits may change: of the affinities only those to nodes.
fn template_of(job: &Value, waiting: bool) -> Option<Value> {
    let mut template = job.at(&["spec", "template"])?.clone();
    if !waiting {
        return Some(template);
    }
    for (part, keys) in [
        ("metadata", &["labels", "annotations"][..]),
        ("spec", &["nodeSelector", "tolerations", "schedulingGates"]),
    ] {
        if let Some(part) = template.get_mut(part) {
            for key in keys {
                remove(part, key);
            }
        }
    }
    if let Some(affinity) = template.pointer_mut("/spec/affinity") {
        remove(affinity, "nodeAffinity");
    }
    Some(template)
}
