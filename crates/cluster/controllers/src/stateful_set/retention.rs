//! Whether the claims of a `StatefulSet` outlive it and its Pods (`persistentVolumeClaimRetentionPolicy`): a claim that does
//! not has the set or the Pod as its owner, and goes with it. Pure.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::owner::controlled_by;
use crate::pod::Pod;

/// The owners that a claim of `pod` should have, if they are others than `present`; `surplus` tells that the set no
/// longer wants the Pod.
pub(crate) fn wanted_owners(
    set: &StatefulSet,
    pod: &Pod,
    surplus: bool,
    present: &[OwnerReference],
) -> Option<Vec<OwnerReference>> {
    let policy = set.spec.persistent_volume_claim_retention_policy.as_ref();
    let deletes = |when: Option<&String>| when.is_some_and(|when| when == "Delete");
    let when_scaled = deletes(policy.and_then(|policy| policy.when_scaled.as_ref()));
    let when_deleted = deletes(policy.and_then(|policy| policy.when_deleted.as_ref()));
    let by_pod = when_scaled && surplus;
    let by_set = when_deleted && !by_pod;
    let mut owners = present.to_vec();
    set_owner(&mut owners, controlled_by(set), by_set);
    set_owner(&mut owners, controlled_by(pod), by_pod);
    (owners != present).then_some(owners)
}

fn set_owner(owners: &mut Vec<OwnerReference>, owner: OwnerReference, wanted: bool) {
    let there = owners.iter().any(|known| known.uid == owner.uid);
    if wanted && !there {
        owners.push(owner);
    } else if !wanted {
        owners.retain(|known| known.uid != owner.uid);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_goes_with_whom_the_policy_names() {
        let pod: Pod =
            serde_json::from_value(json!({"metadata": {"name": "db-1", "uid": "pod"}})).expect("a pod");
        let owners = |scaled: &str, deleted: &str, surplus: bool, present: &[OwnerReference]| {
            let policy = json!({"whenScaled": scaled, "whenDeleted": deleted});
            let spec =
                json!({"selector": {}, "template": {}, "persistentVolumeClaimRetentionPolicy": policy});
            let set = json!({"metadata": {"name": "db", "uid": "set"}, "spec": spec});
            let set: StatefulSet = serde_json::from_value(set).expect("a set");
            let wanted = wanted_owners(&set, &pod, surplus, present);
            wanted.map(|owners| owners.into_iter().map(|owner| owner.uid).collect::<Vec<_>>())
        };
        let some = |uid: &str| Some(vec![uid.to_owned()]);
        assert_eq!(owners("Retain", "Retain", true, &[]), None);
        assert_eq!(owners("Retain", "Delete", true, &[]), some("set"));
        assert_eq!(owners("Delete", "Retain", false, &[]), None);
        assert_eq!(owners("Delete", "Delete", true, &[]), some("pod"));
        let by_set = [OwnerReference {
            uid: "set".into(),
            ..OwnerReference::default()
        }];
        assert_eq!(owners("Delete", "Delete", false, &by_set), None);
        assert_eq!(owners("Retain", "Retain", false, &by_set), Some(vec![]));
    }
}
