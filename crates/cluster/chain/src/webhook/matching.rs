//! Whether a webhook is asked about a write.

use serde_json::Value;
use toolforge_kinds::{Kind, Storage, all};

use super::definition::{GROUP, MatchPolicy, Rule, Scope, Webhook};
use crate::attributes::{Attributes, Operation};
use crate::selector::LabelSelector;
use crate::world::World;

/// Whether no webhook is asked: else a broken one could not be repaired.
pub(super) fn is_exempt(attributes: &Attributes) -> bool {
    attributes.kind.group == GROUP
}

/// The kind in which a webhook wants to see the object; nothing when it does not want to see it.
pub(super) fn wanted_kind(
    world: &dyn World,
    webhook: &Webhook,
    attributes: &Attributes,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Option<&'static Kind> {
    let kind = kind_by_rules(world, webhook, attributes)?;
    let selected = matches_namespace(
        world,
        webhook.namespace_selector.as_ref(),
        attributes,
        object,
        old,
    ) && matches_object(webhook.object_selector.as_ref(), object, old);
    selected.then_some(kind)
}

/// The kind of the request, or with match policy Equivalent another in which the same objects can be had.
fn kind_by_rules(world: &dyn World, webhook: &Webhook, attributes: &Attributes) -> Option<&'static Kind> {
    let rules = webhook.rules.as_deref().unwrap_or_default();
    let wants = |kind: &Kind| rules.iter().any(|rule| rule.matches(attributes, kind));
    if wants(attributes.kind) {
        return Some(attributes.kind);
    }
    if webhook.match_policy == Some(MatchPolicy::Exact) {
        return None;
    }
    let kind = attributes.kind;
    if kind.custom {
        let others = world.versions(kind.group, kind.plural);
        return others.into_iter().find(|other| *other != kind && wants(other));
    }
    all()
        .iter()
        .find(|other| are_equivalent(attributes.kind, other) && wants(other))
}

/// Whether both kinds are two views of the same stored objects.
fn are_equivalent(one: &Kind, other: &Kind) -> bool {
    let same = |a: &Kind, b: &Kind| a.group == b.group && a.kind == b.kind;
    let stored = |kind: &Kind, of: &Kind| matches!(kind.storage, Storage::As(group, version, name) if (group, version, name) == (of.group, of.version, of.kind));
    one != other && (same(one, other) || stored(one, other) || stored(other, one))
}

impl Rule {
    fn matches(&self, attributes: &Attributes, kind: &Kind) -> bool {
        let subresource = attributes.subresource.as_deref().unwrap_or_default();
        names(&self.operations, attributes.operation.name())
            && names(&self.api_groups, kind.group)
            && names(&self.api_versions, kind.version)
            && self
                .resources
                .iter()
                .any(|resource| names_resource(resource, kind.plural, subresource))
            && match self.scope.unwrap_or(Scope::All) {
                Scope::All => true,
                Scope::Namespaced => kind.namespaced,
                Scope::Cluster => !kind.namespaced,
            }
    }
}

fn names(list: &[String], name: &str) -> bool {
    list.iter().any(|known| known == "*" || known == name)
}

/// `pods`, `pods/status`, `pods/*`, `*/scale`, `*`, `*/*`; a star after the slash also stands for no subresource.
fn names_resource(pattern: &str, plural: &str, subresource: &str) -> bool {
    let (resource, below) = pattern.split_once('/').unwrap_or((pattern, ""));
    (resource == "*" || resource == plural) && (below == "*" || below == subresource)
}

/// The labels of the namespace count; for a namespace its own, and for what is in none everything matches.
fn matches_namespace(
    world: &dyn World,
    selector: Option<&LabelSelector>,
    attributes: &Attributes,
    object: Option<&Value>,
    old: Option<&Value>,
) -> bool {
    let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
        return true;
    };
    if attributes.kind.group.is_empty() && attributes.kind.plural == "namespaces" {
        let own = if attributes.operation == Operation::Delete {
            old
        } else {
            object.or(old)
        };
        return own.is_none_or(|namespace| selector.matches(namespace));
    }
    let Some(name) = attributes
        .namespace
        .as_deref()
        .filter(|_| attributes.kind.namespaced)
    else {
        return true;
    };
    let namespace = world.get("", "namespaces", None, name);
    // Without the namespace nobody knows its labels: better asked once too often.
    namespace.is_none_or(|namespace| selector.matches(&namespace))
}

/// The labels of the object count, before or after the write.
fn matches_object(selector: Option<&LabelSelector>, object: Option<&Value>, old: Option<&Value>) -> bool {
    let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
        return true;
    };
    [object, old]
        .into_iter()
        .flatten()
        .any(|object| selector.matches(object))
}

#[cfg(test)]
mod tests;
