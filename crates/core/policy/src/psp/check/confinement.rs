//! `SELinux`, seccomp and `AppArmor`: as fields, and as the annotations that came before them.

use std::borrow::Cow;
use std::fmt::Display;

use k8s_openapi::api::core::v1::SELinuxOptions;

use super::super::IdRule;
use super::super::defaults::ContainerDefaults;
use super::super::profile::{self, APPARMOR_CONTAINER, Profiles, SECCOMP_CONTAINER, SECCOMP_POD};
use super::{Check, words};
use crate::verdict::{Law, quoted};
use crate::workload::AnyContainer;

const SECCOMP: &str = "pod/seccomp";
const APPARMOR: &str = "pod/apparmor";
const SELINUX: Law = Law::fixed(
    "pod/selinux",
    "Pods must have the SELinux options of their policy",
    "leave it out",
);

/// What the Pod says for all its containers.
pub(super) fn check_pod(check: &mut Check<'_>) {
    let context = check.workload.spec().security_context.as_ref();
    let given = context.and_then(|context| context.se_linux_options.as_ref());
    check_selinux(
        check,
        "securityContext.seLinuxOptions",
        given.or(check.defaults.se_linux),
    );
    let field = context.and_then(|context| context.seccomp_profile.as_ref());
    let name = match field {
        Some(profile) => Some(Cow::Owned(profile::seccomp_name(profile))),
        None => check.defaults.seccomp.map(Cow::Borrowed),
    };
    check_seccomp(
        check,
        "securityContext.seccompProfile.type",
        name.as_deref(),
        field.map(|field| field.type_.as_str()),
    );
    if let Some(named) = check.workload.annotation(SECCOMP_POD)
        && !seccomp_allowed(&check.policy.seccomp, Some(named))
    {
        check.refuse_annotation(&seccomp_law(&check.policy.seccomp), SECCOMP_POD, named);
    }
    if let Some(field) = context.and_then(|context| context.app_armor_profile.as_ref()) {
        let name = profile::apparmor_name(field);
        check_apparmor(
            check,
            "securityContext.appArmorProfile.type",
            Some(&name),
            Some(&field.type_),
        );
    }
}

/// What a container says for itself, and what it has from the Pod where that is not enough.
pub(super) fn check_container(
    check: &mut Check<'_>,
    container: &AnyContainer<'_>,
    defaults: &ContainerDefaults<'_>,
) {
    let own = container.security;
    if let Some(options) = own.and_then(|own| own.se_linux_options.as_ref()) {
        check_selinux(
            check,
            container.field("securityContext.seLinuxOptions"),
            Some(options),
        );
    }
    check_container_seccomp(check, container, defaults);
    check_container_apparmor(check, container, defaults);
}

/// Without a profile of its own a container has the Pod's, which is judged there.
fn check_container_seccomp(
    check: &mut Check<'_>,
    container: &AnyContainer<'_>,
    defaults: &ContainerDefaults<'_>,
) {
    let place = container.field("securityContext.seccompProfile.type");
    if let Some(field) = container.security.and_then(|own| own.seccomp_profile.as_ref()) {
        let name = profile::seccomp_name(field);
        check_seccomp(check, &place, Some(&name), Some(&field.type_));
    } else if let Some(name) = defaults.seccomp {
        check_seccomp(check, &place, Some(name), None);
    }
    if let Some(named) = check.workload.annotation_of(SECCOMP_CONTAINER, container.name)
        && !seccomp_allowed(&check.policy.seccomp, Some(named))
    {
        let key = format!("{SECCOMP_CONTAINER}{}", container.name);
        check.refuse_annotation(&seccomp_law(&check.policy.seccomp), &key, named);
    }
}

fn check_container_apparmor(
    check: &mut Check<'_>,
    container: &AnyContainer<'_>,
    defaults: &ContainerDefaults<'_>,
) {
    let pod = check.workload.spec().security_context.as_ref();
    let of_pod = pod.is_some_and(|pod| pod.app_armor_profile.is_some());
    let place = container.field("securityContext.appArmorProfile.type");
    match container.security.and_then(|own| own.app_armor_profile.as_ref()) {
        Some(field) => {
            let name = profile::apparmor_name(field);
            check_apparmor(check, &place, Some(&name), Some(&field.type_));
        }
        None if of_pod && defaults.apparmor.is_none() => {}
        None => check_apparmor(check, &place, defaults.apparmor, None),
    }
    if let Some(named) = check.workload.annotation_of(APPARMOR_CONTAINER, container.name)
        && check.policy.apparmor.allowed.is_some()
        && !check.policy.apparmor.allow(named)
    {
        let key = format!("{APPARMOR_CONTAINER}{}", container.name);
        check.refuse_annotation(&apparmor_law(&check.policy.apparmor), &key, named);
    }
}

