//! The cluster's objects as the pages need them: what they show and what they judge by, and nothing else. Values of
//! environment variables, Secrets and what was last applied are dropped here, before anything is kept.

mod event;
mod meta;
mod network;
mod node;
mod pod;
mod quota;
mod texts;
mod workload;

pub(crate) use event::EventSeen;
pub(crate) use meta::Meta;
pub(crate) use network::{IngressSeen, ServiceSeen};
pub(crate) use node::{ConditionSeen, NodeSeen};
pub(crate) use pod::{ContainerState, PodSeen, Role};
pub(crate) use quota::QuotaSeen;
pub(crate) use texts::Texts;
pub(crate) use workload::{WorkloadKind, WorkloadSeen};

use serde::Serialize;

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NamespaceSeen {
    #[serde(flatten)]
    pub(crate) meta: Meta,
}

impl From<k8s_openapi::api::core::v1::Namespace> for NamespaceSeen {
    fn from(namespace: k8s_openapi::api::core::v1::Namespace) -> Self {
        Self {
            meta: Meta::from(namespace.metadata),
        }
    }
}

#[cfg(test)]
mod tests;
