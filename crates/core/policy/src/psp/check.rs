//! Whether a Pod, with what a policy gives it, keeps to that policy; and everything that does not.

mod confinement;
mod containers;
mod ids;
mod volumes;
mod words;

use std::borrow::Cow;
use std::fmt::Display;

use super::defaults::Defaults;
use super::{Phase, PodSecurityPolicy};
use crate::Workload;
use crate::verdict::{Law, Offences, quoted};

const HOST_NAMESPACE: Law = Law::fixed(
    "pod/host-namespace",
    "Pods must not share the machine's network, processes or memory",
    "leave it out",
);
const RUNTIME_CLASS: &str = "pod/runtime-class";
const SYSCTL: Law = Law::fixed(
    "pod/sysctl",
    "Pods may set those kernel parameters only that concern nobody else",
    "leave it out",
);

/// Kernel parameters that are the Pod's own: what the kubelet of today calls safe.
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

/// A kernel parameter as policies name it. The kubelet also takes `kernel/sem`: where a slash comes first, dots are part of a name.
fn with_dots(name: &str) -> Cow<'_, str> {
    let first = name.find(['.', '/']).map(|at| name.as_bytes()[at]);
    if first != Some(b'/') {
        return Cow::Borrowed(name);
    }
    let swapped = name.chars().map(|letter| match letter {
        '/' => '.',
        '.' => '/',
        other => other,
    });
    Cow::Owned(swapped.collect())
}

/// Everything in this Pod that the policy does not allow.
pub(super) fn check(
    policy: &PodSecurityPolicy,
    workload: &Workload,
    defaults: &Defaults<'_>,
    phase: Phase,
) -> Offences {
    let mut check = Check {
        policy,
        workload,
        defaults,
        phase,
        offences: Offences::default(),
    };
    check.host_namespaces();
    ids::check_pod(&mut check);
    confinement::check_pod(&mut check);
    check.sysctls();
    check.runtime_class();
    volumes::check(&mut check);
    for (container, defaults) in workload.containers().zip(&defaults.containers) {
        ids::check_container(&mut check, &container, defaults);
        containers::check(&mut check, &container, defaults);
        confinement::check_container(&mut check, &container, defaults);
    }
    check.offences
}

/// One Pod under examination by one policy.
struct Check<'a> {
    policy: &'a PodSecurityPolicy,
    workload: &'a Workload,
    defaults: &'a Defaults<'a>,
    phase: Phase,
    offences: Offences,
}

impl Check<'_> {
    fn host_namespaces(&mut self) {
        let (spec, policy) = (self.workload.spec(), self.policy.spec());
        for (field, shared, allowed) in [
            ("hostNetwork", spec.host_network, policy.host_network),
            ("hostPID", spec.host_pid, policy.host_pid),
            ("hostIPC", spec.host_ipc, policy.host_ipc),
        ] {
            if shared == Some(true) && !allowed {
                self.refuse(&HOST_NAMESPACE, field, "true");
            }
        }
    }

    fn sysctls(&mut self) {
        let matches = |patterns: &[String], name: &str| {
            patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == pattern,
            })
        };
        let policy = self.policy.spec();
        let context = self.workload.spec().security_context.as_ref();
        let sysctls = context.and_then(|context| context.sysctls.as_deref());
        for (i, sysctl) in sysctls.unwrap_or_default().iter().enumerate() {
            let name = sysctl.name.as_str();
            let allowed = !matches(&policy.forbidden_sysctls, name)
                && !matches(&policy.forbidden_sysctls, &with_dots(name))
                && (SAFE_SYSCTLS.contains(&name) || matches(&policy.allowed_unsafe_sysctls, name));
            if !allowed {
                let field = format!("securityContext.sysctls[{i}].name");
                self.refuse(&SYSCTL, &field, &quoted(name));
            }
        }
    }

    fn runtime_class(&mut self) {
        let Some(strategy) = &self.policy.spec().runtime_class else {
            return;
        };
        let own = self.workload.spec().runtime_class_name.as_deref();
        let allowed = &strategy.allowed_runtime_class_names;
        let Some(name) = own.or(self.defaults.runtime_class) else {
            return;
        };
        if !allowed.iter().any(|allowed| allowed == "*" || allowed == name) {
            let law = Law::spoken(
                RUNTIME_CLASS,
                words::only("Pods may have the runtime classes", allowed, "no runtime class"),
                "leave spec.runtimeClassName out".to_owned(),
            );
            self.refuse(&law, "runtimeClassName", &quoted(name));
        }
    }

    fn refuse(&mut self, law: &Law, field: impl Display, value: &str) {
        self.offences.value(law, self.workload.field(field), value);
    }

    /// Something that must be there is not. In a template it may still be put in when the Pod is made.
    fn missing(&mut self, law: &Law, field: impl Display) {
        if self.phase == Phase::Template {
            return;
        }
        let law = Law::spoken(law.rule, law.sentence.to_string(), "set it".to_owned());
        let field = self.workload.field(field);
        let found = format!("{field} is missing");
        self.offences.shown_as(&law, field, found);
    }

    /// An annotation of the Pod, which is no field of its specification.
    fn refuse_annotation(&mut self, law: &Law, key: &str, value: &str) {
        let field = format!("metadata.annotations[{}]", quoted(key));
        self.offences.value(law, field, &quoted(value));
    }
}
