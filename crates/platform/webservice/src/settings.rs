//! What a webservice is told to be: one value, whether it comes from the command line, from a file of the
//! tool's home, or from what runs. `layers` makes one of all.

mod check;
mod layers;
mod running;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use check::problems_of;
pub(crate) use layers::{Layers, Offer, Resolved};
pub(crate) use running::SETTINGS_ANNOTATION;

use crate::{cli::SettingsArgs, resources::Limits};

/// The settings of a webservice. What is absent was not said, and takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// The type, by its name or an alias.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backend: Option<Backend>,
    /// The limit of memory, a quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mem: Option<String>,
    /// The limit of CPU, a quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replicas: Option<u16>,
    /// Arguments for the program of the type; they belong to that type.
    #[serde(rename = "extra_args", skip_serializing_if = "Vec::is_empty")]
    pub(crate) extra: Vec<String>,
    /// Where the webservice says whether it is well; without it a listening port is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) health_check_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mount: Option<Mount>,
    /// The image of type buildservice, without its registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) buildservice_image: Option<String>,
    /// Grid only: the release of the machine's operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) release: Option<String>,
}

/// Where a webservice runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Backend {
    /// A Deployment in the tool's namespace
    Kubernetes,
    /// A job of Grid Engine
    Gridengine,
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kubernetes => "kubernetes",
            Self::Gridengine => "gridengine",
        })
    }
}

/// What of the tool's storage is mounted into its Pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mount {
    /// The home and all else that the platform mounts
    All,
    /// Nothing
    None,
}

impl Settings {
    /// What was asked for on the command line.
    pub(crate) fn asked(asked: &SettingsArgs) -> Self {
        Self {
            kind: asked.kind.clone(),
            backend: asked.backend,
            mem: asked.mem.clone(),
            cpu: asked.cpu.clone(),
            replicas: asked.replicas,
            extra: asked.extra.clone(),
            health_check_path: asked.health_check_path.clone(),
            mount: asked.mount,
            buildservice_image: asked.buildservice_image.clone(),
            release: asked.release.clone(),
        }
    }

    /// The limits that were asked for.
    pub(crate) fn limits(&self) -> Limits<'_> {
        Limits {
            mem: self.mem.as_deref(),
            cpu: self.cpu.as_deref(),
        }
    }

    /// These, and where they say nothing, those. What belongs to a type is taken over only when that stays.
    pub(crate) fn over(self, those: Self, same_type: bool) -> Self {
        let keep = self.extra.is_empty() && same_type;
        let of_type = |those: Option<_>| those.filter(|_| same_type);
        Self {
            kind: self.kind.or(those.kind),
            backend: self.backend.or(those.backend),
            mem: self.mem.or(those.mem),
            cpu: self.cpu.or(those.cpu),
            replicas: self.replicas.or(those.replicas),
            extra: if keep { those.extra } else { self.extra },
            health_check_path: self
                .health_check_path
                .or_else(|| of_type(those.health_check_path)),
            mount: self.mount.or_else(|| those.mount.filter(|_| same_type)),
            buildservice_image: self.buildservice_image.or(those.buildservice_image),
            release: self.release.or(those.release),
        }
    }
}
