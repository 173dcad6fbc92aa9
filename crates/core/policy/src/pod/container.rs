//! What a container of a tool's Pod may ask for.

use k8s_openapi::api::core::v1::{LifecycleHandler, SecurityContext};

use super::{Guard, SECCOMP, WINDOWS};
use crate::verdict::{Law, quoted};
use crate::workload::AnyContainer;

const PRIVILEGED: Law = Law::fixed(
    "pod/privileged",
    "Containers of tools must not be privileged",
    "leave securityContext.privileged out",
);
const ESCALATION: Law = Law::fixed(
    "pod/privilege-escalation",
    "Containers of tools must not gain privileges",
    "leave it out or set it to false",
);
const CAPABILITIES: Law = Law::fixed(
    "pod/capabilities",
    "Containers of tools have no capabilities",
    "leave securityContext.capabilities out",
);
const HOST_PORT: Law = Law::fixed(
    "pod/host-port",
    "Containers of tools must not take ports of the machine",
    "use containerPort and a Service",
);
const PROC_MOUNT: Law = Law::fixed(
    "pod/proc-mount",
    "Containers of tools must have /proc masked",
    "leave securityContext.procMount out",
);
const PROBE_HOST: Law = Law::fixed(
    "pod/probe-host",
    "Probes and lifecycle hooks must stay with their own Pod, because the machine runs them",
    "leave host out",
);

/// Adds everything that is wrong with one container.
pub(super) fn check(guard: &mut Guard<'_>, container: &AnyContainer<'_>) {
    let empty = SecurityContext::default();
    let context = container.security.unwrap_or(&empty);
    check_ids(guard, container, context);
    check_privileges(guard, container, context);
    check_confinement(guard, container, context);
    check_ports(guard, container);
    check_hooks(guard, container);
}

/// In a Pod an id must be in effect: the container's own or the Pod's, which is checked where it stands.
fn check_ids(guard: &mut Guard<'_>, container: &AnyContainer<'_>, context: &SecurityContext) {
    let pod = guard.workload.spec().security_context.as_ref();
    let required = guard.workload.is_pod();
    let user_required = required && pod.is_none_or(|pod| pod.run_as_user.is_none());
    let group_required = required && pod.is_none_or(|pod| pod.run_as_group.is_none());
    guard.check_id(
        &container.field("securityContext.runAsUser"),
        context.run_as_user,
        user_required,
    );
    guard.check_id(
        &container.field("securityContext.runAsGroup"),
        context.run_as_group,
        group_required,
    );
}

fn check_privileges(guard: &mut Guard<'_>, container: &AnyContainer<'_>, context: &SecurityContext) {
    if context.privileged == Some(true) {
        guard.refuse(
            &PRIVILEGED,
            &container.field("securityContext.privileged"),
            "true",
        );
    }
    let escalation = container.field("securityContext.allowPrivilegeEscalation");
    match context.allow_privilege_escalation {
        Some(true) => guard.refuse(&ESCALATION, &escalation, "true"),
        None if guard.workload.is_pod() => guard.missing(&ESCALATION, &escalation),
        Some(false) | None => {}
    }
    let capabilities = context.capabilities.as_ref();
    for (i, added) in capabilities
        .iter()
        .flat_map(|c| c.add.iter().flatten())
        .enumerate()
    {
        guard.refuse(
            &CAPABILITIES,
            &container.field(&format!("securityContext.capabilities.add[{i}]")),
            &quoted(added),
        );
    }
    let all_dropped = capabilities
        .iter()
        .flat_map(|c| c.drop.iter().flatten())
        .any(|dropped| dropped == "ALL");
    if guard.workload.is_pod() && !all_dropped {
        let field = guard
            .workload
            .field(&container.field("securityContext.capabilities.drop"));
        let found = format!("{field} does not name ALL");
        guard.offences.shown_as(&CAPABILITIES, field, found);
    }
}

fn check_confinement(guard: &mut Guard<'_>, container: &AnyContainer<'_>, context: &SecurityContext) {
    let seccomp = container.field("securityContext.seccompProfile.type");
    guard.check_seccomp(&seccomp, context.seccomp_profile.as_ref());
    let pods_profile = guard
        .workload
        .spec()
        .security_context
        .as_ref()
        .and_then(|pod| pod.seccomp_profile.as_ref());
    if guard.workload.is_pod() && context.seccomp_profile.is_none() && pods_profile.is_none() {
        guard.missing(&SECCOMP, &seccomp);
    }
    if let Some(profile) = &context.app_armor_profile {
        guard.check_apparmor(
            &container.field("securityContext.appArmorProfile.type"),
            &profile.type_,
        );
    }
    if let Some(options) = &context.se_linux_options {
        guard.check_selinux(&container.field("securityContext.seLinuxOptions"), options);
    }
    if let Some(mount) = context.proc_mount.as_deref().filter(|mount| *mount != "Default") {
        guard.refuse(
            &PROC_MOUNT,
            &container.field("securityContext.procMount"),
            &quoted(mount),
        );
    }
    if context.windows_options.is_some() {
        guard.refuse(
            &WINDOWS,
            &container.field("securityContext.windowsOptions"),
            "set",
        );
    }
}

fn check_ports(guard: &mut Guard<'_>, container: &AnyContainer<'_>) {
    for (i, port) in container.ports.iter().enumerate() {
        if let Some(number) = port.host_port.filter(|number| *number != 0) {
            guard.refuse(
                &HOST_PORT,
                &container.field(&format!("ports[{i}].hostPort")),
                &number.to_string(),
            );
        }
        if let Some(address) = port.host_ip.as_deref().filter(|address| !address.is_empty()) {
            guard.refuse(
                &HOST_PORT,
                &container.field(&format!("ports[{i}].hostIP")),
                &quoted(address),
            );
        }
    }
}

fn check_hooks(guard: &mut Guard<'_>, container: &AnyContainer<'_>) {
    for (name, probe) in &container.probes {
        let http = probe
            .and_then(|probe| probe.http_get.as_ref())
            .and_then(|get| get.host.as_deref());
        let tcp = probe
            .and_then(|probe| probe.tcp_socket.as_ref())
            .and_then(|socket| socket.host.as_deref());
        check_host(guard, container, &format!("{name}.httpGet.host"), http);
        check_host(guard, container, &format!("{name}.tcpSocket.host"), tcp);
    }
    let hooks = container.lifecycle.map(|lifecycle| {
        [
            ("lifecycle.postStart", &lifecycle.post_start),
            ("lifecycle.preStop", &lifecycle.pre_stop),
        ]
    });
    for (name, hook) in hooks.into_iter().flatten() {
        check_hook(guard, container, name, hook.as_ref());
    }
}

fn check_hook(
    guard: &mut Guard<'_>,
    container: &AnyContainer<'_>,
    name: &str,
    hook: Option<&LifecycleHandler>,
) {
    let http = hook
        .and_then(|hook| hook.http_get.as_ref())
        .and_then(|get| get.host.as_deref());
    let tcp = hook
        .and_then(|hook| hook.tcp_socket.as_ref())
        .and_then(|socket| socket.host.as_deref());
    check_host(guard, container, &format!("{name}.httpGet.host"), http);
    check_host(guard, container, &format!("{name}.tcpSocket.host"), tcp);
}

fn check_host(guard: &mut Guard<'_>, container: &AnyContainer<'_>, field: &str, host: Option<&str>) {
    if let Some(host) = host.filter(|host| !host.is_empty()) {
        guard.refuse(&PROBE_HOST, &container.field(field), &quoted(host));
    }
}
