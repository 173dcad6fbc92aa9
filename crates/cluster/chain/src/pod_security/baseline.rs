//! The checks of the level `baseline`, in the order of messages.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>.

use serde_json::Value;

use super::finding::{Finding, Set, containers, plural, quoted, setters};
use super::pods::{PodView, context, context_text, items, name_of};
use super::policy::Version;

type Check = fn(PodView<'_>, Version) -> Option<Finding>;

const CHECKS: &[Check] = &[
    app_armor,
    host_namespaces,
    host_ports,
    probe_hosts,
    privileged,
    proc_mount,
    selinux,
    sysctls,
    windows_host_process,
];
/// Checks of which `restricted` has stricter ones.
const OVERLAPPING: &[Check] = &[capabilities, host_paths, seccomp];

/// Everything that the level has against a Pod; without what `restricted` checks itself when `overlapping` is false.
pub(super) fn all(pod: PodView<'_>, version: Version, overlapping: bool) -> Vec<Finding> {
    let more = if overlapping { OVERLAPPING } else { &[] };
    let checks = CHECKS.iter().chain(more);
    checks.filter_map(|check| check(pod, version)).collect()
}

fn app_armor(pod: PodView<'_>, _: Version) -> Option<Finding> {
    let field = "/appArmorProfile/type";
    let is_bad = |kind: &str| !matches!(kind, "RuntimeDefault" | "Localhost");
    let mut bad: Set<'_> = Set::new();
    let mut who = Vec::new();
    if let Some(kind) = context_text(pod.spec, field).filter(|kind| is_bad(kind)) {
        bad.insert(kind);
        who.push("pod".to_owned());
    }
    let names = pod.containers_that(|container| context_text(container, field).is_some_and(is_bad));
    if !names.is_empty() {
        bad.extend(
            pod.containers()
                .filter_map(|container| context_text(container, field))
                .filter(|kind| is_bad(kind)),
        );
        who.push(containers(&names));
    }
    let mut values: Vec<String> = bad.iter().map(|kind| (*kind).to_owned()).collect();
    let annotations: Vec<String> = pod
        .annotations("container.apparmor.security.beta.kubernetes.io/")
        .into_iter()
        .filter(|(_, profile)| {
            !(profile.is_empty() || *profile == "runtime/default" || profile.starts_with("localhost/"))
        })
        .map(|(name, profile)| format!("{name}={profile:?}"))
        .collect();
    if !annotations.is_empty() {
        who.push(plural("annotation", "annotations", annotations.len()).to_owned());
        values.extend(annotations);
    }
    let reason = plural(
        "forbidden AppArmor profile",
        "forbidden AppArmor profiles",
        values.len(),
    );
    (!who.is_empty()).then(|| {
        Finding::new(
            reason,
            format!(
                "{} must not set AppArmor profile type to {}",
                who.join(" and "),
                quoted(values)
            ),
        )
    })
}

fn host_namespaces(pod: PodView<'_>, _: Version) -> Option<Finding> {
    let used: Vec<String> = ["hostIPC", "hostNetwork", "hostPID"]
        .iter()
        .filter(|field| pod.spec.get(**field) == Some(&Value::Bool(true)))
        .map(|field| format!("{field}=true"))
        .collect();
    (!used.is_empty()).then(|| Finding::new("host namespaces", used.join(", ")))
}

fn host_ports(pod: PodView<'_>, _: Version) -> Option<Finding> {
    let ports = |container| {
        items(container, "ports").filter_map(|port| port.get("hostPort")?.as_i64().filter(|port| *port != 0))
    };
    let names = pod.containers_that(|container| ports(container).next().is_some());
    let mut used: Vec<String> = pod
        .containers()
        .flat_map(ports)
        .map(|port| port.to_string())
        .collect();
    used.sort();
    used.dedup();
    (!names.is_empty()).then(|| {
        Finding::new(
            "hostPort",
            format!(
                "{} {} {} {}",
                containers(&names),
                plural("uses", "use", names.len()),
                plural("hostPort", "hostPorts", used.len()),
                used.join(", ")
            ),
        )
    })
}

/// Where probes and hooks of a container name a host.
const HANDLERS: &[&str] = &[
    "/livenessProbe",
    "/readinessProbe",
    "/startupProbe",
    "/lifecycle/postStart",
    "/lifecycle/preStop",
];

fn probe_hosts(pod: PodView<'_>, version: Version) -> Option<Finding> {
    if !version.is_from(34) {
        return None;
    }
    let hosts = |container: &'_ Value| -> Vec<String> {
        let handlers = HANDLERS.iter().filter_map(|pointer| container.pointer(pointer));
        handlers
            .flat_map(|handler| ["/httpGet/host", "/tcpSocket/host"].map(|pointer| handler.pointer(pointer)))
            .filter_map(|host| Some(host?.as_str()?.to_owned()))
            .filter(|host| !host.is_empty())
            .collect()
    };
    let mut names = pod.containers_that(|container| !hosts(container).is_empty());
    names.sort_unstable();
    let mut used: Vec<String> = pod.containers().flat_map(hosts).collect();
    used.sort();
    used.dedup();
    (!names.is_empty()).then(|| {
        Finding::new(
            "probe or lifecycle host",
            format!(
                "{} {} {} {}",
                containers(&names),
                plural("uses", "use", names.len()),
                plural("probe or lifecycle host", "probe or lifecycle hosts", used.len()),
                quoted(&used)
            ),
        )
    })
}

