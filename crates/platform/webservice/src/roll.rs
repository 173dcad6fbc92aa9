//! How a new version takes over from the one before. Pure.
//!
//! Normally a new Pod serves before an old one goes. Where the quota has no room for one more, old ones must go
//! first; for how long visitors notice that depends on how many there are.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, ResourceQuota};
use serde_json::{Value, json};
use toolforge_model::Quantity;

use crate::scene::is_going;

/// Time for the gateway to hear that a Pod goes, and for requests that are on their way, before its process is
/// told to end, in seconds. Gateways hear of it within milliseconds; clusters whose packets take other ways need
/// about a second.
pub(crate) const DRAIN_SECONDS: u32 = 2;
/// The same where the gateway is on the machine of the Pods: it hears within milliseconds, and the least that can be
/// said is a second.
const DRAIN_SECONDS_NEAR: u32 = 1;

/// How old and new Pods follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roll {
    /// A new one serves before an old one goes.
    SideBySide,
    /// One old Pod goes for each new one.
    OneByOne(Want),
    /// All old Pods go, then the new ones come.
    AllAtOnce(Want),
}

/// What there is not enough of: a key of the quota, what one more Pod needs, what is free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) key: String,
    pub(crate) needed: String,
    pub(crate) free: String,
}

impl std::fmt::Display for Want {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} needed, {} free", self.key, self.needed, self.free)
    }
}

/// How `replicas` Pods with these containers take over from old Pods under these quotas; an error when they would
/// not fit even after those have gone. Old Pods that go already give their part back without being asked, in seconds: for
/// that the new ones wait, and none that serves goes for it.
pub(crate) fn plan(
    quotas: &[ResourceQuota],
    old: &[&Pod],
    containers: &[Container],
    replicas: u16,
) -> Result<Roll, Want> {
    let new = demand(containers);
    let each_old: Vec<_> = old
        .iter()
        .filter_map(|pod| Some((is_going(pod), demand(&pod.spec.as_ref()?.containers))))
        .collect();
    let mut roll = Roll::SideBySide;
    for (key, free) in quotas.iter().flat_map(free) {
        let Some(needed) = new.get(kind(&key)).copied() else {
            continue;
        };
        let of_old = each_old
            .iter()
            .filter_map(|(going, one)| Some((*going, one.get(kind(&key)).copied()?)));
        let all_old: Quantity = of_old.clone().map(|(_, amount)| amount).sum();
        let going: Quantity = of_old
            .clone()
            .filter(|(going, _)| *going)
            .map(|(_, amount)| amount)
            .sum();
        let staying = of_old.filter(|(going, _)| !going).map(|(_, amount)| amount);
        let least_old = staying.min().unwrap_or_default();
        let whole: Quantity = std::iter::repeat_n(needed, usize::from(replicas)).sum();
        let want = |needed: Quantity, free: Quantity| Want {
            key: key.clone(),
            needed: needed.to_string(),
            free: free.to_string(),
        };
        if whole > free + all_old {
            return Err(want(whole, free + all_old));
        }
        let soon = free + going;
        if needed > soon + least_old {
            roll = Roll::AllAtOnce(want(needed, free));
        } else if needed > soon && roll == Roll::SideBySide {
            roll = Roll::OneByOne(want(needed, free));
        }
    }
    Ok(roll)
}

impl Roll {
    /// The Deployment's strategy.
    pub(crate) fn strategy(&self) -> Value {
        let (surge, unavailable) = match self {
            Self::SideBySide => (json!(1), json!(0)),
            Self::OneByOne(_) => (json!(0), json!(1)),
            Self::AllAtOnce(_) => (json!(0), json!("100%")),
        };
        json!({
            "type": "RollingUpdate",
            "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable },
        })
    }

    /// What a maintainer should know beforehand.
    pub(crate) fn warning(&self, old: usize) -> Option<String> {
        let (what, want) = match self {
            Self::SideBySide => return None,
            Self::OneByOne(want) if old > 1 => (
                "one old copy goes for each new one; the others serve meanwhile",
                want,
            ),
            Self::OneByOne(want) | Self::AllAtOnce(want) => (
                "the old one stops first, and visitors see an error page until the new one serves",
                want,
            ),
        };
        Some(format!(
            "Your quota has no room for old and new side by side ({want}), so {what}."
        ))
    }
}

/// What a Pod of these containers takes from a quota.
fn demand(containers: &[Container]) -> BTreeMap<&'static str, Quantity> {
    let mut demand = BTreeMap::from([("pods", Quantity::from_units(1))]);
    for container in containers {
        let Some(resources) = &container.resources else {
            continue;
        };
        for (key, amounts, name) in [
            ("limits.cpu", &resources.limits, "cpu"),
            ("limits.memory", &resources.limits, "memory"),
            ("requests.cpu", &resources.requests, "cpu"),
            ("requests.memory", &resources.requests, "memory"),
        ] {
            let amount = amounts.as_ref().and_then(|amounts| amounts.get(name));
            if let Some(amount) = amount.and_then(|amount| amount.0.parse::<Quantity>().ok()) {
                *demand.entry(key).or_default() += amount;
            }
        }
    }
    demand
}

/// Quotas have more than one name for the same.
fn kind(key: &str) -> &str {
    match key {
        "cpu" => "requests.cpu",
        "memory" => "requests.memory",
        "count/pods" => "pods",
        other => other,
    }
}

/// What is left of a quota.
fn free(quota: &ResourceQuota) -> Vec<(String, Quantity)> {
    let Some(status) = &quota.status else {
        return Vec::new();
    };
    let used = status.used.as_ref();
    let read = |text: &str| text.parse::<Quantity>().unwrap_or_default();
    status
        .hard
        .iter()
        .flatten()
        .map(|(key, hard)| {
            let used = used
                .and_then(|used| used.get(key))
                .map_or("0", |used| used.0.as_str());
            (key.clone(), (read(&hard.0) - read(used)).max(Quantity::ZERO))
        })
        .collect()
}

/// Has a Pod wait before its process is told to end, so that no visitor is cut off.
pub(crate) fn drain(deployment: &mut Value, near: bool) {
    let seconds = if near { DRAIN_SECONDS_NEAR } else { DRAIN_SECONDS };
    if let Some(container) = deployment.pointer_mut("/spec/template/spec/containers/0") {
        container["lifecycle"] = json!({ "preStop": { "sleep": { "seconds": seconds } } });
    }
}

/// Whether an API of this version knows such a pause. Source: KEP-3960, on by default since 1.30.
pub(crate) fn knows_pause(major: &str, minor: &str) -> bool {
    let number = |text: &str| {
        let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        digits.parse::<u32>().unwrap_or_default()
    };
    (number(major), number(minor)) >= (1, 30)
}

#[cfg(test)]
mod tests;
