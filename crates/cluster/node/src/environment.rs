//! A container's variables: from its description and what that refers to, to names with values. Pure.
//!
//! `pod` reads the [`Wanted`] objects first and hands them in as [`Sources`]. What is missing is told
//! in Kubernetes' words, because people look for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapKeySelector, Container, EnvFromSource, EnvVarSource, ObjectFieldSelector, Pod,
    ResourceFieldSelector, Secret, SecretKeySelector,
};
use toolforge_model::Quantity;

use crate::{process::expand, runtime::CreateError};

/// The objects that a container's variables refer to, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) config_maps: BTreeSet<String>,
    pub(crate) secrets: BTreeSet<String>,
}

impl Wanted {
    /// Reads a container.
    pub(crate) fn of(container: &Container) -> Self {
        let mut wanted = Self::default();
        for from in container.env_from.iter().flatten() {
            wanted
                .config_maps
                .extend(from.config_map_ref.as_ref().map(|source| source.name.clone()));
            wanted
                .secrets
                .extend(from.secret_ref.as_ref().map(|source| source.name.clone()));
        }
        for source in container
            .env
            .iter()
            .flatten()
            .filter_map(|variable| variable.value_from.as_ref())
        {
            wanted
                .config_maps
                .extend(source.config_map_key_ref.as_ref().map(|key| key.name.clone()));
            wanted
                .secrets
                .extend(source.secret_key_ref.as_ref().map(|key| key.name.clone()));
        }
        wanted
    }
}

/// The objects that were found; what is not in here does not exist.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) config_maps: BTreeMap<String, ConfigMap>,
    pub(crate) secrets: BTreeMap<String, Secret>,
}

/// What variables may refer to besides objects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) pod_ip: Ipv4Addr,
    pub(crate) host_ip: Ipv4Addr,
    /// CPU of the machine in thousandths and memory in bytes, which stand in for limits that are not set.
    pub(crate) machine: (i128, i128),
}

/// The container's variables in the order in which they are named; a later one takes the place of an earlier one.
pub(crate) fn resolve(
    container: &Container,
    facts: Facts<'_>,
    sources: &Sources,
) -> Result<Vec<(String, String)>, CreateError> {
    let mut found: Vec<(String, String)> = Vec::new();
    for from in container.env_from.iter().flatten() {
        for (name, value) in all_of(from, sources)? {
            set(&mut found, name, value);
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match &variable.value_from {
            Some(source) => referred(source, container, facts, sources)?,
            None => Some(expand(variable.value.as_deref().unwrap_or_default(), |name| {
                found
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.clone())
            })),
        };
        if let Some(value) = value {
            set(&mut found, variable.name.clone(), value);
        }
    }
    Ok(found)
}

fn set(found: &mut Vec<(String, String)>, name: String, value: String) {
    found.retain(|(known, _)| *known != name);
    found.push((name, value));
}

fn all_of(from: &EnvFromSource, sources: &Sources) -> Result<Vec<(String, String)>, CreateError> {
    let prefix = from.prefix.as_deref().unwrap_or_default();
    let mut all = Vec::new();
    if let Some(source) = &from.config_map_ref {
        match sources.config_maps.get(&source.name) {
            Some(map) => all.extend(
                map.data
                    .iter()
                    .flatten()
                    .map(|(key, value)| (format!("{prefix}{key}"), value.clone())),
            ),
            None if source.optional == Some(true) => {}
            None => return Err(no_config_map(&source.name)),
        }
    }
    if let Some(source) = &from.secret_ref {
        match sources.secrets.get(&source.name) {
            Some(secret) => all.extend(
                secret
                    .data
                    .iter()
                    .flatten()
                    .map(|(key, value)| (format!("{prefix}{key}"), text_of(&value.0))),
            ),
            None if source.optional == Some(true) => {}
            None => return Err(no_secret(&source.name)),
        }
    }
    Ok(all)
}

fn referred(
    source: &EnvVarSource,
    container: &Container,
    facts: Facts<'_>,
    sources: &Sources,
) -> Result<Option<String>, CreateError> {
    if let Some(field) = &source.field_ref {
        return field_of(field, facts).map(Some);
    }
    if let Some(key) = &source.config_map_key_ref {
        return config_map_key(key, facts.pod, sources);
    }
    if let Some(key) = &source.secret_key_ref {
        return secret_key(key, facts.pod, sources);
    }
    if let Some(resource) = &source.resource_field_ref {
        return amount_of(resource, Some(container), facts).map(Some);
    }
    Err(CreateError("this node knows no such source of a variable: use value, fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef".to_owned()))
}

fn config_map_key(
    key: &ConfigMapKeySelector,
    pod: &Pod,
    sources: &Sources,
) -> Result<Option<String>, CreateError> {
    let optional = key.optional == Some(true);
    match sources.config_maps.get(&key.name) {
        None if optional => Ok(None),
        None => Err(no_config_map(&key.name)),
        Some(map) => match map.data.as_ref().and_then(|data| data.get(&key.key)) {
            Some(value) => Ok(Some(value.clone())),
            None if optional => Ok(None),
            None => Err(no_key(&key.key, "ConfigMap", &key.name, pod)),
        },
    }
}

