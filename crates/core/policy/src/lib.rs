//! Verdicts: which Ingress, image, Pod, Service, endpoint and volume a tool may have, and why not.
//!
//! Pure functions from policy and object to a [`Verdict`] with its reasons as data. The webhook server, the gateway
//! and the command line all ask these same functions, so that what one refuses no other lets through. Nothing here
//! reads a clock, a file or a socket.

mod annotations;
mod changes;
mod complete;
mod endpoints;
mod explain;
mod images;
mod ingress;
mod judge;
mod pod;
mod policies;
pub mod psp;
mod service;
mod settings;
mod token;
mod verdict;
mod volumes;
mod workload;

pub use changes::Changes;
pub use complete::{Making, completed_pod, pod_of_template, with_completed_template};
pub use endpoints::{
    EndpointsPolicy, IpNetwork, IpNetworkError, Writer, admit_endpoint_slice, admit_endpoints,
};
pub use explain::{Chapter, Reader, explain};
pub use images::{RegistryPolicy, RegistryPolicyError, admit_images};
pub use ingress::{IngressPolicy, IngressPolicyError, admit_ingress};
pub use judge::{Guard, ObjectKind, Question, Unjudged, is_of_tool};
pub use pod::is_of_policies;
pub use policies::Policies;
pub use service::{ServicePolicy, admit_service};
pub use settings::{
    EndpointSettings, GroupRange, HostPathSettings, PodSecuritySettings, PolicySettings, PolicySettingsError,
    SafeNamespaces, ServiceSettings, VolumeSettings,
};
pub use token::forgo_token;
pub use verdict::{Offence, Verdict, Warning};
pub use volumes::{Mount, MountError, VolumesPolicy, admit_volumes, mutate_volumes};
pub use workload::{Workload, WorkloadError, template_place};
