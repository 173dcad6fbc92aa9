//! The Job of one start of a `CronJob`. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::ObjectMeta;

use crate::owner::controlled_by;

/// The annotation with the time that a Job was due at.
const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// The name of the Job of that start: the same for every attempt, so that none is made twice.
pub(crate) fn name(cron_job: &CronJob, start: Timestamp) -> String {
    let name = cron_job.metadata.name.as_deref().unwrap_or_default();
    format!("{name}-{}", start.as_second().div_euclid(60))
}

/// The Job of the start at `start`.
pub(crate) fn desired(cron_job: &CronJob, spec: &CronJobSpec, start: Timestamp, zone: &TimeZone) -> Job {
    let template = spec.job_template.metadata.clone().unwrap_or_default();
    let mut annotations = template.annotations.unwrap_or_default();
    annotations.insert(SCHEDULED_AT.to_owned(), written(start, zone));
    Job {
        metadata: ObjectMeta {
            name: Some(name(cron_job, start)),
            namespace: cron_job.metadata.namespace.clone(),
            labels: template.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![controlled_by(cron_job)]),
            ..ObjectMeta::default()
        },
        spec: spec.job_template.spec.clone(),
        status: None,
    }
}

/// The time in the zone, as RFC 3339 has it.
fn written(start: Timestamp, zone: &TimeZone) -> String {
    let local = start.to_zoned(zone.clone());
    if local.offset().seconds() == 0 {
        return start.to_string();
    }
    local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The Job as the status of its `CronJob` names it.
pub(crate) fn reference(job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: Some("batch/v1".to_owned()),
        kind: Some("Job".to_owned()),
        name: job.metadata.name.clone(),
        namespace: job.metadata.namespace.clone(),
        uid: job.metadata.uid.clone(),
        resource_version: job.metadata.resource_version.clone(),
        ..ObjectReference::default()
    }
}