fn check_selinux(check: &mut Check<'_>, field: impl Display, given: Option<&SELinuxOptions>) {
    let strategy = &check.policy.spec().se_linux;
    let Some(wanted) = strategy
        .se_linux_options
        .as_ref()
        .filter(|_| strategy.rule == IdRule::MustRunAs)
    else {
        return;
    };
    let Some(given) = given else {
        check.missing(&SELINUX, field);
        return;
    };
    for (name, given, wanted) in [
        ("level", &given.level, &wanted.level),
        ("role", &given.role, &wanted.role),
        ("type", &given.type_, &wanted.type_),
        ("user", &given.user, &wanted.user),
    ] {
        let [given, wanted] = [given, wanted].map(|text| text.as_deref().unwrap_or_default());
        if given != wanted && !(name == "level" && are_one_level(given, wanted)) {
            check.refuse(&SELINUX, format!("{field}.{name}"), &quoted(given));
        }
    }
}

/// Whether two levels have the same sensitivity and the same categories, in whatever order: `s0:c1,c2` is `s0:c2,c1`.
fn are_one_level(one: &str, other: &str) -> bool {
    let parts = |level: &str| {
        let (sensitivity, categories) = level.split_once(':')?;
        let mut categories: Vec<String> = categories.split(',').map(str::to_owned).collect();
        categories.sort_unstable();
        Some((sensitivity.to_owned(), categories))
    };
    parts(one).is_some_and(|one| Some(one) == parts(other))
}

/// A policy without profiles allows none to be named; one with profiles demands one of them, unless `*` is among them.
fn seccomp_allowed(profiles: &Profiles, name: Option<&str>) -> bool {
    let name = name.filter(|name| !name.is_empty());
    profiles.allow_any_seccomp()
        || match name {
            None => !profiles.name_some(),
            Some(name) => profiles.allow(name),
        }
}

fn check_seccomp(check: &mut Check<'_>, field: impl Display, name: Option<&str>, shown: Option<&str>) {
    if seccomp_allowed(&check.policy.seccomp, name) {
        return;
    }
    let law = seccomp_law(&check.policy.seccomp);
    match shown.or(name) {
        Some(shown) => check.refuse(&law, field, &quoted(shown)),
        None => check.missing(&law, field),
    }
}

fn seccomp_law(profiles: &Profiles) -> Law {
    let allowed = profiles.allowed.as_deref().unwrap_or_default();
    let sentence = match allowed {
        [only] if profile::is_runtimes(only) => "Pods must have the runtime's seccomp profile".to_owned(),
        allowed => words::only(
            "Pods may have the seccomp profiles",
            allowed,
            "no seccomp profile of their own",
        ),
    };
    let remedy = if allowed.iter().any(|name| profile::is_runtimes(name)) {
        "leave it out or use type RuntimeDefault"
    } else {
        "leave it out"
    };
    Law::spoken(SECCOMP, sentence, remedy.to_owned())
}

/// A policy that says nothing of `AppArmor` allows everything; one that names profiles demands one of them.
fn check_apparmor(check: &mut Check<'_>, field: impl Display, name: Option<&str>, shown: Option<&str>) {
    let profiles = &check.policy.apparmor;
    if profiles.allowed.is_none() {
        return;
    }
    let name = name.filter(|name| !name.is_empty());
    let law = apparmor_law(profiles);
    match name {
        Some(name) if profiles.allow(name) => {}
        Some(name) => check.refuse(&law, field, &quoted(shown.unwrap_or(name))),
        None => check.missing(&law, field),
    }
}

fn apparmor_law(profiles: &Profiles) -> Law {
    let allowed = profiles.allowed.as_deref().unwrap_or_default();
    Law::spoken(
        APPARMOR,
        words::only(
            "Pods may have the AppArmor profiles",
            allowed,
            "no AppArmor profile of their own",
        ),
        "leave it out or use one of these".to_owned(),
    )
}
