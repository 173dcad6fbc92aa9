//! From what the operator says to the policies that the guards ask; everything that is wrong is told at once.

use std::collections::BTreeSet;

use toolforge_model::{Domain, Namespace, Problems, Registry};

use super::{HostPathSettings, PodSecuritySettings, PolicySettings, PolicySettingsError, VolumeSettings};
use crate::psp::{HostPath, ToolClass};
use crate::{
    EndpointsPolicy, IngressPolicy, IpNetwork, Policies, RegistryPolicy, ServicePolicy, VolumesPolicy,
};

/// The types of Services that an operator may allow; `ClusterIP` always is.
const SERVICE_TYPES: [&str; 4] = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"];
/// The largest id of a group.
const LARGEST_GROUP: i64 = u32::MAX as i64 - 1;

impl PolicySettings {
    /// The policies that these settings mean.
    ///
    /// # Errors
    /// When a value is not allowed; every one is told with its place, the rule and the way out.
    pub fn resolve(&self) -> Result<Policies, PolicySettingsError> {
        let mut problems = Problems::default();
        let ingress = self.ingress(&mut problems);
        let registry = self.registry(&mut problems);
        let service = self.service(&mut problems);
        let endpoints = self.endpoints(&mut problems);
        let volumes = self.volumes(&mut problems);
        let pod = self.pods(&mut problems);
        let pod_safe = &self.safe_namespaces.pods;
        let pod_safe_namespaces = namespaces("safeNamespaces.pods", pod_safe, &mut problems);
        match (ingress, registry, volumes) {
            (Some(ingress), Some(registry), Some(volumes)) if problems.is_empty() => Ok(Policies {
                ingress,
                registry,
                pod,
                pod_everywhere: self.pod_security.all_namespaces,
                pod_safe_namespaces,
                service,
                endpoints,
                volumes,
            }),
            _ => Err(problems.into()),
        }
    }

    /// The policy for Ingresses alone, for who judges nothing else; settings of other guards are not looked at.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn resolve_ingress(&self) -> Result<IngressPolicy, PolicySettingsError> {
        let mut problems = Problems::default();
        match self.ingress(&mut problems) {
            Some(policy) if problems.is_empty() => Ok(policy),
            _ => Err(problems.into()),
        }
    }

    /// What Pods of tools may have, alone, for who writes it into the policies of tools.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn resolve_pods(&self) -> Result<ToolClass, PolicySettingsError> {
        let mut problems = Problems::default();
        let class = self.pods(&mut problems);
        if problems.is_empty() {
            Ok(class)
        } else {
            Err(problems.into())
        }
    }

    fn pods(&self, problems: &mut Problems) -> ToolClass {
        let mut class = pod(&self.pod_security, problems);
        let mounts = self.volumes.mounts.iter().map(|mount| HostPath {
            prefix: mount.path.clone(),
            read_only: mount.read_only,
        });
        class.host_paths.extend(mounts);
        class
    }

    fn ingress(&self, problems: &mut Problems) -> Option<IngressPolicy> {
        let domains = problems.each("domains", &self.domains, str::parse::<Domain>);
        let legacy = problems.each("legacyDomains", &self.legacy_domains, str::parse::<Domain>);
        check_class(&self.ingress_class, problems);
        let safe = namespaces("safeNamespaces.ingress", &self.safe_namespaces.ingress, problems);
        let made = IngressPolicy::new(domains, &self.ingress_class, safe);
        // Values that are none have been told already; this is for the list that has none.
        let made = made.map(|policy| policy.with_legacy_hosts(legacy));
        made.map_err(|error| {
            self.domains
                .is_empty()
                .then(|| problems.add("domains", error.to_string()))
        })
        .ok()
    }

    fn registry(&self, problems: &mut Problems) -> Option<RegistryPolicy> {
        let registries = problems.each("registries", &self.registries, str::parse::<Registry>);
        let pinned = &self.digests_required_in;
        let pinned = problems.each("digestsRequiredIn", pinned, str::parse::<Registry>);
        let safe = namespaces("safeNamespaces.images", &self.safe_namespaces.images, problems);
        let made = RegistryPolicy::new(registries, safe);
        let made = made.map(|policy| policy.with_digests_required_in(pinned));
        made.map_err(|error| {
            self.registries
                .is_empty()
                .then(|| problems.add("registries", error.to_string()))
        })
        .ok()
    }

    fn service(&self, problems: &mut Problems) -> ServicePolicy {
        let safe = &self.safe_namespaces.services;
        ServicePolicy {
            safe_namespaces: namespaces("safeNamespaces.services", safe, problems),
            allowed_types: service_types(&self.services.allowed_types, problems),
            external_ips: self.services.external_ips,
        }
    }

    fn endpoints(&self, problems: &mut Problems) -> EndpointsPolicy {
        let safe = &self.safe_namespaces.endpoints;
        let networks = &self.endpoints.networks;
        let mut policy = EndpointsPolicy {
            networks: problems.each("endpoints.networks", networks, str::parse::<IpNetwork>),
            safe_namespaces: namespaces("safeNamespaces.endpoints", safe, problems),
            ..EndpointsPolicy::default()
        };
        let writers = problems.each("endpoints.writers", &self.endpoints.writers, user);
        policy.trusted_users.extend(writers);
        policy
    }

    fn volumes(&self, problems: &mut Problems) -> Option<VolumesPolicy> {
        let safe = namespaces("safeNamespaces.volumes", &self.safe_namespaces.volumes, problems);
        let VolumeSettings {
            mounts,
            node_selector,
        } = &self.volumes;
        for (key, value) in node_selector {
            if !is_label_key(key) || !is_label_value(value) {
                problems.add(
                    format!("volumes.nodeSelector[{key:?}]"),
                    format!("{value:?}: write the key and the value of a label that the machines have"),
                );
            }
        }
        let made = VolumesPolicy::new(mounts.clone(), safe);
        made.map(|policy| policy.with_node_selector(node_selector.clone()))
            .map_err(|error| problems.add("volumes.mounts", error.to_string()))
            .ok()
    }
}

