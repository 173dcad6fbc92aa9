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
                format!("Created pod: {name}"),
            );
            Ok(())
        }
        Err(error) => {
            let message = format!("Error creating: {}", text_of(&error));
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
                format!("Deleted pod: {name}"),
            );
            Ok(())
        }
        Err(error) => {
            let message = format!("Error deleting: {}", text_of(&error));
            recorder.record(component, owner, Kind::Warning, "FailedDelete", message);
            Err(error)
        }
    }
}
