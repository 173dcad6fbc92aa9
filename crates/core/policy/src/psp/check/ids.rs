//! Users and groups: those of the Pod, and those that are in effect in a container.

use std::fmt::Display;

use super::super::IdRule;
use super::super::defaults::ContainerDefaults;
use super::super::spec::IdStrategy;
use super::Check;
use super::words::{self, Id};
use crate::verdict::Law;
use crate::workload::AnyContainer;

const RUN_AS: &str = "pod/run-as";
const GROUPS: &str = "pod/supplemental-groups";
const NON_ROOT: Law = Law::fixed(
    "pod/run-as-non-root",
    "Containers must not run as root",
    "leave it out or set it to true",
);

/// The groups of the Pod itself, and the ids that its containers take over unless they have their own.
pub(super) fn check_pod(check: &mut Check<'_>) {
    let spec = check.policy.spec();
    let context = check.workload.spec().security_context.as_ref();
    let given = context.and_then(|context| context.fs_group);
    match given.or(check.defaults.fs_group) {
        Some(id) => check_id(check, Id::Files, &spec.fs_group, "securityContext.fsGroup", id),
        None if spec.fs_group.demands_one() => {
            let law = law(Id::Files, &spec.fs_group);
            check.missing(&law, "securityContext.fsGroup");
        }
        None => {}
    }
    check_supplemental_groups(check);
    if let Some(id) = context.and_then(|context| context.run_as_user) {
        check_id(
            check,
            Id::User,
            &spec.run_as_user,
            "securityContext.runAsUser",
            id,
        );
    }
    if let (Some(id), Some(strategy)) = (
        context.and_then(|context| context.run_as_group),
        &spec.run_as_group,
    ) {
        check_id(check, Id::Group, strategy, "securityContext.runAsGroup", id);
    }
}

fn check_supplemental_groups(check: &mut Check<'_>) {
    const FIELD: &str = "securityContext.supplementalGroups";
    let strategy = &check.policy.spec().supplemental_groups;
    let context = check.workload.spec().security_context.as_ref();
    let given = context.and_then(|context| context.supplemental_groups.as_deref());
    let given = given.unwrap_or_default();
    if given.is_empty() && check.defaults.supplemental_group.is_none() && strategy.demands_one() {
        check.missing(&law(Id::Further, strategy), FIELD);
    }
    for (i, id) in given.iter().enumerate() {
        check_id(check, Id::Further, strategy, format!("{FIELD}[{i}]"), *id);
    }
}

/// The ids in effect: the container's own, or the Pod's, which is judged where it stands.
pub(super) fn check_container(
    check: &mut Check<'_>,
    container: &AnyContainer<'_>,
    defaults: &ContainerDefaults<'_>,
) {
    let spec = check.policy.spec();
    let pod = check.workload.spec().security_context.as_ref();
    let own = container.security;
    let of_pod = pod.and_then(|pod| pod.run_as_user);
    let field = container.field("securityContext.runAsUser");
    match own.and_then(|own| own.run_as_user) {
        Some(id) => check_id(check, Id::User, &spec.run_as_user, &field, id),
        None if of_pod.or(defaults.run_as_user).is_some() => {}
        None if spec.run_as_user.demands_one() => {
            check.missing(&law(Id::User, &spec.run_as_user), &field);
        }
        None => {}
    }
    if spec.run_as_user.rule == IdRule::MustRunAsNonRoot {
        check_non_root(check, container, defaults);
    }
    let Some(strategy) = &spec.run_as_group else {
        return;
    };
    let of_pod = pod.and_then(|pod| pod.run_as_group);
    let field = container.field("securityContext.runAsGroup");
    match own.and_then(|own| own.run_as_group) {
        Some(id) => check_id(check, Id::Group, strategy, &field, id),
        None if of_pod.or(defaults.run_as_group).is_some() => {}
        None if strategy.demands_one() => check.missing(&law(Id::Group, strategy), &field),
        None => {}
    }
}

/// Where nobody is named the machine must be told not to start the image as root; and it is never told that it may.
fn check_non_root(check: &mut Check<'_>, container: &AnyContainer<'_>, defaults: &ContainerDefaults<'_>) {
    let pod = check.workload.spec().security_context.as_ref();
    let own = container.security;
    let user = own
        .and_then(|own| own.run_as_user)
        .or(pod.and_then(|pod| pod.run_as_user));
    let non_root = own
        .and_then(|own| own.run_as_non_root)
        .or(pod.and_then(|pod| pod.run_as_non_root));
    let field = container.field("securityContext.runAsNonRoot");
    match non_root {
        Some(false) => check.refuse(&NON_ROOT, &field, "false"),
        None if user.is_none() && !defaults.run_as_non_root => check.missing(&NON_ROOT, &field),
        Some(true) | None => {}
    }
}

fn check_id(check: &mut Check<'_>, of: Id, strategy: &IdStrategy, field: impl Display, id: i64) {
    if !strategy.allows(id) {
        check.refuse(&law(of, strategy), field, &id.to_string());
    }
}

fn law(of: Id, strategy: &IdStrategy) -> Law {
    let rule = match of {
        Id::User | Id::Group | Id::Files => RUN_AS,
        Id::Further => GROUPS,
    };
    let remedy = match strategy.rule {
        IdRule::MustRunAsNonRoot => "name another user",
        _ => "leave it out",
    };
    Law::spoken(rule, words::ids(of, strategy), remedy.to_owned())
}
