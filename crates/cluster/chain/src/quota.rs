//! Quota: how much of each resource a namespace may hold, counted from what is there.
//!
//! Exactness is the caller's part: it holds a lock on the namespace from the check until the object is visible.

mod scope;
mod usage;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use toolforge_kinds::Status;

use crate::amounts::Amounts;
use crate::attributes::{Attributes, Operation};
use crate::pod::{self, Side};
use crate::world::World;

pub use usage::usage_of;

/// Resources that each container must name when a quota counts them.
const DEMANDED: &[&str] = &[
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];

/// Admits a write when it keeps within all quotas of its namespace.
pub(crate) fn admit(
    world: &dyn World,
    attributes: &Attributes,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Result<(), Status> {
    let (Some(namespace), Some(object)) = (attributes.namespace.as_deref(), object) else {
        return Ok(());
    };
    if !counts(attributes) {
        return Ok(());
    }
    let (group, plural) = (attributes.kind.group, attributes.kind.plural);
    let usage = usage_of(group, plural, object);
    let before = old.map(|old| usage_of(group, plural, old)).unwrap_or_default();
    let more = usage.beyond(&before);
    for quota in world.list("", "resourcequotas", Some(namespace)) {
        let name = quota
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let allowed =
            Amounts::read(quota.pointer("/spec/hard")).only(|name| usage::concerns(group, plural, name));
        if allowed.is_empty() || !scope::matches(&quota, plural, object) {
            continue;
        }
        if plural == "pods" {
            check_demands(attributes, name, object, &allowed)?;
        }
        let requested = more.only(|name| allowed.get(name).is_some());
        if requested.is_empty() {
            continue;
        }
        let mut used = requested.zeroed();
        for other in world.list(group, plural, Some(namespace)) {
            if scope::matches(&quota, plural, &other) {
                used.add(&usage_of(group, plural, &other));
            }
        }
        check_amounts(attributes, object, name, &requested, &used, &allowed)?;
    }
    Ok(())
}

/// What was created counts; a change counts where it can cost more than before.
fn counts(attributes: &Attributes) -> bool {
    match attributes.operation {
        Operation::Create => attributes.subresource.is_none(),
        Operation::Update => {
            attributes.is_of("", "services") || attributes.is_of("", "persistentvolumeclaims")
        }
        Operation::Delete | Operation::Connect => false,
    }
}

fn check_amounts(
    attributes: &Attributes,
    object: &Value,
    quota: &str,
    requested: &Amounts,
    used: &Amounts,
    allowed: &Amounts,
) -> Result<(), Status> {
    let exceeded: BTreeSet<&str> = requested
        .iter()
        .filter(|(name, amount)| {
            *amount + used.get(name).unwrap_or_default() > allowed.get(name).unwrap_or_default()
        })
        .map(|(name, _)| name)
        .collect();
    if exceeded.is_empty() {
        return Ok(());
    }
    let shown = |amounts: &Amounts| amounts.only(|name| exceeded.contains(name));
    let why = format!(
        "exceeded quota: {quota}, requested: {}, used: {}, limited: {}",
        shown(requested),
        shown(used),
        shown(allowed)
    );
    Err(attributes.forbidden(Some(object), &why))
}

/// When a quota counts CPU or memory, each container must say how much it wants.
fn check_demands(attributes: &Attributes, quota: &str, pod: &Value, allowed: &Amounts) -> Result<(), Status> {
    if pod
        .pointer("/spec/resources")
        .is_some_and(|resources| *resources != serde_json::json!({}))
    {
        return Ok(());
    }
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in ["containers", "initContainers"]
        .iter()
        .flat_map(|list| pod::containers(pod, list))
    {
        let named = usage::of_resources(
            &pod::of_container(container, Side::Requests),
            &pod::of_container(container, Side::Limits),
        );
        let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
        for resource in DEMANDED.iter().filter(|resource| allowed.get(resource).is_some()) {
            if named.get(resource).is_none() {
                missing.entry(resource).or_default().insert(name);
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let demands: Vec<String> = missing
        .into_iter()
        .map(|(resource, containers)| {
            format!(
                "{resource} for: {}",
                containers.into_iter().collect::<Vec<_>>().join(",")
            )
        })
        .collect();
    let why = format!("failed quota: {quota}: must specify {}", demands.join("; "));
    Err(attributes.forbidden(Some(pod), &why))
}
