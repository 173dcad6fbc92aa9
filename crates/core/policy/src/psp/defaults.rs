//! What a policy gives a Pod that says nothing: worked out on borrowed data, written into the Pod only when this
//! policy is the one that applies.

use k8s_openapi::api::core::v1::{PodSecurityContext, SELinuxOptions, SecurityContext};

use super::profile::{APPARMOR_CONTAINER, SECCOMP_CONTAINER, SECCOMP_POD};
use super::{Phase, PodSecurityPolicy};
use crate::Workload;
use crate::workload::AnyContainer;

/// What a Pod gets.
#[derive(Debug, Default)]
pub(super) struct Defaults<'a> {
    pub(super) supplemental_group: Option<i64>,
    pub(super) fs_group: Option<i64>,
    pub(super) se_linux: Option<&'a SELinuxOptions>,
    pub(super) seccomp: Option<&'a str>,
    pub(super) runtime_class: Option<&'a str>,
    /// In the order of [`Workload::containers`].
    pub(super) containers: Vec<ContainerDefaults<'a>>,
}

/// What one container gets.
#[derive(Debug, Default)]
pub(super) struct ContainerDefaults<'a> {
    pub(super) run_as_user: Option<i64>,
    pub(super) run_as_group: Option<i64>,
    pub(super) run_as_non_root: bool,
    pub(super) seccomp: Option<&'a str>,
    pub(super) apparmor: Option<&'a str>,
    pub(super) add: Vec<&'a str>,
    pub(super) drop: Vec<&'a str>,
    pub(super) read_only_root: bool,
    pub(super) escalation: Option<bool>,
}

impl<'a> Defaults<'a> {
    pub(super) fn of(policy: &'a PodSecurityPolicy, workload: &'a Workload, phase: Phase) -> Self {
        let mut defaults = match phase {
            Phase::Create | Phase::Template => Self::of_pod(policy, workload),
            Phase::EphemeralContainers | Phase::Final => Self::default(),
        };
        let touched = |container: &AnyContainer<'_>| match phase {
            Phase::Create | Phase::Template => true,
            Phase::EphemeralContainers => container.list == "ephemeralContainers",
            Phase::Final => false,
        };
        defaults.containers = workload
            .containers()
            .map(|container| {
                if touched(&container) {
                    ContainerDefaults::of(policy, workload, &container)
                } else {
                    ContainerDefaults::default()
                }
            })
            .collect();
        defaults
    }

    fn of_pod(policy: &'a PodSecurityPolicy, workload: &'a Workload) -> Self {
        let spec = policy.spec();
        let context = workload.spec().security_context.as_ref();
        let unset = |is_set: fn(&PodSecurityContext) -> bool| !context.is_some_and(is_set);
        let annotation = workload.annotation(SECCOMP_POD);
        let runtime_class = spec
            .runtime_class
            .as_ref()
            .filter(|_| workload.spec().runtime_class_name.is_none());
        Self {
            supplemental_group: spec.supplemental_groups.generated().filter(|_| unset(has_groups)),
            fs_group: spec
                .fs_group
                .generated()
                .filter(|_| unset(|context| context.fs_group.is_some())),
            se_linux: spec
                .se_linux
                .se_linux_options
                .as_ref()
                .filter(|_| spec.se_linux.rule == super::IdRule::MustRunAs)
                .filter(|_| unset(|context| context.se_linux_options.is_some())),
            // What an old annotation says is obeyed by fields only since 1.27, so that it becomes one.
            seccomp: annotation
                .or(policy.seccomp.default.as_deref())
                .filter(|_| unset(|context| context.seccomp_profile.is_some())),
            runtime_class: runtime_class.and_then(|class| class.default_runtime_class_name.as_deref()),
            containers: vec![],
        }
    }

    /// Whether nothing would change.
    pub(super) fn are_none(&self) -> bool {
        self.supplemental_group.is_none()
            && self.fs_group.is_none()
            && self.se_linux.is_none()
            && self.seccomp.is_none()
            && self.runtime_class.is_none()
            && self.containers.iter().all(ContainerDefaults::are_none)
    }
}

impl<'a> ContainerDefaults<'a> {
    fn of(policy: &'a PodSecurityPolicy, workload: &'a Workload, container: &AnyContainer<'a>) -> Self {
        let spec = policy.spec();
        let pod = workload.spec().security_context.as_ref();
        let own = container.security;
        let user = own
            .and_then(|own| own.run_as_user)
            .or(pod.and_then(|pod| pod.run_as_user));
        let group = own
            .and_then(|own| own.run_as_group)
            .or(pod.and_then(|pod| pod.run_as_group));
        let non_root = own
            .and_then(|own| own.run_as_non_root)
            .or(pod.and_then(|pod| pod.run_as_non_root));
        let unset = |is_set: fn(&SecurityContext) -> bool| !own.is_some_and(is_set);
        let apparmor_unset = unset(|own| own.app_armor_profile.is_some());
        let apparmor_of_pod = pod.is_some_and(|pod| pod.app_armor_profile.is_some());
        let escalation = spec
            .default_allow_privilege_escalation
            .or_else(|| (!policy.allows_escalation()).then_some(false));
        let (add, drop) = capabilities(policy, own);
        Self {
            run_as_user: spec.run_as_user.generated().filter(|_| user.is_none()),
            run_as_group: spec
                .run_as_group
                .as_ref()
                .and_then(super::spec::IdStrategy::generated)
                .filter(|_| group.is_none()),
            run_as_non_root: spec.run_as_user.rule == super::IdRule::MustRunAsNonRoot
                && user.is_none()
                && non_root.is_none(),
            seccomp: workload
                .annotation_of(SECCOMP_CONTAINER, container.name)
                .filter(|_| unset(|own| own.seccomp_profile.is_some())),
            apparmor: workload
                .annotation_of(APPARMOR_CONTAINER, container.name)
                .or(policy.apparmor.default.as_deref().filter(|_| !apparmor_of_pod))
                .filter(|_| apparmor_unset),
            add,
            drop,
            read_only_root: spec.read_only_root_filesystem
                && unset(|own| own.read_only_root_filesystem.is_some()),
            escalation: escalation.filter(|_| unset(|own| own.allow_privilege_escalation.is_some())),
        }
    }

    fn are_none(&self) -> bool {
        self.run_as_user.is_none()
            && self.run_as_group.is_none()
            && !self.run_as_non_root
            && self.seccomp.is_none()
            && self.apparmor.is_none()
            && self.add.is_empty()
            && self.drop.is_empty()
            && !self.read_only_root
            && self.escalation.is_none()
    }
}

fn has_groups(context: &PodSecurityContext) -> bool {
    context
        .supplemental_groups
        .as_ref()
        .is_some_and(|groups| !groups.is_empty())
}

/// Which capabilities a container gets beyond its own, and which it loses.
fn capabilities<'a>(
    policy: &'a PodSecurityPolicy,
    own: Option<&SecurityContext>,
) -> (Vec<&'a str>, Vec<&'a str>) {
    let own = own.and_then(|own| own.capabilities.as_ref());
    let added = own.and_then(|own| own.add.as_deref()).unwrap_or_default();
    let dropped = own.and_then(|own| own.drop.as_deref()).unwrap_or_default();
    let spec = policy.spec();
    let add = spec
        .default_add_capabilities
        .iter()
        .filter(|name| !dropped.contains(name) && !added.contains(name));
    let drop = spec
        .required_drop_capabilities
        .iter()
        .filter(|name| !dropped.contains(name));
    (
        add.map(String::as_str).collect(),
        drop.map(String::as_str).collect(),
    )
}
