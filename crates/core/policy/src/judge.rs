//! Which guard judges which kind of object, and what it says: one dispatch for the webhook server and the command line.

use std::error::Error;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use serde::{Deserialize, Deserializer};
use serde_json::{Error as ReadError, Value};
use toolforge_model::ToolName;

use crate::{
    Policies, Verdict, Workload, Writer, admit_endpoint_slice, admit_endpoints, admit_images, admit_ingress,
    admit_service, admit_volumes,
    psp::{Phase, PodSecurityPolicy, Who, judge_pod},
};

/// The guards that judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// What an Ingress claims.
    Ingress,
    /// Where images come from.
    Images,
    /// What Pods may do.
    Pod,
    /// Which volumes of the machine Pods have.
    Volumes,
    /// What Services are.
    Service,
    /// Where Services lead when somebody writes it by hand.
    Endpoints,
}

/// The kind of an object, by its full name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectKind<'a> {
    /// API group; empty for the core's.
    pub group: &'a str,
    /// Version within the group.
    pub version: &'a str,
    /// Kind.
    pub kind: &'a str,
}

/// An object that somebody wants to write, with what guards need to know besides.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a, O = &'a Value> {
    /// Its kind.
    pub kind: ObjectKind<'a>,
    /// Its namespace.
    pub namespace: &'a str,
    /// The object, in whatever it can be read from.
    pub object: O,
    /// The Pod security policies that its writer or the service account of its Pods may use; for the guard that
    /// [needs](Guard::needs_pod_policies) them.
    pub pod_policies: Option<&'a [Arc<PodSecurityPolicy>]>,
    /// Who wants to write it.
    pub writer: Writer<'a>,
    /// What happens to it, if it is a Pod: what is [created](Phase::Create) may still be completed.
    pub phase: Phase,
}

/// Why a guard has no verdict. Whoever asked refuses the object with these words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    /// Not a kind that this guard knows.
    #[error("Unsupported {0}: this guard does not know how to judge it")]
    OtherKind(String),
    /// The object does not have the shape of its kind; the problem names the field.
    #[error("the {kind} cannot be judged: {problem}")]
    Unreadable {
        /// The kind that it claims to be.
        kind: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The namespace is not a tool's.
    #[error("namespace {0:?} is not the namespace tool-<toolname> of a tool")]
    NoTool(String),
    /// The guard needs to know which Pod security policies may be used, and was not told.
    #[error("the Pod security policies that may be used here are not known")]
    NoPodPolicies,
}

impl Guard {
    /// All of them, in the order in which an object's verdicts are told.
    pub const ALL: [Self; 6] = [
        Self::Ingress,
        Self::Images,
        Self::Pod,
        Self::Volumes,
        Self::Service,
        Self::Endpoints,
    ];

    /// Whether it judges objects of this kind.
    pub fn judges(self, kind: ObjectKind<'_>) -> bool {
        let kind = (kind.group, kind.version, kind.kind);
        match self {
            Self::Ingress => kind == ("networking.k8s.io", "v1", "Ingress"),
            Self::Service => kind == ("", "v1", "Service"),
            Self::Endpoints => matches!(
                kind,
                ("", "v1", "Endpoints") | ("discovery.k8s.io", "v1", "EndpointSlice")
            ),
            Self::Images | Self::Pod | Self::Volumes => matches!(
                kind,
                ("", "v1", "Pod" | "PodTemplate" | "ReplicationController")
                    | (
                        "apps",
                        "v1",
                        "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet"
                    )
                    | ("batch", "v1", "CronJob" | "Job")
            ),
        }
    }

    /// Whether it stands before the namespaces of tools only; the others stand before all.
    pub fn is_for_tools_only(self) -> bool {
        matches!(self, Self::Pod | Self::Service | Self::Endpoints)
    }

    /// Whether it must know which Pod security policies may be used.
    pub fn needs_pod_policies(self) -> bool {
        self == Self::Pod
    }