fn privileged(pod: PodView<'_>, _: Version) -> Option<Finding> {
    let names =
        pod.containers_that(|container| context(container, "/privileged") == Some(&Value::Bool(true)));
    (!names.is_empty()).then(|| {
        Finding::new(
            "privileged",
            format!(
                "{} must not set securityContext.privileged=true",
                containers(&names)
            ),
        )
    })
}

fn proc_mount(pod: PodView<'_>, version: Version) -> Option<Finding> {
    if version.is_from(35) && pod.has_own_users() {
        return None;
    }
    let masked = |container| context_text(container, "/procMount").filter(|kind| *kind != "Default");
    let names = pod.containers_that(|container| masked(container).is_some());
    let kinds: Set<'_> = pod.containers().filter_map(masked).collect();
    (!names.is_empty()).then(|| {
        Finding::new(
            "procMount",
            format!(
                "{} must not set securityContext.procMount to {}",
                containers(&names),
                quoted(kinds)
            ),
        )
    })
}

fn selinux(pod: PodView<'_>, version: Version) -> Option<Finding> {
    let set = |of, field: &str| {
        context_text(of, &format!("/seLinuxOptions/{field}")).filter(|text| !text.is_empty())
    };
    let bad_type = |of| {
        set(of, "type").filter(|kind| {
            let known = matches!(*kind, "container_t" | "container_init_t" | "container_kvm_t");
            !(known || (version.is_from(31) && *kind == "container_engine_t"))
        })
    };
    let is_bad = |of| bad_type(of).is_some() || set(of, "user").is_some() || set(of, "role").is_some();
    let names = pod.containers_that(is_bad);
    let on_pod = is_bad(pod.spec);
    if !on_pod && names.is_empty() {
        return None;
    }
    let everywhere = || std::iter::once(pod.spec).chain(pod.containers());
    let types: Set<'_> = everywhere().filter_map(bad_type).collect();
    let mut what = Vec::new();
    if !types.is_empty() {
        what.push(format!(
            "{} {}",
            plural("type", "types", types.len()),
            quoted(&types)
        ));
    }
    for field in ["user", "role"] {
        if everywhere().any(|of| set(of, field).is_some()) {
            what.push(format!("{field} may not be set"));
        }
    }
    Some(Finding::new(
        "seLinuxOptions",
        format!(
            "{} set forbidden securityContext.seLinuxOptions: {}",
            setters(on_pod, &names),
            what.join("; ")
        ),
    ))
}

