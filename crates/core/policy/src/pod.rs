//! What a tool's Pods are held to beside their policies: rules that a `PodSecurityPolicy` cannot express.

mod hooks;

use k8s_openapi::api::core::v1::{PodSpec, SELinuxOptions};

use crate::Workload;
use crate::psp::{IdRule, PodSecurityPolicy};
use crate::verdict::{Law, Offences, quoted};
use crate::workload::AnyContainer;

const PRIORITY: Law = Law::fixed(
    "pod/priority",
    "Pods of tools must not take the priority of the system's own",
    "leave it out",
);
const PRIORITY_NUMBER: Law = Law::fixed(
    "pod/priority",
    "The priority of a tool's Pods must come from a class of priorities",
    "leave it out; the cluster fills it in from spec.priorityClassName",
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
const HOST_ADDRESS: Law = Law::fixed(
    "pod/host-port",
    "Containers must not take ports of the machine",
    "use containerPort and a Service",
);

/// What the names of the system's own priority classes begin with.
const SYSTEM_PRIORITY: &str = "system-";
/// The highest priority that is not the system's own; Kubernetes keeps those above for itself.
const HIGHEST_PRIORITY: i32 = 1_000_000_000;
/// Annotations that once chose `AppArmor` profiles; old clusters still obey them.
const APPARMOR_CONTAINER: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Whether another Pod security policy might let in what breaks this rule.
pub fn is_of_policies(rule: &str) -> bool {
    let lasting = [&PRIORITY, &WINDOWS, &hooks::PROBE_HOST];
    rule.starts_with("pod/") && lasting.iter().all(|law| law.rule != rule)
}

/// Adds what no policy lifts.
pub(crate) fn check_ground(workload: &Workload) -> Offences {
    let mut offences = Offences::default();
    let spec = workload.spec();
    let mut refuse = |law: &Law, field: &str, value: &str| offences.value(law, workload.field(field), value);
    if let Some(class) = spec
        .priority_class_name
        .as_deref()
        .filter(|class| class.starts_with(SYSTEM_PRIORITY))
    {
        refuse(&PRIORITY, "priorityClassName", &quoted(class));
    }
    check_priority(spec, &mut refuse);
    let context = spec.security_context.as_ref();
    if context.is_some_and(|context| context.windows_options.is_some()) {
        refuse(&WINDOWS, "securityContext.windowsOptions", "set");
    }
    for container in workload.containers() {
        if container
            .security
            .is_some_and(|own| own.windows_options.is_some())
        {
            refuse(
                &WINDOWS,
                &container.field("securityContext.windowsOptions").to_string(),
                "set",
            );
        }
        check_addresses(&container, &mut refuse);
        hooks::check(&container, &mut refuse);
    }
    offences
}

/// A scheduler goes by the number, which an API without classes of priorities takes as it is.
fn check_priority(spec: &PodSpec, refuse: &mut impl FnMut(&Law, &str, &str)) {
    let number = spec.priority.unwrap_or_default();
    let has_class = spec
        .priority_class_name
        .as_deref()
        .is_some_and(|class| !class.is_empty());
    if number > HIGHEST_PRIORITY {
        refuse(&PRIORITY, "priority", &number.to_string());
    } else if number > 0 && !has_class {
        refuse(&PRIORITY_NUMBER, "priority", &number.to_string());
    }
}

/// An address of the machine without a port of it is of no use, and no policy looks at it.
fn check_addresses(container: &AnyContainer<'_>, refuse: &mut impl FnMut(&Law, &str, &str)) {
    for (i, port) in container.ports.iter().enumerate() {
        let address = port.host_ip.as_deref().filter(|address| !address.is_empty());
        if let Some(address) = address.filter(|_| port.host_port.unwrap_or_default() == 0) {
            refuse(
                &HOST_ADDRESS,
                &container.field(format!("ports[{i}].hostIP")).to_string(),
                &quoted(address),
            );
        }
    }
}

/// Adds what this policy leaves open although it gives no privileges: the profiles of `SELinux` and `AppArmor`.
pub(crate) fn check_beside(policy: &PodSecurityPolicy, workload: &Workload, offences: &mut Offences) {
    if policy.spec().privileged {
        return;
    }
    let selinux = policy.spec().se_linux.rule == IdRule::RunAsAny;
    let apparmor = !policy.names_apparmor();
    let mut refuse = |law: &Law, field: &str, value: &str| offences.value(law, workload.field(field), value);
    if let Some(context) = &workload.spec().security_context {
        if let Some(options) = context.se_linux_options.as_ref().filter(|_| selinux) {
            check_selinux("securityContext.seLinuxOptions", options, &mut refuse);
        }
        if let Some(profile) = context.app_armor_profile.as_ref().filter(|_| apparmor) {
            check_apparmor(
                "securityContext.appArmorProfile.type",
                &profile.type_,
                &mut refuse,
            );
        }
    }
    for container in workload.containers() {
        let own = container.security;
        if let Some(options) = own
            .and_then(|own| own.se_linux_options.as_ref())
            .filter(|_| selinux)
        {
            check_selinux(
                &container.field("securityContext.seLinuxOptions").to_string(),
                options,
                &mut refuse,
            );
        }
        if let Some(profile) = own
            .and_then(|own| own.app_armor_profile.as_ref())
            .filter(|_| apparmor)
        {
            check_apparmor(
                &container
                    .field("securityContext.appArmorProfile.type")
                    .to_string(),
                &profile.type_,
                &mut refuse,
            );
        }
    }
    if apparmor {
        check_annotations(workload, offences);
    }
}

fn check_annotations(workload: &Workload, offences: &mut Offences) {
    for (key, value) in workload.annotations() {
        if key.starts_with(APPARMOR_CONTAINER) && value != "runtime/default" {
            let field = format!("metadata.annotations[{}]", quoted(key));
            offences.value(&APPARMOR, field, &quoted(value));
        }
    }
}

fn check_apparmor(field: &str, kind: &str, refuse: &mut impl FnMut(&Law, &str, &str)) {
    if kind != "RuntimeDefault" {
        refuse(&APPARMOR, field, &quoted(kind));
    }
}

/// The level only separates Pods from each other; the rest chooses what a Pod may do.
fn check_selinux(field: &str, options: &SELinuxOptions, refuse: &mut impl FnMut(&Law, &str, &str)) {
    for (name, value) in [
        ("user", &options.user),
        ("role", &options.role),
        ("type", &options.type_),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            refuse(&SELINUX, &format!("{field}.{name}"), &quoted(value));
        }
    }
}
