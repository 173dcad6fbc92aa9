//! Large lists of custom objects, which are kept compressed.

use std::io::Read as _;

use futures::future::join_all;
use http_body_util::BodyExt as _;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use serde_json::{Value, json};

use super::{GROUP, crates, define, of, one};
use crate::harness::Harness;

async fn list(client: &kube::Client) -> Value {
    let request = http::Request::get(format!("/apis/{GROUP}/v1/namespaces/default/crates"))
        .header("accept-encoding", "gzip")
        .body(Body::empty())
        .unwrap();
    let response = client.send(request).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let packed = response.into_body().collect().await.unwrap().to_bytes();
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(packed.as_ref())
        .read_to_end(&mut json)
        .unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_list_follows_objects_and_schema() {
    let api = Harness::start().await;
    let all = define(&api, crates()).await;
    let objects = of(api.admin(), "v1");
    let made = (0..20).map(|number| {
        let given = one(
            &format!("crate-{number}"),
            &json!({"template": {"filler": "x".repeat(10_000)}}),
        );
        let objects = objects.clone();
        async move { objects.create(&PostParams::default(), &given).await.unwrap() }
    });
    join_all(made).await;
    let before = list(&api.admin()).await;
    assert_eq!(before["kind"], "CrateList");
    assert_eq!(before["items"].as_array().unwrap().len(), 20);
    assert_eq!(before, list(&api.admin()).await);

    let mut changed = crates();
    for version in changed["spec"]["versions"].as_array_mut().unwrap() {
        let fields = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        fields["added"] = json!({"type": "string", "default": "later"});
    }
    all.patch(
        &format!("crates.{GROUP}"),
        &PatchParams::default(),
        &Patch::Merge(changed),
    )
    .await
    .unwrap();
    let after = list(&api.admin()).await;
    let added = after["items"].as_array().unwrap().iter();
    assert!(added.clone().all(|found| found["spec"]["added"] == "later"));
    assert_eq!(added.count(), 20);

    let selected = objects
        .list(&ListParams::default().fields("spec.color=red"))
        .await;
    assert_eq!(selected.unwrap().items.len(), 20);
    let selected = objects
        .list(&ListParams::default().fields("spec.color=blue"))
        .await;
    assert_eq!(selected.unwrap().items.len(), 0);
    api.stop().await;
}
