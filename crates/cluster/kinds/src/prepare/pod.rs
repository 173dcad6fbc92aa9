//! A Pod at birth and at an update.

use serde_json::Value;
use toolforge_model::Quantity;

use crate::quantity;
use crate::value::{Read as _, child, keep, list_at};

/// `Guaranteed`, `Burstable` or `BestEffort`, by what its containers ask for and are limited to.
pub(super) fn quality_of_service(pod: &Value) -> &'static str {
    let mut asked = false;
    let mut guaranteed = true;
    for list in ["containers", "initContainers"] {
        for container in list_at(pod, &["spec", list]) {
            for resource in ["cpu", "memory"] {
                let limit = amount(container, "limits", resource);
                let request = amount(container, "requests", resource);
                asked |= limit.is_some() || request.is_some();
                guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
            }
        }
    }
    match (asked, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

fn amount(container: &Value, side: &str, resource: &str) -> Option<Quantity> {
    let amount = quantity::read(container.at(&["resources", side, resource])?)?;
    (!amount.is_zero()).then_some(amount)
}

/// `kubectl replace` with the file that made the Pod leaves out the node that was found for it.
pub(super) fn complete(old: &Value, new: &mut Value) {
    if let (Some(old), Some(spec)) = (old.get("spec"), child(new, "spec"))
        && !spec.has("nodeName")
    {
        keep(old, spec, "nodeName");
    }
}
