//! Watches of an API that answers what each test tells it to.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use http::{Request, Response};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, client::Body};
use parking_lot::Mutex;

use super::*;

const NAMES: &str = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[
    {"metadata":{"name":"a"},"data":{"k":"v"}}, {"metadata":{"name":"broken"},"data":[1]}, {"metadata":{"name":"b"}}]}"#;
const EMPTY: &str =
    r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[]}"#;

/// A client whose requests are answered with these bodies, and then with nothing; and what was asked.
fn api(answers: &[&'static str]) -> (Api<ConfigMap>, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::new(Mutex::new(VecDeque::from(answers.to_vec())));
    let heard = Arc::clone(&asked);
    let service = tower::service_fn(move |request: Request<Body>| {
        heard.lock().push(request.uri().to_string());
        let body = answers.lock().pop_front().unwrap_or_default();
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::from(
            body.as_bytes().to_vec(),
        ))))
    });
    (Api::namespaced(Client::new(service, "default"), "tool-a"), asked)
}

fn told(event: watcher::Result<Event<ConfigMap>>) -> String {
    let name = |object: ConfigMap| object.metadata.name.unwrap_or_default();
    match event {
        Ok(Event::Init) => "begin".to_owned(),
        Ok(Event::InitApply(object)) => format!("listed {}", name(object)),
        Ok(Event::InitDone) => "complete".to_owned(),
        Ok(Event::Apply(object)) => format!("put {}", name(object)),
        Ok(Event::Delete(object)) => format!("gone {}", name(object)),
        Err(error) => format!("error {error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn tells_what_is_there_and_what_changes_and_goes_on_from_there() {
    let changes = r#"{"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":"8"}}}
{"type":"DELETED","object":{"metadata":{"name":"b","resourceVersion":"9"}}}
"#;
    let later =
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"c\",\"resourceVersion\":\"10\"}}}\n";
    let (api, asked) = api(&[NAMES, changes, later]);
    let events = watch(api, Config::default()).map(told);
    let events: Vec<String> = events.take(8).collect().await;
    assert_eq!(events[..2], ["begin", "listed a"]);
    assert!(events[2].starts_with("error"), "{}", events[2]);
    assert_eq!(events[3..], ["listed b", "complete", "put a", "gone b", "put c"]);
    let asked = asked.lock();
    let path = "/api/v1/namespaces/tool-a/configmaps?";
    assert!(asked.iter().all(|uri| uri.starts_with(path)), "{asked:?}");
    let from = |at: usize, version: &str| asked[at].contains(&format!("resourceVersion={version}"));
    assert!(from(1, "7") && from(2, "9"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn tells_that_one_object_is_not_there_and_then_that_it_is() {
    let change =
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"c\",\"resourceVersion\":\"8\"}}}\n";
    let (api, asked) = api(&[EMPTY, change]);
    let seen = watch_object(api, "c").map(|seen| {
        let object = seen.unwrap();
        object.and_then(|object| object.metadata.name)
    });
    let seen: Vec<_> = seen.take(2).collect().await;
    assert_eq!(seen, [None, Some("c".to_owned())]);
    assert!(asked.lock()[0].contains("metadata.name%3Dc"));
}

#[tokio::test]
async fn a_single_watch_tells_bookmarks_and_ends_with_the_answer() {
    let body = r#"{"type":"ADDED","object":{"metadata":{"name":"a"}}}
{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"11"}}}
{"type":"ADDED","object":{"data":[1]}}
"#;
    let (api, _) = api(&[body]);
    let events = watch_once(&api, &WatchParams::default(), "3").await.unwrap();
    let events: Vec<kube::Result<WatchEvent<ConfigMap>>> = events.collect().await;
    assert!(
        matches!(&events[0], Ok(WatchEvent::Added(object)) if object.metadata.name.as_deref() == Some("a"))
    );
    assert!(
        matches!(&events[1], Ok(WatchEvent::Bookmark(bookmark)) if bookmark.metadata.resource_version == "11")
    );
    assert!(matches!(&events[2], Err(kube::Error::SerdeError(_))));
    assert_eq!(events.len(), 3);
}
