//! A kubeconfig with our cluster, user and context in it, and everything else as it was.
//!
//! Pure: the text that is there goes in, the text that should be there comes out. What cannot be read for
//! certain is never replaced: the caller warns instead.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::yaml;

#[cfg(test)]
mod tests;

/// The name of the cluster and of the context.
pub(crate) const CLUSTER: &str = "toolforge";

/// Where the API is, and whose certificate it has: the same in all kubeconfigs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cluster {
    server: String,
    authority: String,
    /// As they stand in a file of ours.
    lines: String,
}

impl Cluster {
    pub(crate) fn new(server: &str, ca_pem: &str) -> Self {
        let authority = STANDARD.encode(ca_pem);
        let lines = format!(
            "    certificate-authority-data: {}\n    server: {}",
            yaml::text(&authority),
            yaml::text(server)
        );
        Self {
            server: server.to_owned(),
            authority,
            lines,
        }
    }
}

/// What is put into a kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) user: String,
    pub(crate) namespace: String,
    /// Paths relative to the kubeconfig's folder, so that a home can move.
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Why a kubeconfig is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(pub(crate) String);

/// What has to be written; none when the file is right already.
pub(crate) fn merge(existing: Option<&str>, access: &Access) -> Result<Option<String>, Unreadable> {
    let existing = existing.filter(|text| !text.trim().is_empty());
    let Some(text) = existing else {
        return Ok(Some(fresh(access)));
    };
    // Nearly always it is as we wrote it, and reading YAML is the dearest part of a look with nothing to do.
    if text == fresh(access) {
        return Ok(None);
    }
    let found = parse(text)?;
    let mut config = found.clone();
    for (list, name, key, value) in [
        ("clusters", CLUSTER, "cluster", cluster(access)),
        ("users", access.user.as_str(), "user", user(access)),
        ("contexts", CLUSTER, "context", context(access)),
    ] {
        put(&mut config, list, name, key, &value)?;
    }
    for (key, value) in [("apiVersion", "v1"), ("kind", "Config")] {
        config.entry(key).or_insert_with(|| json!(value));
    }
    Ok((config != found).then(|| yaml::write(&Value::Object(config))))
}

fn parse(text: &str) -> Result<Map<String, Value>, Unreadable> {
    match serde_saphyr::from_str::<Value>(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Unreadable("it is not a YAML map".to_owned())),
        Err(error) => {
            // The first line says what and where; the rest quotes the file, which may hold secrets.
            let text = error.to_string();
            Err(Unreadable(format!(
                "it is not YAML: {}",
                text.lines().next().unwrap_or("")
            )))
        }
    }
}

fn put(
    config: &mut Map<String, Value>,
    list: &str,
    name: &str,
    key: &str,
    value: &Value,
) -> Result<(), Unreadable> {
    let entries = config.entry(list).or_insert(Value::Null);
    if entries.is_null() {
        *entries = json!([]);
    }
    let Value::Array(entries) = entries else {
        return Err(Unreadable(format!("its field {list} is not a list")));
    };
    if entries.iter().any(|entry| !entry["name"].is_string()) {
        return Err(Unreadable(format!(
            "its field {list} has an entry without a name"
        )));
    }
    let entry = json!({ "name": name, key: value });
    match entries.iter_mut().find(|entry| entry["name"] == name) {
        Some(found) => *found = entry,
        None => entries.push(entry),
    }
    Ok(())
}

/// A file with ours and nothing else, as it would be written from a tree.
fn fresh(access: &Access) -> String {
    let cluster = &access.cluster.lines;
    let [user, namespace, certificate, key] =
        [&access.user, &access.namespace, &access.certificate, &access.key].map(|value| yaml::text(value));
    format!(
        "apiVersion: v1
clusters:
- cluster:
{cluster}
  name: {CLUSTER}
contexts:
- context:
    cluster: {CLUSTER}
    namespace: {namespace}
    user: {user}
  name: {CLUSTER}
current-context: {CLUSTER}
kind: Config
users:
- name: {user}
  user:
    client-certificate: {certificate}
    client-key: {key}
"
    )
}

fn cluster(access: &Access) -> Value {
    let Cluster {
        server, authority, ..
    } = &*access.cluster;
    json!({ "server": server, "certificate-authority-data": authority })
}

fn user(access: &Access) -> Value {
    json!({ "client-certificate": access.certificate, "client-key": access.key })
}

fn context(access: &Access) -> Value {
    json!({ "cluster": CLUSTER, "user": access.user, "namespace": access.namespace })
}
