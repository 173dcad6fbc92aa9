//! The checks that the level `restricted` has beyond `baseline`, in the order of messages.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>.

use serde_json::Value;

use super::baseline::{added, is_confined, unconfined};
use super::finding::{Finding, Set, containers, plural, quoted, setters};
use super::pods::{PodView, context, context_text, items, name_of};
use super::policy::Version;

type Check = fn(PodView<'_>, Version) -> Option<Finding>;

const CHECKS: &[Check] = &[
    privilege_escalation,
    capabilities,
    volumes,
    run_as_non_root,
    run_as_user,
    seccomp,
];

/// Everything that the level has against a Pod beyond `baseline`.
pub(super) fn all(pod: PodView<'_>, version: Version) -> Vec<Finding> {
    CHECKS.iter().filter_map(|check| check(pod, version)).collect()
}

/// Whether a check of Linux alone is to be left out.
fn is_exempt(pod: PodView<'_>, version: Version) -> bool {
    version.is_from(25) && pod.is_for_windows()
}

fn privilege_escalation(pod: PodView<'_>, version: Version) -> Option<Finding> {
    if !version.is_from(8) || is_exempt(pod, version) {
        return None;
    }
    let names = pod.containers_that(|container| {
        context(container, "/allowPrivilegeEscalation") != Some(&Value::Bool(false))
    });
    (!names.is_empty()).then(|| {
        Finding::new(
            "allowPrivilegeEscalation != false",
            format!(
                "{} must set securityContext.allowPrivilegeEscalation=false",
                containers(&names)
            ),
        )
    })
}

fn capabilities(pod: PodView<'_>, version: Version) -> Option<Finding> {
    if !version.is_from(22) || is_exempt(pod, version) {
        return None;
    }
    let keeps = pod.containers_that(|container| {
        let dropped = context(container, "/capabilities/drop").and_then(Value::as_array);
        !dropped.is_some_and(|list| list.iter().any(|name| name == "ALL"))
    });
    let forbidden = |container| added(container).filter(|name| *name != "NET_BIND_SERVICE");
    let adds = pod.containers_that(|container| forbidden(container).next().is_some());
    let all: Set<'_> = pod.containers().flat_map(forbidden).collect();
    let mut details = Vec::new();
    if !keeps.is_empty() {
        details.push(format!(
            "{} must set securityContext.capabilities.drop=[\"ALL\"]",
            containers(&keeps)
        ));
    }
    if !adds.is_empty() {
        details.push(format!(
            "{} must not include {} in securityContext.capabilities.add",
            containers(&adds),
            quoted(all)
        ));
    }
    (!details.is_empty()).then(|| Finding::new("unrestricted capabilities", details.join("; ")))
}

/// Volumes that anybody may have.
const VOLUMES: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

fn volumes(pod: PodView<'_>, _: Version) -> Option<Finding> {
    let kind = |volume: &'_ Value| -> Option<String> {
        let mut set = volume
            .as_object()?
            .iter()
            .filter(|(name, value)| *name != "name" && !value.is_null());
        // What names no source at all is an empty folder.
        let (kind, _) = set.next()?;
        (!VOLUMES.contains(&kind.as_str())).then(|| kind.clone())
    };
    let bad: Vec<(&str, String)> = items(pod.spec, "volumes")
        .filter_map(|volume| Some((name_of(volume), kind(volume)?)))
        .collect();
    let mut kinds: Vec<&String> = bad.iter().map(|(_, kind)| kind).collect();
    kinds.sort();
    kinds.dedup();
    (!bad.is_empty()).then(|| {
        Finding::new(
            "restricted volume types",
            format!(
                "{} {} {} {} {}",
                plural("volume", "volumes", bad.len()),
                quoted(bad.iter().map(|(name, _)| name)),
                plural("uses", "use", bad.len()),
                plural("restricted volume type", "restricted volume types", kinds.len()),
                quoted(&kinds)
            ),
        )
    })
}

fn run_as_non_root(pod: PodView<'_>, version: Version) -> Option<Finding> {
    if version.is_from(35) && pod.has_own_users() {
        return None;
    }
    let of = |value| context(value, "/runAsNonRoot").and_then(Value::as_bool);
    let explicit = pod.containers_that(|container| of(container) == Some(false));
    let on_pod = of(pod.spec);
    if on_pod == Some(false) || !explicit.is_empty() {
        let who = setters(on_pod == Some(false), &explicit);
        let detail = format!("{who} must not set securityContext.runAsNonRoot=false");
        return Some(Finding::new("runAsNonRoot != true", detail));
    }
    let implicit = pod.containers_that(|container| of(container).is_none() && on_pod.is_none());
    (!implicit.is_empty()).then(|| {
        Finding::new(
            "runAsNonRoot != true",
            format!(
                "pod or {} must set securityContext.runAsNonRoot=true",
                containers(&implicit)
            ),
        )
    })
}

fn run_as_user(pod: PodView<'_>, version: Version) -> Option<Finding> {
    if !version.is_from(23) || (version.is_from(35) && pod.has_own_users()) {
        return None;
    }
    let is_root = |of| context(of, "/runAsUser").and_then(Value::as_i64) == Some(0);
    let names = pod.containers_that(is_root);
    let on_pod = is_root(pod.spec);
    (on_pod || !names.is_empty()).then(|| {
        Finding::new(
            "runAsUser=0",
            format!("{} must not set runAsUser=0", setters(on_pod, &names)),
        )
    })
}

fn seccomp(pod: PodView<'_>, version: Version) -> Option<Finding> {
    if !version.is_from(19) || is_exempt(pod, version) {
        return None;
    }
    if let Some(explicit) = unconfined(pod) {
        return Some(explicit);
    }
    let of = |value| context_text(value, "/seccompProfile/type");
    if of(pod.spec).is_some_and(is_confined) {
        return None;
    }
    let implicit = pod.containers_that(|container| of(container).is_none());
    (!implicit.is_empty()).then(|| {
        Finding::new(
            "seccompProfile",
            format!(
                "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
                containers(&implicit)
            ),
        )
    })
}