fn user(name: &str) -> Result<String, &'static str> {
    if name.is_empty() {
        return Err("write the name of a user, such as system:serviceaccount:NAMESPACE:NAME");
    }
    Ok(name.to_owned())
}

/// The key of a label: a name of at most 63 characters, after an optional prefix, which is a DNS subdomain.
fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(|prefix| prefix.parse::<Domain>().is_ok()) && !name.is_empty() && is_label_value(name)
}

/// The value of a label, which may be empty.
fn is_label_value(value: &str) -> bool {
    let bytes = value.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    value.len() <= 63
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && ends.into_iter().flatten().all(u8::is_ascii_alphanumeric)
}

fn check_class(class: &str, problems: &mut Problems) {
    // The name of an IngressClass is a DNS subdomain, as a domain is.
    if class.parse::<Domain>().is_err() || class.ends_with('.') || class.chars().any(char::is_uppercase) {
        problems.add(
            "ingressClass",
            format!(
                "{class:?} is no name of an IngressClass: use lower-case letters, digits, inner dashes and dots, such as toolforge"
            ),
        );
    }
}

fn namespaces(field: &str, names: &[String], problems: &mut Problems) -> BTreeSet<String> {
    let read = problems.each(field, names, str::parse::<Namespace>);
    read.iter().map(ToString::to_string).collect()
}

fn service_types(types: &[String], problems: &mut Problems) -> BTreeSet<String> {
    let known = |kind: &str| {
        let known = SERVICE_TYPES.iter().find(|known| **known == kind);
        known
            .map(ToString::to_string)
            .ok_or_else(|| format!("is no type of Services: use {}", SERVICE_TYPES.join(", ")))
    };
    problems
        .each("services.allowedTypes", types, known)
        .into_iter()
        .collect()
}

fn pod(settings: &PodSecuritySettings, problems: &mut Problems) -> ToolClass {
    let mut policy = ToolClass::default();
    for (i, path) in settings.host_paths.iter().enumerate() {
        match host_path(path) {
            Ok(path) => policy.host_paths.push(path),
            Err(problem) => problems.add(format!("podSecurity.hostPaths[{i}].pathPrefix"), problem),
        }
    }
    for (i, groups) in settings.supplemental_groups.iter().enumerate() {
        if groups.min < 1 || groups.min > groups.max || groups.max > LARGEST_GROUP {
            problems.add(
                format!("podSecurity.supplementalGroups[{i}]"),
                format!(
                    "{} to {} is no range of groups: use min from 1 (0 is root's) up to max, and max up to {LARGEST_GROUP}",
                    groups.min, groups.max
                ),
            );
        } else {
            policy.supplemental_groups.push(groups.min..=groups.max);
        }
    }
    policy
}

/// Kubernetes knows no shorter way to write a path than the path, and neither do the mounts of a Pod.
fn host_path(path: &HostPathSettings) -> Result<HostPath, String> {
    let prefix = path.path_prefix.trim_end_matches('/');
    let plain = prefix.starts_with('/')
        && !prefix.contains('\0')
        && prefix[1..]
            .split('/')
            .all(|part| !matches!(part, "" | "." | ".."));
    if !plain {
        return Err(format!(
            "{:?} is no path to mount: begin it with / and leave out //, . and .., such as /public/dumps; all of the machine (/) cannot be allowed",
            path.path_prefix
        ));
    }
    Ok(HostPath {
        prefix: prefix.to_owned(),
        read_only: path.read_only,
    })
}
