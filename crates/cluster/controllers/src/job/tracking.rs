//! Taking the tracking finalizer off a Pod. Used by the Job controller and by the one of orphaned Pods.

use serde_json::json;

use super::facts::{TRACKING, is_tracked};
use crate::controller::{Failure, Step, gone_is_fine};
use crate::kept::Kept;
use crate::object::Object;
use crate::pod::Pod;

/// Takes the finalizer off; a Pod that has none, or is gone, is left alone.
pub(crate) async fn release(pods: &Kept<Pod>, pod: &Pod) -> Result<(), Failure> {
    if !is_tracked(pod) {
        return Ok(());
    }
    let mut rest = pod.finalizers();
    rest.retain(|finalizer| finalizer != TRACKING);
    // An empty list is written as none at all.
    let rest = Some(rest).filter(|rest| !rest.is_empty());
    let version = pod.written_at().to_string();
    let patch = json!({"metadata": {"resourceVersion": version, "finalizers": rest}});
    gone_is_fine(pods.merge(pod, patch).await)
        .step("take a finalizer off a pod")
        .map(drop)
}
