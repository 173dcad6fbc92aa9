//! `list`: whole or in pages, as it is now or as it was.
//!
//! The bytes of each object are stored ready to send; a list joins them.

mod body;
mod compressed;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use toolforge_kinds::{Kind, Status};

use super::{Call, answer};
use crate::negotiate::Form;
use crate::respond;
use crate::selector::Selector;
use crate::store::{Compacted, Listing, Place, Stored};
use body::{Items, ListBody};
pub(crate) use compressed::CompressedLists;
use compressed::Which;

/// How long a request waits for a revision that is not there yet, as in Kubernetes.
const FUTURE_REVISION: Duration = Duration::from_secs(3);

/// From where and as of when a list is read.
#[derive(Debug, Default)]
struct Position {
    after: Option<Place>,
    at: Option<u64>,
}

impl Position {
    fn is_now(&self) -> bool {
        self.after.is_none() && self.at.is_none()
    }
}

/// Answers with a list.
pub(crate) async fn answer(call: &Call) -> Result<Response, Status> {
    let limit = limit(call)?;
    let position = position(call, limit.is_some()).await?;
    let selector = Selector::read(call.fields(), &call.query)?;
    let namespace = call.namespace.as_deref().or(selector.namespace());
    let listing = call
        .api
        .store
        .list_page(call.resource(), namespace, position.after.as_ref(), position.at);
    let listing = match listing {
        Ok(listing) => listing,
        Err(Compacted) => return Ok(expired(&position)),
    };
    let mut objects = listing.objects;
    if !selector.is_everything() {
        // What is selected is what the client would see.
        objects = call.all_as_asked(objects).await?;
        objects.retain(|stored| selector.matches_stored(call.fields(), stored));
    }
    let mut metadata = json!({ "resourceVersion": listing.revision.to_string() });
    if let Some(rest) = cut(&mut objects, limit, listing.revision) {
        metadata["continue"] = json!(rest.token);
        if selector.is_everything() {
            metadata["remainingItemCount"] = json!(rest.count);
        }
    }
    let is_whole = selector.is_everything() && position.is_now() && limit.is_none();
    // What a webhook makes of objects may change while they do not.
    let whole = (is_whole && !call.asks_webhook()).then_some(listing.changed);
    let objects = call.all_as_asked(objects).await?;
    render(call, &metadata, objects, whole).await
}

/// How many objects the client takes at most.
pub(crate) fn limit(call: &Call) -> Result<Option<usize>, Status> {
    let limit = call.query.number("limit")?.filter(|limit| *limit > 0);
    Ok(limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// What is there now, or behind where the client has read to.
pub(crate) async fn page(call: &Call, limit: Option<usize>) -> Result<Listing, Status> {
    let after = position(call, limit.is_some()).await?.after;
    let page = call
        .api
        .store
        .list_page(call.resource(), call.namespace.as_deref(), after.as_ref(), None);
    page.map_err(|Compacted| Status::expired("The provided continue parameter is too old."))
}

/// What a limit leaves for another request.
pub(crate) struct Rest {
    /// Where to read on.
    pub(crate) token: String,
    count: usize,
}

/// Keeps no more objects than the limit, in a list as of a revision.
pub(crate) fn cut(objects: &mut Vec<Arc<Stored>>, limit: Option<usize>, revision: u64) -> Option<Rest> {
    let limit = limit.filter(|limit| objects.len() > *limit)?;
    let count = objects.len() - limit;
    objects.truncate(limit);
    let token = encode(revision, objects.last()?);
    Some(Rest { token, count })
}

/// Renders a list; `whole` is the latest change of its resource, when the list is all of it as it is now.
async fn render(
    call: &Call,
    metadata: &Value,
    objects: Vec<Arc<Stored>>,
    whole: Option<u64>,
) -> Result<Response, Status> {
    match call.form {
        Form::Object | Form::GroupDiscovery => Ok(ready(call, metadata, objects, whole).await),
        Form::Table => {
            let values: Vec<Value> = objects.iter().map(|stored| answer::value(call, stored)).collect();
            let table = answer::table(call, &values.iter().collect::<Vec<_>>(), metadata)?;
            Ok(respond::large(StatusCode::OK, table.to_string().into_bytes(), call.gzip).await)
        }
        Form::Metadata => {
            let mut list = format!(
                r#"{{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{metadata},"items":["#
            )
            .into_bytes();
            for (number, stored) in objects.iter().enumerate() {
                if number > 0 {
                    list.push(b',');
                }
                list.extend_from_slice(&answer::partial_json(&stored.json()));
            }
            list.extend_from_slice(TAIL);
            Ok(respond::large(StatusCode::OK, list, call.gzip).await)
        }
    }
}

/// A list of ready bytes: joined on the way out, or compressed once for all who ask.
async fn ready(call: &Call, metadata: &Value, objects: Vec<Arc<Stored>>, whole: Option<u64>) -> Response {
    let items = if objects.iter().all(|stored| call.shows_as_stored(stored)) {
        Items::Stored(objects)
    } else {
        let made = objects.iter().map(|stored| answer::bytes(call, stored));
        Items::Made(made.collect())
    };
    let head = head(&call.list_kind(), call.kind, metadata);
    if !call.gzip || !respond::is_large(items.size()) {
        return respond::body(StatusCode::OK, Body::new(ListBody::new(head.into(), items, TAIL)));
    }
    let Some(changed) = whole else {
        let list = compressed::once(items).await;
        return respond::gzip(StatusCode::OK, list.between(head.as_bytes(), TAIL));
    };
    let which = Which {
        resource: call.resource(),
        api_version: call.kind.api_version(),
        namespace: call.namespace.clone(),
        since: call.since(),
        changed,
    };
    let list = call.api.lists.get(which, items).await;
    respond::gzip(StatusCode::OK, list.between(head.as_bytes(), TAIL))
}

/// What a list begins with.
fn head(list_kind: &str, kind: &Kind, metadata: &Value) -> String {
    format!(
        "{{\"kind\":\"{list_kind}\",\"apiVersion\":\"{}\",\"metadata\":{metadata},\"items\":[",
        kind.api_version()
    )
}

/// What a list ends with.
const TAIL: &[u8] = b"]}\n";

/// A list of objects that are JSON already.
pub(crate) fn join<'a>(
    list_kind: &str,
    kind: &Kind,
    metadata: &Value,
    items: impl Iterator<Item = &'a [u8]> + Clone,
) -> Vec<u8> {
    let head = head(list_kind, kind, metadata);
    let size = items.clone().map(|item| item.len() + 1).sum::<usize>() + head.len() + TAIL.len();
    let mut json = Vec::with_capacity(size);
    json.extend_from_slice(head.as_bytes());
    for (index, item) in items.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend_from_slice(item);
    }
    json.extend_from_slice(TAIL);
    json
}

