//! How much of a `ResourceQuota` the objects of its namespace use. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaStatus, Service};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use toolforge_model::Quantity;

use crate::pod::Pod;
use crate::pods::is_finished;
use crate::scheduler::resources::{Amounts, Side, add, of_pod};

/// The objects of a namespace, as far as quotas count them.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// Its Pods.
    pub(crate) pods: Vec<Arc<Pod>>,
    /// Its Services.
    pub(crate) services: Vec<Arc<Service>>,
    /// Storage that its volume claims ask for.
    pub(crate) storage: Amounts,
    /// How many objects of each kind there are, by `plural` or `plural.group`.
    pub(crate) objects: BTreeMap<String, usize>,
}

/// The status that `quota` should have.
pub(crate) fn desired_status(quota: &ResourceQuota, counted: &Counted) -> ResourceQuotaStatus {
    let hard = quota
        .spec
        .as_ref()
        .and_then(|spec| spec.hard.clone())
        .unwrap_or_default();
    let pods: Vec<&Arc<Pod>> = counted
        .pods
        .iter()
        .filter(|pod| !is_finished(pod) && in_scope(quota, pod))
        .collect();
    let mut requests = Amounts::new();
    let mut limits = Amounts::new();
    for pod in &pods {
        add(&mut requests, of_pod(pod, Side::Requests).iter());
        add(&mut limits, of_pod(pod, Side::Limits).iter());
    }
    let scoped = quota
        .spec
        .as_ref()
        .is_some_and(|spec| spec.scopes.is_some() || spec.scope_selector.is_some());
    let used = |name: &str| -> Quantity {
        let of = |amounts: &Amounts, resource: &str| amounts.get(resource).copied().unwrap_or_default();
        match name {
            "pods" => number(pods.len()),
            "requests.storage" => of(&counted.storage, "storage"),
            _ if name.starts_with("requests.") => of(&requests, &name["requests.".len()..]),
            _ if name.starts_with("limits.") => of(&limits, &name["limits.".len()..]),
            "cpu" | "memory" | "ephemeral-storage" => of(&requests, name),
            // Scopes select Pods only.
            _ if scoped => Quantity::ZERO,
            "services.nodeports" => number(counted.services.iter().map(|service| node_ports(service)).sum()),
            "services.loadbalancers" => {
                number(counted.services.iter().filter(|one| is_balanced(one)).count())
            }
            _ => number(
                counted
                    .objects
                    .get(name.strip_prefix("count/").unwrap_or(name))
                    .copied()
                    .unwrap_or(0),
            ),
        }
    };
    let used = hard
        .keys()
        .map(|name| (name.clone(), Written(used(name).to_string())))
        .collect();
    ResourceQuotaStatus {
        hard: Some(hard),
        used: Some(used),
    }
}

/// Whether two statuses say the same, however their amounts are written.
pub(crate) fn is_same(one: Option<&ResourceQuotaStatus>, other: &ResourceQuotaStatus) -> bool {
    let amounts = |written: Option<&BTreeMap<String, Written>>| crate::scheduler::resources::parse(written);
    one.is_some_and(|one| {
        amounts(one.used.as_ref()) == amounts(other.used.as_ref())
            && amounts(one.hard.as_ref()) == amounts(other.hard.as_ref())
    })
}

fn in_scope(quota: &ResourceQuota, pod: &Pod) -> bool {
    let Some(spec) = &quota.spec else { return true };
    let plain = spec.scopes.iter().flatten().all(|scope| scope_holds(scope, pod));
    let selected = spec
        .scope_selector
        .iter()
        .flat_map(|selector| selector.match_expressions.iter().flatten());
    plain
        && selected
            .into_iter()
            .all(|one| match (one.scope_name.as_str(), one.operator.as_str()) {
                ("PriorityClass", operator) => {
                    let class = pod.priority_class.as_deref();
                    let listed =
                        class.is_some_and(|class| one.values.iter().flatten().any(|value| value == class));
                    match operator {
                        "In" => listed,
                        "NotIn" => !listed,
                        "Exists" => class.is_some(),
                        _ => class.is_none(),
                    }
                }
                (scope, "DoesNotExist") => !scope_holds(scope, pod),
                (scope, _) => scope_holds(scope, pod),
            })
}

fn scope_holds(scope: &str, pod: &Pod) -> bool {
    let promised = || {
        [Side::Requests, Side::Limits]
            .iter()
            .any(|side| !of_pod(pod, *side).is_empty())
    };
    match scope {
        "Terminating" => pod.is_limited,
        "NotTerminating" => !pod.is_limited,
        "BestEffort" => !promised(),
        "NotBestEffort" => promised(),
        _ => true,
    }
}

fn node_ports(service: &Service) -> usize {
    let Some(spec) = &service.spec else { return 0 };
    if !matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer")) {
        return 0;
    }
    spec.ports.as_ref().map_or(0, Vec::len)
}

fn is_balanced(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("LoadBalancer")
}

fn number(count: usize) -> Quantity {
    Quantity::from_units(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
