//! What a tool may do, in words: from the same settings as the verdicts.
//!
//! Called by `toolforge policy explain`. Each chapter is about one guard; a line is one sentence.

use serde::Serialize;
use toolforge_model::{ToolAccount, ToolName, labels};

use crate::psp::{IdRule, PodSecurityPolicySpec, tool_policy};
use crate::{Policies, PolicySettings, annotations};

/// What one guard lets through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chapter {
    /// What it is about.
    pub title: &'static str,
    /// The sentences, without full stop.
    pub lines: Vec<String>,
}

/// Whom the words are about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader<'a> {
    /// The tool; any when there is none.
    pub tool: Option<&'a ToolName>,
    /// Its user id, if known.
    pub uid: Option<u32>,
    /// Its home, if known.
    pub home: Option<&'a str>,
}

impl Reader<'_> {
    fn name(self) -> String {
        self.tool
            .map_or_else(|| "<toolname>".to_owned(), ToString::to_string)
    }

    fn uid(self) -> String {
        self.uid
            .map_or_else(|| "the tool's own id".to_owned(), |uid| uid.to_string())
    }

    fn home(self) -> String {
        self.home
            .map_or_else(|| "the tool's home".to_owned(), str::to_owned)
    }
}

/// The whole policy in words; `policies` are what the settings mean.
pub fn explain(settings: &PolicySettings, policies: &Policies, reader: Reader<'_>) -> Vec<Chapter> {
    vec![
        Chapter {
            title: "Ingresses",
            lines: ingresses(settings, reader),
        },
        Chapter {
            title: "Services",
            lines: services(settings),
        },
        Chapter {
            title: "Images",
            lines: images(settings),
        },
        Chapter {
            title: "Pods",
            lines: pods(&policy_of(policies, reader), reader),
        },
        Chapter {
            title: "The tool's environment",
            lines: environment(settings, reader),
        },
        Chapter {
            title: "Namespaces that are not looked at",
            lines: safe_namespaces(settings),
        },
    ]
}

fn ingresses(settings: &PolicySettings, reader: Reader<'_>) -> Vec<String> {
    let name = reader.name();
    let hosts: Vec<String> = settings
        .domains
        .iter()
        .map(|domain| format!("{name}.{domain}"))
        .collect();
    let mut lines = vec![format!(
        "Hosts, in rules and in tls: {}, spelt exactly so",
        listed(&hosts)
    )];
    for host in &settings.legacy_domains {
        lines.push(format!(
            "On the shared host {host}: the path /{name} and what is below it"
        ));
    }
    lines.extend([
        "Every rule has a host; there is no default backend, and backends are Services of the tool"
            .to_owned(),
        format!("The class is {}, and can be left out", settings.ingress_class),
        format!(
            "Annotations: notes (keys without a slash, and of {}), and of {}: {}",
            listed(&annotations::NOTE_FAMILIES),
            toolforge_annotations::FAMILY,
            listed(toolforge_annotations::obeyed())
        ),
    ]);
    lines
}

fn services(settings: &PolicySettings) -> Vec<String> {
    let mut types = vec!["ClusterIP"];
    let allowed = settings.services.allowed_types.iter().map(String::as_str);
    types.extend(allowed.filter(|kind| *kind != "ClusterIP"));
    let external = if settings.services.external_ips {
        "externalIPs may be claimed"
    } else {
        "No externalIPs"
    };
    let networks = &settings.endpoints.networks;
    let endpoints = match networks.as_slice() {
        [] => "Endpoints are written by the cluster: a Service leads to the tool's own Pods".to_owned(),
        networks => format!("Endpoints written by hand lead into {} only", listed(networks)),
    };
    vec![
        format!("Types: {}", listed(&types)),
        external.to_owned(),
        endpoints,
    ]
}

