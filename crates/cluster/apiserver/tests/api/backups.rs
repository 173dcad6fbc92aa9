//! `GET /backup`: who may, and that what comes is one moment, whatever goes on.

use futures::AsyncReadExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;
use toolforge_apiserver::{inspect_backup, restore_backup};

use crate::harness::Harness;
use crate::objects::config_map;

/// Objects that are written while the backup is read.
const WRITES: usize = 60;

async fn fetch(client: &kube::Client) -> Result<Vec<u8>, kube::Error> {
    let request = http::Request::get("/backup").body(Vec::new()).unwrap();
    let stream = client.request_stream(request).await?;
    let mut bytes = Vec::new();
    std::pin::pin!(stream).read_to_end(&mut bytes).await.unwrap();
    Ok(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_allowed_gets_a_backup() {
    let api = Harness::start().await;
    let keeper = api.over_tls("keeper", &["people"]).await;
    let refused = fetch(&keeper).await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 403),
        "{refused}"
    );
    let role: ClusterRole = serde_json::from_value(json!({
        "metadata": { "name": "keeper" },
        "rules": [{ "nonResourceURLs": ["/backup"], "verbs": ["get"] }],
    }))
    .unwrap();
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": { "name": "keeper" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "keeper" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "keeper" }],
    }))
    .unwrap();
    Api::all(api.admin())
        .create(&PostParams::default(), &role)
        .await
        .unwrap();
    Api::all(api.admin())
        .create(&PostParams::default(), &binding)
        .await
        .unwrap();
    assert!(!fetch(&keeper).await.unwrap().is_empty());
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_moment_while_others_write() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let writing = tokio::spawn({
        let maps = maps.clone();
        async move {
            for number in 0..WRITES {
                let map = config_map(&format!("m{number:03}"), &json!({ "k": "x".repeat(20_000) }));
                maps.create(&PostParams::default(), &map).await.unwrap();
            }
        }
    });
    let mut backups = Vec::new();
    while !writing.is_finished() {
        backups.push(fetch(&api.admin()).await.unwrap());
    }
    writing.await.unwrap();
    let folder = api.stop().await;
    let file = folder.path().join("backup");
    for bytes in backups {
        std::fs::write(&file, bytes).unwrap();
        inspect_backup(&file).unwrap();
    }
    // The last one, in the place of everything.
    restore_backup(&folder.path().join("store"), &file, true, &mut |_| {}).unwrap();
    let api = Harness::start_in(folder).await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let list = maps.list(&ListParams::default()).await.unwrap();
    let names: Vec<String> = list
        .items
        .into_iter()
        .filter_map(|map| map.metadata.name)
        .collect();
    let own: Vec<&String> = names.iter().filter(|name| name.starts_with('m')).collect();
    let expected: Vec<String> = (0..own.len()).map(|number| format!("m{number:03}")).collect();
    assert_eq!(
        own,
        expected.iter().collect::<Vec<_>>(),
        "a beginning of what was written, without a gap"
    );
    api.stop().await;
}
