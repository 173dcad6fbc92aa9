//! Events go by themselves.

use std::time::Duration;

use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::harness::{DEADLINE, Harness};

fn event(name: &str) -> Event {
    serde_json::from_value(json!({
        "apiVersion":"v1","kind":"Event","metadata":{"name":name},
        "involvedObject":{"kind":"Pod","name":"a","namespace":"default"},"reason":"Started","type":"Normal"
    }))
    .unwrap()
}

/// Waits until a watch tells that the event is gone.
async fn see_it_go(events: &Api<Event>, name: &str) {
    let listed = events.list(&ListParams::default()).await.unwrap();
    if listed.items.is_empty() {
        return;
    }
    let from = listed.metadata.resource_version.unwrap();
    let watch = events.watch(&WatchParams::default(), &from).await.unwrap();
    let mut watch = std::pin::pin!(watch);
    let gone = async {
        while let Some(change) = watch.try_next().await.unwrap() {
            if let WatchEvent::Deleted(event) = change {
                return event.metadata.name;
            }
        }
        None
    };
    let gone = tokio::time::timeout(DEADLINE, gone)
        .await
        .expect("the event goes");
    assert_eq!(gone.as_deref(), Some(name));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_when_its_time_is_over_and_watches_are_told() {
    let short =
        |server: toolforge_apiserver::ApiServer| server.with_event_lifetime(Duration::from_millis(300));
    let api = Harness::start_with(tempfile::tempdir().unwrap(), short).await;
    let events: Api<Event> = Api::namespaced(api.admin(), "default");
    for name in ["a", "b"] {
        events.create(&PostParams::default(), &event(name)).await.unwrap();
        see_it_go(&events, name).await;
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_an_earlier_run_goes_and_does_not_come_back() {
    let api = Harness::start().await;
    let events: Api<Event> = Api::namespaced(api.admin(), "default");
    let created = events.create(&PostParams::default(), &event("a")).await.unwrap();
    assert!(created.metadata.uid.is_some());
    let folder = api.stop().await;

    let api = Harness::start_with(folder, |server| server.with_event_lifetime(Duration::ZERO)).await;
    see_it_go(&Api::namespaced(api.admin(), "default"), "a").await;
    let folder = api.stop().await;

    let api = Harness::start_in(folder).await;
    let events: Api<Event> = Api::namespaced(api.admin(), "default");
    assert!(
        events
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    api.stop().await;
}