fn secret_key(key: &SecretKeySelector, pod: &Pod, sources: &Sources) -> Result<Option<String>, CreateError> {
    let optional = key.optional == Some(true);
    match sources.secrets.get(&key.name) {
        None if optional => Ok(None),
        None => Err(no_secret(&key.name)),
        Some(secret) => match secret.data.as_ref().and_then(|data| data.get(&key.key)) {
            Some(value) => Ok(Some(text_of(&value.0))),
            None if optional => Ok(None),
            None => Err(no_key(&key.key, "Secret", &key.name, pod)),
        },
    }
}

/// A field of the Pod as text.
pub(crate) fn field_of(field: &ObjectFieldSelector, facts: Facts<'_>) -> Result<String, CreateError> {
    let Facts {
        pod, pod_ip, host_ip, ..
    } = facts;
    let metadata = &pod.metadata;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let spec = |read: fn(&k8s_openapi::api::core::v1::PodSpec) -> &Option<String>| {
        pod.spec
            .as_ref()
            .and_then(|spec| read(spec).clone())
            .unwrap_or_default()
    };
    let path = field.field_path.as_str();
    if let Some(key) = subscript(path, "metadata.labels") {
        return Ok(metadata
            .labels
            .as_ref()
            .and_then(|map| map.get(key))
            .cloned()
            .unwrap_or_default());
    }
    if let Some(key) = subscript(path, "metadata.annotations") {
        return Ok(metadata
            .annotations
            .as_ref()
            .and_then(|map| map.get(key))
            .cloned()
            .unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => text(&metadata.name),
        "metadata.namespace" => text(&metadata.namespace),
        "metadata.uid" => text(&metadata.uid),
        "spec.nodeName" => spec(|spec| &spec.node_name),
        "spec.serviceAccountName" => spec(|spec| &spec.service_account_name),
        "status.podIP" | "status.podIPs" => pod_ip.to_string(),
        "status.hostIP" | "status.hostIPs" => host_ip.to_string(),
        _ => return Err(CreateError(format!("unsupported fieldPath: {path}"))),
    })
}

/// A resource of a container as text; of `own` when the selector names none.
pub(crate) fn amount_of(
    resource: &ResourceFieldSelector,
    own: Option<&Container>,
    facts: Facts<'_>,
) -> Result<String, CreateError> {
    let named = resource.container_name.as_deref().filter(|name| !name.is_empty());
    let of = match named {
        Some(name) => container_called(facts.pod, name),
        None => own,
    };
    let name = named.unwrap_or_default();
    let of = of.ok_or_else(|| CreateError(format!("container {name} not found")))?;
    let divisor = resource.divisor.as_ref().map(|divisor| divisor.0.as_str());
    amount(of, &resource.resource, divisor, facts.machine)
}

/// The key in `PATH['KEY']`.
fn subscript<'a>(path: &'a str, of: &str) -> Option<&'a str> {
    path.strip_prefix(of)?.strip_prefix("['")?.strip_suffix("']")
}

fn container_called<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    let spec = pod.spec.as_ref()?;
    let all = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten());
    all.into_iter().find(|container| container.name == name)
}

/// A limit or request as a number, rounded up to whole divisors.
fn amount(
    container: &Container,
    resource: &str,
    divisor: Option<&str>,
    machine: (i128, i128),
) -> Result<String, CreateError> {
    let unknown = || CreateError(format!("unsupported container resource: {resource}"));
    let (list, name) = resource.split_once('.').ok_or_else(unknown)?;
    let resources = container.resources.clone().unwrap_or_default();
    let chosen = match list {
        "limits" => resources.limits,
        "requests" => resources.requests,
        _ => return Err(unknown()),
    };
    let stated = chosen
        .as_ref()
        .and_then(|map| map.get(name))
        .map(|raw| raw.0.clone());
    let instead = match (list, name) {
        ("limits", "cpu") => machine.0,
        ("limits", "memory") => machine.1.saturating_mul(1000),
        _ => 0,
    };
    let millis = match stated {
        Some(text) => millis(&text).ok_or_else(unknown)?,
        None => instead,
    };
    let per = match divisor {
        None | Some("" | "0") => 1000,
        Some(text) => millis_of_divisor(text).ok_or_else(unknown)?,
    };
    Ok(((millis + per - 1) / per).to_string())
}

fn millis(text: &str) -> Option<i128> {
    let quantity: Quantity = text.parse().ok()?;
    Some(quantity.millis())
}

fn millis_of_divisor(text: &str) -> Option<i128> {
    millis(text).filter(|per| *per > 0)
}

/// Variables are text; bytes that are none are shown as such.
fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn no_config_map(name: &str) -> CreateError {
    CreateError(format!("configmap \"{name}\" not found"))
}

fn no_secret(name: &str) -> CreateError {
    CreateError(format!("secret \"{name}\" not found"))
}

fn no_key(key: &str, kind: &str, name: &str, pod: &Pod) -> CreateError {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    CreateError(format!("couldn't find key {key} in {kind} {namespace}/{name}"))
}

#[cfg(test)]
mod tests;
