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

#[tokio::test(flavor = "multi_thread")]
async fn discovery_is_sent_once_and_then_confirmed() {
    let api = Harness::start().await;
    let client = api.admin();
    let aggregated = (
        "accept",
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    );
    let groups = get(&client, "/apis", &[aggregated]).await;
    let tag = groups.header("etag");
    assert!(!tag.is_empty());
    let again = get(&client, "/apis", &[aggregated, ("if-none-match", tag)]).await;
    assert_eq!((again.code, again.bytes.len()), (304, 0));
    let core = get(&client, "/api", &[aggregated, ("if-none-match", tag)]).await;
    assert_eq!(core.code, 200);
    crate::custom::define(&api, crate::custom::crates()).await;
    let changed = get(&client, "/apis", &[aggregated, ("if-none-match", tag)]).await;
    assert_eq!(changed.code, 200);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_in_storage_is_told_as_kubernetes_does() {
    let api = Harness::start().await;
    let client = api.admin();
    crate::custom::define(&api, crate::custom::crates()).await;
    let mut of_crates = Vec::new();
    for (path, resource, expected) in [
        ("/api/v1", "pods", Some("xPOwRZ+Yhw8=")),
        ("/api/v1", "services", Some("0/CO1lhkEBI=")),
        ("/api/v1", "pods/status", None),
        ("/api/v1", "configmaps", Some("qFsyl6wFWjQ=")),
        ("/apis/apps/v1", "deployments", Some("8aSe+NMegvE=")),
        ("/apis/authorization.k8s.io/v1", "subjectaccessreviews", None),
    ] {
        let found = hash(&client, path, resource).await;
        assert_eq!(found.as_deref(), expected, "{resource}");
    }
    for version in ["v1", "v1beta1"] {
        let path = format!("/apis/{}/{version}", crate::custom::GROUP);
        of_crates.push(hash(&client, &path, "crates").await.unwrap());
    }
    assert_eq!(of_crates[0], of_crates[1]);
    api.stop().await;
}

async fn hash(client: &kube::Client, path: &str, resource: &str) -> Option<String> {
    let list = get(client, path, &[]).await.json();
    let found = list["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|found| found["name"] == resource);
    found.unwrap()["storageVersionHash"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_kinds_are_in_both_versions_of_the_schemas() {
    let api = Harness::start().await;
    let client = api.admin();
    let before = get(&client, "/openapi/v2", &[]).await;
    crate::custom::define(&api, crate::custom::crates()).await;
    let after = get(
        &client,
        "/openapi/v2",
        &[("if-none-match", before.header("etag"))],
    )
    .await;
    assert_eq!(after.code, 200);
    let document = after.json();
    let definition = &document["definitions"]["org.example.stable.v1.Crate"];
    assert_eq!(
        definition["properties"]["spec"]["properties"]["color"]["type"],
        "string"
    );
    assert_eq!(
        definition["properties"]["metadata"]["$ref"],
        "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    );
    let port = &definition["properties"]["spec"]["properties"]["port"];
    assert_eq!(port, &json!({"x-kubernetes-int-or-string": true}));
    let kept = &definition["properties"]["spec"]["properties"]["template"];
    assert_eq!(kept, &json!({"x-kubernetes-preserve-unknown-fields": true}));
    let place = format!(
        "/apis/{}/v1/namespaces/{{namespace}}/crates",
        crate::custom::GROUP
    );
    let body = &document["paths"][place]["post"]["parameters"];
    let found = body
        .as_array()
        .unwrap()
        .iter()
        .find(|given| given["in"] == "body");
    assert_eq!(
        found.unwrap()["schema"]["$ref"],
        "#/definitions/org.example.stable.v1.Crate"
    );
    let text = String::from_utf8(after.bytes).unwrap();
    assert!(!text.contains("#/components/"));
    let packed = get(&client, "/openapi/v2", &[("accept", PROTOBUF)]).await;
    assert!(String::from_utf8_lossy(&packed.bytes).contains("org.example.stable.v1.Crate"));
    api.stop().await;
}
