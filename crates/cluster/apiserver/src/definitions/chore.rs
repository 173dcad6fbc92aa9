//! Keeps definitions: their conditions and names, and the end of those that are being deleted.
//!
//! The server runs it beside its listener. It sleeps until a definition changes, or an object of one that is going.

use std::sync::Arc;

use futures::future::select_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use toolforge_kinds::{Kind, Status, Subresource};

use super::{CLEANUP, Kinds, is_established, resource};
use crate::api::Api;
use crate::authn::{MASTERS, User};
use crate::metadata;
use crate::negotiate::Form;
use crate::query::Query;
use crate::rest::{Call, DeleteOptions, Edit, change, delete_object};
use crate::store::{Resource, Store, Stored};

/// The chore's name among users and managers of fields.
const SELF: &str = "system:apiserver";
/// Pause after a write was refused: nothing tells when the disk is well again.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(30);

/// Makes room for the objects of all definitions that were there at opening.
pub(crate) fn prepare(kinds: &Kinds, store: &Store) {
    for resource in kinds.resources() {
        store.make_room(resource);
    }
}

/// Works until the API closes.
pub(crate) async fn keep_current(api: Arc<Api>) {
    let Some(resource) = resource() else { return };
    let Some(mut changed) = api.store.subscribe(resource) else {
        return;
    };
    loop {
        changed.mark_unchanged();
        let round = round(&api, resource).await;
        tokio::select! {
            () = api.closing.cancelled() => return,
            more = changed.changed() => if more.is_err() { return },
            () = any(round.waits) => {}
            () = tokio::time::sleep(PAUSE), if round.failed => {}
        }
    }
}

/// What one round leaves to wait for.
struct Round {
    /// Objects of definitions that are going.
    waits: Vec<Receiver<u64>>,
    failed: bool,
}

async fn any(mut waits: Vec<Receiver<u64>>) {
    if waits.is_empty() {
        return std::future::pending().await;
    }
    let changes = waits
        .iter_mut()
        .map(|wait| Box::pin(async { wait.changed().await.is_ok() }));
    select_all(changes).await;
}

async fn round(api: &Arc<Api>, resource: Resource) -> Round {
    let mut found = Round {
        waits: Vec::new(),
        failed: false,
    };
    let names: Vec<String> = api
        .store
        .list(resource, None)
        .objects
        .iter()
        .map(|object| object.key.name.clone())
        .collect();
    for name in names {
        // Read anew: what was written for one decides on the names of the next.
        let all = api.store.list(resource, None).objects;
        let Some(object) = all.iter().find(|object| object.key.name == name) else {
            continue;
        };
        let done = if metadata::is_deleting(&object.value()) {
            end(api, object, &mut found.waits).await
        } else {
            keep(api, object, &all).await
        };
        if let Err(status) = done
            && !matches!(status.code, 404 | 409)
        {
            tracing::error!(definition = name, problem = %status.message, "keeping a definition failed");
            found.failed = true;
        }
    }
    found
}

/// Brings the status of a definition up to date.
async fn keep(api: &Arc<Api>, object: &Stored, all: &[Arc<Stored>]) -> Result<(), Status> {
    let value = object.value();
    let group = value.pointer("/spec/group");
    let others: Vec<&Arc<Stored>> = all
        .iter()
        .filter(|other| other.key.name != object.key.name && other.value().pointer("/spec/group") == group)
        .collect();
    let taken = |name: &str| {
        let holder = others.iter().find(|other| holds(&other.value(), name));
        holder.map(|other| other.key.name.clone())
    };
    let now = metadata::time(Timestamp::now());
    let status = toolforge_kinds::conditions(&value, taken, &now);
    if value.get("status") == Some(&status) {
        return Ok(());
    }
    if let Some(stored) = toolforge_kinds::Definition::of(&value).map(|definition| definition.stored) {
        api.store.make_room(Resource::of(stored));
    }
    set_status(api, &object.key.name, &status).await
}

