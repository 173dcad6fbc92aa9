//! Definitions themselves: what they offer, conflicts, changes, deletion, restarts.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Discovery;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::{GROUP, crates, define, of, one, refusal};
use crate::harness::{DEADLINE, Harness};

const NAME: &str = "crates.stable.example.org";

fn condition<'a>(definition: &'a CustomResourceDefinition, name: &str) -> Option<&'a str> {
    let conditions = definition.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|found| found.type_ == name)
        .map(|found| found.status.as_str())
}

async fn until(
    all: &Api<CustomResourceDefinition>,
    name: &str,
    holds: impl Fn(Option<&CustomResourceDefinition>) -> bool,
) {
    let waited = tokio::time::timeout(DEADLINE, await_condition(all.clone(), name, holds));
    waited.await.expect("the definition gets there").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_is_discovered_and_explained() {
    let api = Harness::start().await;
    define(&api, crates()).await;
    let discovery = Discovery::new(api.admin()).run().await.unwrap();
    let group = discovery.get(GROUP).unwrap();
    assert_eq!(group.preferred_version(), Some("v1"));
    let (resource, capabilities) = group.recommended_kind("Crate").unwrap();
    assert_eq!(resource.plural, "crates");
    let mut parts: Vec<&str> = capabilities
        .subresources
        .iter()
        .map(|(part, _)| part.plural.as_str())
        .collect();
    parts.sort_unstable();
    assert_eq!(parts, ["scale", "status"]);

    let client = api.admin();
    let get = |path: &str| client.request::<Value>(http::Request::get(path).body(Vec::new()).unwrap());
    let index = get("/openapi/v3").await.unwrap();
    let address = index["paths"]["apis/stable.example.org/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let document = get(address).await.unwrap();
    let schema = &document["components"]["schemas"]["org.example.stable.v1.Crate"];
    assert_eq!(
        schema["properties"]["spec"]["properties"]["color"]["description"],
        "The color."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_taken_are_not_accepted_until_they_are_free() {
    let api = Harness::start().await;
    let all = define(&api, crates()).await;
    let mut other = crates();
    other["metadata"]["name"] = json!("boxes.stable.example.org");
    other["spec"]["names"] =
        json!({"plural": "boxes", "singular": "box", "kind": "Crate", "listKind": "BoxList"});
    let other: CustomResourceDefinition = serde_json::from_value(other).unwrap();
    all.create(&PostParams::default(), &other).await.unwrap();
    until(&all, "boxes.stable.example.org", |found| {
        found.is_some_and(|found| condition(found, "NamesAccepted") == Some("False"))
    })
    .await;
    all.delete(NAME, &DeleteParams::default()).await.unwrap();
    until(&all, "boxes.stable.example.org", |found| {
        found.is_some_and(|found| condition(found, "Established") == Some("True"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_definition_takes_its_objects_along_and_waits_for_their_finalizers() {
    let api = Harness::start().await;
    let all = define(&api, crates()).await;
    let objects = of(api.admin(), "v1");
    objects
        .create(&PostParams::default(), &one("a", &json!({})))
        .await
        .unwrap();
    let mut held = one("held", &json!({}));
    held.metadata.finalizers = Some(vec!["example.org/hold".to_owned()]);
    objects.create(&PostParams::default(), &held).await.unwrap();

    all.delete(NAME, &DeleteParams::default()).await.unwrap();
    tokio::time::timeout(
        DEADLINE,
        await_condition(
            objects.clone(),
            "a",
            |found: Option<&kube::api::DynamicObject>| found.is_none(),
        ),
    )
    .await
    .unwrap()
    .unwrap();
    let created = objects
        .create(&PostParams::default(), &one("b", &json!({})))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(created),
        (
            405,
            "create not allowed while custom resource definition is terminating".to_owned()
        )
    );
    let waits = |found: Option<&kube::api::DynamicObject>| {
        found.is_some_and(|found| found.metadata.deletion_timestamp.is_some())
    };
    tokio::time::timeout(DEADLINE, await_condition(objects.clone(), "held", waits))
        .await
        .unwrap()
        .unwrap();

    let mut watch = objects.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    objects
        .patch(
            "held",
            &PatchParams::default(),
            &Patch::Merge(json!({"metadata": {"finalizers": null}})),
        )
        .await
        .unwrap();
    until(&all, NAME, |found| found.is_none()).await;
    // Its watches end with it.
    tokio::time::timeout(DEADLINE, async {
        while let Ok(Some(_)) = watch.try_next().await {}
    })
    .await
    .unwrap();
    assert_eq!(
        refusal(objects.list(&ListParams::default()).await.unwrap_err()).0,
        404
    );
    // The same name begins with nothing.
    define(&api, crates()).await;
    assert_eq!(objects.list(&ListParams::default()).await.unwrap().items.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_follow_the_schema_as_it_changes_and_stay_over_restarts() {
    let api = Harness::start().await;
    let all = define(&api, crates()).await;
    of(api.admin(), "v1")
        .create(&PostParams::default(), &one("a", &json!({"port": "50%"})))
        .await
        .unwrap();
    let mut changed = crates();
    let versions = changed["spec"]["versions"].as_array_mut().unwrap();
    versions[0]["storage"] = json!(false);
    versions[1]["storage"] = json!(true);
    for version in versions {
        let fields = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        fields["added"] = json!({"type": "string", "default": "later"});
        fields.as_object_mut().unwrap().remove("port");
    }
    all.patch(NAME, &PatchParams::default(), &Patch::Merge(changed))
        .await
        .unwrap();
    let expect = |found: kube::api::DynamicObject, version: &str| {
        assert_eq!(found.types.unwrap().api_version, format!("{GROUP}/{version}"));
        assert_eq!(found.data["spec"]["added"], "later");
        assert!(found.data["spec"].get("port").is_none());
    };
    expect(of(api.admin(), "v1").get("a").await.unwrap(), "v1");
    expect(of(api.admin(), "v1beta1").get("a").await.unwrap(), "v1beta1");
    until(&all, NAME, |found| {
        found
            .and_then(|found| found.status.as_ref()?.stored_versions.clone())
            .is_some_and(|stored| stored.len() == 2)
    })
    .await;

    let folder = api.stop().await;
    let api = Harness::start_in(folder).await;
    let all = of(api.admin(), "v1");
    expect(all.get("a").await.unwrap(), "v1");
    assert_eq!(all.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let rewritten = all
        .patch(
            "a",
            &PatchParams::default(),
            &Patch::Merge(json!({"spec": {"replicas": 4}})),
        )
        .await
        .unwrap();
    expect(rewritten, "v1");
    let stops = tokio::time::timeout(Duration::from_secs(30), api.stop());
    stops.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_definition_is_refused_in_the_words_of_kubernetes() {
    let api = Harness::start().await;
    let all: Api<CustomResourceDefinition> = Api::all(api.admin());
    let mut bad = crates();
    bad["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["color"] =
        json!({"default": 1});
    let bad: CustomResourceDefinition = serde_json::from_value(bad).unwrap();
    let (code, message) = refusal(all.create(&PostParams::default(), &bad).await.unwrap_err());
    assert_eq!(code, 422);
    assert!(message.contains("spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[color].type: Required value: must not be empty for specified object fields"), "{message}");
    let mut hooked = crates();
    hooked["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "http://a.b/c"}}});
    let hooked: CustomResourceDefinition = serde_json::from_value(hooked).unwrap();
    let (_, message) = refusal(all.create(&PostParams::default(), &hooked).await.unwrap_err());
    assert!(
        message.contains(r#"spec.conversion.webhookClientConfig.url: Invalid value: "http://a.b/c": 'https' is the only allowed URL scheme"#),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_in_groups_of_kubernetes_show_who_approved_them() {
    let api = Harness::start().await;
    let mut definition = crates();
    definition["metadata"]["name"] = json!("crates.sigs.k8s.io");
    definition["spec"]["group"] = json!("sigs.k8s.io");
    definition["metadata"]["annotations"] =
        json!({"api-approved.kubernetes.io": "https://example.org/pull/1"});
    let all = define(&api, definition).await;
    let name = "KubernetesAPIApprovalPolicyConformant";
    let truth = |found: &CustomResourceDefinition| condition(found, name).map(str::to_owned);
    let made = all.get("crates.sigs.k8s.io").await.unwrap();
    assert_eq!(truth(&made).as_deref(), Some("True"));
    let unapproved =
        json!({"metadata": {"annotations": {"api-approved.kubernetes.io": "unapproved, a test"}}});
    let patch = Patch::Merge(&unapproved);
    all.patch("crates.sigs.k8s.io", &PatchParams::default(), &patch)
        .await
        .unwrap();
    until(&all, "crates.sigs.k8s.io", |found| {
        found.and_then(truth).as_deref() == Some("False")
    })
    .await;
    api.stop().await;
}

/// A field of protobuf.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![tag << 3 | 2, u8::try_from(bytes.len()).unwrap()];
    field.extend_from_slice(bytes);
    field
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_clients_may_send_definitions_as_protobuf() {
    let api = Harness::start().await;
    let names: Vec<u8> = [(1, "pots"), (2, "pot"), (4, "Pot"), (5, "PotList")]
        .iter()
        .flat_map(|(tag, name)| field(*tag, name.as_bytes()))
        .collect();
    let schema = [field(5, b"object"), vec![0xB0, 2, 1]].concat();
    let version = [
        field(1, b"v1"),
        vec![2 << 3, 1, 3 << 3, 1],
        field(4, &field(1, &schema)),
    ]
    .concat();
    let spec = [
        field(1, GROUP.as_bytes()),
        field(3, &names),
        field(4, b"Namespaced"),
        field(7, &version),
    ]
    .concat();
    let object = [
        field(1, &field(1, format!("pots.{GROUP}").as_bytes())),
        field(2, &spec),
    ]
    .concat();
    let about = [
        field(1, b"apiextensions.k8s.io/v1"),
        field(2, b"CustomResourceDefinition"),
    ]
    .concat();
    let mut length = vec![];
    let mut left = object.len();
    while left > 0x7F {
        length.push(u8::try_from(left & 0x7F).unwrap() | 0x80);
        left >>= 7;
    }
    length.push(u8::try_from(left).unwrap());
    let body = [
        b"k8s\0".to_vec(),
        field(1, &about),
        vec![2 << 3 | 2],
        length,
        object,
    ]
    .concat();
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    // What Go's typed clients say when they are set up for protobuf.
    let request = http::Request::post(path)
        .header("content-type", "application/vnd.kubernetes.protobuf")
        .header("accept", "application/vnd.kubernetes.protobuf, */*")
        .body(body)
        .unwrap();
    let made: Value = api.admin().request(request).await.unwrap();
    let schema = &made["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert_eq!(
        *schema,
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
    );
    let all: Api<CustomResourceDefinition> = Api::all(api.admin());
    let name = format!("pots.{GROUP}");
    until(&all, &name, |found| {
        found
            .and_then(|found| condition(found, "Established").map(str::to_owned))
            .as_deref()
            == Some("True")
    })
    .await;
    api.stop().await;
}
