//! Versions of a kind that a webhook converts: `v1` has a host and a port, `v2` has both in one text.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_pki::Authority;

use super::{GROUP, define, refusal};
use crate::harness::{DEADLINE, Harness};

/// A conversion webhook that remembers what it was asked.
pub(crate) struct Webhook {
    /// The number of objects and the wanted version of each review.
    reviews: Mutex<Vec<(usize, String)>>,
    /// What happens to each object besides.
    mischief: Mutex<Option<fn(&mut Value)>>,
    refuses: AtomicBool,
}

async fn answer(State(webhook): State<Arc<Webhook>>, body: Bytes) -> String {
    let review: Value = serde_json::from_slice(&body).unwrap();
    let request = &review["request"];
    let version = request["desiredAPIVersion"].as_str().unwrap();
    let objects = request["objects"].as_array().unwrap();
    let noted = (objects.len(), version.to_owned());
    webhook.reviews.lock().unwrap().push(noted);
    let converted: Vec<Value> = objects
        .iter()
        .map(|object| webhook.convert(object, version))
        .collect();
    let result = if webhook.refuses.load(Ordering::SeqCst) {
        json!({"status": "Failed", "message": "no thanks"})
    } else {
        json!({"status": "Success"})
    };
    let response = json!({"uid": request["uid"], "convertedObjects": converted, "result": result});
    json!({"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": response}).to_string()
}

impl Webhook {
    /// Starts one; also gives its `clientConfig`.
    pub(crate) async fn start() -> (Arc<Self>, Value, DropGuard) {
        let authority = Authority::create("conversion test").unwrap();
        let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
        let tls = Arc::new(toolforge_pki::server_config(&identity, None).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let webhook = Arc::new(Self {
            reviews: Mutex::default(),
            mischief: Mutex::default(),
            refuses: AtomicBool::new(false),
        });
        let router = Router::new().fallback(answer).with_state(webhook.clone());
        let shutdown = CancellationToken::new();
        tokio::spawn(toolforge_serve::serve(
            listener,
            Some(tls),
            router,
            shutdown.clone(),
        ));
        let config = json!({"url": format!("https://{address}/"), "caBundle": STANDARD.encode(authority.certificate_pem())});
        (webhook, config, shutdown.drop_guard())
    }

    fn convert(&self, object: &Value, version: &str) -> Value {
        let mut object = object.clone();
        object["apiVersion"] = json!(version);
        // A webhook that knows nothing of metadata but names loses it.
        object["metadata"]["finalizers"] = json!(["lost.example.org/x"]);
        object["metadata"]["generation"] = json!(77);
        object["metadata"]["annotations"]["converted-to"] = json!(version);
        let spec = &object["spec"];
        object["spec"] = if version.ends_with("/v2") {
            let port = spec["port"].as_i64().unwrap_or(80);
            json!({"hostPort": format!("{}:{port}", spec["host"].as_str().unwrap_or_default()), "extra": 1})
        } else {
            let (host, port) = spec["hostPort"]
                .as_str()
                .unwrap_or_default()
                .split_once(':')
                .unwrap_or_default();
            json!({"host": host, "port": port.parse::<i64>().unwrap_or_default()})
        };
        if let Some(mischief) = *self.mischief.lock().unwrap() {
            mischief(&mut object);
        }
        object
    }

    /// What it was asked since the last time.
    fn heard(&self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.reviews.lock().unwrap())
    }

    fn plays(&self, mischief: Option<fn(&mut Value)>) {
        *self.mischief.lock().unwrap() = mischief;
    }
}

