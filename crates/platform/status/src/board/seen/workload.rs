//! What makes Pods: Deployments and their like, Jobs and their schedules.

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    batch::v1::{CronJob, Job},
};
use serde::Serialize;
use toolforge_standing::is_refusal;

use super::Meta;

/// Which kind of object makes the Pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum WorkloadKind {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    CronJob,
    Job,
}

impl WorkloadKind {
    /// As Kubernetes writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::CronJob => "CronJob",
            Self::Job => "Job",
        }
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkloadSeen {
    #[serde(flatten)]
    pub(crate) meta: Meta,
    pub(crate) kind: WorkloadKind,
    /// Pods, or completions, that there should be; active ones, of a schedule.
    pub(crate) wanted: i32,
    pub(crate) ready: i32,
    /// The schedule, whether it is suspended, how a Job ended.
    pub(crate) detail: String,
    /// When a schedule last ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_run: Option<Timestamp>,
    /// Why Pods cannot be made, in the words of the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<String>,
}

impl WorkloadSeen {
    fn of(kind: WorkloadKind, meta: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> Self {
        Self {
            meta: Meta::from(meta),
            kind,
            wanted: 0,
            ready: 0,
            detail: String::new(),
            last_run: None,
            refusal: None,
        }
    }
}

/// Type, status and message of a condition.
type Said = (Option<String>, Option<String>, Option<String>);

/// Why the API refuses the Pods, if it does.
fn refusal(mut conditions: impl Iterator<Item = Said>) -> Option<String> {
    let (_, _, message) =
        conditions.find(|(kind, status, _)| is_refusal(kind.as_deref(), status.as_deref()))?;
    message
}

impl From<Deployment> for WorkloadSeen {
    fn from(deployment: Deployment) -> Self {
        let status = deployment.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default().into_iter();
        let refusal = refusal(conditions.map(|said| (said.type_, said.status, said.message)));
        Self {
            wanted: deployment.spec.replicas.unwrap_or(1),
            ready: status.available_replicas.unwrap_or(0),
            refusal,
            ..Self::of(WorkloadKind::Deployment, deployment.metadata)
        }
    }
}

impl From<ReplicaSet> for WorkloadSeen {
    fn from(set: ReplicaSet) -> Self {
        let status = set.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default().into_iter();
        let refusal = refusal(conditions.map(|said| (said.type_, said.status, said.message)));
        Self {
            wanted: set.spec.replicas.unwrap_or(1),
            ready: status.ready_replicas.unwrap_or(0),
            refusal,
            ..Self::of(WorkloadKind::ReplicaSet, set.metadata)
        }
    }
}

impl From<StatefulSet> for WorkloadSeen {
    fn from(set: StatefulSet) -> Self {
        Self {
            wanted: set.spec.replicas.unwrap_or(1),
            ready: set.status.and_then(|status| status.ready_replicas).unwrap_or(0),
            ..Self::of(WorkloadKind::StatefulSet, set.metadata)
        }
    }
}

impl From<DaemonSet> for WorkloadSeen {
    fn from(set: DaemonSet) -> Self {
        let status = set.status.unwrap_or_default();
        Self {
            wanted: status.desired_number_scheduled,
            ready: status.number_ready,
            ..Self::of(WorkloadKind::DaemonSet, set.metadata)
        }
    }
}

impl From<Job> for WorkloadSeen {
    fn from(job: Job) -> Self {
        let spec = job.spec.unwrap_or_default();
        let status = job.status.unwrap_or_default();
        let ended = status
            .conditions
            .unwrap_or_default()
            .into_iter()
            .find(|condition| {
                matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
            });
        let detail = match ended {
            Some(ended) => match ended.message {
                Some(message) if ended.type_ == "Failed" => format!("Failed: {message}"),
                _ => ended.type_,
            },
            None if spec.suspend == Some(true) => "Suspended".to_owned(),
            None => format!("{} running", status.active.unwrap_or(0)),
        };
        Self {
            wanted: spec.completions.unwrap_or(1),
            ready: status.succeeded.unwrap_or(0),
            detail,
            ..Self::of(WorkloadKind::Job, job.metadata)
        }
    }
}

impl From<CronJob> for WorkloadSeen {
    fn from(job: CronJob) -> Self {
        let spec = job.spec;
        let status = job.status.unwrap_or_default();
        let active = i32::try_from(status.active.map_or(0, |active| active.len())).unwrap_or(i32::MAX);
        let suspended = if spec.suspend == Some(true) {
            ", suspended"
        } else {
            ""
        };
        Self {
            wanted: active,
            ready: active,
            detail: format!("{}{suspended}", spec.schedule),
            last_run: status.last_schedule_time.map(|time| time.0),
            ..Self::of(WorkloadKind::CronJob, job.metadata)
        }
    }
}
