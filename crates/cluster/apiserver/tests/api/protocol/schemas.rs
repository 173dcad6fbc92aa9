//! The schema documents and how clients keep them.

use serde_json::json;

use super::get;
use crate::harness::Harness;

const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_sent_once_and_then_confirmed() {
    let api = Harness::start().await;
    let client = api.admin();
    let index = get(&client, "/openapi/v3", &[]).await.json();
    let address = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let first = get(&client, address, &[]).await;
    assert_eq!(first.code, 200);
    assert_eq!(first.header("cache-control"), "public, immutable");
    let tag = first.header("etag");
    let again = get(&client, address, &[("if-none-match", tag)]).await;
    assert_eq!((again.code, again.bytes.len()), (304, 0));
    let old = get(&client, "/openapi/v3/apis/apps/v1?hash=0", &[]).await;
    assert_eq!((old.code, old.header("location")), (301, address));
    let zipped = get(&client, address, &[("accept-encoding", "gzip")]).await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    assert!(zipped.bytes.len() < first.bytes.len() / 2);

    let plain = get(&client, "/openapi/v2", &[]).await;
    let again = get(&client, "/openapi/v2", &[("if-none-match", plain.header("etag"))]).await;
    assert_eq!((plain.code, again.code), (200, 304));
    let packed = get(&client, "/openapi/v2", &[("accept", PROTOBUF)]).await;
    assert_eq!(
        packed.header("content-type"),
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    );
    assert_ne!(packed.header("etag"), plain.header("etag"));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_say_how_lists_merge() {
    let api = Harness::start().await;
    let document = get(&api.admin(), "/openapi/v3/api/v1", &[]).await.json();
    let schemas = &document["components"]["schemas"];
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-list-type"], "map");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    let protocol = &schemas["io.k8s.api.core.v1.ContainerPort"]["properties"]["protocol"];
    assert_eq!(protocol["default"], "TCP");
    let selector = &schemas["io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"];
    assert_eq!(selector["x-kubernetes-map-type"], "atomic");
    let list = &schemas["io.k8s.api.core.v1.PodList"];
    assert_eq!(
        list["x-kubernetes-group-version-kind"],
        json!([{"group": "", "version": "v1", "kind": "PodList"}])
    );
    let patch = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
    assert!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_object());
    api.stop().await;
}
