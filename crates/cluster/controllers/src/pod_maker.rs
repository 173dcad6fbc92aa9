//! Making many Pods for one owner: slowly at first, so that a refusal (a quota, a webhook) is heard after one request and
//! not after hundreds. Used by the controllers that make Pods.

use futures::future::join_all;
use k8s_openapi::api::core::v1;
use kube::Resource;

use crate::controller::text_of;
use crate::events::{Kind, Recorder};
use crate::kept::Kept;
use crate::object::Object;
use crate::pod::Pod;

/// Creates `pods` in batches of 1, 2, 4 and so on; stops after the first batch with a refusal and returns it.
pub(crate) async fn create_all<O: Resource<DynamicType = ()>>(
    kept: &Kept<Pod>,
    recorder: &Recorder,
    component: &'static str,
    owner: &O,
    pods: Vec<v1::Pod>,
) -> Result<(), kube::Error> {
    let mut rest = pods.as_slice();
    let mut size = 1;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(size.min(rest.len()));
        let results = join_all(
            batch
                .iter()
                .map(|pod| create(kept, recorder, component, owner, pod)),
        )
        .await;
        results.into_iter().collect::<Result<(), kube::Error>>()?;
        rest = later;
        size *= 2;
    }
    Ok(())
}

/// Creates one Pod and records what came of it.
pub(crate) async fn create<O: Resource<DynamicType = ()>>(
    kept: &Kept<Pod>,
    recorder: &Recorder,
    component: &'static str,
    owner: &O,
    pod: &v1::Pod,
) -> Result<(), kube::Error> {
    match kept.create(pod).await {
        Ok(made) => {
            let name = made.name();
            recorder.record(
                component,
                owner,
                Kind::Normal,
                "SuccessfulCreate",
                done(owner, Deed::Create, name),
            );
            Ok(())
        }
        Err(error) => {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let message = failed(owner, Deed::Create, name, &text_of(&error));
            recorder.record(component, owner, Kind::Warning, "FailedCreate", message);
            Err(error)
        }
    }
}

/// Deletes one Pod and records what came of it.
pub(crate) async fn delete<O: Resource<DynamicType = ()>>(
    kept: &Kept<Pod>,
    recorder: &Recorder,
    component: &'static str,
    owner: &O,
    pod: &Pod,
) -> Result<(), kube::Error> {
    let name = pod.name();
    match kept.delete(pod).await {
        Ok(()) => {
            recorder.record(
                component,
                owner,
                Kind::Normal,
                "SuccessfulDelete",
                done(owner, Deed::Delete, name),
            );
            Ok(())
        }
        Err(error) => {
            let message = failed(owner, Deed::Delete, name, &text_of(&error));
            recorder.record(component, owner, Kind::Warning, "FailedDelete", message);
            Err(error)
        }
    }
}

/// What is done to a Pod.
#[derive(Clone, Copy)]
enum Deed {
    Create,
    Delete,
}

/// What the owner is told of it. `StatefulSets` have words of their own, since they know their Pods by name.
fn done<O: Resource<DynamicType = ()>>(owner: &O, deed: Deed, pod: &str) -> String {
    match (set(owner), deed) {
        (Some(set), Deed::Create) => format!("create Pod {pod} in StatefulSet {set} successful"),
        (Some(set), Deed::Delete) => format!("delete Pod {pod} in StatefulSet {set} successful"),
        (None, Deed::Create) => format!("Created pod: {pod}"),
        (None, Deed::Delete) => format!("Deleted pod: {pod}"),
    }
}

fn failed<O: Resource<DynamicType = ()>>(owner: &O, deed: Deed, pod: &str, why: &str) -> String {
    match (set(owner), deed) {
        (Some(set), Deed::Create) => format!("create Pod {pod} in StatefulSet {set} failed error: {why}"),
        (Some(set), Deed::Delete) => format!("delete Pod {pod} in StatefulSet {set} failed error: {why}"),
        (None, Deed::Create) => format!("Error creating: {why}"),
        (None, Deed::Delete) => format!("Error deleting: {why}"),
    }
}

/// The name of an owner that is a `StatefulSet`.
fn set<O: Resource<DynamicType = ()>>(owner: &O) -> Option<&str> {
    (O::kind(&()) == "StatefulSet").then(|| owner.meta().name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};

    use super::*;

    #[test]
    fn owners_are_told_in_the_words_that_they_are_used_to() {
        let mut set = StatefulSet::default();
        set.metadata.name = Some("db".to_owned());
        let replicas = ReplicaSet::default();
        assert_eq!(
            done(&set, Deed::Create, "db-0"),
            "create Pod db-0 in StatefulSet db successful"
        );
        assert_eq!(
            failed(&set, Deed::Delete, "db-0", "no"),
            "delete Pod db-0 in StatefulSet db failed error: no"
        );
        assert_eq!(done(&replicas, Deed::Delete, "a"), "Deleted pod: a");
        assert_eq!(failed(&replicas, Deed::Create, "a", "no"), "Error creating: no");
    }
}
