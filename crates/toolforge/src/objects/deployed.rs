//! What runs the components on the operator's own Kubernetes: for each its service account, Deployment, disruption
//! budget, and Service where others call it. Pure. Printed by `toolforge manifests --image`; `up` has no use for it.
//!
//! The command lines are those of this program: a test parses them with its own command line.

mod component;
mod components;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Value, json};
use toolforge_policy::PolicySettings;

use super::SERVICE_NAMESPACE;

/// What the operator decides about the components.
#[derive(Debug, Clone)]
pub(crate) struct Deployed {
    /// The image with this program on its path.
    pub(crate) image: String,
    /// The first domain.
    pub(crate) domain: String,
    /// What all components go by.
    pub(crate) policy: PolicySettings,
    /// Where the guards' certificate comes from.
    pub(crate) certificate: Certificate,
    /// The directory file; without it the account service is left out.
    pub(crate) directory: Option<String>,
    /// The file of what single tools have more or less of, for the account service.
    pub(crate) overrides: Option<String>,
    /// The gateway's settings file.
    pub(crate) gateway_settings: Option<String>,
    /// Where visitors reach the gateway, for the status of Ingresses.
    pub(crate) published: Option<String>,
}

/// Where the guards' certificate comes from, and by which authority it is known.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// Who signs it; none, where it lies in the Secret `admission-tls`.
    pub(crate) signer: Option<String>,
    /// The authority, PEM; none, where it is the cluster's.
    pub(crate) authority: Option<String>,
}

/// Everything but what [`super::foundation`] has.
pub(crate) fn deployed(deployed: &Deployed) -> Vec<Value> {
    let mut objects = configuration(deployed);
    let digest = digest(&objects);
    // Not in the digest: they are read again when they change.
    for (name, file, text) in [
        ("overrides", "overrides.yaml", &deployed.overrides),
        ("gateway-settings", "settings.yaml", &deployed.gateway_settings),
    ] {
        objects.extend(config_map(name, file, text.as_deref()));
    }
    let mut components = vec![
        components::admission(&deployed.certificate),
        components::gateway(deployed),
        components::fourohfour(&deployed.domain),
        components::k8s_status(&deployed.domain),
    ];
    if deployed.directory.is_some() {
        components.push(components::accounts(deployed.overrides.is_some()));
    }
    objects.push(super::k8s_status_ingress(
        &deployed.domain,
        &deployed.policy.ingress_class,
    ));
    for component in &components {
        objects.extend(component.objects(&deployed.image, &digest));
        if component.ports.iter().any(|(name, _)| *name == "metrics") {
            objects.push(components::figures(component));
        }
    }
    objects
}

/// The files that components read when they start, as `ConfigMap`s of their namespace.
fn configuration(deployed: &Deployed) -> Vec<Value> {
    let policy = serde_saphyr::to_string(&deployed.policy).expect("settings are plain data");
    let files = [
        ("policy", "policy.yaml", Some(policy.as_str())),
        ("directory", "directory.yaml", deployed.directory.as_deref()),
        (
            "admission-authority",
            "ca.crt",
            deployed.certificate.authority.as_deref(),
        ),
    ];
    let maps = files.map(|(name, file, text)| config_map(name, file, text));
    maps.into_iter().flatten().collect()
}

/// A file as a `ConfigMap`, if there is one.
fn config_map(name: &str, file: &str, text: Option<&str>) -> Option<Value> {
    Some(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": SERVICE_NAMESPACE },
        "data": { file: text? },
    }))
}

/// What changes with the files.
fn digest(objects: &[Value]) -> String {
    let mut hasher = DefaultHasher::new();
    for object in objects {
        object.to_string().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests;
