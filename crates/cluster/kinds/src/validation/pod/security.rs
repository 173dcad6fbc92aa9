//! Security contexts of Pods and containers: who their processes are, and what keeps them in.

use serde_json::Value;

use super::LARGEST_ID;
use crate::FieldError;
use crate::validation::path::{Errors, join, nth, one_of, optional_one_of};
use crate::value::Read as _;

/// Longest name of a kernel setting, in bytes.
const SYSCTL_BYTES: usize = 253;
/// What such a name has to match.
const SYSCTL_PATTERN: &str = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// The context of a Pod; `path` is that of the context.
pub(super) fn of_pod(spec: &Value, path: &str, errors: &mut Errors) {
    let context = &spec["securityContext"];
    for key in ["runAsUser", "runAsGroup", "fsGroup"] {
        id(context, path, key, errors);
    }
    for (index, group) in context.list("supplementalGroups").iter().enumerate() {
        if let Some(number) = group.as_i64().filter(|number| !(0..=LARGEST_ID).contains(number)) {
            let path = nth(path, "supplementalGroups", index);
            errors.push(FieldError::invalid(&path, number, &id_range()));
        }
    }
    if spec.flag("shareProcessNamespace") && spec.flag("hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        let path = join(path, "shareProcessNamespace");
        errors.push(FieldError::invalid(&path, true, detail));
    }
    sysctls(context, path, errors);
    for (key, known) in [
        ("fsGroupChangePolicy", ["Always", "OnRootMismatch"]),
        ("supplementalGroupsPolicy", ["Merge", "Strict"]),
        ("seLinuxChangePolicy", ["MountOption", "Recursive"]),
    ] {
        optional_one_of(context, path, key, &known, errors);
    }
    profiles(context, path, errors);
}

/// The context of a container.
pub(super) fn of_container(context: &Value, path: &str, errors: &mut Errors) {
    for key in ["runAsUser", "runAsGroup"] {
        id(context, path, key, errors);
    }
    profiles(context, path, errors);
    optional_one_of(context, path, "procMount", &["Default", "Unmasked"], errors);
    if context.get("allowPrivilegeEscalation") == Some(&Value::Bool(false)) {
        no_way_up(context, path, errors);
    }
}

/// Who may not gain privileges must not have them.
fn no_way_up(context: &Value, path: &str, errors: &mut Errors) {
    let escalates = |wrong: &str| format!("cannot set `allowPrivilegeEscalation` to false and {wrong}");
    if context.flag("privileged") {
        let wrong = escalates("`privileged` to true");
        errors.push(FieldError::invalid(path, context.clone(), &wrong));
    }
    let added = context["capabilities"].list("add");
    if added.iter().any(|capability| capability == "CAP_SYS_ADMIN") {
        let wrong = escalates("`capabilities.Add` CAP_SYS_ADMIN");
        errors.push(FieldError::invalid(path, context.clone(), &wrong));
    }
}

/// A user or group id.
fn id(context: &Value, path: &str, key: &str, errors: &mut Errors) {
    if let Some(number) = context
        .int(key)
        .filter(|number| !(0..=LARGEST_ID).contains(number))
    {
        errors.push(FieldError::invalid(&join(path, key), number, &id_range()));
    }
}

fn id_range() -> String {
    format!("must be between 0 and {LARGEST_ID}, inclusive")
}

fn sysctls(context: &Value, path: &str, errors: &mut Errors) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, sysctl) in context.list("sysctls").iter().enumerate() {
        let at = join(&nth(path, "sysctls", index), "name");
        let name = sysctl.text("name");
        if name.is_empty() {
            errors.push(FieldError::required(&at, ""));
        } else if !is_sysctl(name) {
            let detail =
                format!("must have at most {SYSCTL_BYTES} characters and match regex {SYSCTL_PATTERN}");
            errors.push(FieldError::invalid(&at, name, &detail));
        } else if seen.contains(&name) {
            errors.push(FieldError::duplicate(&at, name));
        }
        seen.push(name);
    }
}

fn is_sysctl(name: &str) -> bool {
    let is_alone = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        part.bytes()
            .all(|byte| is_alone(byte) || matches!(byte, b'-' | b'_'))
            && part.bytes().next().is_some_and(is_alone)
            && part.bytes().next_back().is_some_and(is_alone)
    };
    name.len() <= SYSCTL_BYTES && name.split(['.', '/']).all(is_part)
}

/// Profiles that the kernel confines processes by; one of the machine's own has to be named.
fn profiles(context: &Value, path: &str, errors: &mut Errors) {
    for (key, what) in [("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")] {
        let Some(profile) = context.get(key) else { continue };
        let path = join(path, key);
        let known = ["Localhost", "RuntimeDefault", "Unconfined"];
        one_of(profile, &path, "type", &known, errors);
        let at = join(&path, "localhostProfile");
        match (profile.text("type"), profile.has("localhostProfile")) {
            ("Localhost", false) => {
                let detail = format!("must be set when {what} type is Localhost");
                errors.push(FieldError::required(&at, &detail));
            }
            ("Localhost", true) | (_, false) => {}
            (_, true) => {
                let given = profile.text("localhostProfile");
                let detail = format!("can only be set when {what} type is Localhost");
                errors.push(FieldError::invalid(&at, given, &detail));
            }
        }
    }
}
