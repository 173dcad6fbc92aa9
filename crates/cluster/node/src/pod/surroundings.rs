//! What all Pods of a node share.

use std::{fmt, net::Ipv4Addr, sync::Arc};

use kube::Client;

use crate::{
    events::Recorder,
    logs::LogStore,
    volumes::{Objects, VolumeFolders},
};

/// The address of the machine that Pods are told; everything of the platform is on its loopback.
pub(crate) const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The node's side of every Pod.
pub(crate) struct Shared<R> {
    pub(crate) runtime: Arc<R>,
    pub(crate) client: Client,
    pub(crate) recorder: Recorder,
    pub(crate) logs: Arc<LogStore>,
    /// Where volumes lie.
    pub(crate) folders: Arc<VolumeFolders>,
    /// What volumes show.
    pub(crate) objects: Arc<Objects>,
    /// CPU of the machine in thousandths and memory in bytes.
    pub(crate) machine: (i128, i128),
    /// Name of the runtime in front of container ids.
    pub(crate) runtime_name: String,
}

impl<R: fmt::Debug> fmt::Debug for Shared<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}
