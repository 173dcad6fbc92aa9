//! The seam between a Pod's life and what runs its containers.
//!
//! Above it nothing knows whether a container is a process group or a full container; below it nothing knows what a
//! Pod, a probe or a restart policy is. Output goes into the sink that comes with the request, and what a runtime
//! must know about earlier lives of the node (to end leftovers) it remembers itself.

use std::{fmt, future::Future, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, PodSecurityContext};
use toolforge_streams::Wanted;

use crate::{session::Session, usage::Reading};

/// Which container of which Pod, and which start of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerPlace {
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod.
    pub pod: String,
    /// `metadata.uid` of the Pod.
    pub pod_uid: String,
    /// Name of the container.
    pub container: String,
    /// How often it was started before.
    pub attempt: u32,
}

/// One container that a runtime made; ends with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(String);

impl ContainerId {
    /// An id out of a runtime's own counting.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The id as text, without the runtime's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a container is to be.
#[derive(Debug, Clone)]
pub struct CreateRequest {
    /// Where it belongs.
    pub place: ContainerPlace,
    /// The container as the Pod describes it; `env` and `envFrom` are resolved already and stand in `environment`.
    pub container: Container,
    /// Variables in the order in which the Pod names them, after expansion.
    pub environment: Vec<(String, String)>,
    /// The Pod's own security context.
    pub pod_security: PodSecurityContext,
    /// What it finds where, besides what the machine has.
    pub mounts: Vec<Mount>,
    /// The Pod's address.
    pub address: Ipv4Addr,
    /// What the container calls its host.
    pub hostname: String,
    /// Where its output goes.
    pub output: Arc<dyn OutputSink>,
}

/// One volume in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Name of the volume, for messages.
    pub volume: String,
    /// What is mounted.
    pub source: MountSource,
    /// A path inside the source to mount in its place.
    pub sub_path: Option<String>,
    /// Where it appears: an absolute path.
    pub path: PathBuf,
    /// Whether nothing can be written through it.
    pub read_only: bool,
    /// Whether that holds for what the machine has mounted below the source as well.
    pub recursive_read_only: bool,
    /// Whether the container does without where it cannot be mounted.
    pub optional: bool,
}

/// Where a mount comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A folder that the node keeps for the Pod.
    Folder(PathBuf),
    /// A path of the machine.
    Host(PathBuf),
}

/// Takes what a container writes.
pub trait OutputSink: fmt::Debug + Send + Sync {
    /// Some bytes of standard output (false) or standard error (true), as they come.
    fn write(&self, error: bool, bytes: &[u8]);
    /// The container has ended; nothing more comes.
    fn close(&self);
}

/// Why a container cannot be made from its description. Becomes reason `CreateContainerConfigError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CreateError(pub String);

/// Why a container that was made does not start. Becomes reason `RunContainerError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Exit code; 128 and the signal's number when a signal ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether it was ended for using more memory than its limit.
    pub out_of_memory: bool,
    /// When it ended.
    pub at: Timestamp,
}

/// How to stop a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Ask it to end (SIGTERM).
    Ask,
    /// End it and everything that it started (SIGKILL).
    Force,
}

/// What a command run inside a container for a probe came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeOutcome {
    /// Whether it ended with code 0 in time.
    pub success: bool,
    /// The first kilobytes of what it wrote, or why it could not run.
    pub output: String,
}

/// What runs containers.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// Name and version as `nodeInfo.containerRuntimeVersion` shows them, `NAME://VERSION`.
    fn version(&self) -> String;

    /// Checks the description and prepares the container, without running anything of it.
    fn create(&self, request: CreateRequest)
    -> impl Future<Output = Result<ContainerId, CreateError>> + Send;

    /// Runs a container that was created. After an error the container is gone.
    fn start(&self, id: &ContainerId) -> impl Future<Output = Result<(), StartError>> + Send;

    /// Waits for the end of a container that was started; then all of it has ended, and its id is forgotten.
    fn wait(&self, id: &ContainerId) -> impl Future<Output = Exit> + Send;

    /// Asks or forces a container to end; nothing happens when it has ended.
    fn stop(&self, id: &ContainerId, how: Stop);

    /// Runs a command as a probe inside a running container.
    fn exec(
        &self,
        id: &ContainerId,
        command: &[String],
        limit: Duration,
    ) -> impl Future<Output = ProbeOutcome> + Send;

    /// Every container that runs, with what it uses. Reads files for each, so it blocks for a moment.
    fn readings(&self) -> Vec<Reading>;

    /// The container that runs at this place now.
    fn find(&self, namespace: &str, pod: &str, container: &str) -> Option<ContainerId>;

    /// The address of a Pod of which a container runs.
    fn address(&self, namespace: &str, pod: &str) -> Option<Ipv4Addr>;

    /// Runs a command inside a running container. It ends with the container.
    fn run(
        &self,
        id: &ContainerId,
        command: &[String],
        wanted: Wanted,
    ) -> impl Future<Output = Result<Session, StartError>> + Send;

    /// Attaches to a running container: what it writes from now on, and its input where it has one.
    fn attach(
        &self,
        id: &ContainerId,
        wanted: Wanted,
    ) -> impl Future<Output = Result<Session, StartError>> + Send;
}
