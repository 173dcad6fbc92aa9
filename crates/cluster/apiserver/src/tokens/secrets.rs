//! Secrets of type `kubernetes.io/service-account-token`: filled with a token of the account that they name, and
//! removed when the account is not there, or no longer.
//!
//! The server runs it beside its listener, since only the API has the key; in Kubernetes a controller does it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use toolforge_patch::TypeRef;

use super::Claims;
use super::claims::Subject;
use crate::api::Api;
use crate::metadata;
use crate::store::{Change, CommitError, Effect, Expected, Key, Resource, Stored};

/// The type of such Secrets.
const TYPE: &str = "kubernetes.io/service-account-token";
/// The annotation that names the account.
const ACCOUNT: &str = "kubernetes.io/service-account.name";
/// The annotation with the account's identity.
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";
/// Who is written down as the manager of what is filled in.
const MANAGER: &str = "toolforge-apiserver";

const SECRETS: Resource = Resource {
    group: "",
    plural: "secrets",
};
const ACCOUNTS: Resource = Resource {
    group: "",
    plural: "serviceaccounts",
};

/// A value of a Secret as it is stored.
pub(super) fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

/// Works until the API closes.
pub(crate) async fn keep(api: Arc<Api>) {
    let (Some(mut secrets), Some(mut accounts)) =
        (api.store.subscribe(SECRETS), api.store.subscribe(ACCOUNTS))
    else {
        return;
    };
    let mut seen = None;
    loop {
        secrets.mark_unchanged();
        accounts.mark_unchanged();
        let (touched, revision) = touched(&api, seen);
        for key in touched {
            if let Err(problem) = settle(&api, &key).await {
                tracing::warn!(%key, %problem, "a Secret with a token could not be brought up to date");
            }
        }
        seen = Some(revision);
        tokio::select! {
            () = api.closing.cancelled() => return,
            more = secrets.changed() => if more.is_err() { return },
            more = accounts.changed() => if more.is_err() { return },
        }
    }
}

/// The Secrets with tokens that something happened to after `seen`, or all; and the revision up to which that is true.
fn touched(api: &Api, seen: Option<u64>) -> (Vec<Key>, u64) {
    let store = &api.store;
    let since = seen.and_then(|seen| {
        // Accounts first: what happens in between is told again next time.
        let accounts = store.events_after(ACCOUNTS, seen).ok()?;
        let secrets = store.events_after(SECRETS, seen).ok()?;
        Some((accounts, secrets))
    });
    let Some(((accounts, revision), (secrets, _))) = since else {
        let all = store.list(SECRETS, None);
        let keys = all.objects.iter().filter(|secret| holds_token(secret));
        return (keys.map(|secret| secret.key.clone()).collect(), all.revision);
    };
    let mut keys: Vec<Key> = secrets
        .iter()
        .filter(|event| event.effect == Effect::Put && holds_token(&event.object))
        .map(|event| event.object.key.clone())
        .collect();
    for event in accounts {
        let account = &event.object.key;
        let below = store.list(SECRETS, Some(&account.namespace)).objects;
        let of_account = below
            .iter()
            .filter(|secret| holds_token(secret) && annotation(&secret.value(), ACCOUNT) == account.name);
        keys.extend(of_account.map(|secret| secret.key.clone()));
    }
    (keys, revision)
}

/// Whether a Secret is of the type; looks at the bytes first, since most are not.
fn holds_token(secret: &Stored) -> bool {
    let bytes = secret
        .json()
        .windows(TYPE.len())
        .any(|window| window == TYPE.as_bytes());
    bytes && secret.value().get("type").and_then(Value::as_str) == Some(TYPE)
}

fn annotation<'a>(object: &'a Value, name: &str) -> &'a str {
    let annotations = object.pointer("/metadata/annotations");
    let found = annotations.and_then(|annotations| annotations.get(name));
    found.and_then(Value::as_str).unwrap_or_default()
}

/// Fills a Secret, or removes it when its account is not there.
async fn settle(api: &Api, key: &Key) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Some(secret) = api.store.get(key).filter(|secret| holds_token(secret)) else {
        return Ok(());
    };
    let value = secret.value();
    let value = &*value;
    if metadata::is_deleting(value) {
        return Ok(());
    }
    let name = annotation(value, ACCOUNT);
    let account = api.store.get(&Key::new(ACCOUNTS, Some(&key.namespace), name));
    let wanted_uid = annotation(value, ACCOUNT_UID);
    let account = account
        .filter(|account| wanted_uid.is_empty() || wanted_uid == metadata::text(&account.value(), "uid"));
    let (effect, value) = match account {
        None => remove(value),
        Some(account) => match fill(api, key, value, &account)? {
            Some(filled) => (Effect::Put, filled),
            None => return Ok(()),
        },
    };
    let change = Change {
        key: key.clone(),
        expected: Expected::Revision(secret.revision),
        effect,
        value,
        guards: Vec::new(),
    };
    match api.store.commit(change).await {
        // Somebody else wrote it: that wakes us again.
        Ok(_) | Err(CommitError::Changed | CommitError::Closed) => Ok(()),
        Err(problem) => Err(problem.into()),
    }
}

/// The Secret on its way out: gone, or marked when finalizers hold it.
fn remove(secret: &Value) -> (Effect, Value) {
    if metadata::finalizers(secret).is_empty() {
        return (Effect::Removed, secret.clone());
    }
    let mut marked = secret.clone();
    if let Some(fields) = metadata::of(&mut marked) {
        let now = metadata::time(Timestamp::now());
        fields.insert("deletionTimestamp".to_owned(), json!(now));
        fields.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
    }
    (Effect::Put, marked)
}

/// The Secret with what it lacks; nothing when it lacks nothing.
fn fill(
    api: &Api,
    key: &Key,
    secret: &Value,
    account: &Stored,
) -> Result<Option<Value>, toolforge_pki::PkiError> {
    let account_value = account.value();
    let uid = metadata::text(&account_value, "uid");
    let mut filled = secret.clone();
    let data = entry(&mut filled, "data");
    data.insert("ca.crt".to_owned(), json!(encode(&api.tokens.root_certificate)));
    data.insert("namespace".to_owned(), json!(encode(&key.namespace)));
    if !data.contains_key("token") {
        let subject = Subject::new(&key.namespace, &account.key.name, uid);
        let token = api.tokens.sign(&Claims::in_secret(&subject, &key.name))?;
        data.insert("token".to_owned(), json!(encode(&token)));
    }
    if let Some(fields) = metadata::of(&mut filled) {
        let annotations = fields.entry("annotations").or_insert_with(|| json!({}));
        annotations[ACCOUNT_UID] = json!(uid);
    }
    if filled == *secret {
        return Ok(None);
    }
    let now = metadata::time(Timestamp::now());
    let schema = TypeRef::of("", "v1", "Secret");
    toolforge_patch::track_update(schema, Some(secret), &mut filled, MANAGER, None, &now);
    Ok(Some(filled))
}

/// The object in a field, made when it is missing.
fn entry<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    if !object[field].is_object() {
        object[field] = json!({});
    }
    object[field].as_object_mut().expect("it was just made an object")
}
