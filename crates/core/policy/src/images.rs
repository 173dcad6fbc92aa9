//! The registry guard: every image, wherever one can stand, comes from an allowed registry.
//!
//! Images are compared as the parsed references that a runtime would pull, never as texts.

use std::collections::BTreeSet;

use toolforge_model::{ImageRef, Registry};

use crate::verdict::{Law, Offences, bare, quoted};
use crate::{Verdict, Workload};

const DIGEST: Law = Law::fixed(
    "images/digest",
    "Images of this registry must be named by their digest, so that what was looked at is what runs",
    "write REGISTRY/REPOSITORY@sha256:DIGEST; the registry shows it beside each tag, and prints it after a push",
);

/// Where images may come from.
#[derive(Clone, Debug)]
pub struct RegistryPolicy {
    registries: Vec<Registry>,
    pinned: Vec<Registry>,
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
            pinned: Vec::new(),
            safe_namespaces: safe_namespaces.into_iter().collect(),
        })
    }

    /// The same policy, under which images of these registries (or parts of them) must be named by digest.
    #[must_use]
    pub fn with_digests_required_in(mut self, registries: impl IntoIterator<Item = Registry>) -> Self {
        self.pinned = registries.into_iter().collect();
        self
    }

    /// Namespaces whose workloads are not looked at.
    pub fn safe_namespaces(&self) -> &BTreeSet<String> {
        &self.safe_namespaces
    }
}

/// Whether every image of the workload comes from an allowed registry, and is named by digest where that is required.
pub fn admit_images(policy: &RegistryPolicy, workload: &Workload) -> Verdict {
    if policy.safe_namespaces.contains(workload.namespace()) {
        return Verdict::default();
    }
    let mut offences = Offences::default();
    for (place, image) in images(workload) {
        let holds = |registries: &[Registry], image: &ImageRef| registries.iter().any(|one| one.holds(image));
        let problem = match image.parse::<ImageRef>() {
            Ok(parsed) if holds(&policy.registries, &parsed) => {
                if parsed.digest().is_some() {
                } else if holds(&policy.pinned, &parsed) {
                    offences.value(&DIGEST, workload.field(place.field()), &quoted(image));
                } else if parsed.tag().is_none() {
                    offences.warn(
                        "images/tag",
                        workload.field(place.field()),
                        "no tag means :latest, whatever that is when a Pod starts; name a version or a digest",
                    );
                }
                continue;
            }
            Ok(_) => String::new(),
            Err(error) => format!(": {error}"),
        };
        let field = workload.field(place.field());
        let shown = shown(workload, &field, image, &problem);
        offences.shown_as(&law(policy), field, shown);
    }
    offences.into_verdict()
}

/// Where a Pod names an image.
#[derive(Clone, Copy)]
enum Place {
    Container(&'static str, usize),
    Volume(usize),
}

impl Place {
    /// Path of the field, from the Pod specification.
    fn field(self) -> String {
        match self {
            Self::Container(list, i) => format!("{list}[{i}].image"),
            Self::Volume(i) => format!("volumes[{i}].image.reference"),
        }
    }
}

/// Every place of a Pod that names an image, and what it names.
fn images(workload: &Workload) -> impl Iterator<Item = (Place, &str)> {
    let containers = workload.containers().map(|container| {
        let place = Place::Container(container.list, container.index);
        (place, container.image.unwrap_or_default())
    });
    let volumes = workload.spec().volumes.iter().flatten().enumerate();
    let volumes = volumes.filter_map(|(i, volume)| {
        let image = volume.image.as_ref()?;
        Some((Place::Volume(i), image.reference.as_deref().unwrap_or_default()))
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
        "[Kind={}, Namespace={} Name={} Image={}] ({field}{problem})",
        workload.kind(),
        bare(workload.namespace()),
        bare(workload.name()),
        bare(image),
    )
}

#[cfg(test)]
mod tests;
