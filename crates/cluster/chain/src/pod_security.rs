//! Pod security levels: what Pods of a namespace may ask for, by the namespace's labels.
//!
//! Kubernetes' admission plugin `PodSecurity`, with its checks, versions and messages. `enforce` refuses Pods; `warn` and
//! `audit` tell about Pods and about templates of Pods. A namespace whose level is raised warns about the Pods in it.
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-admission/>.

mod baseline;
mod finding;
mod pods;
mod policy;
mod restricted;

use serde_json::Value;
use toolforge_kinds::Status;

use crate::attributes::{Attributes, Operation};
use crate::world::World;
use finding::{Finding, details, reasons};
use policy::{Level, Policy, Version};

/// The prefix of audit annotations.
const ANNOTATIONS: &str = "pod-security.kubernetes.io";
/// Most Pods that are looked at when a namespace's level is raised; as in Kubernetes.
const MAX_PODS: usize = 3000;

/// A level at a version: what is to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LevelVersion {
    level: Level,
    version: Version,
}

impl std::fmt::Display for LevelVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.level.name(), self.version)
    }
}

impl LevelVersion {
    /// What a Pod has against it, given its metadata and spec.
    fn evaluate(self, metadata: &Value, spec: &Value) -> Vec<Finding> {
        let pod = pods::PodView { metadata, spec };
        match self.level {
            Level::Privileged => Vec::new(),
            Level::Baseline => baseline::all(pod, self.version, true),
            Level::Restricted => {
                let mut found = baseline::all(pod, self.version, false);
                found.extend(restricted::all(pod, self.version));
                found
            }
        }
    }
}

/// Admits a write; gives warnings for its author.
pub(crate) fn admit(
    world: &dyn World,
    attributes: &Attributes,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Result<Vec<String>, Status> {
    let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
    let Some(object) = object.filter(|_| writes) else {
        return Ok(Vec::new());
    };
    let none = &Value::Null;
    match (attributes.kind.group, attributes.kind.kind) {
        ("", "Namespace") if attributes.subresource.is_none() => {
            admit_namespace(world, attributes, object, old)
        }
        ("", "Pod") if pods::concerns(attributes.subresource.as_deref()) => {
            if old.is_some_and(|old| !pods::differ(object, old)) {
                return Ok(Vec::new());
            }
            let metadata = object.get("metadata").unwrap_or(none);
            let spec = object.get("spec").unwrap_or(none);
            admit_pod(world, attributes, Some(object), metadata, spec)
        }
        _ if attributes.subresource.is_none() => match pods::template(attributes.kind, object) {
            Some(template) => {
                let metadata = template.get("metadata").unwrap_or(none);
                let spec = template.get("spec").unwrap_or(none);
                admit_pod(world, attributes, None, metadata, spec)
            }
            None => Ok(Vec::new()),
        },
        _ => Ok(Vec::new()),
    }
}

/// Admits a Pod, or tells about a template: those have no `pod`, and are never refused.
fn admit_pod(
    world: &dyn World,
    attributes: &Attributes,
    pod: Option<&Value>,
    metadata: &Value,
    spec: &Value,
) -> Result<Vec<String>, Status> {
    let name = attributes.namespace.as_deref().unwrap_or_default();
    let Some(namespace) = world.get("", "namespaces", None, name) else {
        return Ok(Vec::new());
    };
    let (policy, errors) = Policy::of(&namespace);
    if errors.is_empty() && policy.is_privileged() {
        return Ok(Vec::new());
    }
    let annotate = |key: &str, text: String| {
        attributes.annotations.add(&format!("{ANNOTATIONS}/{key}"), text);
    };
    if !errors.is_empty() {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let errors = match errors.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        annotate("error", format!("Failed to parse policy: {errors}"));
    }
    let violation = |wanted: LevelVersion| {
        let found = wanted.evaluate(metadata, spec);
        (!found.is_empty()).then(|| format!("would violate PodSecurity \"{wanted}\": {}", details(&found)))
    };
    if let Some(text) = violation(policy.audit) {
        annotate("audit-violations", text);
    }
    if let Some(pod) = pod {
        annotate("enforce-policy", policy.enforce.to_string());
        let found = policy.enforce.evaluate(metadata, spec);
        if !found.is_empty() {
            let why = format!("violates PodSecurity \"{}\": {}", policy.enforce, details(&found));
            return Err(attributes.forbidden(Some(pod), &why));
        }
    }
    Ok(violation(policy.warn).into_iter().collect())
}

/// Admits a namespace: its labels must make sense, and its Pods should fit a new level.
fn admit_namespace(
    world: &dyn World,
    attributes: &Attributes,
    object: &Value,
    old: Option<&Value>,
) -> Result<Vec<String>, Status> {
    let (new, errors) = Policy::of(object);
    let (before, earlier_errors) = old.map(Policy::of).unwrap_or_default();
    if !errors.is_empty() && (old.is_none() || errors != earlier_errors) {
        return Err(Status::invalid(attributes.kind, &attributes.name, errors));
    }
    let relaxed = new.enforce.version == before.enforce.version && new.enforce.level <= before.enforce.level;
    if old.is_none() || new.enforce.level == Level::Privileged || relaxed {
        return Ok(Vec::new());
    }
    Ok(warn_of_pods(world, &attributes.name, new.enforce))
}

/// What a new level says about the Pods that are there.
fn warn_of_pods(world: &dyn World, namespace: &str, enforce: LevelVersion) -> Vec<String> {
    let mut pods = world.list("", "pods", Some(namespace));
    let total = pods.len();
    pods.sort_by(|a, b| name_of(a).cmp(name_of(b)));
    pods.truncate(MAX_PODS);
    // By what is wrong: the first Pod, and how many there are.
    let mut groups: Vec<(String, &str, usize)> = Vec::new();
    for pod in &pods {
        let metadata = pod.get("metadata").unwrap_or(&Value::Null);
        let found = enforce.evaluate(metadata, pod.get("spec").unwrap_or(&Value::Null));
        if found.is_empty() {
            continue;
        }
        let why = reasons(&found);
        match groups.iter_mut().find(|(known, _, _)| *known == why) {
            Some((_, _, count)) => *count += 1,
            None => groups.push((why, name_of(pod), 1)),
        }
    }
    let mut warnings = Vec::new();
    if pods.len() < total {
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {} of {total} existing pods",
            pods.len()
        ));
    }
    if !groups.is_empty() {
        warnings.push(format!(
            "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \"{enforce}\""
        ));
    }
    let mut lines: Vec<String> = groups
        .into_iter()
        .map(|(why, name, count)| match count {
            1 => format!("{name}: {why}"),
            2 => format!("{name} (and 1 other pod): {why}"),
            more => format!("{name} (and {} other pods): {why}", more - 1),
        })
        .collect();
    lines.sort();
    warnings.extend(lines);
    warnings
}

fn name_of(object: &Value) -> &str {
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    name.unwrap_or_default()
}

#[cfg(test)]
mod tests;
