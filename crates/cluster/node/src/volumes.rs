//! A Pod's volumes: what is in them, where they lie, and that they keep up with what they show.
//!
//! One [`keep`] task per Pod fills its volumes before the first container starts and follows the objects and tokens
//! behind them until the Pod has ended. `payload` decides what a volume holds (pure), `writer` puts it there in one
//! step, `folders` knows the places, `objects` follows `ConfigMap`s and `Secret`s, one watch per object whoever needs it.
//!
//! Nothing in here mounts into containers: [`mounts()`] says what belongs where, the [`crate::Runtime`] does it.

mod downward;
mod folders;
mod host;
mod keeper;
mod mounts;
mod objects;
mod payload;
mod termination;
mod token;
mod writer;

pub(crate) use folders::VolumeFolders;
pub(crate) use keeper::{Keep, keep};
pub(crate) use mounts::mounts;
pub(crate) use objects::Objects;
pub(crate) use termination::TerminationMessage;

use k8s_openapi::api::core::v1::{Pod, Volume};

/// How the volumes begin that admission adds to every Pod for its token, asked or not. Where nothing can be mounted
/// they are left out: programs do without when it is not there.
const TOKENS: &str = "kube-api-access-";

/// Whether a container may be started without this volume where nothing can be mounted.
fn is_dispensable(volume: &Volume) -> bool {
    volume.projected.is_some() && volume.name.starts_with(TOKENS)
}

/// Whether a Pod has volumes that have to be there before its containers.
pub(crate) fn has_any(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| {
        spec.volumes
            .iter()
            .flatten()
            .any(|volume| !is_always_there(volume))
    })
}

fn is_always_there(volume: &Volume) -> bool {
    volume
        .host_path
        .as_ref()
        .is_some_and(|host| host.type_.as_deref().unwrap_or_default().is_empty())
}
