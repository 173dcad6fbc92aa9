//! The metrics of an autoscaler: what each asks for, or why it asks for nothing. Pure.

use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricStatus, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus,
    ResourceMetricStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use toolforge_model::Quantity;

use super::proposal::{Measured, Proposal, Target, Wanted, propose};

/// What one metric says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// How many replicas it asks for.
    pub(crate) replicas: i64,
    /// Its name in sentences.
    pub(crate) name: String,
    /// Its figures.
    pub(crate) status: MetricStatus,
}

/// Why a metric says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Silent {
    /// The reason of the condition and the event.
    pub(crate) reason: &'static str,
    /// The sentence.
    pub(crate) why: String,
}

/// Whether a metric is about what Pods use, and so needs figures.
pub(crate) fn needs_figures(metric: &MetricSpec) -> bool {
    matches!(metric.type_.as_str(), "Resource" | "ContainerResource")
}

/// What a metric says; `measured` may be the reason why nothing is known of the Pods.
pub(crate) fn evaluate(metric: &MetricSpec, measured: &Result<Measured<'_>, String>) -> Result<Said, Silent> {
    match metric.type_.as_str() {
        "Resource" => resource(metric, measured),
        "ContainerResource" => container(metric, measured),
        "Pods" => {
            let name = metric.pods.as_ref().map_or("", |pods| &pods.metric.name);
            Err(nobody_tells("FailedGetPodsMetric", name, CUSTOM))
        }
        "Object" => {
            let name = metric.object.as_ref().map_or("", |object| &object.metric.name);
            Err(nobody_tells("FailedGetObjectMetric", name, CUSTOM))
        }
        "External" => {
            let name = metric
                .external
                .as_ref()
                .map_or("", |external| &external.metric.name);
            Err(nobody_tells("FailedGetExternalMetric", name, EXTERNAL))
        }
        other => Err(Silent {
            reason: "InvalidMetricSourceType",
            why: format!("unknown metric source type {other:?}"),
        }),
    }
}

/// The APIs of metrics that Kubernetes does not have without an adapter, and that nobody is asked for here.
const CUSTOM: (&str, &str) = ("custom metrics API", "custom.metrics.k8s.io");
/// See [`CUSTOM`].
const EXTERNAL: (&str, &str) = ("external metrics API", "external.metrics.k8s.io");

fn nobody_tells(reason: &'static str, metric: &str, (api, group): (&str, &str)) -> Silent {
    Silent {
        reason,
        why: format!(
            "unable to get metric {metric}: unable to fetch metrics from {api}: no {api} ({group}) is known to this \
             cluster, use a metric of type Resource or ContainerResource"
        ),
    }
}

fn resource(metric: &MetricSpec, measured: &Result<Measured<'_>, String>) -> Result<Said, Silent> {
    let silent = |why| Silent {
        reason: "FailedGetResourceMetric",
        why,
    };
    let of = metric.resource.as_ref();
    let of = of.ok_or_else(|| silent("the metric names no resource".to_owned()))?;
    let (proposal, share) = compute(&of.name, None, &of.target, measured).map_err(silent)?;
    let status = MetricStatus {
        type_: metric.type_.clone(),
        resource: Some(ResourceMetricStatus {
            name: of.name.clone(),
            current: current(&proposal),
        }),
        ..MetricStatus::default()
    };
    Ok(Said {
        replicas: proposal.replicas,
        name: format!("{} resource{share}", of.name),
        status,
    })
}

fn container(metric: &MetricSpec, measured: &Result<Measured<'_>, String>) -> Result<Said, Silent> {
    let silent = |why| Silent {
        reason: "FailedGetContainerResourceMetric",
        why,
    };
    let of = metric.container_resource.as_ref();
    let of = of.ok_or_else(|| silent("the metric names no resource".to_owned()))?;
    let (proposal, share) = compute(&of.name, Some(&of.container), &of.target, measured).map_err(silent)?;
    let status = MetricStatus {
        type_: metric.type_.clone(),
        container_resource: Some(ContainerResourceMetricStatus {
            name: of.name.clone(),
            container: of.container.clone(),
            current: current(&proposal),
        }),
        ..MetricStatus::default()
    };
    Ok(Said {
        replicas: proposal.replicas,
        name: format!("{} container resource{share}", of.name),
        status,
    })
}

/// The proposal of a resource, and how its name ends.
fn compute(
    resource: &str,
    container: Option<&str>,
    target: &MetricTarget,
    measured: &Result<Measured<'_>, String>,
) -> Result<(Proposal, &'static str), String> {
    let (target, what, share) = match (&target.average_value, target.average_utilization) {
        (Some(amount), _) => (Target::Each(millis(amount)?), "usage", ""),
        (None, Some(percent)) => (
            Target::Percent(percent.into()),
            "utilization",
            " utilization (percentage of request)",
        ),
        (None, None) => {
            let why = "invalid resource metric source: neither an average utilization target nor an average value \
                       (usage) target was set";
            return Err(why.to_owned());
        }
    };
    let wanted = Wanted {
        resource,
        container,
        target,
    };
    let measured = measured.as_ref().map_err(|why| {
        format!("failed to get {resource} {what}: unable to get metrics for resource {resource}: {why}")
    })?;
    let proposal = propose(wanted, *measured);
    let proposal = proposal.map_err(|why| format!("failed to get {resource} {what}: {why}"))?;
    Ok((proposal, share))
}

fn millis(amount: &Written) -> Result<i64, String> {
    let read: Quantity = amount
        .0
        .parse()
        .map_err(|_| format!("{:?} is no quantity", amount.0))?;
    Ok(i64::try_from(read.millis()).unwrap_or(i64::MAX))
}

fn current(proposal: &Proposal) -> MetricValueStatus {
    MetricValueStatus {
        average_utilization: proposal
            .percent
            .map(|percent| i32::try_from(percent).unwrap_or(i32::MAX)),
        average_value: Some(Written(Quantity::from_millis(proposal.average).to_string())),
        value: None,
    }
}
