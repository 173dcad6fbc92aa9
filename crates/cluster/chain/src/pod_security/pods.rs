//! How checks look at Pods: their containers, their security contexts, and which changes of them matter.

use serde_json::Value;
use toolforge_kinds::Kind;

/// Subresources through which nothing that is checked changes.
const IGNORED: &[&str] = &[
    "exec",
    "attach",
    "binding",
    "eviction",
    "log",
    "portforward",
    "proxy",
    "status",
];
/// The lists of containers, in the order of messages.
const LISTS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];

/// A Pod, or the template of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct PodView<'a> {
    pub(super) metadata: &'a Value,
    pub(super) spec: &'a Value,
}

impl<'a> PodView<'a> {
    /// All containers, of whatever sort.
    pub(super) fn containers(self) -> impl Iterator<Item = &'a Value> {
        LISTS.iter().flat_map(move |list| items(self.spec, list))
    }

    /// The names of the containers that a check is against.
    pub(super) fn containers_that(self, is_bad: impl Fn(&'a Value) -> bool) -> Vec<&'a str> {
        self.containers()
            .filter(|container| is_bad(container))
            .map(name_of)
            .collect()
    }

    /// A field of the Pod's security context, such as `/seccompProfile/type`.
    pub(super) fn context(self, pointer: &str) -> Option<&'a Value> {
        context(self.spec, pointer)
    }

    /// The annotations whose names begin with this, sorted.
    pub(super) fn annotations(self, prefix: &str) -> Vec<(&'a str, &'a str)> {
        let all = self.metadata.get("annotations").and_then(Value::as_object);
        let mut found: Vec<(&str, &str)> = all
            .into_iter()
            .flatten()
            .filter(|(name, _)| name.starts_with(prefix))
            .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
            .collect();
        found.sort_unstable();
        found
    }

    /// Whether the users of the Pod are not those of the machine.
    pub(super) fn has_own_users(self) -> bool {
        self.spec.get("hostUsers") == Some(&Value::Bool(false))
    }

    /// Whether the Pod is for Windows, where some checks make no sense.
    pub(super) fn is_for_windows(self) -> bool {
        self.spec.pointer("/os/name").and_then(Value::as_str) == Some("windows")
    }
}

/// The items of a list; none when it is not there.
pub(super) fn items<'a>(value: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    value.get(list).and_then(Value::as_array).into_iter().flatten()
}

/// The name of a container or volume.
pub(super) fn name_of(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// A field of a security context that is set.
pub(super) fn context<'a>(of: &'a Value, pointer: &str) -> Option<&'a Value> {
    of.get("securityContext")?
        .pointer(pointer)
        .filter(|value| !value.is_null())
}

/// A text of a security context that is set.
pub(super) fn context_text<'a>(of: &'a Value, pointer: &str) -> Option<&'a str> {
    context(of, pointer).map(|value| value.as_str().unwrap_or_default())
}

/// Whether writes through a subresource are looked at.
pub(super) fn concerns(subresource: Option<&str>) -> bool {
    subresource.is_none_or(|name| !IGNORED.contains(&name))
}

/// The template of Pods in a workload.
pub(super) fn template<'a>(kind: &Kind, object: &'a Value) -> Option<&'a Value> {
    let pointer = match (kind.group, kind.kind) {
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet") | ("batch", "Job") => "/spec/template",
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template",
        _ => return None,
    };
    object.pointer(pointer).filter(|template| !template.is_null())
}

/// Whether two states of a Pod differ in what is checked and can change at all: images, and annotations for seccomp.
pub(super) fn differ(new: &Value, old: &Value) -> bool {
    let marks = |pod: &Value| {
        let annotations = pod.pointer("/metadata/annotations").and_then(Value::as_object);
        let seccomp: Vec<(String, Value)> = annotations
            .into_iter()
            .flatten()
            .filter(|(name, _)| name.contains("seccomp.security.alpha.kubernetes.io"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let images: Vec<Option<Value>> = LISTS
            .iter()
            .flat_map(|list| items(&pod["spec"], list))
            .flat_map(|container| [container.get("name").cloned(), container.get("image").cloned()])
            .collect();
        (seccomp, images)
    };
    marks(new) != marks(old)
}