fn images(settings: &PolicySettings) -> Vec<String> {
    let mut lines = vec![format!(
        "Images of all containers and volumes come from {}",
        listed(&settings.registries)
    )];
    if !settings.digests_required_in.is_empty() {
        lines.push(format!(
            "Images of {} are named by digest (@sha256:...)",
            listed(&settings.digests_required_in)
        ));
    }
    lines
}

/// The tool's policy; with a made-up id where there is none, which the words do not repeat.
fn policy_of(policies: &Policies, reader: Reader<'_>) -> PodSecurityPolicySpec {
    let account = ToolAccount {
        uid: reader.uid.unwrap_or(u32::MAX - 1),
        home: String::new(),
    };
    let anybody = "toolname".parse().expect("a tool can have this name");
    let tool = reader.tool.unwrap_or(&anybody);
    tool_policy(tool, &account, &policies.pod).spec().clone()
}

fn pods(policy: &PodSecurityPolicySpec, reader: Reader<'_>) -> Vec<String> {
    let own = policy.run_as_user.ranges.first().map(|range| range.min);
    let mut lines = vec![
        match policy.run_as_user.rule {
            IdRule::RunAsAny => "User and group: any".to_owned(),
            _ => format!(
                "User and group: {}; it is filled in where runAsUser, runAsGroup and fsGroup are left out",
                reader.uid()
            ),
        },
        privileges(policy),
        capabilities(policy),
        "Profiles of seccomp and AppArmor: the runtime's; of SELinux no user, role or type".to_owned(),
        shared(policy),
        "Kernel parameters (sysctls): those that the kubelet calls safe".to_owned(),
        "Probes and hooks ask their own Pod; a priority comes from a class that is not the system's; nothing of Windows"
            .to_owned(),
        "A token of the service account is there only where automountServiceAccountToken is true".to_owned(),
        format!("Volumes: {}", listed(&policy.volumes)),
    ];
    for path in &policy.allowed_host_paths {
        let how = if path.read_only { ", read-only" } else { "" };
        let path = &path.path_prefix;
        lines.push(format!(
            "The path {path} of the machine (hostPath) and what is below it{how}"
        ));
    }
    if policy.allowed_host_paths.is_empty() && !policy.volumes.iter().any(|kind| kind == "hostPath") {
        lines.push("No paths of the machine (hostPath)".to_owned());
    }
    let groups = policy.supplemental_groups.ranges.iter();
    for groups in groups.filter(|range| Some(range.min) != own) {
        lines.push(format!("Supplemental groups {} to {}", groups.min, groups.max));
    }
    lines
}

fn privileges(policy: &PodSecurityPolicySpec) -> String {
    match (
        policy.privileged,
        policy.allow_privilege_escalation.unwrap_or(true),
    ) {
        (true, _) => "Containers may be privileged",
        (false, true) => "Containers are not privileged, and may gain privileges",
        (false, false) => "Containers are not privileged, and gain no privileges",
    }
    .to_owned()
}

fn capabilities(policy: &PodSecurityPolicySpec) -> String {
    let or_none = |list: &[String]| match list {
        [] => "none".to_owned(),
        list => listed(list),
    };
    format!(
        "Capabilities: {} may be added, {} must be dropped, and is without saying so",
        or_none(&policy.allowed_capabilities),
        or_none(&policy.required_drop_capabilities)
    )
}

fn shared(policy: &PodSecurityPolicySpec) -> String {
    let shared: Vec<&str> = [
        (policy.host_network, "its network (hostNetwork)"),
        (policy.host_pid, "its processes (hostPID)"),
        (policy.host_ipc, "its memory (hostIPC)"),
        (!policy.host_ports.is_empty(), "its ports (hostPort)"),
    ]
    .into_iter()
    .filter_map(|(allowed, what)| allowed.then_some(what))
    .collect();
    match shared.as_slice() {
        [] => "Of the machine: no network (hostNetwork), ports (hostPort), processes (hostPID) or memory (hostIPC)"
            .to_owned(),
        shared => format!("Of the machine: {}", listed(shared)),
    }
}

