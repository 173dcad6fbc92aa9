//! What the operator says about the guards: the policy file as data.
//!
//! Read by the program from YAML (`--policy FILE`) or put together from its flags, and turned into [`Policies`](crate::Policies) by
//! [`PolicySettings::resolve`]. Nothing here knows what a guard does with it; every key is told in docs/operators.md.

mod problem;
mod resolve;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toolforge_model::names;

use crate::Mount;
pub use problem::PolicySettingsError;

/// Namespaces whose objects are not looked at, unless configured otherwise: the cluster's own, and that of the pages
/// for what is not there.
const SAFE_NAMESPACES: [&str; 2] = ["kube-system", names::FOUROHFOUR_NAMESPACE];

/// The policy file. What it leaves out has the default; a key that is not known is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PolicySettings {
    /// Domains under which tools have their host names, such as `toolforge.org`; the first is the platform's main one.
    pub domains: Vec<String>,
    /// Hosts of the legacy domain, which all tools share, each with the path `/TOOL`; none switches it off.
    pub legacy_domains: Vec<String>,
    /// The class of the Ingresses that the platform serves.
    pub ingress_class: String,
    /// Registries that images may come from, as `HOST`, `HOST:PORT` or `HOST/PATH`.
    pub registries: Vec<String>,
    /// Registries, or parts of them, whose images must be named by digest.
    pub digests_required_in: Vec<String>,
    /// Namespaces that the guards do not look at.
    pub safe_namespaces: SafeNamespaces,
    /// What tools' Services may be.
    pub services: ServiceSettings,
    /// Where tools' Services may lead.
    pub endpoints: EndpointSettings,
    /// What tools' Pods get from the machine.
    pub volumes: VolumeSettings,
    /// What tools' Pods may be.
    pub pod_security: PodSecuritySettings,
}

/// Namespaces whose objects a guard does not look at, guard by guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SafeNamespaces {
    /// For the ingress guard and the gateway.
    pub ingress: Vec<String>,
    /// For the registry guard.
    pub images: Vec<String>,
    /// For the service guard.
    pub services: Vec<String>,
    /// For the endpoints guard.
    pub endpoints: Vec<String>,
    /// For the volumes guard.
    pub volumes: Vec<String>,
    /// For the Pod security guard. None by default: those that are exempt always are not among them.
    pub pods: Vec<String>,
}

/// What tools' Services may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServiceSettings {
    /// Types that tools may have besides `ClusterIP`: `NodePort`, `LoadBalancer`, `ExternalName`.
    pub allowed_types: Vec<String>,
    /// Whether tools may claim addresses outside the cluster with `externalIPs`.
    #[serde(rename = "externalIPs")]
    pub external_ips: bool,
}

/// Where tools' Services may lead by endpoints written by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EndpointSettings {
    /// Networks outside the cluster, as `ADDRESS/BITS`.
    pub networks: Vec<String>,
    /// Users who may write any endpoints, besides the cluster's own controllers.
    pub writers: Vec<String>,
}

/// What Pods labelled `toolforge=tool` get from the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VolumeSettings {
    /// The paths.
    pub mounts: Vec<Mount>,
    /// Labels of the machines on which those paths are.
    pub node_selector: BTreeMap<String, String>,
}

/// What tools' Pods may be, beyond what is the same everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PodSecuritySettings {
    /// Whether Pods of all namespaces but the exempt ones need a `PodSecurityPolicy`, and not those of tools only.
    pub all_namespaces: bool,
    /// Paths of the machine that Pods may mount, with everything below them.
    pub host_paths: Vec<HostPathSettings>,
    /// Supplemental groups that Pods may have beside the tool's own.
    pub supplemental_groups: Vec<GroupRange>,
}

/// A path of the machine that Pods may mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPathSettings {
    /// Absolute path; everything below it is meant as well.
    pub path_prefix: String,
    /// Whether every mount of it must be read-only.
    #[serde(default)]
    pub read_only: bool,
}

/// Group ids from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRange {
    /// The first.
    pub min: i64,
    /// The last.
    pub max: i64,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            legacy_domains: Vec::new(),
            ingress_class: names::INGRESS_CLASS.to_owned(),
            registries: Vec::new(),
            digests_required_in: Vec::new(),
            safe_namespaces: SafeNamespaces::default(),
            services: ServiceSettings::default(),
            endpoints: EndpointSettings::default(),
            volumes: VolumeSettings::default(),
            pod_security: PodSecuritySettings::default(),
        }
    }
}

impl Default for SafeNamespaces {
    fn default() -> Self {
        let safe = || SAFE_NAMESPACES.map(str::to_owned).to_vec();
        Self {
            ingress: safe(),
            // Its image is the platform's own, and may come from where no tool's does.
            images: safe()
                .into_iter()
                .chain([names::K8S_STATUS_NAMESPACE.to_owned()])
                .collect(),
            services: safe(),
            endpoints: safe(),
            volumes: safe(),
            pods: vec![],
        }
    }
}

impl PolicySettings {
    /// Reads a policy file in YAML (or JSON, which is YAML). An empty one says nothing.
    ///
    /// # Errors
    /// When it is no YAML, has a key twice, or a key or a type of value that is not known. The values are checked by
    /// [`Self::resolve`].
    pub fn read(text: &str) -> Result<Self, PolicySettingsError> {
        serde_saphyr::from_str::<Option<Self>>(text)
            .map(Option::unwrap_or_default)
            .map_err(|problem| PolicySettingsError::Unreadable(problem.to_string()))
    }

    /// Settings with one domain and one registry, and else the defaults.
    pub fn with(domain: &str, registry: &str) -> Self {
        Self {
            domains: vec![domain.to_owned()],
            registries: vec![registry.to_owned()],
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