/// A definition of `Site`s whose versions that webhook converts.
pub(crate) fn sites(client_config: &Value) -> Value {
    let version = |name: &str, storage: bool, spec: Value, column: &str| {
        json!({
            "name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": spec},
                "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
            }}},
            "subresources": {"status": {}},
            "selectableFields": [{"jsonPath": column}],
            "additionalPrinterColumns": [{"name": "Where", "type": "string", "jsonPath": column}],
        })
    };
    let one = json!({"host": {"type": "string"}, "port": {"type": "integer", "default": 80}});
    let two = json!({"hostPort": {"type": "string"}, "scheme": {"type": "string", "default": "https"}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("sites.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced", "names": {"plural": "sites", "kind": "Site"},
            "versions": [version("v1", true, one, ".spec.host"), version("v2", false, two, ".spec.hostPort")],
            "conversion": {"strategy": "Webhook",
                "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client_config}},
        },
    })
}

pub(crate) fn of(client: kube::Client, version: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(GROUP, version, "Site");
    Api::namespaced_with(
        client,
        "default",
        &ApiResource::from_gvk_with_plural(&kind, "sites"),
    )
}

pub(crate) fn site(version: &str, name: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": format!("{GROUP}/{version}"), "kind": "Site", "spec": spec,
        "metadata": {"name": name, "labels": {"app": name}},
    }))
    .unwrap()
}

