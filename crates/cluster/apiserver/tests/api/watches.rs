//! Watches.

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;

use crate::harness::{DEADLINE, Harness};
use crate::objects::config_map;

fn words(events: &[WatchEvent<ConfigMap>]) -> Vec<String> {
    events
        .iter()
        .map(|event| match event {
            WatchEvent::Added(map) => format!("added {}", map.metadata.name.as_deref().unwrap()),
            WatchEvent::Modified(map) => format!("modified {}", map.metadata.name.as_deref().unwrap()),
            WatchEvent::Deleted(map) => format!("deleted {}", map.metadata.name.as_deref().unwrap()),
            WatchEvent::Bookmark(_) => "bookmark".to_owned(),
            WatchEvent::Error(status) => format!("error {}", status.code),
        })
        .collect()
}

async fn take(maps: &Api<ConfigMap>, params: &WatchParams, from: &str, count: usize) -> Vec<String> {
    let stream = maps.watch(params, from).await.unwrap();
    let events = tokio::time::timeout(DEADLINE, stream.take(count).try_collect::<Vec<_>>())
        .await
        .unwrap();
    words(&events.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_each_change_once_and_in_order() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let first = maps
        .create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    maps.patch(
        "a",
        &PatchParams::default(),
        &Patch::Merge(json!({"data":{"k":"1"}})),
    )
    .await
    .unwrap();
    maps.create(&PostParams::default(), &config_map("b", &json!({})))
        .await
        .unwrap();
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    let from = first.metadata.resource_version.unwrap();
    let told = take(&maps, &WatchParams::default(), &from, 3).await;
    assert_eq!(told, ["modified a", "added b", "deleted a"]);
    let told = take(&maps, &WatchParams::default(), "0", 1).await;
    assert_eq!(
        told,
        ["added b"],
        "a watch from nowhere begins with what is there"
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_turns_changes_into_coming_and_going() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let first = maps
        .create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    for label in [json!("yes"), json!("yes"), json!(null)] {
        let patch = Patch::Merge(json!({"metadata":{"labels":{"shown":label}},"data":{"n":label}}));
        maps.patch("a", &PatchParams::default(), &patch).await.unwrap();
    }
    maps.patch(
        "a",
        &PatchParams::default(),
        &Patch::Merge(json!({"metadata":{"labels":{"shown":"again"}}})),
    )
    .await
    .unwrap();
    let from = first.metadata.resource_version.unwrap();
    let told = take(&maps, &WatchParams::default().labels("shown"), &from, 3).await;
    assert_eq!(told, ["added a", "deleted a", "added a"]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_from_a_forgotten_revision_is_told_so() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    maps.create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    let mut writers = Vec::new();
    for writer in 0..64 {
        let maps = maps.clone();
        writers.push(tokio::spawn(async move {
            let name = format!("m{writer}");
            maps.create(&PostParams::default(), &config_map(&name, &json!({})))
                .await
                .unwrap();
            for step in 0..65 {
                let patch = Patch::Merge(json!({"data":{"k":step.to_string()}}));
                maps.patch(&name, &PatchParams::default(), &patch).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let told = take(&maps, &WatchParams::default(), "1", 1).await;
    assert_eq!(told, ["error 410"]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumes_after_a_restart_without_a_gap() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let first = maps
        .create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    maps.create(&PostParams::default(), &config_map("b", &json!({})))
        .await
        .unwrap();
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    drop(maps);
    let api = Harness::start_in(api.stop().await).await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let from = first.metadata.resource_version.unwrap();
    assert_eq!(
        take(&maps, &WatchParams::default(), &from, 2).await,
        ["added b", "deleted a"]
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_end_when_the_api_stops() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.over_tls("admin", &["system:masters"]).await, "default");
    let mut stream = maps.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    maps.create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    assert!(stream.next().await.is_some());
    api.stop().await;
    let end = tokio::time::timeout(DEADLINE, async { while let Some(Ok(_)) = stream.next().await {} }).await;
    end.expect("the stream ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_of_both_kinds_see_the_same_world() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.over_tls("admin", &["system:masters"]).await, "default");
    maps.create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    for config in [
        watcher::Config::default().page_size(1),
        watcher::Config::default().streaming_lists(),
    ] {
        let mut seen = watcher(maps.clone(), config).default_backoff().boxed();
        let initial = tokio::time::timeout(DEADLINE, async {
            let mut names = Vec::new();
            loop {
                match seen.next().await.unwrap().unwrap() {
                    watcher::Event::InitApply(map) => names.push(map.metadata.name.unwrap()),
                    watcher::Event::InitDone => return names,
                    _ => {}
                }
            }
        });
        assert_eq!(initial.await.unwrap(), ["a"]);
        maps.create(&PostParams::default(), &config_map("b", &json!({})))
            .await
            .unwrap();
        let next = tokio::time::timeout(DEADLINE, seen.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(matches!(next, watcher::Event::Apply(map) if map.metadata.name.as_deref() == Some("b")));
        maps.delete("b", &DeleteParams::default()).await.unwrap();
        let next = tokio::time::timeout(DEADLINE, seen.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(matches!(next, watcher::Event::Delete(map) if map.metadata.name.as_deref() == Some("b")));
    }
    api.stop().await;
}
