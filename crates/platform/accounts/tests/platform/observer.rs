//! A tool that the overrides let see the whole cluster: from when, with what, and until when.

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{Namespace, Node, ServiceAccount},
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use toolforge_accounts::{OBSERVER_ROLE, Overrides};

use crate::{
    lifecycle::{lock, tool_dn, until},
    scratch::{Platform, wait},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_sees_the_whole_cluster_as_long_as_the_overrides_say_so_and_it_is_not_locked() {
    let platform = Platform::start(&[("alpha", 50001)]).await;
    let role = serde_json::from_value(json!({
        "metadata": { "name": OBSERVER_ROLE },
        "rules": [{ "apiGroups": [""], "resources": ["nodes"], "verbs": ["list"] }],
    }));
    let roles: Api<ClusterRole> = Api::all(platform.admin.clone());
    roles
        .create(&PostParams::default(), &role.unwrap())
        .await
        .unwrap();
    let (sender, receiver) = tokio::sync::watch::channel(Arc::default());
    let (_service, _) = platform.serve_with(|config| config.overrides = receiver).await;
    let ada = platform.folder.path().join("home/ada");
    let (user, group) = (
        "system:serviceaccount:tool-alpha:alpha-obs",
        "system:serviceaccounts",
    );
    let observer: Api<Node> = Api::all(platform.impersonating(&ada, user, group).await);
    let sees = async || observer.list(&ListParams::default()).await.is_ok();
    assert!(!sees().await);

    let say = |text: &str| sender.send(Overrides::read(text).unwrap().into()).unwrap();
    say("tools: { alpha: { observer: true } }");
    until(sees).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    accounts.get("alpha-obs").await.unwrap();
    // It drifts like all the rest, and is repaired.
    let bindings: Api<ClusterRoleBinding> = Api::all(platform.admin.clone());
    bindings
        .delete("alpha-obs", &DeleteParams::default())
        .await
        .unwrap();
    until(sees).await;

    lock(&platform, &tool_dn("alpha"), true).await;
    until(async || !sees().await).await;
    lock(&platform, &tool_dn("alpha"), false).await;
    until(sees).await;

    say("");
    until(async || !sees().await).await;
    let is_gone = |found: Option<&ServiceAccount>| found.is_none();
    wait(accounts, "alpha-obs", is_gone).await;

    // What is in no namespace belongs to the tool's, so that it goes with it.
    say("tools: { alpha: { observer: true } }");
    until(sees).await;
    let namespaces: Api<Namespace> = Api::all(platform.admin.clone());
    let namespace = namespaces.get("tool-alpha").await.unwrap();
    let owners = bindings.get("alpha-obs").await.unwrap().metadata.owner_references;
    assert_eq!(owners.unwrap()[0].uid, namespace.metadata.uid.unwrap());
}
