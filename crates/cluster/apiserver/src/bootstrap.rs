//! What every cluster has: namespaces with their accounts, default roles and bindings, the API's own Service, `cluster-info`,
//! and what other servers of the API's groups need to know of it.
//!
//! Runs at each opening; what is there already stays, except that default roles get back the rules they lack, and that
//! the API's own address is brought up to date.

mod own_service;
mod roles;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;
use serde_json::{Value, json};
use toolforge_chain::Annotations;

use crate::api::Api;
use crate::authn::{MASTERS, User};
use crate::error::ApiError;
use crate::negotiate::Form;
use crate::query::Query;
use crate::rest::{Call, Tracking, create_object};
use crate::server::Config;
use crate::store::{Change, Effect, Expected};
pub(crate) use own_service::{keep as keep_own_service, objects as own_service};

/// The API's name among users.
const SELF: &str = "system:apiserver";
/// Namespaces of every cluster.
const NAMESPACES: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// Writes what is missing: the namespaces, and then all else at once, so that it shares a few flushes of the disk.
pub(crate) async fn run(api: &Arc<Api>, config: &Config) -> Result<(), ApiError> {
    let namespaces: Vec<Value> = NAMESPACES.iter().map(|name| namespace(name)).collect();
    try_join_all(namespaces.iter().map(|object| ensure(api, object))).await?;
    let mut accounts: Vec<Value> = NAMESPACES.iter().map(|name| default_account(name)).collect();
    accounts.push(cluster_info(config));
    let front_proxy = api.aggregation.front().published(&config.client_ca_pem);
    accounts.push(front_proxy.clone());
    let (roles, service) = (roles::all(), own_service::objects(config));
    let roles = roles.iter().map(|object| async move {
        ensure(api, object).await?;
        restore_rules(api, object).await
    });
    let service = service.iter().map(|object| async move {
        ensure(api, object).await?;
        own_service::refresh(api, object).await
    });
    let accounts = accounts.iter().map(|object| ensure(api, object));
    tokio::try_join!(try_join_all(roles), try_join_all(service), try_join_all(accounts))?;
    // The URL of the API and its authorities may change between starts.
    refresh_data(api, &cluster_info(config)).await?;
    refresh_data(api, &front_proxy).await
}

fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

/// The account of Pods that name none. A controller makes it in namespaces that come later.
fn default_account(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "name": "default", "namespace": namespace },
    })
}

fn call(api: &Arc<Api>, object: &Value) -> Option<Call> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("apiVersion")
        .split_once('/')
        .unwrap_or(("", text("apiVersion")));
    let kind = toolforge_kinds::by_kind(group, version, text("kind"))?;
    let namespace = crate::metadata::text(object, "namespace");
    Some(Call {
        api: api.clone(),
        user: User::authenticated(SELF, &[MASTERS]),
        kind,
        stored: toolforge_kinds::storage_kind(kind),
        custom: None,
        subresource: None,
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        query: Query::default(),
        form: Form::Object,
        gzip: false,
        manager: "toolforge-apiserver".to_owned(),
        dry_run: false,
        internal: true,
        annotations: Annotations::default(),
    })
}

fn failed(object: &Value, message: impl std::fmt::Display) -> ApiError {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    ApiError::Bootstrap {
        object: format!("{kind} {}", crate::metadata::text(object, "name")),
        message: message.to_string(),
    }
}

/// Creates an object that is not there.
async fn ensure(api: &Arc<Api>, object: &Value) -> Result<(), ApiError> {
    let call = call(api, object).ok_or_else(|| failed(object, "unknown kind"))?;
    let name = crate::metadata::text(object, "name");
    if api.store.get(&call.key(name)).is_some() {
        return Ok(());
    }
    match create_object(&call, object.clone(), Tracking::Here).await {
        Ok(_) => Ok(()),
        Err(status) if status.reason == "AlreadyExists" => Ok(()),
        Err(status) => Err(failed(object, status)),
    }
}

/// Gives a default role or binding back what a newer version of it has.
async fn restore_rules(api: &Arc<Api>, wanted: &Value) -> Result<(), ApiError> {
    let fields = ["rules", "subjects"];
    replace(api, wanted, |current| {
        let off = current
            .pointer("/metadata/annotations/rbac.authorization.kubernetes.io~1autoupdate")
            .and_then(Value::as_str)
            == Some("false");
        let mut new = current.clone();
        for field in fields {
            let Some(list) = wanted.get(field).and_then(Value::as_array) else {
                continue;
            };
            let mut merged = current
                .get(field)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            for item in list {
                if !merged.contains(item) {
                    merged.push(item.clone());
                }
            }
            new[field] = json!(merged);
        }
        (!off && new != *current).then_some(new)
    })
    .await
}

/// Brings the data of a `ConfigMap` up to date.
async fn refresh_data(api: &Arc<Api>, wanted: &Value) -> Result<(), ApiError> {
    replace(api, wanted, |current| {
        (current.get("data") != wanted.get("data")).then(|| {
            let mut new = current.clone();
            new["data"] = wanted["data"].clone();
            new
        })
    })
    .await
}

async fn replace(
    api: &Arc<Api>,
    object: &Value,
    edit: impl Fn(&Value) -> Option<Value>,
) -> Result<(), ApiError> {
    let call = call(api, object).ok_or_else(|| failed(object, "unknown kind"))?;
    let key = call.key(crate::metadata::text(object, "name"));
    let Some(current) = api.store.get(&key) else {
        return Ok(());
    };
    let Some(value) = edit(&current.value()) else {
        return Ok(());
    };
    let change = Change {
        key,
        expected: Expected::Revision(current.revision),
        effect: Effect::Put,
        value,
        guards: Vec::new(),
    };
    api.store
        .commit(change)
        .await
        .map(|_| ())
        .map_err(|problem| failed(object, problem))
}

/// The kubeconfig without credentials that `kube-public` holds.
fn cluster_info(config: &Config) -> Value {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": "", "contexts": [], "users": [],
        "clusters": [{
            "name": "",
            "cluster": {
                "server": config.advertise,
                "certificate-authority-data": STANDARD.encode(&config.client_ca_pem),
            },
        }],
    });
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "cluster-info", "namespace": "kube-public" },
        "data": { "kubeconfig": format!("{kubeconfig:#}\n") },
    })
}
