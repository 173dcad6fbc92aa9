//! A Pod as the controllers keep it: what some controller reads, and nothing else. There may be ten thousand, and the API's
//! own type takes five times the memory, most of it for how containers are run, which only a node asks.
//!
//! It is read straight from the API's JSON (`read.rs`) and never written: writes are patches, or Pods of the API's type.

mod demands;
mod pairs;
mod read;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{self, NodeSelector};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde::Deserialize;

use crate::object::Object;
use crate::text::Text;

pub(crate) use demands::Demands;
pub(crate) use pairs::Pairs;

/// What controllers read of a Pod. Fields that the API lets be absent are empty then.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "read::Whole")]
pub(crate) struct Pod {
    pub(crate) namespace: Text,
    pub(crate) name: Box<str>,
    pub(crate) uid: Box<str>,
    /// Its resource version.
    pub(crate) written_at: u64,
    pub(crate) created: Option<Timestamp>,
    /// When it is to be gone, if it is being deleted.
    pub(crate) deletion: Option<Box<Deletion>>,
    pub(crate) labels: Pairs,
    /// Those that some controller knows.
    pub(crate) annotations: Pairs,
    pub(crate) finalizers: Box<[Text]>,
    pub(crate) owners: Box<[Owner]>,
    /// The node that it is bound to.
    pub(crate) node: Option<Text>,
    /// What decides where it goes; nothing is kept of it once that is decided.
    pub(crate) placement: Option<Box<Placement>>,
    /// What its condition `PodScheduled` says.
    pub(crate) scheduled_message: Option<Box<str>>,
    /// What its containers ask for altogether.
    pub(crate) requests: Demands,
    /// What its containers may use altogether.
    pub(crate) limits: Demands,
    /// The ports of its containers that have a name or are one of the machine's.
    pub(crate) ports: Box<[Port]>,
    pub(crate) hostname: Option<Box<str>>,
    pub(crate) subdomain: Option<Box<str>>,
    pub(crate) priority_class: Option<Text>,
    /// Whether its time is limited (`activeDeadlineSeconds`).
    pub(crate) is_limited: bool,
    /// Empty before it has one.
    pub(crate) phase: Text,
    pub(crate) address: Option<Box<str>>,
    pub(crate) conditions: Box<[Condition]>,
    pub(crate) containers: Box<[Container]>,
}

/// The deletion of a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    /// When it is to be gone.
    pub(crate) at: Timestamp,
    /// How long before that it was asked to end.
    pub(crate) grace_seconds: i64,
}

/// An owner of a Pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    pub(crate) api_version: Text,
    pub(crate) kind: Text,
    pub(crate) name: Box<str>,
    pub(crate) uid: Box<str>,
    pub(crate) controller: Option<bool>,
    pub(crate) block_owner_deletion: Option<bool>,
}

/// What decides on which node a Pod goes, beside what it asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Placement {
    /// Who decides; empty for the default scheduler.
    pub(crate) scheduler: Text,
    /// Whether somebody holds it back (`schedulingGates`).
    pub(crate) is_gated: bool,
    pub(crate) priority: i32,
    pub(crate) node_selector: Pairs,
    /// The node affinity that is required.
    pub(crate) required: Option<NodeSelector>,
    pub(crate) tolerations: Box<[Toleration]>,
}

/// What of a node a Pod bears.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Toleration {
    pub(crate) key: Option<Text>,
    pub(crate) operator: Option<Text>,
    pub(crate) value: Option<Text>,
    pub(crate) effect: Option<Text>,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: Option<Text>,
    /// TCP, UDP or SCTP.
    pub(crate) protocol: Text,
    pub(crate) number: i32,
    /// The machine's port that leads to it.
    pub(crate) host: Option<i32>,
}

/// A condition of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) kind: Text,
    pub(crate) status: Text,
    pub(crate) since: Option<Timestamp>,
}

/// What became of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: Text,
    /// Whether it is one of the init containers.
    pub(crate) is_init: bool,
    pub(crate) restarts: i32,
    /// Its end, if it has ended and has not been started again.
    pub(crate) end: Option<End>,
}

/// The end of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) exit_code: i32,
    pub(crate) at: Option<Timestamp>,
}

impl Pod {
    /// The owner that controls it.
    pub(crate) fn controller(&self) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.controller == Some(true))
    }
}

impl Object for Pod {
    type Kind = v1::Pod;

    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn written_at(&self) -> u64 {
        self.written_at
    }

    fn is_dying(&self) -> bool {
        self.deletion.is_some()
    }

    fn controller_uid(&self) -> Option<&str> {
        self.controller().map(|owner| &*owner.uid)
    }

    fn owners(&self) -> Vec<OwnerReference> {
        self.owners.iter().map(OwnerReference::from).collect()
    }

    fn finalizers(&self) -> Vec<String> {
        self.finalizers.iter().map(ToString::to_string).collect()
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name)
    }

    fn thin(&mut self) {}
}

impl From<&Owner> for OwnerReference {
    fn from(owner: &Owner) -> Self {
        Self {
            api_version: owner.api_version.to_string(),
            kind: owner.kind.to_string(),
            name: owner.name.to_string(),
            uid: owner.uid.to_string(),
            controller: owner.controller,
            block_owner_deletion: owner.block_owner_deletion,
        }
    }
}

#[cfg(test)]
impl From<&v1::Pod> for Pod {
    fn from(pod: &v1::Pod) -> Self {
        let value = serde_json::to_value(pod).expect("a value");
        serde_json::from_value(value).expect("a pod")
    }
}

#[cfg(test)]
mod tests;
