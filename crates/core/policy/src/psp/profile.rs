//! Names of seccomp and `AppArmor` profiles: as policies and old annotations write them, and as fields.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{AppArmorProfile, SeccompProfile};
use serde::Serialize;

use super::policy::{APPARMOR, SECCOMP};

/// Annotation of a Pod for all its containers.
pub(super) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// Annotation of a Pod for the container whose name follows.
pub(super) const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
/// The same for `AppArmor`.
pub(super) const APPARMOR_CONTAINER: &str = "container.apparmor.security.beta.kubernetes.io/";

const RUNTIME: &str = "runtime/default";
const DOCKER: &str = "docker/default";
const UNCONFINED: &str = "unconfined";
const LOCALHOST: &str = "localhost/";

/// Which profiles a policy allows, and which one it gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profiles {
    /// As written; nothing when the policy has no such annotation.
    pub(super) allowed: Option<Vec<String>>,
    pub(super) default: Option<String>,
}

/// A profile as a field names it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    localhost_profile: Option<&'a str>,
}

impl Profiles {
    pub(super) fn seccomp(annotations: &BTreeMap<String, String>) -> Self {
        Self::of(annotations, SECCOMP)
    }

    pub(super) fn apparmor(annotations: &BTreeMap<String, String>) -> Self {
        Self::of(annotations, APPARMOR)
    }

    fn of(annotations: &BTreeMap<String, String>, family: &str) -> Self {
        let annotation = |name: &str| annotations.get(&format!("{family}{name}"));
        Self {
            allowed: annotation("allowedProfileNames")
                .map(|names| names.split(',').map(str::to_owned).collect()),
            default: annotation("defaultProfileName")
                .filter(|name| !name.is_empty())
                .cloned(),
        }
    }

    /// Whether any profile, and none, is allowed. `AppArmor` knows no `*`.
    pub(super) fn allow_any_seccomp(&self) -> bool {
        self.allowed.iter().flatten().any(|name| name == "*")
    }

    pub(super) fn allow(&self, profile: &str) -> bool {
        let canonical = canonical(profile);
        self.allowed
            .iter()
            .flatten()
            .any(|name| self::canonical(name) == canonical)
    }

    /// Whether the policy names any profile at all.
    pub(super) fn name_some(&self) -> bool {
        self.allowed.iter().flatten().any(|name| name != "*")
    }
}

/// Docker's name of the runtime's own profile means the same.
fn canonical(name: &str) -> &str {
    if name == DOCKER { RUNTIME } else { name }
}

/// The name of the profile in a field.
pub(super) fn seccomp_name(profile: &SeccompProfile) -> String {
    name(&profile.type_, profile.localhost_profile.as_deref())
}

/// The same for `AppArmor`.
pub(super) fn apparmor_name(profile: &AppArmorProfile) -> String {
    name(&profile.type_, profile.localhost_profile.as_deref())
}

fn name(kind: &str, localhost: Option<&str>) -> String {
    match kind {
        "RuntimeDefault" => RUNTIME.to_owned(),
        "Unconfined" => UNCONFINED.to_owned(),
        "Localhost" => format!("{LOCALHOST}{}", localhost.unwrap_or_default()),
        // Not a kind that Kubernetes knows, and no name that a policy could allow by accident.
        other => format!("?{other}"),
    }
}

/// The field for a name; nothing when it is not a name.
pub(super) fn field(name: &str) -> Option<Profile<'_>> {
    let (kind, localhost_profile) = match canonical(name) {
        RUNTIME => ("RuntimeDefault", None),
        UNCONFINED => ("Unconfined", None),
        other => {
            let file = other.strip_prefix(LOCALHOST).filter(|file| !file.is_empty())?;
            ("Localhost", Some(file))
        }
    };
    Some(Profile {
        kind,
        localhost_profile,
    })
}

/// Whether the name means the runtime's own profile.
pub(super) fn is_runtimes(name: &str) -> bool {
    canonical(name) == RUNTIME
}
