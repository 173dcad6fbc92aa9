//! How many replicas one metric asks for: the algorithm that Kubernetes documents. Pure.
//!
//! Source: <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#algorithm-details>.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt as _;
use toolforge_model::Quantity;

use super::figures::Figures;
use super::ratio::{Ratio, Tolerance};
use super::readiness::{Groups, sort};

/// What a resource's use is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Percent of what the Pods ask for.
    Percent(i64),
    /// Thousandths for each Pod.
    Each(i64),
}

/// A resource of Pods, or of one of their containers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Its name.
    pub(crate) resource: &'a str,
    /// The container, where it is about one.
    pub(crate) container: Option<&'a str>,
    /// What its use shall be.
    pub(crate) target: Target,
}

/// What is known of the Pods.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured<'a> {
    /// How many there shall be at the moment.
    pub(crate) replicas: i64,
    /// Those that the workload selects.
    pub(crate) pods: &'a [Arc<Pod>],
    /// What they use.
    pub(crate) figures: &'a Figures,
    /// How far use may be from its target.
    pub(crate) tolerance: Tolerance,
    /// The time.
    pub(crate) now: Timestamp,
}

/// What a metric asks for, and what it is at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    /// How many replicas it asks for.
    pub(crate) replicas: i64,
    /// Percent of what is asked for, where that is the target.
    pub(crate) percent: Option<i64>,
    /// Thousandths for each Pod, on average.
    pub(crate) average: i64,
}

/// How the use of all Pods compares with the target.
struct Comparison {
    ratio: Ratio,
    percent: Option<i64>,
    average: i64,
}

/// Computes a proposal; an error says why there is none.
pub(crate) fn propose(wanted: Wanted<'_>, measured: Measured<'_>) -> Result<Proposal, String> {
    if measured.pods.is_empty() {
        return Err("no pods returned by selector while calculating replica count".to_owned());
    }
    let mut used = use_of(wanted, measured.figures)?;
    let is_cpu = wanted.resource == "cpu";
    let groups = sort(measured.pods, &used, measured.figures, is_cpu, measured.now);
    used.retain(|pod, _| !groups.ignored.contains(pod) && !groups.unready.contains(pod));
    let requests = match wanted.target {
        Target::Percent(_) => requests(wanted, measured.pods)?,
        Target::Each(_) => BTreeMap::new(),
    };
    if used.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
    }
    let first = compare(wanted.target, &used, &requests)?;
    let replicas = if groups.missing.is_empty() && (groups.unready.is_empty() || !first.ratio.is_above()) {
        if measured.tolerance.bears(first.ratio) {
            measured.replicas
        } else {
            first.ratio.of(groups.ready)
        }
    } else {
        with_the_others(wanted.target, measured, groups, &first, used, &requests)?
    };
    Ok(Proposal {
        replicas,
        percent: first.percent,
        average: first.average,
    })
}

/// The same with those Pods whose use is not known, which are supposed to speak against any change.
fn with_the_others(
    target: Target,
    measured: Measured<'_>,
    groups: Groups,
    first: &Comparison,
    mut used: BTreeMap<String, i64>,
    requests: &BTreeMap<String, i64>,
) -> Result<i64, String> {
    for pod in groups.missing {
        if first.ratio.is_below() {
            let amount = match target {
                Target::Percent(percent) => {
                    let request = requests.get(&pod).copied().unwrap_or(0);
                    request.saturating_mul(percent.max(100)) / 100
                }
                Target::Each(amount) => amount,
            };
            used.insert(pod, amount);
        } else if first.ratio.is_above() {
            used.insert(pod, 0);
        }
    }
    if first.ratio.is_above() {
        used.extend(groups.unready.into_iter().map(|pod| (pod, 0)));
    }
    let ratio = compare(target, &used, requests)?.ratio;
    let turns = |a: Ratio, b: Ratio| a.is_below() && b.is_above();
    if measured.tolerance.bears(ratio) || turns(first.ratio, ratio) || turns(ratio, first.ratio) {
        return Ok(measured.replicas);
    }
    let replicas = ratio.of(used.len());
    let wrong_way = (ratio.is_below() && replicas > measured.replicas)
        || (ratio.is_above() && replicas < measured.replicas);
    Ok(if wrong_way { measured.replicas } else { replicas })
}

/// Thousandths by Pod.
fn use_of(wanted: Wanted<'_>, figures: &Figures) -> Result<BTreeMap<String, i64>, String> {
    let mut used = BTreeMap::new();
    for (pod, of) in figures {
        if let Some(container) = wanted.container
            && !of.containers.iter().any(|(name, _)| name == container)
        {
            return Err(format!(
                "container {container} not present in metrics for pod {pod}"
            ));
        }
        if let Some(amount) = of.used(wanted.resource, wanted.container) {
            used.insert(pod.clone(), amount);
        }
    }
    if used.is_empty() {
        return Err("no metrics returned from resource metrics API".to_owned());
    }
    Ok(used)
}

/// What Pods ask for, in thousandths. One that asks for nothing makes percentages meaningless.
fn requests(wanted: Wanted<'_>, pods: &[Arc<Pod>]) -> Result<BTreeMap<String, i64>, String> {
    let mut requests = BTreeMap::new();
    for pod in pods {
        let name = pod.name_any();
        let mut total = 0_i64;
        for container in running(pod) {
            if wanted.container.is_some_and(|wanted| wanted != container.name) {
                continue;
            }
            let request = request(container, wanted.resource).ok_or_else(|| {
                format!(
                    "missing request for {} in container {} of Pod {name}",
                    wanted.resource, container.name
                )
            })?;
            total = total.saturating_add(request);
        }
        requests.insert(name, total);
    }
    Ok(requests)
}

/// The containers that run all the time.
fn running(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.iter();
    spec.flat_map(|spec| {
        let sidecars = spec.init_containers.iter().flatten();
        let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
        spec.containers.iter().chain(sidecars)
    })
}

fn request(container: &Container, resource: &str) -> Option<i64> {
    let requests = container.resources.as_ref()?.requests.as_ref()?;
    let amount: Quantity = requests.get(resource)?.0.parse().ok()?;
    Some(i64::try_from(amount.millis()).unwrap_or(i64::MAX))
}

fn compare(
    target: Target,
    used: &BTreeMap<String, i64>,
    requests: &BTreeMap<String, i64>,
) -> Result<Comparison, String> {
    match target {
        Target::Each(amount) => {
            let average = average(used.values().copied());
            Ok(Comparison {
                ratio: Ratio::new(average, amount),
                percent: None,
                average,
            })
        }
        Target::Percent(wanted) => {
            let known = || {
                used.iter()
                    .filter_map(|(pod, amount)| Some((*amount, *requests.get(pod)?)))
            };
            let asked: i64 = known().map(|(_, request)| request).sum();
            if asked == 0 {
                return Err("no metrics returned matched known pods".to_owned());
            }
            let total: i64 = known().map(|(amount, _)| amount).sum();
            let percent = total.saturating_mul(100) / asked;
            Ok(Comparison {
                ratio: Ratio::new(percent, wanted),
                percent: Some(percent),
                average: average(known().map(|(amount, _)| amount)),
            })
        }
    }
}

fn average(amounts: impl Iterator<Item = i64>) -> i64 {
    let (total, count) = amounts.fold((0_i64, 0_i64), |(total, count), amount| {
        (total.saturating_add(amount), count + 1)
    });
    total / count.max(1)
}
