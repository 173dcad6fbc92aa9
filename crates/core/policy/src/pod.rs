//! The Pod guard: a tool's Pods run as the tool's own user, with nothing of the machine's in their hands.
//!
//! For a Pod every protection must be there (the mutating half has put it there); for a template it is enough that
//! nothing contradicts it, because its Pods will be completed when they are created.

mod container;
mod volumes;

use std::ops::RangeInclusive;

use k8s_openapi::api::core::v1::{PodSecurityContext, SeccompProfile};
use toolforge_model::ToolAccount;

use crate::verdict::{Law, Offences, quoted};
use crate::{Verdict, Workload};

const HOST_NAMESPACE: Law = Law::fixed(
    "pod/host-namespace",
    "Pods of tools must not share the machine's network, processes or memory",
    "leave it out",
);
const SYSCTL: Law = Law::fixed(
    "pod/sysctl",
    "Pods of tools may set those kernel parameters only that concern nobody else",
    "leave it out",
);
const PRIORITY: Law = Law::fixed(
    "pod/priority",
    "Pods of tools must not take the priority of the system's own",
    "leave spec.priorityClassName out",
);
const SECCOMP: Law = Law::fixed(
    "pod/seccomp",
    "Pods of tools must have the runtime's seccomp profile",
    "leave it out or use type RuntimeDefault",
);
const APPARMOR: Law = Law::fixed(
    "pod/apparmor",
    "Pods of tools must have the runtime's AppArmor profile",
    "leave it out or use type RuntimeDefault",
);
const SELINUX: Law = Law::fixed(
    "pod/selinux",
    "Pods of tools must not choose an SELinux user, role or type of their own",
    "leave it out",
);
const WINDOWS: Law = Law::fixed(
    "pod/windows",
    "Pods of tools must not have options of Windows",
    "leave it out",
);

/// Kernel parameters that are the Pod's own, as the Pod Security Standards list them.
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];
/// What the names of the system's own priority classes begin with.
const SYSTEM_PRIORITY: &str = "system-";
/// Annotations that once chose the profiles which have fields now; old clusters still obey them.
const PROFILE_ANNOTATIONS: [(&str, &Law); 3] = [
    ("seccomp.security.alpha.kubernetes.io/", &SECCOMP),
    ("container.seccomp.security.alpha.kubernetes.io/", &SECCOMP),
    ("container.apparmor.security.beta.kubernetes.io/", &APPARMOR),
];

/// What Pods in the namespaces of tools are held to, beyond what is the same everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodPolicy {
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

/// Whether a Pod, or a template of Pods, keeps to what this tool may do.
pub fn admit_pod(policy: &PodPolicy, account: &ToolAccount, workload: &Workload) -> Verdict {
    let mut guard = Guard {
        policy,
        uid: i64::from(account.uid),
        workload,
        offences: Offences::default(),
    };
    guard.check_host_namespaces();
    guard.check_pod_context();
    guard.check_priority();
    guard.check_profile_annotations();
    volumes::check(&mut guard);
    for container in workload.containers() {
        container::check(&mut guard, &container);
    }
    guard.offences.into_verdict()
}

/// One Pod under examination.
struct Guard<'a> {
    policy: &'a PodPolicy,
    uid: i64,
    workload: &'a Workload,
    offences: Offences,
}

