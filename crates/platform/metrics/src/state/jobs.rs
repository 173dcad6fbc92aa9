//! Jobs and cron jobs.

use k8s_openapi::api::batch::v1::{CronJob, Job};

use super::lines::{Family, Lines, gauge, text};
use super::table::Rendered;

impl Rendered for Job {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_job_info", "A Job."),
        gauge(
            "kube_job_created",
            "When a Job was created, in seconds since 1970.",
        ),
        gauge("kube_job_spec_parallelism", "Pods of a Job at once."),
        gauge(
            "kube_job_spec_completions",
            "Pods of a Job that have to end well.",
        ),
        gauge(
            "kube_job_spec_active_deadline_seconds",
            "How long a Job may take.",
        ),
        gauge("kube_job_status_succeeded", "Pods of a Job that ended well."),
        gauge(
            "kube_job_status_failed",
            "Pods of a Job that failed, and why the Job did.",
        ),
        gauge("kube_job_status_active", "Pods of a Job that run."),
        gauge("kube_job_status_suspended", "Whether a Job is suspended."),
        gauge(
            "kube_job_status_start_time",
            "When a Job began, in seconds since 1970.",
        ),
        gauge(
            "kube_job_status_completion_time",
            "When a Job was done, in seconds since 1970.",
        ),
        gauge("kube_job_complete", "Whether a Job is done."),
        gauge("kube_job_failed", "Whether a Job has failed."),
        gauge("kube_job_owner", "Each owner of a Job."),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("job_name", text(meta.name.as_ref())),
        ]);
        lines.put("kube_job_info", &[], 1);
        lines.time("kube_job_created", meta.creation_timestamp.as_ref());
        lines.owners("kube_job_owner", meta.owner_references.as_ref());
        if let Some(spec) = &self.spec {
            lines.maybe("kube_job_spec_parallelism", spec.parallelism);
            lines.maybe("kube_job_spec_completions", spec.completions);
            lines.maybe(
                "kube_job_spec_active_deadline_seconds",
                spec.active_deadline_seconds,
            );
        }
        let status = self.status.clone().unwrap_or_default();
        lines.put("kube_job_status_succeeded", &[], status.succeeded.unwrap_or(0));
        lines.put("kube_job_status_active", &[], status.active.unwrap_or(0));
        lines.time("kube_job_status_start_time", status.start_time.as_ref());
        lines.time("kube_job_status_completion_time", status.completion_time.as_ref());
        let mut why = "";
        for condition in status.conditions.iter().flatten() {
            let name = match condition.type_.as_str() {
                "Complete" => "kube_job_complete",
                "Failed" => {
                    why = text(condition.reason.as_ref());
                    "kube_job_failed"
                }
                "Suspended" => {
                    let suspended = u8::from(condition.status == "True");
                    lines.put("kube_job_status_suspended", &[], suspended);
                    continue;
                }
                _ => continue,
            };
            lines.condition(name, "condition", &[], &condition.status);
        }
        let failed = status.failed.unwrap_or(0);
        let labels: &[(&str, &str)] = if why.is_empty() { &[] } else { &[("reason", why)] };
        lines.put("kube_job_status_failed", labels, failed);
    }
}

impl Rendered for CronJob {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_cronjob_info", "The schedule of a CronJob."),
        gauge(
            "kube_cronjob_created",
            "When a CronJob was created, in seconds since 1970.",
        ),
        gauge("kube_cronjob_status_active", "Jobs of a CronJob that run."),
        gauge(
            "kube_cronjob_status_last_schedule_time",
            "When a CronJob began a Job the last time, in seconds since 1970.",
        ),
        gauge(
            "kube_cronjob_status_last_successful_time",
            "When a Job of a CronJob ended well the last time, in seconds since 1970.",
        ),
        gauge("kube_cronjob_spec_suspend", "Whether a CronJob is suspended."),
        gauge(
            "kube_cronjob_spec_starting_deadline_seconds",
            "How late a Job of a CronJob may begin.",
        ),
        gauge(
            "kube_cronjob_spec_successful_job_history_limit",
            "Jobs that are kept of those that ended well.",
        ),
        gauge(
            "kube_cronjob_spec_failed_job_history_limit",
            "Jobs that are kept of those that failed.",
        ),
        gauge(
            "kube_cronjob_metadata_resource_version",
            "The version of a CronJob.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("cronjob", text(meta.name.as_ref())),
        ]);
        lines.time("kube_cronjob_created", meta.creation_timestamp.as_ref());
        let version: Option<u64> = text(meta.resource_version.as_ref()).parse().ok();
        lines.maybe("kube_cronjob_metadata_resource_version", version);
        let spec = &self.spec;
        let info = [
            ("schedule", spec.schedule.as_str()),
            ("concurrency_policy", text(spec.concurrency_policy.as_ref())),
            ("timezone", spec.time_zone.as_deref().unwrap_or("local")),
        ];
        lines.put("kube_cronjob_info", &info, 1);
        lines.put(
            "kube_cronjob_spec_suspend",
            &[],
            u8::from(spec.suspend == Some(true)),
        );
        lines.maybe(
            "kube_cronjob_spec_starting_deadline_seconds",
            spec.starting_deadline_seconds,
        );
        let name = "kube_cronjob_spec_successful_job_history_limit";
        lines.maybe(name, spec.successful_jobs_history_limit);
        lines.maybe(
            "kube_cronjob_spec_failed_job_history_limit",
            spec.failed_jobs_history_limit,
        );
        let status = self.status.clone().unwrap_or_default();
        let active = status.active.map_or(0, |active| active.len());
        lines.put("kube_cronjob_status_active", &[], active);
        lines.time(
            "kube_cronjob_status_last_schedule_time",
            status.last_schedule_time.as_ref(),
        );
        lines.time(
            "kube_cronjob_status_last_successful_time",
            status.last_successful_time.as_ref(),
        );
    }
}
