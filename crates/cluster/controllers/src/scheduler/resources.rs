//! What Pods ask for and what nodes have. Pure; the scheduler and the quota controller count with it.

use std::collections::BTreeMap;
use std::str::FromStr;

use k8s_openapi::api::core::v1::{Container, Node, Pod, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use toolforge_model::Quantity;

/// Amounts by the name of the resource: `cpu`, `memory` and others.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

/// Which side of a container's resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What it is promised.
    Requests,
    /// What it may use at most.
    Limits,
}

/// Adds `more` to `sum`.
pub(crate) fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let present = sum.entry(name.clone()).or_default();
        *present += *amount;
    }
}

/// Takes `less` away from `sum`; what is nothing then is not in it any more.
pub(crate) fn subtract(sum: &mut Amounts, less: &Amounts) {
    for (name, amount) in less {
        if let Some(present) = sum.get_mut(name) {
            *present -= *amount;
            if present.is_zero() {
                sum.remove(name);
            }
        }
    }
}

/// Amounts as the API writes them; what does not parse (the API lets nothing such in) is left out.
pub(crate) fn parse(written: Option<&BTreeMap<String, Written>>) -> Amounts {
    let all = written.into_iter().flatten();
    all.filter_map(|(name, text)| Some((name.clone(), Quantity::from_str(&text.0).ok()?)))
        .collect()
}

/// What a Pod asks for: all its containers together, or more where starting it needs more.
///
/// An init container runs before the others, so that only the largest counts; one that keeps running (a "sidecar")
/// counts beside all that follow.
pub(crate) fn of_pod(pod: &Pod, side: Side) -> Amounts {
    let Some(spec) = &pod.spec else {
        return Amounts::new();
    };
    let mut sum = Amounts::new();
    for container in &spec.containers {
        add(&mut sum, &of_container(container.resources.as_ref(), side));
    }
    let mut sidecars = Amounts::new();
    let mut starting = Amounts::new();
    for container in spec.init_containers.as_deref().unwrap_or_default() {
        let own = of_container(container.resources.as_ref(), side);
        let mut at_once = sidecars.clone();
        add(&mut at_once, &own);
        raise(&mut starting, &at_once);
        if is_sidecar(container) {
            add(&mut sidecars, &own);
        }
    }
    add(&mut sum, &sidecars);
    raise(&mut sum, &starting);
    add(&mut sum, &parse(spec.overhead.as_ref()));
    sum
}

/// What a node offers to Pods.
pub(crate) fn allocatable(node: &Node) -> Amounts {
    let status = node.status.as_ref();
    parse(status.and_then(|status| status.allocatable.as_ref().or(status.capacity.as_ref())))
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn of_container(resources: Option<&ResourceRequirements>, side: Side) -> Amounts {
    let Some(resources) = resources else {
        return Amounts::new();
    };
    let limits = parse(resources.limits.as_ref());
    match side {
        Side::Limits => limits,
        Side::Requests => {
            // What is limited but not requested is requested in full.
            let mut requests = limits;
            requests.extend(parse(resources.requests.as_ref()));
            requests
        }
    }
}

fn raise(sum: &mut Amounts, to: &Amounts) {
    for (name, amount) in to {
        let present = sum.entry(name.clone()).or_default();
        *present = (*present).max(*amount);
    }
}
