//! Keeps asking other servers whether they answer and what they offer, and says so in the condition `Available` of their
//! `APIService`s.
//!
//! A server is asked at once when its `APIService` or its addresses change. Nothing tells when a server that was silent
//! speaks again, or an answering one falls silent, and so they are asked again, silent ones sooner.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures::future::join_all;
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until, timeout};
use toolforge_chain::NoAddress;
use toolforge_kinds::{Status, Subresource};

use super::described::{Described, resources};
use super::locals::{self, Moment};
use super::pass::{headers, world};
use super::remote::Remote;
use super::{GROUP, PLURAL, is_own};
use crate::api::Api;
use crate::authn::{MASTERS, User};
use crate::metadata;
use crate::negotiate::Form;
use crate::query::Query;
use crate::rest::{Call, Edit, change};
use crate::store::Resource;

/// Who asks; Kubernetes' name for it.
const SELF: &str = "system:kube-aggregator";
/// When a server that answers is asked again; Kubernetes' interval.
const ANSWERING_INTERVAL: Duration = Duration::from_secs(30);
/// The first pause before a silent one is asked again: many are only just starting.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest of these pauses, which double.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a server may take to say what it offers; as in Kubernetes.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest such answer in bytes.
const ANSWER_BYTES: usize = 4 << 20;
/// What a change of may mean another group that somebody serves.
const GROUPS: [(&str, &str); 2] = [
    (GROUP, PLURAL),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
];
/// What a change of may mean another address. It changes often.
const ADDRESSES: [(&str, &str); 2] = [("", "services"), ("discovery.k8s.io", "endpointslices")];

type Addresses = Result<Vec<(String, u16)>, NoAddress>;

/// What was found out about a server, and what about it was true then.
struct Standing {
    remote: Arc<Remote>,
    addresses: Addresses,
    again: Instant,
    pause: Duration,
}

