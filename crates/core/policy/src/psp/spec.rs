//! What a `PodSecurityPolicy` says: the fields of `policy/v1beta1` as Kubernetes had them until 1.24.
//!
//! Data only, read leniently: a field that is not known is left out, a list that is null is empty.

use k8s_openapi::api::core::v1::SELinuxOptions;
use serde::{Deserialize, Deserializer, Serialize};

/// The specification of a policy. What is not named is not allowed, except for what upstream allowed by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "upstream's fields are so")]
pub struct PodSecurityPolicySpec {
    /// Whether containers may be privileged.
    #[serde(deserialize_with = "or_default")]
    pub privileged: bool,
    /// Capabilities that containers get unless they drop them.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub default_add_capabilities: Vec<String>,
    /// Capabilities that every container must drop, and drops by itself.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub required_drop_capabilities: Vec<String>,
    /// Capabilities that containers may add; `*` for all.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub allowed_capabilities: Vec<String>,
    /// Kinds of volumes that Pods may have; `*` for all.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Whether Pods may share the machine's network.
    #[serde(deserialize_with = "or_default")]
    pub host_network: bool,
    /// Ports of the machine that containers may take.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub host_ports: Vec<HostPortRange>,
    /// Whether Pods may share the machine's processes.
    #[serde(rename = "hostPID", deserialize_with = "or_default")]
    pub host_pid: bool,
    /// Whether Pods may share the machine's memory.
    #[serde(rename = "hostIPC", deserialize_with = "or_default")]
    pub host_ipc: bool,
    /// What Pods may choose of `SELinux`.
    pub se_linux: SeLinuxStrategy,
    /// Which users containers run as.
    pub run_as_user: IdStrategy,
    /// Which groups containers run as; any when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_group: Option<IdStrategy>,
    /// Which further groups Pods are in.
    pub supplemental_groups: IdStrategy,
    /// Which group the files of volumes get.
    pub fs_group: IdStrategy,
    /// Whether containers must have a read-only root filesystem.
    #[serde(deserialize_with = "or_default")]
    pub read_only_root_filesystem: bool,
    /// Whether containers that say nothing may gain privileges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_allow_privilege_escalation: Option<bool>,
    /// Whether containers may gain privileges; yes when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_privilege_escalation: Option<bool>,
    /// Paths of the machine that Pods may mount, where volumes of kind `hostPath` are allowed; all when empty.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub allowed_host_paths: Vec<AllowedHostPath>,
    /// Drivers of `flexVolume`s; all when empty.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub allowed_flex_volumes: Vec<AllowedFlexVolume>,
    /// Drivers of inline CSI volumes; all when empty.
    #[serde(
        rename = "allowedCSIDrivers",
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub allowed_csi_drivers: Vec<AllowedCsiDriver>,
    /// Kernel parameters beyond the safe ones, a `*` at the end for all that begin so.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub allowed_unsafe_sysctls: Vec<String>,
    /// Kernel parameters that are refused although they are safe.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub forbidden_sysctls: Vec<String>,
    /// Ways to mount `/proc`; `Default` only when empty.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub allowed_proc_mount_types: Vec<String>,
    /// Which runtime classes Pods may name; any when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_class: Option<RuntimeClassStrategy>,
}

/// Ports from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPortRange {
    /// The first port.
    pub min: i32,
    /// The last port.
    pub max: i32,
}

/// Ids from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first id.
    pub min: i64,
    /// The last id.
    pub max: i64,
}

/// How an id is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdStrategy {
    /// The rule.
    pub rule: IdRule,
    /// The ids of the rule, if it has any.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<IdRange>,
}

/// Rules about ids. Which of them a field may have is in the definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdRule {
    /// None was given: the policy allows nothing.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// Anything goes.
    RunAsAny,
    /// One of the ranges; the first id of the first range when nothing is named.
    MustRunAs,
    /// One of the ranges, or none at all.
    MayRunAs,
    /// Any user but root.
    MustRunAsNonRoot,
}

/// What Pods may choose of `SELinux`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SeLinuxStrategy {
    /// `RunAsAny` or `MustRunAs`.
    pub rule: IdRule,
    /// The options that `MustRunAs` demands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub se_linux_options: Option<SELinuxOptions>,
}

/// A path of the machine with everything below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AllowedHostPath {
    /// Absolute path.
    pub path_prefix: String,
    /// Whether every mount of it must be read-only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_false")]
    pub read_only: bool,
}

/// A driver of `flexVolume`s.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedFlexVolume {
    /// Name of the driver.
    pub driver: String,
}

/// A driver of inline CSI volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedCsiDriver {
    /// Name of the driver.
    pub name: String,
}

/// Which runtime classes Pods may name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeClassStrategy {
    /// Their names; `*` for all.
    #[serde(deserialize_with = "or_default")]
    pub allowed_runtime_class_names: Vec<String>,
    /// The one that Pods get that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_runtime_class_name: Option<String>,
}

impl IdStrategy {
    /// A strategy without ranges.
    pub fn of(rule: IdRule) -> Self {
        Self { rule, ranges: vec![] }
    }

    /// A strategy with one range.
    pub fn within(rule: IdRule, min: i64, max: i64) -> Self {
        Self {
            rule,
            ranges: vec![IdRange { min, max }],
        }
    }

    /// What a Pod gets that names no id: the first of the first range, where one is demanded.
    pub(super) fn generated(&self) -> Option<i64> {
        match self.rule {
            IdRule::MustRunAs => self.ranges.first().map(|range| range.min),
            _ => None,
        }
    }

    /// Whether an id that is named may be.
    pub(super) fn allows(&self, id: i64) -> bool {
        match self.rule {
            IdRule::RunAsAny => true,
            IdRule::MustRunAsNonRoot => id != 0,
            IdRule::MustRunAs | IdRule::MayRunAs => {
                self.ranges.iter().any(|range| range.min <= id && id <= range.max)
            }
            IdRule::Unset => false,
        }
    }

    /// Whether some id has to be named.
    pub(super) fn demands_one(&self) -> bool {
        matches!(self.rule, IdRule::MustRunAs | IdRule::Unset)
    }
}

impl AllowedHostPath {
    /// Whether the path is this one or below it, compared part by part; paths with `..` are below nothing, and nothing is
    /// below a path that is none.
    pub(super) fn covers(&self, path: &str) -> bool {
        fn parts(path: &str) -> impl Iterator<Item = &str> {
            path.split('/').filter(|part| !part.is_empty() && *part != ".")
        }
        let mut path_parts = parts(path);
        path.starts_with('/')
            && self.path_prefix.starts_with('/')
            && !path.split('/').any(|part| part == "..")
            && parts(&self.path_prefix).all(|part| path_parts.next() == Some(part))
    }
}

/// Null means the same as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}
