//! What the operator says about admission, and the policies that follow from it.

use std::collections::BTreeSet;

use toolforge_model::{Domain, Registry, names};
use toolforge_policy::{
    IngressPolicy, IngressPolicyError, PodPolicy, RegistryPolicy, RegistryPolicyError, ServicePolicy,
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
    /// Namespaces whose Ingresses, images and Services are not looked at.
    pub safe_namespaces: Vec<String>,
}

impl Config {
    /// The choices for a platform with one domain and one registry.
    pub fn new(domain: Domain, registry: &str) -> Self {
        Self {
            domains: vec![domain],
            registries: vec![registry.to_owned()],
            safe_namespaces: SAFE_NAMESPACES.map(str::to_owned).into(),
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
    /// The listener failed.
    #[error("admission cannot serve")]
    Serve(#[from] std::io::Error),
}

/// The policies that all guards ask.
#[derive(Debug)]
pub(crate) struct Policies {
    pub(crate) ingress: IngressPolicy,
    pub(crate) registry: RegistryPolicy,
    pub(crate) pod: PodPolicy,
    pub(crate) service: ServicePolicy,
}

impl Policies {
    pub(crate) fn resolve(config: Config) -> Result<Self, AdmissionError> {
        let safe: BTreeSet<String> = config.safe_namespaces.into_iter().collect();
        let registries = config
            .registries
            .into_iter()
            .map(|registry| match registry.parse::<Registry>() {
                Ok(registry) => Ok(registry),
                Err(source) => Err(AdmissionError::Registry { registry, source }),
            });
        Ok(Self {
            ingress: IngressPolicy::new(config.domains, names::INGRESS_CLASS, safe.clone())?,
            registry: RegistryPolicy::new(registries.collect::<Result<_, _>>()?, safe.clone())?,
            pod: PodPolicy::default(),
            service: ServicePolicy {
                safe_namespaces: safe,
                ..ServicePolicy::default()
            },
        })
    }
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