    /// What it says of an object.
    ///
    /// # Errors
    /// When it cannot say; the object is then refused.
    pub fn judge<'a, O>(self, policies: &Policies, question: Question<'a, O>) -> Result<Verdict, Unjudged>
    where
        O: Deserializer<'a, Error = ReadError>,
    {
        let Question {
            kind,
            namespace,
            object,
            pod_policies,
            writer,
            phase,
        } = question;
        if !self.judges(kind) {
            return Err(Unjudged::of_other_kind(kind));
        }
        match self {
            Self::Ingress => {
                let ingress = read::<Ingress, _>(kind, object)?;
                Ok(admit_ingress(&policies.ingress, namespace, &ingress))
            }
            Self::Service => {
                let service = read::<Service, _>(kind, object)?;
                Ok(admit_service(&policies.service, namespace, &service))
            }
            Self::Endpoints if kind.kind == "EndpointSlice" => {
                let slice = read::<EndpointSlice, _>(kind, object)?;
                Ok(admit_endpoint_slice(
                    &policies.endpoints,
                    namespace,
                    writer,
                    &slice,
                ))
            }
            Self::Endpoints => {
                let endpoints = read::<Endpoints, _>(kind, object)?;
                Ok(admit_endpoints(
                    &policies.endpoints,
                    namespace,
                    writer,
                    &endpoints,
                ))
            }
            Self::Volumes => Ok(admit_volumes(
                &policies.volumes,
                &workload(kind, namespace, object)?,
            )),
            Self::Images => Ok(admit_images(
                &policies.registry,
                &workload(kind, namespace, object)?,
            )),
            Self::Pod if policies.pod_safe_namespaces.contains(namespace) => Ok(Verdict::default()),
            Self::Pod => {
                let who = Who::before_pod_guard(writer.user, namespace, policies.pod_everywhere)?;
                let workload = workload(kind, namespace, object)?;
                let usable = pod_policies.ok_or(Unjudged::NoPodPolicies)?;
                let usable = usable.iter().map(Arc::as_ref).collect();
                Ok(judge_pod(usable, who, &workload, phase).into_verdict())
            }
        }
    }
}

/// Whether a namespace is a tool's.
pub fn is_of_tool(namespace: &str) -> bool {
    ToolName::of_namespace(namespace).is_some()
}

impl<'a> Who<'a> {
    /// Who writes Pods into this namespace: the guard stands before the namespaces of tools, or `everywhere`.
    ///
    /// # Errors
    /// When the guard does not stand before the namespace.
    pub fn before_pod_guard(user: &'a str, namespace: &str, everywhere: bool) -> Result<Self, Unjudged> {
        let tool = is_of_tool(namespace);
        if tool || everywhere {
            Ok(Self { user, tool })
        } else {
            Err(Unjudged::NoTool(namespace.to_owned()))
        }
    }
}

impl Unjudged {
    /// The guard does not know the kind.
    pub fn of_other_kind(kind: ObjectKind<'_>) -> Self {
        let shown = format!("Kind={}, Group={}", kind.kind, kind.group);
        Self::OtherKind(crate::verdict::bare(&shown))
    }

    /// The object does not have the shape of its kind.
    pub fn unreadable(kind: &str, error: &dyn Error) -> Self {
        let source = error
            .source()
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        Self::Unreadable {
            kind: kind.to_owned(),
            problem: format!("{error}{source}"),
        }
    }
}

fn workload<'a, O>(kind: ObjectKind<'_>, namespace: &str, object: O) -> Result<Workload, Unjudged>
where
    O: Deserializer<'a, Error = ReadError>,
{
    Workload::read(kind.kind, namespace, object).map_err(|error| Unjudged::unreadable(kind.kind, &error))
}

fn read<'a, T, O>(kind: ObjectKind<'_>, object: O) -> Result<T, Unjudged>
where
    T: Deserialize<'a>,
    O: Deserializer<'a, Error = ReadError>,
{
    T::deserialize(object).map_err(|error| Unjudged::unreadable(kind.kind, &error))
}

#[cfg(test)]
mod tests;