/// Settings of the kernel that are of the Pod alone, with the version from which they are allowed.
const SYSCTLS: &[(&str, u32)] = &[
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

fn sysctls(pod: PodView<'_>, version: Version) -> Option<Finding> {
    let set = pod
        .context("/sysctls")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let forbidden: Vec<&str> = set
        .map(name_of)
        .filter(|name| {
            !SYSCTLS
                .iter()
                .any(|(known, from)| known == name && version.is_from(*from))
        })
        .collect();
    (!forbidden.is_empty()).then(|| Finding::new("forbidden sysctls", forbidden.join(", ")))
}

fn windows_host_process(pod: PodView<'_>, _: Version) -> Option<Finding> {
    let is_on = |of| context(of, "/windowsOptions/hostProcess") == Some(&Value::Bool(true));
    let names = pod.containers_that(is_on);
    let on_pod = is_on(pod.spec);
    (on_pod || !names.is_empty()).then(|| {
        Finding::new(
            "hostProcess",
            format!(
                "{} must not set securityContext.windowsOptions.hostProcess=true",
                setters(on_pod, &names)
            ),
        )
    })
}

/// Capabilities that containers have anyway.
const DEFAULT_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn capabilities(pod: PodView<'_>, _: Version) -> Option<Finding> {
    let added = |container| added(container).filter(|name| !DEFAULT_CAPABILITIES.contains(name));
    let names = pod.containers_that(|container| added(container).next().is_some());
    let all: Set<'_> = pod.containers().flat_map(added).collect();
    (!names.is_empty()).then(|| {
        Finding::new(
            "non-default capabilities",
            format!(
                "{} must not include {} in securityContext.capabilities.add",
                containers(&names),
                quoted(all)
            ),
        )
    })
}

/// The capabilities that a container adds.
pub(super) fn added(container: &Value) -> impl Iterator<Item = &str> {
    let list = context(container, "/capabilities/add").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

fn host_paths(pod: PodView<'_>, _: Version) -> Option<Finding> {
    let names: Vec<&str> = items(pod.spec, "volumes")
        .filter(|volume| volume.get("hostPath").is_some_and(|path| !path.is_null()))
        .map(name_of)
        .collect();
    (!names.is_empty()).then(|| {
        Finding::new(
            "hostPath volumes",
            format!("{} {}", plural("volume", "volumes", names.len()), quoted(&names)),
        )
    })
}

/// Whether a seccomp profile is a real one.
pub(super) fn is_confined(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

fn seccomp(pod: PodView<'_>, version: Version) -> Option<Finding> {
    if version.is_from(19) {
        return unconfined(pod);
    }
    let own = "seccomp.security.alpha.kubernetes.io/pod";
    let mut found = pod.annotations(own);
    for container in pod.containers() {
        let name = format!(
            "container.seccomp.security.alpha.kubernetes.io/{}",
            name_of(container)
        );
        found.extend(
            pod.annotations(&name)
                .into_iter()
                .filter(|(found, _)| *found == name),
        );
    }
    found.retain(|(_, value)| {
        !(matches!(*value, "runtime/default" | "docker/default") || value.starts_with("localhost/"))
    });
    let mut texts: Vec<String> = found
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    texts.sort();
    texts.dedup();
    (!texts.is_empty()).then(|| {
        let word = plural("annotation", "annotations", texts.len());
        Finding::new("seccompProfile", format!("forbidden {word} {}", texts.join(", ")))
    })
}

/// Whoever asks for no seccomp profile at all.
pub(super) fn unconfined(pod: PodView<'_>) -> Option<Finding> {
    let bad = |of| context_text(of, "/seccompProfile/type").filter(|kind| !is_confined(kind));
    let names = pod.containers_that(|container| bad(container).is_some());
    let on_pod = bad(pod.spec).is_some();
    let kinds: Set<'_> = std::iter::once(pod.spec)
        .chain(pod.containers())
        .filter_map(bad)
        .collect();
    (on_pod || !names.is_empty()).then(|| {
        Finding::new(
            "seccompProfile",
            format!(
                "{} must not set securityContext.seccompProfile.type to {}",
                setters(on_pod, &names),
                quoted(kinds)
            ),
        )
    })
}
