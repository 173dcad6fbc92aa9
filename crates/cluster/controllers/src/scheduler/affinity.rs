//! Which nodes a Pod may be on by its own wish (node selector, node affinity) and by the node's (taints). Pure.
//!
//! Affinity between Pods and topology spread are left out: on a single machine they have nothing to choose from.

use k8s_openapi::api::core::v1::{Node, NodeSelectorRequirement, NodeSelectorTerm, Taint};

use crate::object::Object;
use crate::pod::{Pod, Toleration};

/// Whether node selector and required node affinity of the Pod allow that node.
pub(crate) fn wants(pod: &Pod, node: &Node) -> bool {
    let Some(placement) = &pod.placement else {
        return true;
    };
    if !placement
        .node_selector
        .iter()
        .all(|(name, value)| node.label(name) == Some(value))
    {
        return false;
    }
    placement.required.as_ref().is_none_or(|required| {
        required
            .node_selector_terms
            .iter()
            .any(|term| term_holds(term, node))
    })
}

/// The first taint of the node that keeps the Pod away.
pub(crate) fn untolerated<'a>(pod: &Pod, node: &'a Node) -> Option<&'a Taint> {
    let tolerations = pod
        .placement
        .as_ref()
        .map(|placement| &*placement.tolerations)
        .unwrap_or_default();
    let taints = node
        .spec
        .as_ref()
        .and_then(|spec| spec.taints.as_deref())
        .unwrap_or_default();
    taints.iter().find(|taint| {
        matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
            && !tolerations.iter().any(|toleration| tolerates(toleration, taint))
    })
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    let exists = toleration.operator.as_deref() == Some("Exists");
    let same_value =
        toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default();
    (effect.is_empty() || effect == taint.effect)
        && ((key.is_empty() && exists) || key == taint.key)
        && (exists || same_value)
}

fn term_holds(term: &NodeSelectorTerm, node: &Node) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    // An empty term selects nothing.
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    let label = |name: &str| {
        node.metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(name))
            .map(String::as_str)
    };
    let field = |name: &str| {
        if name == "metadata.name" {
            node.metadata.name.as_deref()
        } else {
            None
        }
    };
    expressions
        .iter()
        .all(|one| requirement_holds(one, label(&one.key)))
        && fields.iter().all(|one| requirement_holds(one, field(&one.key)))
}

fn requirement_holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.iter().any(|one| one == value));
    let compared = || {
        let bound = values.first()?.parse::<i64>().ok()?;
        Some(value?.parse::<i64>().ok()?.cmp(&bound))
    };
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared().is_some_and(std::cmp::Ordering::is_gt),
        "Lt" => compared().is_some_and(std::cmp::Ordering::is_lt),
        _ => false,
    }
}
