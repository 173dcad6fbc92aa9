//! What the operator says about admission, and the policies that follow from it.

use std::collections::{BTreeMap, BTreeSet};

use toolforge_model::{Domain, Registry, names};
use toolforge_policy::{
    EndpointsPolicy, IngressPolicy, IngressPolicyError, IpNetwork, Mount, MountError, RegistryPolicy,
    RegistryPolicyError, ServicePolicy, VolumesPolicy,
    psp::{HostPath, ToolClass},
};

/// Namespaces whose objects are not looked at, unless configured otherwise.
const SAFE_NAMESPACES: [&str; 2] = ["kube-system", names::FOUROHFOUR_NAMESPACE];

/// The operator's choices.
#[derive(Clone, Debug)]
pub struct Config {
    /// Domains under which tools have their host names; at least one.
    pub domains: Vec<Domain>,
    /// Registries from which images may come, as `HOST`, `HOST:PORT` or `HOST/PATH`; at least one.
    pub registries: Vec<String>,
    /// Namespaces whose Ingresses, images, Services, endpoints and volumes are not looked at.
    pub safe_namespaces: Vec<String>,
    /// Hosts of the legacy domain, which all tools share, each with the path `/TOOL`. Keep them equal to the gateway's.
    pub legacy_hosts: Vec<Domain>,
    /// Registries, or parts of them, whose images must be named by digest.
    pub digests_required_in: Vec<String>,
    /// Paths of the machine that Pods labelled `toolforge=tool` get.
    pub mounts: Vec<Mount>,
    /// Labels of the machines on which those paths are.
    pub mount_node_selector: BTreeMap<String, String>,
    /// Types of Services that tools may have besides `ClusterIP`.
    pub service_types: Vec<String>,
    /// Whether tools may have Services with `externalIPs`.
    pub service_external_ips: bool,
    /// Networks into which tools may lead their Services by endpoints written by hand.
    pub endpoint_networks: Vec<IpNetwork>,
    /// Users, besides the cluster's own controllers, who may write endpoints of tools.
    pub endpoint_writers: Vec<String>,
}

impl Config {
    /// The choices for a platform with one domain and one registry.
    pub fn new(domain: Domain, registry: &str) -> Self {
        Self {
            domains: vec![domain],
            registries: vec![registry.to_owned()],
            safe_namespaces: SAFE_NAMESPACES.map(str::to_owned).into(),
            legacy_hosts: Vec::new(),
            digests_required_in: Vec::new(),
            mounts: Vec::new(),
            mount_node_selector: BTreeMap::new(),
            service_types: Vec::new(),
            service_external_ips: false,
            endpoint_networks: Vec::new(),
            endpoint_writers: Vec::new(),
        }
    }
}

/// Why the webhook server does not run.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// No domain is configured.
    #[error("admission has no domains")]
    Domains(#[from] IngressPolicyError),
    /// No registry is configured.
    #[error("admission has no registries")]
    Registries(#[from] RegistryPolicyError),
    /// A configured registry is none.
    #[error("{registry:?} cannot be a registry of admission")]
    Registry {
        /// What was configured.
        registry: String,
        /// What is wrong with it.
        source: toolforge_model::RegistryError,
    },
    /// The configured mounts are no mounts.
    #[error("admission cannot give tools their mounts")]
    Mounts(#[from] MountError),
    /// The listener failed.
    #[error("admission cannot serve")]
    Serve(#[from] std::io::Error),
}

/// The policies that all guards ask.
#[derive(Debug)]
pub(crate) struct Policies {
    pub(crate) ingress: IngressPolicy,
    pub(crate) registry: RegistryPolicy,
    pub(crate) pod: ToolClass,
    pub(crate) service: ServicePolicy,
    pub(crate) endpoints: EndpointsPolicy,
    pub(crate) volumes: VolumesPolicy,
}

impl Policies {
    pub(crate) fn resolve(config: Config) -> Result<Self, AdmissionError> {
        let safe: BTreeSet<String> = config.safe_namespaces.into_iter().collect();
        let mut endpoints = EndpointsPolicy {
            networks: config.endpoint_networks,
            safe_namespaces: safe.clone(),
            ..EndpointsPolicy::default()
        };
        endpoints.trusted_users.extend(config.endpoint_writers);
        let host_paths = config.mounts.iter().map(|mount| HostPath {
            prefix: mount.path.clone(),
            read_only: mount.read_only,
        });
        Ok(Self {
            ingress: IngressPolicy::new(config.domains, names::INGRESS_CLASS, safe.clone())?
                .with_legacy_hosts(config.legacy_hosts),
            registry: RegistryPolicy::new(registries(config.registries)?, safe.clone())?
                .with_digests_required_in(registries(config.digests_required_in)?),
            pod: ToolClass {
                host_paths: host_paths.collect(),
                ..ToolClass::default()
            },
            service: ServicePolicy {
                safe_namespaces: safe.clone(),
                allowed_types: config.service_types.into_iter().collect(),
                external_ips: config.service_external_ips,
            },
            endpoints,
            volumes: VolumesPolicy::new(config.mounts, safe)?.with_node_selector(config.mount_node_selector),
        })
    }
}

fn registries(texts: Vec<String>) -> Result<Vec<Registry>, AdmissionError> {
    let read = |registry: String| match registry.parse::<Registry>() {
        Ok(registry) => Ok(registry),
        Err(source) => Err(AdmissionError::Registry { registry, source }),
    };
    texts.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::{Config, Policies};

    fn config() -> Config {
        Config::new(
            "toolforge.org".parse().unwrap(),
            "docker-registry.tools.wmflabs.org",
        )
    }

    fn refusal(config: Config) -> String {
        let error = Policies::resolve(config).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    }

    #[test]
    fn needs_a_domain_and_a_registry_and_says_so() {
        assert!(Policies::resolve(config()).is_ok());
        let message = refusal(Config {
            registries: vec![],
            ..config()
        });
        assert!(
            message.contains("got no registries, at least one is required"),
            "{message}"
        );
        let message = refusal(Config {
            domains: vec![],
            ..config()
        });
        assert!(
            message.contains("got no domains, at least one is required"),
            "{message}"
        );
    }

    #[test]
    fn names_a_registry_that_is_none() {
        let message = refusal(Config {
            registries: vec!["https://r.example".to_owned()],
            ..config()
        });
        assert!(
            message.contains("\"https://r.example\"") && message.contains("without https://"),
            "{message}"
        );
    }
}
