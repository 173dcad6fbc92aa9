//! `PodSecurityPolicy`: the policies that Kubernetes had until 1.24, as a custom resource of the group
//! `policy.toolforge.org`, with the same fields and the same semantics.
//!
//! A policy first gives a Pod what it does not say itself, then judges the result. Everything is worked out on
//! borrowed data; the Pod is changed only for the policy that applies. Where this differs from upstream - fields
//! instead of annotations for profiles, kernel parameters that have become safe since, the Pod's own ids judged even
//! where no container has them - `docs/admission.md` says so. Which policies somebody may use is not known here.

mod check;
mod classes;
mod complete;
mod defaults;
mod definition;
mod grants;
mod judge;
mod policy;
mod profile;
mod spec;

pub use classes::{HostPath, ToolClass, default_policy, privileged_policy, tool_policy, tool_policy_name};
pub use definition::definition;
pub use grants::{GrantError, GrantIndex, Holder, ServiceAccount};
pub use judge::{Judgement, Who, judge_pod};
pub use policy::{GROUP, KIND, PLURAL, PodSecurityPolicy, PolicyError, VERSION};
pub use spec::{
    AllowedCsiDriver, AllowedFlexVolume, AllowedHostPath, HostPortRange, IdRange, IdRule, IdStrategy,
    PodSecurityPolicySpec, RuntimeClassStrategy, SeLinuxStrategy,
};

/// Annotation of a Pod: the policy that applied to it.
pub const PSP_ANNOTATION: &str = "kubernetes.io/psp";

/// What happens to a Pod, and thus what may still be changed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is created: everything may be completed.
    Create,
    /// Containers for debugging are added: they may be completed, nothing else.
    EphemeralContainers,
    /// It is about to be stored: nothing may be changed.
    Final,
    /// It is a template: its Pods will be completed when they are created.
    Template,
}

#[cfg(test)]
mod tests;
