//! Jobs and `CronJobs`.

use serde_json::Value;

use super::path::{Errors, join, not_negative, one_of, unchanged};
use super::{job_policies, labels, pod};
use crate::FieldError;
use crate::cron::{self, Schedule};
use crate::value::{Read as _, equivalent, int_at, remove, text_at};

/// Pods of an indexed Job at one time.
const INDEXED_PARALLELISM: i64 = 100_000;

/// A Job.
pub(super) fn job(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    // The selector is made from the uid, which a dry run in a test may not have.
    if !spec.has("selector") && !text_at(object, &["metadata", "uid"]).is_empty() {
        errors.push(FieldError::required("spec.selector", ""));
    }
    if let Some(selector) = spec.get("selector") {
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
    job_spec(spec, "spec", errors);
}

fn job_spec(spec: &Value, path: &str, errors: &mut Errors) {
    let numbers = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "backoffLimitPerIndex",
        "ttlSecondsAfterFinished",
    ];
    not_negative(spec, path, &numbers, errors);
    if spec.has("completionMode") {
        one_of(spec, path, "completionMode", &["Indexed", "NonIndexed"], errors);
    }
    if spec.text("completionMode") == "Indexed" {
        if !spec.has("completions") {
            let detail = "when completion mode is Indexed";
            errors.push(FieldError::required(&join(path, "completions"), detail));
        }
        if let Some(count) = spec
            .int("parallelism")
            .filter(|count| *count > INDEXED_PARALLELISM)
        {
            let detail = format!(
                "must be less than or equal to {INDEXED_PARALLELISM} when completion mode is Indexed"
            );
            errors.push(FieldError::invalid(&join(path, "parallelism"), count, &detail));
        }
    }
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
        "OnFailure" | "Never" | "" => {}
        other => errors.push(FieldError::not_supported(&at, other, &["OnFailure", "Never"])),
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
    for field in [
        "selector",
        "completionMode",
        "podFailurePolicy",
        "successPolicy",
        "backoffLimitPerIndex",
        "managedBy",
    ] {
        unchanged(old, new, &["spec", field], errors);
    }
    let indexed = text_at(new, &["spec", "completionMode"]) == "Indexed";
    let elastic = indexed && int_at(new, &["spec", "completions"]) == int_at(new, &["spec", "parallelism"]);
    if !elastic {
        unchanged(old, new, &["spec", "completions"], errors);
    }
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

/// The template, without what a Job that waits may change.
fn template_of(job: &Value, waiting: bool) -> Option<Value> {
    let mut template = job.at(&["spec", "template"])?.clone();
    if waiting {
        for (part, keys) in [
            ("metadata", &["labels", "annotations"][..]),
            (
                "spec",
                &["nodeSelector", "affinity", "tolerations", "schedulingGates"][..],
            ),
        ] {
            if let Some(part) = template.get_mut(part) {
                for key in keys {
                    remove(part, key);
                }
            }
        }
    }
    Some(template)
}
