//! A Pod at birth and at an update.

use serde_json::{Value, json};
use toolforge_model::Quantity;

use crate::quantity;
use crate::value::{Read as _, child, ensure, keep, list_at};

/// The status of a new Pod; one with gates says at once that it is not scheduled because of them.
pub(super) fn first_status(pod: &Value) -> Value {
    let mut status = json!({ "phase": "Pending", "qosClass": quality_of_service(pod) });
    if !list_at(pod, &["spec", "schedulingGates"]).is_empty() {
        status["conditions"] = json!([{
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
            "lastProbeTime": null, "lastTransitionTime": pod["metadata"]["creationTimestamp"],
        }]);
    }
    status
}

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

/// Of a Pod only its debug containers, and of the metadata what says which Pod and which revision is meant.
pub(super) fn only_ephemeral_containers(old: &Value, new: &mut Value) {
    let asked = std::mem::replace(new, old.clone());
    if let (Some(metadata), Some(asked)) = (child(new, "metadata"), asked.get("metadata")) {
        for key in ["name", "namespace", "uid", "resourceVersion", "managedFields"] {
            keep(asked, metadata, key);
        }
    }
    if let (Some(spec), Some(asked)) = (ensure(new, "spec"), asked.get("spec")) {
        keep(asked, spec, "ephemeralContainers");
    }
}
