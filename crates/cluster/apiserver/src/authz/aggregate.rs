//! Writes the rules of aggregated cluster roles into their objects, where people look for them.
//!
//! The index joins them by itself; this only shows the result. In Kubernetes a controller does it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::rbac::GROUP;
use super::rules::Rule;
use crate::api::Api;
use crate::store::{Change, CommitError, Effect, Expected, Resource};

/// Works until the API closes.
pub(crate) async fn keep_current(api: Arc<Api>) {
    let Some(kind) = Resource::find(GROUP, "clusterroles") else {
        return;
    };
    let Some(mut changed) = api.store.subscribe(kind) else {
        return;
    };
    loop {
        changed.mark_unchanged();
        if let Err(problem) = write_all(&api, kind).await {
            tracing::warn!(%problem, "rules of aggregated roles could not be written");
        }
        tokio::select! {
            () = api.closing.cancelled() => return,
            more = changed.changed() => if more.is_err() { return },
        }
    }
}

async fn write_all(api: &Api, kind: Resource) -> Result<(), CommitError> {
    for stored in api.store.list(kind, None).objects {
        let role = stored.value();
        if role.get("aggregationRule").is_none_or(Value::is_null) {
            continue;
        }
        let Some(joined) = api.access.with_rbac(|index| index.rules_of("", &stored.key.name)) else {
            continue;
        };
        if Rule::read_all(&role) == *joined {
            continue;
        }
        let mut value = Value::clone(&role);
        value["rules"] = json!(joined.iter().map(Rule::to_value).collect::<Vec<_>>());
        let change = Change {
            key: stored.key.clone(),
            expected: Expected::Revision(stored.revision),
            effect: Effect::Put,
            value,
            guards: Vec::new(),
        };
        match api.store.commit(change).await {
            // Somebody else wrote it: that wakes us again.
            Ok(_) | Err(CommitError::Changed) => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}