/// A verdict: whether it is available, and the reason and message to go with it.
pub(super) struct Verdict {
    pub(super) available: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Verdict {
    fn no(reason: &'static str, message: String) -> Self {
        Self {
            available: false,
            reason,
            message,
        }
    }
}

fn subscriptions(api: &Api, watched: [(&str, &str); 2]) -> Vec<Receiver<u64>> {
    let resources = watched.into_iter();
    resources
        .filter_map(|(group, plural)| api.store.subscribe(Resource::find(group, plural)?))
        .collect()
}

/// Works until the API closes.
pub(crate) async fn keep_current(api: Arc<Api>) {
    let mut standings: HashMap<String, Standing> = HashMap::new();
    let [mut groups, mut addresses] = [GROUPS, ADDRESSES].map(|watched| subscriptions(&api, watched));
    if groups.is_empty() {
        return;
    }
    let (mut moment, mut are_locals_right) = (Moment::Start, false);
    loop {
        let is_other = |change: &Receiver<u64>| change.has_changed().unwrap_or(true);
        are_locals_right &= !groups.iter().any(is_other);
        for change in groups.iter_mut().chain(&mut addresses) {
            change.mark_unchanged();
        }
        if !are_locals_right {
            are_locals_right = locals::keep(&api, moment).await;
        }
        moment = Moment::Later;
        round(&api, &mut standings).await;
        let next = standings.values().map(|standing| standing.again).min();
        let sleeping = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        let groups_count = groups.len();
        let changes = groups.iter_mut().chain(&mut addresses);
        let any = futures::future::select_all(changes.map(|change| Box::pin(change.changed())));
        tokio::select! {
            () = api.closing.cancelled() => return,
            (more, which, _) = any => {
                if more.is_err() {
                    return;
                }
                // The one that woke this counts as seen.
                are_locals_right &= which >= groups_count;
            }
            () = sleeping => {}
        }
    }
}

/// Asks those of whom something has changed, and those whose time has come.
async fn round(api: &Arc<Api>, standings: &mut HashMap<String, Standing>) {
    let remotes = api.aggregation.all();
    standings.retain(|name, _| remotes.iter().any(|remote| remote.name == *name));
    let now = Instant::now();
    let due = remotes.into_iter().filter_map(|remote| {
        let addresses = remote.addresses(&world(api));
        let is_due = standings.get(&remote.name).is_none_or(|standing| {
            standing.again <= now
                || standing.addresses != addresses
                || !Arc::ptr_eq(&standing.remote, &remote)
        });
        is_due.then_some((remote, addresses))
    });
    let asked = due.map(|(remote, addresses)| async move {
        let verdict = verdict(api, &remote, addresses.clone()).await;
        if !verdict.available {
            remote.silent();
        }
        write(api, &remote.name, &verdict).await;
        (remote, addresses, verdict.available)
    });
    for (remote, addresses, available) in join_all(asked).await {
        let before = standings.get(&remote.name).map(|standing| standing.pause);
        let pause = match before.filter(|_| !available) {
            Some(before) => (before * 2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        let wait = if available { ANSWERING_INTERVAL } else { pause };
        let standing = Standing {
            remote: remote.clone(),
            addresses,
            again: Instant::now() + wait,
            pause,
        };
        standings.insert(remote.name.clone(), standing);
    }
}

async fn verdict(api: &Arc<Api>, remote: &Remote, addresses: Addresses) -> Verdict {
    if is_own(api, remote) {
        let message = format!("the API serves {}/{} itself", remote.group, remote.version);
        return Verdict::no("ServedLocally", message);
    }
    let (service, namespace) = (&remote.service, &remote.namespace);
    let addresses = match addresses {
        Ok(addresses) => addresses,
        Err(NoAddress::NoService { .. }) => {
            let message = format!("service/{service} in \"{namespace}\" is not present");
            return Verdict::no("ServiceNotFound", message);
        }
        Err(NoAddress::NoPort { port, .. }) => {
            let message = format!("service/{service} in \"{namespace}\" is not listening on port {port}");
            return Verdict::no("ServicePortError", message);
        }
        Err(NoAddress::NoEndpoints { .. }) => {
            let message = format!("endpoints for service/{service} in \"{namespace}\" have no addresses");
            return Verdict::no("MissingEndpoints", message);
        }
    };
    let path = format!("/apis/{}/{}", remote.group, remote.version);
    let asked = async {
        let list = ask(remote, addresses.clone(), &path).await?;
        // Not everybody has schemas.
        let index = ask(remote, addresses.clone(), "/openapi/v3")
            .await
            .unwrap_or_default();
        Ok::<_, String>((list, index))
    };
    let answered = timeout(PATIENCE, asked).await;
    match answered.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
        Ok((list, index)) => {
            remote.told(described(remote, &list, &index));
            Verdict {
                available: true,
                reason: "Passed",
                message: "all checks passed".to_owned(),
            }
        }
        Err(problem) => {
            let message = format!(
                "failing or missing response from https://{}:{}{path}: {problem}",
                remote.host(),
                remote.port
            );
            Verdict::no("FailedDiscoveryCheck", message)
        }
    }
}

fn described(remote: &Remote, list: &Value, index: &Value) -> Described {
    let paths = index.get("paths").and_then(Value::as_object);
    let schemas = paths.and_then(|paths| paths.get(&format!("apis/{}/{}", remote.group, remote.version)));
    let schemas = schemas.and_then(|found| found.get("serverRelativeURL")?.as_str());
    Described {
        group: remote.group.clone(),
        version: remote.version.clone(),
        resources: resources(&remote.group, &remote.version, list),
        available: true,
        openapi: schemas.map(str::to_owned),
    }
}

/// One question to a server, as the API itself.
async fn ask(remote: &Remote, addresses: Vec<(String, u16)>, path: &str) -> Result<Value, String> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().map_err(|problem| format!("{problem}"))?;
    let accept = http::HeaderValue::from_static("application/json");
    let mut said = http::HeaderMap::new();
    said.insert(http::header::ACCEPT, accept);
    let user = User::authenticated(SELF, &[MASTERS]);
    *request.headers_mut() = headers(remote, &user, said, false).map_err(|status| status.message)?;
    let answer = remote
        .send(addresses, request)
        .await
        .map_err(|problem| problem.to_string())?;
    let code = answer.status();
    let bytes = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
    let bytes = bytes.map_err(|problem| problem.to_string())?.to_bytes();
    if !code.is_success() {
        return Err(format!("bad status: {}", code.as_u16()));
    }
    serde_json::from_slice(&bytes).map_err(|problem| problem.to_string())
}

/// A request of the API's own on `APIService`s.
pub(super) fn call(api: &Arc<Api>, subresource: Option<Subresource>) -> Option<Call> {
    let kind = toolforge_kinds::by_resource(GROUP, "v1", PLURAL)?;
    Some(Call {
        api: api.clone(),
        user: User::authenticated(SELF, &[MASTERS]),
        kind,
        stored: toolforge_kinds::storage_kind(kind),
        custom: None,
        subresource,
        namespace: None,
        query: Query::default(),
        form: Form::Object,
        gzip: false,
        manager: "kube-apiserver".to_owned(),
        dry_run: false,
        internal: true,
        annotations: toolforge_chain::Annotations::default(),
    })
}

/// Writes the condition where it has changed.
pub(super) async fn write(api: &Arc<Api>, name: &str, verdict: &Verdict) {
    let Some(call) = call(api, Some(Subresource::Status)) else {
        return;
    };
    let Some(object) = api.store.get(&call.key(name)) else {
        return;
    };
    let now = metadata::time(Timestamp::now());
    let Some(conditions) = conditions(&object.value(), verdict, &now) else {
        return;
    };
    let transform = |old: &Value| {
        let mut new = old.clone();
        new["status"]["conditions"] = conditions.clone();
        Ok(new)
    };
    let edit = Edit {
        transform: &transform,
        tracks_itself: false,
        options: "UpdateOptions",
    };
    let written: Result<_, Status> = change(&call, name, &edit).await;
    if let Err(status) = written
        && !matches!(status.code, 404 | 409)
    {
        tracing::warn!(service = name, problem = %status.message, "the condition of an APIService could not be written");
    }
}

/// The conditions with this verdict among them; none where it stands there already. Pure.
fn conditions(object: &Value, verdict: &Verdict, now: &str) -> Option<Value> {
    let before = object.pointer("/status/conditions").and_then(Value::as_array);
    let before = before.map_or(&[][..], Vec::as_slice);
    let status = if verdict.available { "True" } else { "False" };
    let known = before.iter().find(|condition| condition["type"] == "Available");
    let since = known
        .filter(|known| known["status"] == status)
        .and_then(|known| known["lastTransitionTime"].as_str());
    let condition = json!({
        "type": "Available", "status": status, "lastTransitionTime": since.unwrap_or(now),
        "reason": verdict.reason, "message": verdict.message,
    });
    if known == Some(&condition) {
        return None;
    }
    let others = before.iter().filter(|other| other["type"] != "Available");
    Some(others.cloned().chain([condition]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_written_once_and_keeps_its_time() {
        let no = Verdict::no("ServiceNotFound", "gone".to_owned());
        let first = conditions(&json!({}), &no, "t1").expect("new");
        assert_eq!(first[0]["lastTransitionTime"], "t1");
        let object = json!({"status": {"conditions": first}});
        assert_eq!(conditions(&object, &no, "t2"), None);
        let other = Verdict::no("MissingEndpoints", "nobody".to_owned());
        let second = conditions(&object, &other, "t2").expect("another reason");
        assert_eq!(second[0]["lastTransitionTime"], "t1");
        let yes = Verdict {
            available: true,
            reason: "Passed",
            message: String::new(),
        };
        let third = conditions(
            &json!({"status": {"conditions": [{"type": "Mine"}, second[0]]}}),
            &yes,
            "t3",
        );
        let third = third.expect("another status");
        assert_eq!(
            (&third[0]["type"], &third[1]["lastTransitionTime"]),
            (&json!("Mine"), &json!("t3"))
        );
    }
}
