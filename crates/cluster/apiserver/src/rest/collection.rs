//! `deletecollection`: every object that a selector finds, or as many of them as the client sets as a limit.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use toolforge_kinds::Status;

use super::delete::{Deleted, Options, delete_object};
use super::{Call, answer, list};
use crate::respond;
use crate::selector::Selector;
use crate::store::Stored;

/// Deletions under way at a time: they share flushes to disk.
const AT_A_TIME: usize = 32;

/// Deletes what the selectors of the query find, and answers with the list of it.
pub(crate) async fn answer(call: &Call, media_type: &str, bytes: &[u8]) -> Result<Response, Status> {
    let options = Options::read(call, media_type, bytes)?;
    let selector = Selector::read(call.fields(), &call.query)?;
    let limit = list::limit(call)?;
    let page = list::page(call, limit).await?;
    let mut objects = page.objects;
    if !selector.is_everything() {
        objects = call.all_as_asked(objects).await?;
    }
    let mut found: Vec<Arc<Stored>> = objects
        .into_iter()
        .filter(|stored| selector.matches_stored(call.fields(), stored))
        .collect();
    let rest = list::cut(&mut found, limit, page.revision);
    let deletions = stream::iter(found).map(|stored| delete_one(call, stored, &options));
    let deleted: Vec<Option<Bytes>> = deletions.buffered(AT_A_TIME).try_collect().await?;
    let items: Vec<Bytes> = deleted.into_iter().flatten().collect();
    let mut metadata = serde_json::json!({ "resourceVersion": call.api.store.revision().to_string() });
    if let Some(rest) = rest {
        metadata["continue"] = rest.token.into();
    }
    let items = items.iter().map(AsRef::as_ref);
    let list = list::join(&call.list_kind(), call.kind, &metadata, items);
    Ok(respond::large(StatusCode::OK, list, call.gzip).await)
}

/// Deletes one object; `None` when somebody else was first.
async fn delete_one(call: &Call, stored: Arc<Stored>, options: &Options) -> Result<Option<Bytes>, Status> {
    let namespace = call.kind.namespaced.then(|| stored.key.namespace.clone());
    let one = Call {
        namespace,
        ..call.clone()
    };
    match delete_object(&one, &stored.key.name, options).await {
        Ok((Deleted::Gone(last) | Deleted::Waiting(last), _)) => {
            let shown = call.as_asked(&last).await?;
            Ok(Some(answer::bytes(call, &shown)))
        }
        Err(status) if status.code == 404 => Ok(None),
        Err(status) => Err(status),
    }
}
