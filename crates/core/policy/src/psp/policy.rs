//! A policy ready to be asked: its specification and the profiles that its annotations name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::profile::Profiles;
use super::spec::{IdRule, IdStrategy, PodSecurityPolicySpec};

/// Group of the custom resource.
pub const GROUP: &str = "policy.toolforge.org";
/// Version of the custom resource.
pub const VERSION: &str = "v1";
/// Kind of the custom resource.
pub const KIND: &str = "PodSecurityPolicy";
/// Plural name of the custom resource.
pub const PLURAL: &str = "podsecuritypolicies";

/// Annotations that Kubernetes read from a policy.
pub(super) const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/";
pub(super) const APPARMOR: &str = "apparmor.security.beta.kubernetes.io/";

/// One policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PodSecurityPolicy {
    name: String,
    annotations: BTreeMap<String, String>,
    spec: PodSecurityPolicySpec,
    pub(super) seccomp: Profiles,
    pub(super) apparmor: Profiles,
}

/// Why an object is no policy that can be asked.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It has no name.
    #[error("metadata.name is missing")]
    Nameless,
    /// Its specification cannot be read.
    #[error("spec cannot be read")]
    Spec(#[source] serde_json::Error),
    /// A rule stands where it has no meaning.
    #[error("spec.{field}.rule is {rule:?}, which is no rule for it")]
    Rule {
        /// The field.
        field: &'static str,
        /// The rule.
        rule: IdRule,
    },
    /// A rule needs ranges.
    #[error("spec.{0}.ranges is empty, and its rule needs one")]
    Ranges(&'static str),
    /// `SELinux` options are demanded and not given.
    #[error("spec.seLinux.seLinuxOptions is missing, and its rule needs them")]
    SeLinux,
}

impl PodSecurityPolicy {
    /// A policy from its parts.
    pub fn new(
        name: &str,
        annotations: BTreeMap<String, String>,
        spec: PodSecurityPolicySpec,
    ) -> Result<Self, PolicyError> {
        if name.is_empty() {
            return Err(PolicyError::Nameless);
        }
        check(&spec)?;
        Ok(Self {
            name: name.to_owned(),
            seccomp: Profiles::seccomp(&annotations),
            apparmor: Profiles::apparmor(&annotations),
            annotations,
            spec,
        })
    }

    /// Reads an object as the API has it. Its group is not looked at: old ones read like new ones.
    pub fn read(object: &Value) -> Result<Self, PolicyError> {
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        let annotations = object
            .pointer("/metadata/annotations")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        let spec = PodSecurityPolicySpec::deserialize(&object["spec"]).map_err(PolicyError::Spec)?;
        Self::new(name.unwrap_or_default(), annotations.collect(), spec)
    }

    /// The object as it is written into the API.
    pub fn to_object(&self) -> Value {
        json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": KIND,
            "metadata": {"name": self.name, "annotations": self.annotations},
            "spec": self.spec,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its specification.
    pub fn spec(&self) -> &PodSecurityPolicySpec {
        &self.spec
    }

    /// Whether it says anything of `AppArmor`.
    pub(crate) fn names_apparmor(&self) -> bool {
        self.apparmor.allowed.is_some()
    }

    /// Whether containers may gain privileges; upstream's default is that they may.
    pub(super) fn allows_escalation(&self) -> bool {
        self.spec.allow_privilege_escalation.unwrap_or(true)
    }
}

fn check(spec: &PodSecurityPolicySpec) -> Result<(), PolicyError> {
    use IdRule::{MayRunAs, MustRunAs, MustRunAsNonRoot, RunAsAny};
    check_ids(
        "runAsUser",
        &spec.run_as_user,
        &[RunAsAny, MustRunAs, MustRunAsNonRoot],
    )?;
    if let Some(group) = &spec.run_as_group {
        check_ids("runAsGroup", group, &[RunAsAny, MustRunAs, MayRunAs])?;
    }
    let groups = [RunAsAny, MustRunAs, MayRunAs];
    check_ids("supplementalGroups", &spec.supplemental_groups, &groups)?;
    check_ids("fsGroup", &spec.fs_group, &groups)?;
    match spec.se_linux.rule {
        RunAsAny => Ok(()),
        MustRunAs if spec.se_linux.se_linux_options.is_some() => Ok(()),
        MustRunAs => Err(PolicyError::SeLinux),
        rule => Err(PolicyError::Rule {
            field: "seLinux",
            rule,
        }),
    }
}

fn check_ids(field: &'static str, strategy: &IdStrategy, rules: &[IdRule]) -> Result<(), PolicyError> {
    let rule = strategy.rule;
    if !rules.contains(&rule) {
        return Err(PolicyError::Rule { field, rule });
    }
    if matches!(rule, IdRule::MustRunAs | IdRule::MayRunAs) && strategy.ranges.is_empty() {
        return Err(PolicyError::Ranges(field));
    }
    Ok(())
}