fn version_of(object: &DynamicObject) -> &str {
    &object.types.as_ref().unwrap().api_version
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_speaks_the_version_that_it_is_asked_in() {
    let api = Harness::start().await;
    let (webhook, config, _running) = Webhook::start().await;
    define(&api, sites(&config)).await;
    let (one, two) = (of(api.admin(), "v1"), of(api.admin(), "v2"));
    let v2 = format!("{GROUP}/v2");

    let made = two
        .create(
            &PostParams::default(),
            &site("v2", "a", &json!({"hostPort": "a.org:8080"})),
        )
        .await
        .unwrap();
    // There and back; the schema of the version makes it complete, and what it does not have is taken away.
    assert_eq!(
        made.data["spec"],
        json!({"hostPort": "a.org:8080", "scheme": "https"})
    );
    assert_eq!(made.metadata.generation, Some(1));
    assert_eq!(made.metadata.finalizers, None);
    assert_eq!(made.metadata.annotations.as_ref().unwrap()["converted-to"], v2);
    webhook.heard();
    let stored = one.get("a").await.unwrap();
    assert_eq!(stored.data["spec"], json!({"host": "a.org", "port": 8080}));
    assert_eq!(version_of(&stored), format!("{GROUP}/v1"));
    assert_eq!(webhook.heard(), []);

    for name in ["b", "c", "d"] {
        let object = site("v1", name, &json!({"host": format!("{name}.org")}));
        one.create(&PostParams::default(), &object).await.unwrap();
    }
    assert_eq!(webhook.heard(), []);
    let list = two.list(&ListParams::default()).await.unwrap();
    let found: Vec<&str> = list
        .iter()
        .map(|found| found.data["spec"]["hostPort"].as_str().unwrap())
        .collect();
    assert_eq!(found, ["a.org:8080", "b.org:80", "c.org:80", "d.org:80"]);
    assert_eq!(webhook.heard(), [(4, v2.clone())]);
    let selected = ListParams::default().fields("spec.hostPort=c.org:80");
    assert_eq!(two.list(&selected).await.unwrap().items.len(), 1);
    let page = two.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(page.items.len(), 2);
    assert_eq!(
        webhook.heard(),
        [(4, v2.clone()), (2, v2.clone())],
        "only what is shown is converted"
    );

    let merge = Patch::Merge(json!({"spec": {"hostPort": "b.org:81"}}));
    let patched = two.patch("b", &PatchParams::default(), &merge).await.unwrap();
    assert_eq!(patched.data["spec"]["hostPort"], "b.org:81");
    assert_eq!(one.get("b").await.unwrap().data["spec"]["port"], 81);
    let mut replaced = two.get("c").await.unwrap();
    replaced.data["spec"]["hostPort"] = json!("c.org:82");
    two.replace("c", &PostParams::default(), &replaced).await.unwrap();
    assert_eq!(one.get("c").await.unwrap().data["spec"]["port"], 82);
    let status = Patch::Merge(json!({"status": {"ready": true}}));
    let patched = two
        .patch_status("c", &PatchParams::default(), &status)
        .await
        .unwrap();
    assert_eq!(patched.data["status"]["ready"], true);
    assert_eq!(one.get("c").await.unwrap().data["status"]["ready"], true);

    let apply = PatchParams::apply("tester");
    for (port, expected) in [(90, 90), (91, 91)] {
        let mut wanted = site("v2", "e", &json!({"hostPort": format!("e.org:{port}")}));
        wanted.metadata.labels = None;
        let applied = two.patch("e", &apply, &Patch::Apply(&wanted)).await.unwrap();
        assert_eq!(applied.data["spec"]["hostPort"], format!("e.org:{port}"));
        assert_eq!(one.get("e").await.unwrap().data["spec"]["port"], expected);
    }

    let path = format!("/apis/{GROUP}/v2/namespaces/default/sites");
    for (accept, expected) in [
        ("application/json;as=Table;g=meta.k8s.io;v=v1", "a.org:8080"),
        (
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            "converted-to",
        ),
    ] {
        let request = http::Request::get(&path)
            .header("accept", accept)
            .body(Vec::new())
            .unwrap();
        let shown = api.admin().request_text(request).await.unwrap();
        assert!(shown.contains(expected), "{shown}");
    }

    two.delete("a", &DeleteParams::default()).await.unwrap();
    let selected = ListParams::default().fields("spec.hostPort=b.org:81");
    two.delete_collection(&DeleteParams::default(), &selected)
        .await
        .unwrap();
    let left = one.list(&ListParams::default()).await.unwrap();
    let left: Vec<String> = left
        .into_iter()
        .map(|found| found.metadata.name.unwrap())
        .collect();
    assert_eq!(left, ["c", "d", "e"]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_of_another_version_show_its_objects() {
    let api = Harness::start().await;
    let (webhook, config, _running) = Webhook::start().await;
    define(&api, sites(&config)).await;
    let (one, two) = (of(api.admin(), "v1"), of(api.admin(), "v2"));
    for name in ["a", "b"] {
        let object = site("v1", name, &json!({"host": format!("{name}.org")}));
        one.create(&PostParams::default(), &object).await.unwrap();
    }
    let everything = WatchParams::default();
    let mut all = two.watch(&everything, "0").await.unwrap().boxed();
    let mut others = two.watch(&everything, "0").await.unwrap().boxed();
    let on_81 = WatchParams::default().fields("spec.hostPort=a.org:81");
    let mut some = two.watch(&on_81, "0").await.unwrap().boxed();
    let read = |event: WatchEvent<DynamicObject>| match event {
        WatchEvent::Added(object) => ("ADDED", object.data["spec"]["hostPort"].clone()),
        WatchEvent::Modified(object) => ("MODIFIED", object.data["spec"]["hostPort"].clone()),
        WatchEvent::Deleted(object) => ("DELETED", object.data["spec"]["hostPort"].clone()),
        other => panic!("{other:?}"),
    };
    for port in [81, 82] {
        let patch = Patch::Merge(json!({"spec": {"port": port}}));
        one.patch("a", &PatchParams::default(), &patch).await.unwrap();
    }
    one.delete("b", &DeleteParams::default()).await.unwrap();
    let expected = [
        ("ADDED", json!("a.org:80")),
        ("ADDED", json!("b.org:80")),
        ("MODIFIED", json!("a.org:81")),
        ("MODIFIED", json!("a.org:82")),
        ("DELETED", json!("b.org:80")),
    ];
    for watch in [&mut all, &mut others] {
        let events: Vec<_> = watch
            .by_ref()
            .take(expected.len())
            .map_ok(read)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(events, expected);
    }
    let events: Vec<_> = some.by_ref().take(2).map_ok(read).try_collect().await.unwrap();
    assert_eq!(
        events,
        [("ADDED", json!("a.org:81")), ("DELETED", json!("a.org:81"))]
    );

    // A watch that cannot be told what has become of an object says so and ends.
    webhook.refuses.store(true, Ordering::SeqCst);
    let patch = Patch::Merge(json!({"spec": {"port": 83}}));
    one.patch("a", &PatchParams::default(), &patch).await.unwrap();
    let last = tokio::time::timeout(DEADLINE, all.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let WatchEvent::Error(status) = last else {
        panic!("{last:?}")
    };
    assert_eq!(status.code, 500);
    assert_eq!(
        status.message,
        format!("conversion webhook for {GROUP}/v1, Kind=Site failed: no thanks")
    );
    assert!(
        tokio::time::timeout(DEADLINE, all.next())
            .await
            .unwrap()
            .is_none()
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_webhook_does_wrong_is_told_in_the_words_of_kubernetes() {
    let api = Harness::start().await;
    let (webhook, config, running) = Webhook::start().await;
    let definitions = define(&api, sites(&config)).await;
    let (one, two) = (of(api.admin(), "v1"), of(api.admin(), "v2"));
    let object = site("v1", "a", &json!({"host": "a.org"}));
    one.create(&PostParams::default(), &object).await.unwrap();
    let says = async |expected: &str| {
        let list = two.list(&ListParams::default()).await.map(drop);
        for outcome in [list, two.get("a").await.map(drop)] {
            let (code, message) = refusal(outcome.unwrap_err());
            let whole = format!("conversion webhook for {GROUP}/v1, Kind=Site {expected}");
            assert_eq!((code, message), (500, whole));
        }
    };
    webhook.plays(Some(|object| object["metadata"]["name"] = json!("z")));
    says("returned invalid object: must have the same name: a != z").await;
    webhook.plays(Some(|object| object["apiVersion"] = json!("v9")));
    says(&format!(
        "returned invalid object at index 0: invalid groupVersion (expected {GROUP}/v2, received v9)"
    ))
    .await;
    webhook.plays(None);
    webhook.refuses.store(true, Ordering::SeqCst);
    says("failed: no thanks").await;
    // A write that cannot be converted is not written, and the stored version is there for whoever asks for it.
    let write = two
        .create(
            &PostParams::default(),
            &site("v2", "b", &json!({"hostPort": "b.org:1"})),
        )
        .await;
    assert_eq!(
        refusal(write.unwrap_err()).1,
        format!("conversion webhook for {GROUP}/v2, Kind=Site failed: no thanks")
    );
    assert_eq!(one.list(&ListParams::default()).await.unwrap().items.len(), 1);

    let address = config["url"].as_str().unwrap();
    let service = json!({"spec": {"conversion": {"webhook": {"clientConfig": {
        "url": null, "service": {"namespace": "default", "name": "none", "path": "/convert"}}}}}});
    let name = format!("sites.{GROUP}");
    let changed = definitions
        .patch(&name, &PatchParams::default(), &Patch::Merge(service))
        .await
        .unwrap();
    let port = changed
        .spec
        .conversion
        .and_then(|found| found.webhook)
        .and_then(|found| found.client_config);
    assert_eq!(
        port.and_then(|found| found.service).and_then(|found| found.port),
        Some(443)
    );
    says("failed: Post \"https://none.default.svc:443/convert?timeout=30s\": service \"none\" not found in namespace \"default\"").await;
    let back =
        json!({"spec": {"conversion": {"webhook": {"clientConfig": {"url": address, "service": null}}}}});
    definitions
        .patch(&name, &PatchParams::default(), &Patch::Merge(back))
        .await
        .unwrap();
    webhook.refuses.store(false, Ordering::SeqCst);
    assert_eq!(two.get("a").await.unwrap().data["spec"]["hostPort"], "a.org:80");
    drop(running);
    api.stop().await;
}