/// The answer to whom asks for a state that is not kept any more; whoever was reading pages may read on as of now.
fn expired(position: &Position) -> Response {
    let Some((namespace, name)) = &position.after else {
        let status = Status::expired("The provided resource version is too old to list the objects of it.");
        return respond::refusal(&status);
    };
    let status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    let mut value = status.to_value();
    value["metadata"]["continue"] = json!(token(AS_OF_NOW, namespace, name));
    respond::json(StatusCode::GONE, &value)
}

async fn position(call: &Call, has_limit: bool) -> Result<Position, Status> {
    let wanted = call.query.get("resourceVersion");
    let matching = call.query.get("resourceVersionMatch");
    if let Some(token) = call.query.get("continue") {
        if wanted.is_some_and(|wanted| wanted != "0") {
            return Err(Status::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        return decode(token).ok_or_else(|| Status::bad_request("continue key is not valid"));
    }
    let Some(wanted) = wanted else {
        return Ok(Position::default());
    };
    let revision = parse_revision(wanted)?;
    wait_for(call, revision).await?;
    // A list in pages that names a revision and no way to match it means that one, as it did before there were ways.
    let exact = matching == Some("Exact") || (matching.is_none() && has_limit && revision > 0);
    Ok(Position {
        after: None,
        at: exact.then_some(revision),
    })
}

/// A revision from a query.
pub(crate) fn parse_revision(text: &str) -> Result<u64, Status> {
    text.parse().map_err(|_| {
        Status::bad_request(format!(
            "resourceVersion: Invalid value: {text:?}: must be a whole number"
        ))
    })
}

/// Waits for a revision that may be yet to come; for a short time only.
pub(super) async fn wait_for(call: &Call, revision: u64) -> Result<(), Status> {
    if tokio::time::timeout(FUTURE_REVISION, call.api.store.wait_for(revision))
        .await
        .is_ok()
    {
        return Ok(());
    }
    let mut status = Status::timeout(
        &format!(
            "Too large resource version: {revision}, current: {}",
            call.api.store.revision()
        ),
        1,
    );
    if let Some(details) = &mut status.details {
        details["causes"] =
            json!([{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }]);
    }
    Err(status)
}

/// In a token: the rest of the list as it is when it is asked for.
const AS_OF_NOW: i64 = -1;

fn encode(revision: u64, last: &Stored) -> String {
    let revision = i64::try_from(revision).unwrap_or(i64::MAX);
    token(revision, &last.key.namespace, &last.key.name)
}

fn token(revision: i64, namespace: &str, name: &str) -> String {
    let token = json!({ "v": 1, "rv": revision, "ns": namespace, "name": name });
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn decode(token: &str) -> Option<Position> {
    let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    Some(Position {
        after: Some((text("ns")?, text("name")?)),
        at: match value.get("rv")?.as_i64()? {
            AS_OF_NOW => None,
            revision => Some(u64::try_from(revision).ok()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_ready_bytes() {
        let kind = toolforge_kinds::by_kind("apps", "v1", "Deployment").unwrap();
        let list = join(
            "DeploymentList",
            kind,
            &json!({"resourceVersion":"7"}),
            [b"{}".as_slice(), b"{\"a\":1}"].into_iter(),
        );
        let value: Value = serde_json::from_slice(&list).unwrap();
        assert_eq!(value["kind"], "DeploymentList");
        assert_eq!(value["apiVersion"], "apps/v1");
        assert_eq!(value["items"][1]["a"], 1);
    }

    #[test]
    fn a_damaged_token_is_no_token() {
        assert!(decode("").is_none());
        assert!(decode("AAAA").is_none());
        assert!(decode(&URL_SAFE_NO_PAD.encode("{\"rv\":1}")).is_none());
    }
}
