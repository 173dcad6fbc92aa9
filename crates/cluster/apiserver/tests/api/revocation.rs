//! What is open when rights are withdrawn.

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, RoleBinding};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::access::{object, refused};
use crate::harness::{DEADLINE, Harness};
use crate::objects::config_map;
use crate::proxy::{backend, upgraded_connection};

const RBAC: &str = "rbac.authorization.k8s.io";

fn binding(user: &str) -> Value {
    json!({
        "metadata": { "name": user },
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": "watcher" },
        "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": user }],
    })
}

async fn role(api: &Harness) {
    let role = json!({ "metadata": { "name": "watcher" }, "rules": [
        { "apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"] },
        { "apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"] },
    ] });
    let roles: Api<ClusterRole> = Api::all(api.admin());
    roles.create(&PostParams::default(), &object(role)).await.unwrap();
}

async fn bind(api: &Harness, user: &str) -> Api<RoleBinding> {
    let bindings: Api<RoleBinding> = Api::namespaced(api.admin(), "default");
    bindings
        .create(&PostParams::default(), &object(binding(user)))
        .await
        .unwrap();
    bindings
}

type Events = futures::stream::BoxStream<'static, kube::Result<WatchEvent<ConfigMap>>>;

async fn watch(api: &Harness, user: &str) -> Events {
    let maps: Api<ConfigMap> = Api::namespaced(api.over_tls(user, &["toolforge"]).await, "default");
    maps.watch(&WatchParams::default(), "").await.unwrap().boxed()
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("this takes less than a minute")
}

/// Reads a watch to its end.
async fn ends(mut events: Events) {
    within(async { while events.try_next().await.unwrap().is_some() {} }).await;
}

/// Reads a watch until it tells of an object.
async fn sees(events: &mut Events, name: &str) {
    within(async {
        loop {
            let event = events.try_next().await.unwrap().expect("the watch goes on");
            if matches!(&event, WatchEvent::Added(map) if map.metadata.name.as_deref() == Some(name)) {
                return;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_that_goes_takes_the_open_watch_and_connection_with_it_and_no_others() {
    let api = Harness::start().await;
    let (_, _running) = backend(&api, false).await;
    role(&api).await;
    let bindings = bind(&api, "alpha").await;
    bind(&api, "beta").await;
    let (alpha, mut beta) = (watch(&api, "alpha").await, watch(&api, "beta").await);
    let (mut lost, _) = upgraded_connection(&api, "alpha", &["toolforge"]).await;
    let (mut kept, _) = upgraded_connection(&api, "beta", &["toolforge"]).await;

    bindings.delete("alpha", &DeleteParams::default()).await.unwrap();
    ends(alpha).await;
    // The end of the connection may come without TLS' own goodbye.
    assert_eq!(within(lost.read(&mut [0; 8])).await.unwrap_or(0), 0);
    let maps: Api<ConfigMap> = Api::namespaced(api.over_tls("alpha", &["toolforge"]).await, "default");
    let again = maps.watch(&WatchParams::default(), "0").await.map(|_| ());
    assert_eq!(refused(again).0, 403);

    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    maps.create(&PostParams::default(), &config_map("later", &json!({})))
        .await
        .unwrap();
    sees(&mut beta, "later").await;
    kept.write_all(b"again").await.unwrap();
    let mut said = [0; 10];
    within(kept.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"againagain");
    drop((lost, kept, beta));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_shrinks_ends_what_it_allowed_and_one_that_grows_does_not() {
    let api = Harness::start().await;
    role(&api).await;
    bind(&api, "alpha").await;
    let mut events = watch(&api, "alpha").await;
    let roles: Api<ClusterRole> = Api::all(api.admin());
    let allowed = |verbs: &[&str]| {
        Patch::Merge(json!({ "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": verbs }] }))
    };
    let parameters = PatchParams::default();
    roles
        .patch("watcher", &parameters, &allowed(&["get", "list", "watch"]))
        .await
        .unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    maps.create(&PostParams::default(), &config_map("later", &json!({})))
        .await
        .unwrap();
    sees(&mut events, "later").await;
    roles
        .patch("watcher", &parameters, &allowed(&["list"]))
        .await
        .unwrap();
    ends(events).await;
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_allowed_by_another_binding_keeps_the_watch() {
    let api = Harness::start().await;
    role(&api).await;
    let bindings = bind(&api, "alpha").await;
    let everywhere: Api<ClusterRoleBinding> = Api::all(api.admin());
    everywhere
        .create(&PostParams::default(), &object(binding("alpha")))
        .await
        .unwrap();
    let mut events = watch(&api, "alpha").await;
    bindings.delete("alpha", &DeleteParams::default()).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    maps.create(&PostParams::default(), &config_map("later", &json!({})))
        .await
        .unwrap();
    sees(&mut events, "later").await;
    everywhere
        .delete("alpha", &DeleteParams::default())
        .await
        .unwrap();
    ends(events).await;
    api.stop().await;
}
