//! What Pods ask for and what nodes have. Pure; the scheduler and the quota controller count with it.

use std::collections::BTreeMap;
use std::str::FromStr;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use toolforge_model::Quantity;

use crate::pod::{Demands, Pod};
use crate::text::Text;

/// Amounts by the name of the resource: `cpu`, `memory` and others.
pub(crate) type Amounts = BTreeMap<Text, Quantity>;

/// Which side of a container's resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What it is promised.
    Requests,
    /// What it may use at most.
    Limits,
}

/// Adds `more` to `sum`.
pub(crate) fn add<'a>(sum: &mut Amounts, more: impl IntoIterator<Item = (&'a Text, &'a Quantity)>) {
    for (name, amount) in more {
        let present = sum.entry(name.clone()).or_default();
        *present += *amount;
    }
}

/// Takes `less` away from `sum`; what is nothing then is not in it any more.
pub(crate) fn subtract<'a>(sum: &mut Amounts, less: impl IntoIterator<Item = (&'a Text, &'a Quantity)>) {
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
    all.filter_map(|(name, text)| Some((name.as_str().into(), Quantity::from_str(&text.0).ok()?)))
        .collect()
}

/// What a Pod asks for.
pub(crate) fn of_pod(pod: &Pod, side: Side) -> &Demands {
    match side {
        Side::Requests => &pod.requests,
        Side::Limits => &pod.limits,
    }
}

/// What a node offers to Pods.
pub(crate) fn allocatable(node: &Node) -> Amounts {
    let status = node.status.as_ref();
    parse(status.and_then(|status| status.allocatable.as_ref().or(status.capacity.as_ref())))
}
