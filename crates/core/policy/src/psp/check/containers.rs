//! Privileges, capabilities, filesystem and ports of a container.

use super::super::defaults::ContainerDefaults;
use super::{Check, words};
use crate::verdict::{Law, quoted};
use crate::workload::AnyContainer;

const PRIVILEGED: Law = Law::fixed(
    "pod/privileged",
    "Containers must not be privileged",
    "leave securityContext.privileged out",
);
const ESCALATION: Law = Law::fixed(
    "pod/privilege-escalation",
    "Containers must not gain privileges",
    "leave it out or set it to false",
);
const READ_ONLY_ROOT: Law = Law::fixed(
    "pod/read-only-root",
    "Containers must have a read-only root filesystem",
    "leave it out or set it to true, and mount an emptyDir where the program writes",
);
const PROC_MOUNT: Law = Law::fixed(
    "pod/proc-mount",
    "Containers must have /proc masked",
    "leave securityContext.procMount out",
);
const CAPABILITIES: &str = "pod/capabilities";
const HOST_PORT: &str = "pod/host-port";

/// Adds everything that is wrong with one container.
pub(super) fn check(check: &mut Check<'_>, container: &AnyContainer<'_>, defaults: &ContainerDefaults<'_>) {
    let spec = check.policy.spec();
    let own = container.security;
    if own.and_then(|own| own.privileged) == Some(true) && !spec.privileged {
        check.refuse(&PRIVILEGED, container.field("securityContext.privileged"), "true");
    }
    if !check.policy.allows_escalation() {
        let given = own
            .and_then(|own| own.allow_privilege_escalation)
            .or(defaults.escalation);
        must(
            check,
            &ESCALATION,
            container,
            "allowPrivilegeEscalation",
            given,
            false,
        );
    }
    if spec.read_only_root_filesystem {
        let given = own.and_then(|own| own.read_only_root_filesystem);
        let given = given.or(defaults.read_only_root.then_some(true));
        must(
            check,
            &READ_ONLY_ROOT,
            container,
            "readOnlyRootFilesystem",
            given,
            true,
        );
    }
    let proc_mount = own.and_then(|own| own.proc_mount.as_deref()).unwrap_or("Default");
    let allowed = &spec.allowed_proc_mount_types;
    let allowed =
        (allowed.is_empty() && proc_mount == "Default") || allowed.iter().any(|kind| kind == proc_mount);
    if !allowed {
        let field = container.field("securityContext.procMount");
        check.refuse(&PROC_MOUNT, &field, &quoted(proc_mount));
    }
    check_added(check, container);
    check_dropped(check, container, defaults);
    check_ports(check, container);
}

/// A setting of the container must have this value.
fn must(
    check: &mut Check<'_>,
    law: &Law,
    container: &AnyContainer<'_>,
    name: &str,
    given: Option<bool>,
    wanted: bool,
) {
    if given == Some(wanted) {
        return;
    }
    let field = container.field(format!("securityContext.{name}"));
    match given {
        Some(given) => check.refuse(law, &field, &given.to_string()),
        None => check.missing(law, &field),
    }
}

fn check_added(check: &mut Check<'_>, container: &AnyContainer<'_>) {
    let spec = check.policy.spec();
    let own = container.security.and_then(|own| own.capabilities.as_ref());
    for (i, added) in own
        .and_then(|own| own.add.as_deref())
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let allowed = |names: &[String]| names.iter().any(|name| name == "*" || name == added);
        if !allowed(&spec.allowed_capabilities) && !spec.default_add_capabilities.contains(added) {
            let field = container.field(format!("securityContext.capabilities.add[{i}]"));
            check.refuse(&capabilities_law(check), &field, &quoted(added));
        }
    }
}

/// A policy that allows all capabilities demands to drop none, whatever it says.
fn check_dropped(check: &mut Check<'_>, container: &AnyContainer<'_>, defaults: &ContainerDefaults<'_>) {
    let spec = check.policy.spec();
    if spec.allowed_capabilities.iter().any(|name| name == "*") {
        return;
    }
    let own = container.security.and_then(|own| own.capabilities.as_ref());
    let dropped = own.and_then(|own| own.drop.as_deref()).unwrap_or_default();
    for required in &spec.required_drop_capabilities {
        if dropped.contains(required) || defaults.drop.contains(&required.as_str()) {
            continue;
        }
        let law = capabilities_law(check);
        let field = container.field("securityContext.capabilities.drop");
        let field = check.workload.field(&field);
        let found = format!("{field} does not name {required}");
        if check.phase != super::Phase::Template {
            check.offences.shown_as(&law, field, found);
        }
    }
}

fn capabilities_law(check: &Check<'_>) -> Law {
    let spec = check.policy.spec();
    let mut allowed = spec.allowed_capabilities.clone();
    allowed.extend(spec.default_add_capabilities.iter().cloned());
    let all_dropped = spec.required_drop_capabilities.iter().any(|name| name == "ALL");
    let sentence = match (allowed.is_empty(), all_dropped) {
        (true, true) => "Containers have no capabilities".to_owned(),
        (true, false) => "Containers may have no capabilities but the usual ones".to_owned(),
        _ => words::only("Containers may add the capabilities", &allowed, ""),
    };
    Law::spoken(
        CAPABILITIES,
        sentence,
        "leave securityContext.capabilities out".to_owned(),
    )
}

fn check_ports(check: &mut Check<'_>, container: &AnyContainer<'_>) {
    let ranges = &check.policy.spec().host_ports;
    for (i, port) in container.ports.iter().enumerate() {
        let Some(number) = port.host_port.filter(|number| *number != 0) else {
            continue;
        };
        if ranges
            .iter()
            .any(|range| range.min <= number && number <= range.max)
        {
            continue;
        }
        let sentence = match ranges.as_slice() {
            [] => "Containers must not take ports of the machine".to_owned(),
            ranges => format!(
                "Containers may take the ports {} of the machine only",
                words::ports(ranges)
            ),
        };
        let law = Law::spoken(HOST_PORT, sentence, "use containerPort and a Service".to_owned());
        check.refuse(
            &law,
            container.field(format!("ports[{i}].hostPort")),
            &number.to_string(),
        );
    }
}
