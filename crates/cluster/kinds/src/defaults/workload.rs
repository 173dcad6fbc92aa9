//! Defaults of what makes Pods (`pkg/apis/apps/v1/defaults.go`, `pkg/apis/batch/v1/defaults.go`).

use serde_json::{Value, json};

use super::pod::pod_spec;
use crate::value::{Read as _, child, default, default_text, ensure, items};

/// Old `ReplicaSets` that are kept for a rollback.
const REVISION_HISTORY_LIMIT: i64 = 10;
/// Seconds after which a rollout that does not move is said to have failed.
const PROGRESS_DEADLINE_SECONDS: i64 = 600;
/// Failures that a Job bears.
const BACKOFF_LIMIT: i64 = 6;

/// A Deployment.
pub(super) fn deployment(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else {
        return;
    };
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", REVISION_HISTORY_LIMIT);
    default(spec, "progressDeadlineSeconds", PROGRESS_DEADLINE_SECONDS);
    if let Some(strategy) = ensure(spec, "strategy") {
        default_text(strategy, "type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = ensure(strategy, "rollingUpdate")
        {
            default(rolling, "maxUnavailable", "25%");
            default(rolling, "maxSurge", "25%");
        }
    }
    template(spec);
}

/// A `ReplicaSet`.
pub(super) fn replica_set(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else {
        return;
    };
    default(spec, "replicas", 1);
    template(spec);
}

/// A `StatefulSet`.
pub(super) fn stateful_set(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else {
        return;
    };
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", REVISION_HISTORY_LIMIT);
    default_text(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = ensure(spec, "updateStrategy") {
        default_text(strategy, "type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = ensure(strategy, "rollingUpdate")
        {
            default(rolling, "partition", 0);
        }
    }
    if let Some(retention) = ensure(spec, "persistentVolumeClaimRetentionPolicy") {
        default_text(retention, "whenDeleted", "Retain");
        default_text(retention, "whenScaled", "Retain");
    }
    items(spec, "volumeClaimTemplates").for_each(claim_template);
    template(spec);
}

fn claim_template(claim: &mut Value) {
    default(claim, "apiVersion", "v1");
    default(claim, "kind", "PersistentVolumeClaim");
    volume_claim(claim);
    if let Some(status) = ensure(claim, "status") {
        default_text(status, "phase", "Pending");
    }
}

/// A claim for a volume.
pub(super) fn volume_claim(object: &mut Value) {
    if let Some(spec) = child(object, "spec") {
        default(spec, "volumeMode", "Filesystem");
    }
}

/// A Job.
pub(super) fn job(object: &mut Value) {
    let template_labels = object.at(&["spec", "template", "metadata", "labels"]).cloned();
    let Some(spec) = ensure(object, "spec") else {
        return;
    };
    if !spec.has("completions") && !spec.has("parallelism") {
        spec["completions"] = 1.into();
    }
    default(spec, "parallelism", 1);
    let per_index = spec.has("backoffLimitPerIndex");
    default(
        spec,
        "backoffLimit",
        if per_index {
            i64::from(i32::MAX)
        } else {
            BACKOFF_LIMIT
        },
    );
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    let replacement = if spec.has("podFailurePolicy") {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    default(spec, "podReplacementPolicy", replacement);
    template(spec);
    if let (Some(labels), Some(metadata)) = (template_labels, child(object, "metadata")) {
        default(metadata, "labels", labels);
    }
}

/// A `CronJob`; its Jobs get their own defaults when they are made.
pub(super) fn cron_job(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else {
        return;
    };
    default_text(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    if let Some(job) = ensure(spec, "jobTemplate").and_then(|job| ensure(job, "spec")) {
        template(job);
    }
}

/// A template is a structure of its own in Go, and has all its parts even where nothing is said of them.
fn template(spec: &mut Value) {
    if let Some(template) = ensure(spec, "template") {
        default(template, "metadata", json!({}));
        if let Some(pod) = ensure(template, "spec") {
            pod_spec(pod);
        }
    }
}
