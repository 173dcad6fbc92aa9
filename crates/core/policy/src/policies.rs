//! All policies together: what the webhook server, the gateway and the command line judge by.

use std::collections::BTreeSet;

use crate::psp::ToolClass;
use crate::{EndpointsPolicy, IngressPolicy, RegistryPolicy, ServicePolicy, VolumesPolicy};

/// The policies of all guards, made by [`PolicySettings::resolve`](crate::PolicySettings::resolve).
#[derive(Clone, Debug)]
pub struct Policies {
    /// What Ingresses are held to.
    pub ingress: IngressPolicy,
    /// What images are held to.
    pub registry: RegistryPolicy,
    /// What Pods of tools may have beyond what is the same everywhere.
    pub pod: ToolClass,
    /// Whether the Pod security guard stands before all namespaces, and not before those of tools only.
    pub pod_everywhere: bool,
    /// Namespaces whose Pods the Pod security guard does not look at.
    pub pod_safe_namespaces: BTreeSet<String>,
    /// What Services are held to.
    pub service: ServicePolicy,
    /// What endpoints are held to.
    pub endpoints: EndpointsPolicy,
    /// What Pods get from the machine.
    pub volumes: VolumesPolicy,
}
