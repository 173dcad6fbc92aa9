//! The registry guard: every image, wherever one can stand, comes from an allowed registry.
//!
//! Images are compared as the parsed references that a runtime would pull, never as texts.

use std::collections::BTreeSet;

use toolforge_model::{ImageRef, Registry};

use crate::verdict::{Law, Offences, bare};
use crate::{Verdict, Workload};

/// Where images may come from.
#[derive(Clone, Debug)]
pub struct RegistryPolicy {
    registries: Vec<Registry>,
    safe_namespaces: BTreeSet<String>,
}

/// Why there is no such policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryPolicyError {
    /// Without a registry no image is allowed, not even the platform's own.
    #[error("got no registries, at least one is required, such as docker-registry.tools.wmflabs.org")]
    NoRegistries,
}

impl RegistryPolicy {
    /// A policy for these registries; workloads in the safe namespaces are not looked at.
    pub fn new(
        registries: Vec<Registry>,
        safe_namespaces: impl IntoIterator<Item = String>,
    ) -> Result<Self, RegistryPolicyError> {
        if registries.is_empty() {
            return Err(RegistryPolicyError::NoRegistries);
        }
        Ok(Self {
            registries,
            safe_namespaces: safe_namespaces.into_iter().collect(),
        })
    }
}

/// Whether every image of the workload comes from an allowed registry.
pub fn admit_images(policy: &RegistryPolicy, workload: &Workload) -> Verdict {
    if policy.safe_namespaces.contains(workload.namespace()) {
        return Verdict::default();
    }
    let mut offences = Offences::default();
    let law = law(policy);
    for (field, image) in images(workload) {
        let problem = match image.parse::<ImageRef>() {
            Ok(image) if policy.registries.iter().any(|registry| registry.holds(&image)) => continue,
            Ok(_) => String::new(),
            Err(error) => format!(": {error}"),
        };
        offences.shown_as(
            &law,
            workload.field(&field),
            shown(workload, &field, image, &problem),
        );
    }
    offences.into_verdict()
}

/// Every place of a Pod that names an image, and what it names.
fn images(workload: &Workload) -> impl Iterator<Item = (String, &str)> {
    let containers = workload
        .containers()
        .map(|container| (container.field("image"), container.image.unwrap_or_default()));
    let volumes = workload.spec().volumes.iter().flatten().enumerate();
    let volumes = volumes.filter_map(|(i, volume)| {
        let image = volume.image.as_ref()?;
        Some((
            format!("volumes[{i}].image.reference"),
            image.reference.as_deref().unwrap_or_default(),
        ))
    });
    containers.chain(volumes)
}

fn law(policy: &RegistryPolicy) -> Law {
    let registries: Vec<&str> = policy.registries.iter().map(Registry::as_str).collect();
    let registries = registries.join(", ");
    Law::spoken(
        "images/registry",
        format!("The following container images did not match any of the allowed registries ({registries})"),
        format!("use an image from {registries}"),
    )
}

fn shown(workload: &Workload, field: &str, image: &str, problem: &str) -> String {
    format!(
        "[Kind={}, Namespace={} Name={} Image={}] ({}{problem})",
        workload.kind(),
        bare(workload.namespace()),
        bare(workload.name()),
        bare(image),
        workload.field(field),
    )
}

#[cfg(test)]
mod tests;