fn environment(settings: &PolicySettings, reader: Reader<'_>) -> Vec<String> {
    let home = reader.home();
    let mut lines = vec![format!(
        "Pods labelled toolforge=tool get HOME and TOOL_DATA_DIR, both {home}; HOME not where NO_HOME is set"
    )];
    lines.push(format!(
        "Those labelled {}={} too get neither them nor any of the paths below",
        labels::MOUNT_STORAGE,
        labels::MOUNT_STORAGE_NONE
    ));
    for mount in &settings.volumes.mounts {
        let how = if mount.read_only { ", read-only" } else { "" };
        lines.push(format!("They get the path {} of the machine{how}", mount.path));
    }
    for (key, value) in &settings.volumes.node_selector {
        lines.push(format!("They run on machines with the label {key}={value}"));
    }
    lines
}

fn safe_namespaces(settings: &PolicySettings) -> Vec<String> {
    let safe = &settings.safe_namespaces;
    [
        ("Ingresses", &safe.ingress),
        ("Images", &safe.images),
        ("Services", &safe.services),
        ("Endpoints", &safe.endpoints),
        ("Volumes", &safe.volumes),
        ("Pods", &safe.pods),
    ]
    .into_iter()
    .map(|(what, namespaces)| match namespaces.as_slice() {
        [] => format!("{what}: none"),
        namespaces => format!("{what}: {}", listed(namespaces)),
    })
    .collect()
}

fn listed<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Reader, explain};
    use crate::PolicySettings;

    fn text(settings: &PolicySettings, reader: Reader<'_>) -> String {
        let chapters = explain(settings, &settings.resolve().unwrap(), reader);
        let chapters: Vec<String> = chapters.iter().map(|chapter| chapter.lines.join("\n")).collect();
        chapters.join("\n")
    }

    #[test]
    fn every_setting_is_in_the_words() {
        let yaml = "
domains: [one.example, two.example]
legacyDomains: [legacy.example]
ingressClass: class-x
registries: [r.example, s.example/team]
digestsRequiredIn: [t.example]
safeNamespaces: {ingress: [ns-i], images: [ns-m], services: [ns-s], endpoints: [ns-e], volumes: [], pods: [ns-p]}
services: {allowedTypes: [NodePort], externalIPs: true}
endpoints: {networks: [10.1.0.0/16], writers: [writer]}
volumes: {mounts: [{name: dumps, path: /public/dumps, readOnly: true}], nodeSelector: {label-x: value-x}}
podSecurity: {hostPaths: [{pathPrefix: /etc/project, readOnly: true}], supplementalGroups: [{min: 500, max: 501}]}
";
        let settings = PolicySettings::read(yaml).unwrap();
        let tool = "alpha".parse().unwrap();
        let reader = Reader {
            tool: Some(&tool),
            uid: Some(52_001),
            home: Some("/homes/alpha"),
        };
        let text = text(&settings, reader);
        for word in [
            "alpha.one.example, alpha.two.example",
            "legacy.example: the path /alpha",
            "class-x",
            "r.example, s.example/team",
            "t.example",
            "Ingresses: ns-i",
            "Images: ns-m",
            "Services: ns-s",
            "Endpoints: ns-e",
            "Volumes: none",
            "Pods: ns-p",
            "ClusterIP, NodePort",
            "externalIPs may be claimed",
            "10.1.0.0/16",
            "/public/dumps of the machine, read-only",
            "label-x=value-x",
            "/etc/project of the machine (hostPath) and what is below it, read-only",
            "500 to 501",
            "52001",
            "/homes/alpha",
        ] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn what_nobody_knows_has_a_name() {
        let settings = PolicySettings::with("toolforge.org", "r.example");
        let text = text(&settings, Reader::default());
        for word in [
            "<toolname>.toolforge.org",
            "User and group: the tool's own id",
            "both the tool's home",
            "No externalIPs",
            "No paths of the machine",
        ] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
}