impl Guard<'_> {
    fn check_host_namespaces(&mut self) {
        let spec = self.workload.spec();
        for (field, shared) in [
            ("hostNetwork", spec.host_network),
            ("hostPID", spec.host_pid),
            ("hostIPC", spec.host_ipc),
        ] {
            if shared == Some(true) {
                self.refuse(&HOST_NAMESPACE, field, "true");
            }
        }
    }

    fn check_pod_context(&mut self) {
        let empty = PodSecurityContext::default();
        let context = self.workload.spec().security_context.as_ref().unwrap_or(&empty);
        self.check_id("securityContext.runAsUser", context.run_as_user, false);
        self.check_id("securityContext.runAsGroup", context.run_as_group, false);
        self.check_id(
            "securityContext.fsGroup",
            context.fs_group,
            self.workload.is_pod(),
        );
        for (i, group) in context.supplemental_groups.iter().flatten().enumerate() {
            if *group != self.uid
                && !self
                    .policy
                    .supplemental_groups
                    .iter()
                    .any(|range| range.contains(group))
            {
                let law = Law::spoken(
                    "pod/supplemental-groups",
                    format!(
                        "Pods of tools may be in the tool's own group only (gid {})",
                        self.uid
                    ),
                    "leave it out".to_owned(),
                );
                self.refuse(
                    &law,
                    &format!("securityContext.supplementalGroups[{i}]"),
                    &group.to_string(),
                );
            }
        }
        for (i, sysctl) in context.sysctls.iter().flatten().enumerate() {
            if !SAFE_SYSCTLS.contains(&sysctl.name.as_str()) {
                self.refuse(
                    &SYSCTL,
                    &format!("securityContext.sysctls[{i}].name"),
                    &quoted(&sysctl.name),
                );
            }
        }
        self.check_seccomp(
            "securityContext.seccompProfile.type",
            context.seccomp_profile.as_ref(),
        );
        if let Some(profile) = &context.app_armor_profile {
            self.check_apparmor("securityContext.appArmorProfile.type", &profile.type_);
        }
        if context.windows_options.is_some() {
            self.refuse(&WINDOWS, "securityContext.windowsOptions", "set");
        }
        if let Some(options) = &context.se_linux_options {
            self.check_selinux("securityContext.seLinuxOptions", options);
        }
    }

    fn check_priority(&mut self) {
        let class = self.workload.spec().priority_class_name.as_deref();
        if let Some(class) = class.filter(|class| class.starts_with(SYSTEM_PRIORITY)) {
            self.refuse(&PRIORITY, "priorityClassName", &quoted(class));
        }
    }

    fn check_profile_annotations(&mut self) {
        for (key, value) in self.workload.pod_metadata().annotations.iter().flatten() {
            let profile = PROFILE_ANNOTATIONS
                .iter()
                .find(|(family, _)| key.starts_with(family));
            if let Some((_, law)) =
                profile.filter(|_| value != "runtime/default" && value != "docker/default")
            {
                let field = format!("metadata.annotations[{}]", quoted(key));
                self.offences.value(law, field, &quoted(value));
            }
        }
    }

    /// A user or group id must be the tool's own, wherever one is named.
    fn check_id(&mut self, field: &str, id: Option<i64>, required: bool) {
        let Some(id) = id else {
            if required {
                self.missing(&self.id_law(), field);
            }
            return;
        };
        if id != self.uid {
            self.refuse(&self.id_law(), field, &id.to_string());
        }
    }

    fn id_law(&self) -> Law {
        Law::spoken(
            "pod/run-as",
            format!(
                "Pods of tools run as the tool's own user and group (id {})",
                self.uid
            ),
            "leave it out".to_owned(),
        )
    }

    fn check_seccomp(&mut self, field: &str, profile: Option<&SeccompProfile>) {
        if let Some(profile) = profile.filter(|profile| profile.type_ != "RuntimeDefault") {
            self.refuse(&SECCOMP, field, &quoted(&profile.type_));
        }
    }

    fn check_apparmor(&mut self, field: &str, kind: &str) {
        if kind != "RuntimeDefault" {
            self.refuse(&APPARMOR, field, &quoted(kind));
        }
    }

    /// The level only separates Pods from each other; the rest chooses what a Pod may do.
    fn check_selinux(&mut self, field: &str, options: &k8s_openapi::api::core::v1::SELinuxOptions) {
        for (name, value) in [
            ("user", &options.user),
            ("role", &options.role),
            ("type", &options.type_),
        ] {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                self.refuse(&SELINUX, &format!("{field}.{name}"), &quoted(value));
            }
        }
    }

    fn refuse(&mut self, law: &Law, field: &str, value: &str) {
        self.offences.value(law, self.workload.field(field), value);
    }

    fn missing(&mut self, law: &Law, field: &str) {
        let field = self.workload.field(field);
        let found = format!("{field} is missing");
        self.offences.shown_as(law, field, found);
    }
}

#[cfg(test)]
mod tests;
