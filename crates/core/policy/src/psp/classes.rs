//! The classes of policies that a platform has from the start: for its own services, for services that need nothing
//! special, and one for each tool.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use toolforge_model::{ToolAccount, ToolName};

use super::policy::{PodSecurityPolicy, SECCOMP};
use super::spec::{
    AllowedHostPath, HostPortRange, IdRule, IdStrategy, PodSecurityPolicySpec, SeLinuxStrategy,
};

/// Name of the policy for the platform's own services.
const PRIVILEGED: &str = "privileged-psp";
/// Name of the policy for services that need nothing special.
const DEFAULT: &str = "default";
/// Kinds of volumes that hold what is in the Pod's own namespace.
const OWN_VOLUMES: [&str; 7] = [
    "configMap",
    "downwardAPI",
    "emptyDir",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
/// Ids that are nobody's in particular, as the original's policy had them.
const ORDINARY: (i64, i64) = (1, 65535);

/// What the Pods of tools may have beyond what is the same everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolClass {
    /// Paths of the machine that Pods may mount. None by default.
    pub host_paths: Vec<HostPath>,
    /// Supplemental groups that Pods may have beside the tool's own. None by default: the group ids of other tools
    /// lie among them.
    pub supplemental_groups: Vec<RangeInclusive<i64>>,
}

/// A path of the machine that Pods may mount, with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath {
    /// Absolute path.
    pub prefix: String,
    /// Whether every mount of it must be read-only.
    pub read_only: bool,
}

/// `privileged-psp`: everything is allowed, and nothing is changed.
pub fn privileged_policy() -> PodSecurityPolicy {
    let spec = PodSecurityPolicySpec {
        privileged: true,
        allow_privilege_escalation: Some(true),
        allowed_capabilities: vec!["*".to_owned()],
        volumes: vec!["*".to_owned()],
        host_network: true,
        host_ports: vec![HostPortRange { min: 0, max: 65535 }],
        host_pid: true,
        host_ipc: true,
        allowed_unsafe_sysctls: vec!["*".to_owned()],
        allowed_proc_mount_types: vec!["Default".to_owned(), "Unmasked".to_owned()],
        se_linux: any_selinux(),
        run_as_user: IdStrategy::of(IdRule::RunAsAny),
        supplemental_groups: IdStrategy::of(IdRule::RunAsAny),
        fs_group: IdStrategy::of(IdRule::RunAsAny),
        ..PodSecurityPolicySpec::default()
    };
    known_good(PRIVILEGED, &[("allowedProfileNames", "*")], spec)
}

/// `default`: no root, no privileges, no path of the machine.
pub fn default_policy() -> PodSecurityPolicy {
    let (min, max) = ORDINARY;
    let volumes = ["configMap", "downwardAPI", "emptyDir", "projected", "secret"];
    let spec = PodSecurityPolicySpec {
        allow_privilege_escalation: Some(false),
        required_drop_capabilities: vec!["ALL".to_owned()],
        volumes: volumes.map(str::to_owned).into(),
        se_linux: any_selinux(),
        run_as_user: IdStrategy::of(IdRule::MustRunAsNonRoot),
        supplemental_groups: IdStrategy::within(IdRule::MustRunAs, min, max),
        fs_group: IdStrategy::within(IdRule::MustRunAs, min, max),
        ..PodSecurityPolicySpec::default()
    };
    known_good(DEFAULT, &RUNTIME_PROFILE, spec)
}

/// Name of the policy of a tool.
pub fn tool_policy_name(tool: &ToolName) -> String {
    format!("tool-{tool}-psp")
}

/// `tool-NAME-psp`: the tool's own user and group, and nothing of the machine but the configured paths.
pub fn tool_policy(tool: &ToolName, account: &ToolAccount, class: &ToolClass) -> PodSecurityPolicy {
    let uid = i64::from(account.uid);
    let own = |rule| IdStrategy::within(rule, uid, uid);
    let mut groups = own(IdRule::MayRunAs);
    groups
        .ranges
        .extend(class.supplemental_groups.iter().map(|range| super::IdRange {
            min: *range.start(),
            max: *range.end(),
        }));
    let mut volumes: Vec<String> = OWN_VOLUMES.map(str::to_owned).into();
    // Without a list of paths the kind would allow them all.
    if !class.host_paths.is_empty() {
        volumes.push("hostPath".to_owned());
    }
    let host_paths = class.host_paths.iter().map(|path| AllowedHostPath {
        path_prefix: path.prefix.clone(),
        read_only: path.read_only,
    });
    let spec = PodSecurityPolicySpec {
        allow_privilege_escalation: Some(false),
        required_drop_capabilities: vec!["ALL".to_owned()],
        volumes,
        allowed_host_paths: host_paths.collect(),
        se_linux: any_selinux(),
        run_as_user: own(IdRule::MustRunAs),
        run_as_group: Some(own(IdRule::MustRunAs)),
        supplemental_groups: groups,
        fs_group: own(IdRule::MustRunAs),
        ..PodSecurityPolicySpec::default()
    };
    known_good(&tool_policy_name(tool), &RUNTIME_PROFILE, spec)
}

const RUNTIME_PROFILE: [(&str, &str); 2] = [
    ("allowedProfileNames", "runtime/default"),
    ("defaultProfileName", "runtime/default"),
];

fn any_selinux() -> SeLinuxStrategy {
    SeLinuxStrategy {
        rule: IdRule::RunAsAny,
        se_linux_options: None,
    }
}

fn known_good(name: &str, seccomp: &[(&str, &str)], spec: PodSecurityPolicySpec) -> PodSecurityPolicy {
    let annotations: BTreeMap<String, String> = seccomp
        .iter()
        .map(|(key, value)| (format!("{SECCOMP}{key}"), (*value).to_owned()))
        .collect();
    PodSecurityPolicy::new(name, annotations, spec).expect("every rule of these has its ranges")
}