/// Whether a definition has been given a name.
fn holds(definition: &Value, name: &str) -> bool {
    let Some(names) = definition
        .pointer("/status/acceptedNames")
        .and_then(Value::as_object)
    else {
        return false;
    };
    names.iter().any(|(field, value)| match value {
        Value::String(text) => field != "categories" && text == name,
        Value::Array(list) => field == "shortNames" && list.iter().any(|text| text == name),
        _ => false,
    })
}

async fn set_status(api: &Arc<Api>, name: &str, status: &Value) -> Result<(), Status> {
    edit(api, name, Some(Subresource::Status), &|new| {
        new["status"] = status.clone();
    })
    .await
}

/// Deletes the objects of a definition that is going, and lets it go when none is left.
async fn end(api: &Arc<Api>, object: &Stored, waits: &mut Vec<Receiver<u64>>) -> Result<(), Status> {
    let definition = toolforge_kinds::Definition::of(&object.value());
    let held = metadata::finalizers(&object.value())
        .iter()
        .any(|name| name == CLEANUP);
    if !held {
        return Ok(());
    }
    // A definition that never was established has no objects of its own: the name may be another's.
    if let Some(definition) = definition.filter(|_| is_established(&object.value())) {
        let resource = Resource::of(definition.stored);
        api.store.make_room(resource);
        let wait = api.store.subscribe(resource).map(|mut wait| {
            wait.mark_unchanged();
            wait
        });
        delete_all(api, definition.stored, resource).await?;
        if !api.store.list(resource, None).objects.is_empty() {
            waits.extend(wait);
            return Ok(());
        }
    }
    let_go(api, &object.key.name).await
}

async fn delete_all(api: &Arc<Api>, kind: &'static Kind, resource: Resource) -> Result<(), Status> {
    for object in api.store.list(resource, None).objects {
        if metadata::is_deleting(&object.value()) {
            continue;
        }
        let namespace = kind.namespaced.then(|| object.key.namespace.clone());
        let call = call(api, kind, namespace, None);
        match delete_object(&call, &object.key.name, &DeleteOptions::default()).await {
            Ok(_) => {}
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
    }
    Ok(())
}

async fn let_go(api: &Arc<Api>, name: &str) -> Result<(), Status> {
    edit(api, name, None, &|new| {
        let mut left = metadata::finalizers(new);
        left.retain(|finalizer| finalizer != CLEANUP);
        if let Some(fields) = metadata::of(new) {
            fields.insert("finalizers".to_owned(), json!(left));
        }
    })
    .await
}

/// Changes a definition through one of its doors.
async fn edit(
    api: &Arc<Api>,
    name: &str,
    door: Option<Subresource>,
    apply: &(dyn Fn(&mut Value) + Send + Sync),
) -> Result<(), Status> {
    let Some(kind) = definition_kind() else {
        return Ok(());
    };
    let transform = |old: &Value| {
        let mut new = old.clone();
        apply(&mut new);
        Ok(new)
    };
    let edit = Edit {
        transform: &transform,
        tracks_itself: false,
        options: "UpdateOptions",
    };
    change(&call(api, kind, None, door), name, &edit).await.map(drop)
}

fn definition_kind() -> Option<&'static Kind> {
    toolforge_kinds::by_resource(super::GROUP, "v1", super::PLURAL)
}

fn call(
    api: &Arc<Api>,
    kind: &'static Kind,
    namespace: Option<String>,
    subresource: Option<Subresource>,
) -> Call {
    Call {
        api: api.clone(),
        user: User::authenticated(SELF, &[MASTERS]),
        kind,
        stored: toolforge_kinds::storage_kind(kind),
        custom: None,
        subresource,
        namespace,
        query: Query::default(),
        form: Form::Object,
        gzip: false,
        manager: "kube-apiserver".to_owned(),
        dry_run: false,
        internal: true,
        annotations: toolforge_chain::Annotations::default(),
    }
}
