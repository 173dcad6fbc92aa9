//! Accounts that are locked or gone: what they lose, when, and how it comes back.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::CronJob,
    core::v1::{ConfigMap, Namespace, Pod, Secret},
    rbac::v1::{ClusterRoleBinding, RoleBinding},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use ldap3::Mod;
use serde_json::{Value, json};
use toolforge_accounts::{RemovalsError, approve, pending};
use toolforge_policy::psp;

use crate::{
    scratch::{Platform, wait, within},
    servers::{BASE, Which},
};

on_both!(
    a_locked_tool_loses_access_and_rests_and_comes_back_as_it_was,
    a_removed_tool_is_whole_again_within_the_grace_period,
    more_removals_than_are_believed_wait_for_an_approval_of_exactly_them,
    an_empty_directory_removes_nothing,
    a_removed_admin_loses_their_rights_at_once,
);

/// Long enough that nothing is deleted while a test runs.
const NEVER: Duration = Duration::from_hours(1);

pub(crate) fn tool_dn(tool: &str) -> String {
    format!("uid=tools.{tool},ou=people,ou=servicegroups,{BASE}")
}

pub(crate) async fn lock(platform: &Platform, dn: &str, locked: bool) {
    let since = if locked {
        HashSet::from(["20261126000000Z"])
    } else {
        HashSet::new()
    };
    let change = vec![Mod::Replace("pwdAccountLockedTime", since)];
    let mut directory = platform.directory().await;
    directory.modify(dn, change).await.unwrap().success().unwrap();
}

pub(crate) async fn remove(platform: &Platform, tools: &[&str]) {
    let mut directory = platform.directory().await;
    for tool in tools {
        directory.delete(&tool_dn(tool)).await.unwrap().success().unwrap();
    }
}

/// Puts a tool's entry back as the directory had it.
async fn put_back(platform: &Platform, tool: &str, uid: u32) {
    let (name, number) = (format!("tools.{tool}"), uid.to_string());
    let home = platform.home(tool).display().to_string();
    let entry: Vec<(&str, HashSet<&str>)> = vec![
        ("objectClass", HashSet::from(["person", "posixAccount"])),
        ("uid", HashSet::from([name.as_str()])),
        ("sn", HashSet::from([name.as_str()])),
        ("cn", HashSet::from([name.as_str()])),
        ("uidNumber", HashSet::from([number.as_str()])),
        ("gidNumber", HashSet::from([number.as_str()])),
        ("homeDirectory", HashSet::from([home.as_str()])),
    ];
    let mut directory = platform.directory().await;
    directory
        .add(&tool_dn(tool), entry)
        .await
        .unwrap()
        .success()
        .unwrap();
}

async fn create<K>(client: &Client, namespace: &str, object: Value)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + serde::Serialize
        + serde::de::DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
}

fn pod_spec() -> Value {
    json!({ "automountServiceAccountToken": false, "containers": [{ "name": "main", "image": "x" }] })
}

/// What a tool may have: a Deployment of two, a schedule, a Pod by itself, and a Secret.
pub(crate) async fn work(platform: &Platform, tool: &str) {
    let (client, namespace) = (&platform.admin, format!("tool-{tool}"));
    let labels = json!({ "app": "web" });
    let template = json!({ "metadata": { "labels": labels }, "spec": pod_spec() });
    let deployment = json!({ "metadata": { "name": "web" }, "spec": { "replicas": 2, "selector": { "matchLabels": labels }, "template": template } });
    create::<Deployment>(client, &namespace, deployment).await;
    let mut once = pod_spec();
    once["restartPolicy"] = json!("Never");
    let schedule = json!({ "metadata": { "name": "daily" }, "spec": { "schedule": "0 0 * * *", "jobTemplate": { "spec": { "template": { "spec": once } } } } });
    create::<CronJob>(client, &namespace, schedule).await;
    create::<Pod>(
        client,
        &namespace,
        json!({ "metadata": { "name": "shell" }, "spec": pod_spec() }),
    )
    .await;
    create::<Secret>(
        client,
        &namespace,
        json!({ "metadata": { "name": "own" }, "stringData": { "word": "xyzzy" } }),
    )
    .await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    until(async || pods.list(&ListParams::default()).await.unwrap().items.len() == 3).await;
}

/// Asks until the answer is yes.
pub(crate) async fn until(mut question: impl AsyncFnMut() -> bool) {
    within(async {
        while !question().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn may(client: &Client, tool: &str) -> bool {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &format!("tool-{tool}"));
    match pods.list(&ListParams::default()).await {
        Err(kube::Error::Api(status)) if status.is_forbidden() => false,
        answer => {
            answer.unwrap();
            true
        }
    }
}

async fn stopped(platform: &Platform, tool: &str) {
    let namespace = format!("tool-{tool}");
    let deployments: Api<Deployment> = Api::namespaced(platform.admin.clone(), &namespace);
    let rests = |found: Option<&Deployment>| found.is_some_and(|found| found.spec.replicas == Some(0));
    wait(deployments, "web", rests).await;
    let schedules: Api<CronJob> = Api::namespaced(platform.admin.clone(), &namespace);
    let rests = |found: Option<&CronJob>| found.is_some_and(|found| found.spec.suspend == Some(true));
    wait(schedules, "daily", rests).await;
    let pods: Api<Pod> = Api::namespaced(platform.admin.clone(), &namespace);
    until(async || {
        let pods = pods.list(&ListParams::default()).await.unwrap();
        pods.iter().all(|pod| pod.metadata.deletion_timestamp.is_some())
    })
    .await;
}

async fn runs(platform: &Platform, tool: &str) {
    let namespace = format!("tool-{tool}");
    let deployments: Api<Deployment> = Api::namespaced(platform.admin.clone(), &namespace);
    let works = |found: Option<&Deployment>| found.is_some_and(|found| found.spec.replicas == Some(2));
    wait(deployments, "web", works).await;
    let schedules: Api<CronJob> = Api::namespaced(platform.admin.clone(), &namespace);
    let works = |found: Option<&CronJob>| found.is_some_and(|found| found.spec.suspend == Some(false));
    wait(schedules, "daily", works).await;
}

fn has_annotation(name: &'static str, value: Option<&'static str>) -> impl Fn(Option<&Namespace>) -> bool {
    move |found: Option<&Namespace>| {
        found.is_some_and(|found| found.annotations().get(name).map(String::as_str) == value)
    }
}

async fn withdrawn(platform: &Platform, tool: &str, value: Option<&'static str>) {
    let namespaces: Api<Namespace> = Api::all(platform.admin.clone());
    let said = has_annotation("toolforge.org/withdrawn", value);
    wait(namespaces, &format!("tool-{tool}"), said).await;
}

fn archives(platform: &Platform) -> Vec<PathBuf> {
    let Ok(files) = std::fs::read_dir(platform.archive()) else {
        return Vec::new();
    };
    files.map(|file| file.unwrap().path()).collect()
}

pub(crate) async fn a_locked_tool_loses_access_and_rests_and_comes_back_as_it_was(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001), ("beta", 50002)]).await;
    let (_service, _) = platform.serve().await;
    work(&platform, "alpha").await;
    let tool = platform.client_of(&platform.home("alpha")).await;
    assert!(may(&tool, "alpha").await);
    let certificate = platform.certificate("alpha");

    lock(&platform, &tool_dn("alpha"), true).await;
    let begun = std::time::Instant::now();
    until(async || !may(&tool, "alpha").await).await;
    println!("access was gone after {:?}", begun.elapsed());
    stopped(&platform, "alpha").await;
    let mark = platform.home("alpha").join("k8s.disabled");
    until(async || mark.exists()).await;
    withdrawn(&platform, "alpha", Some("locked")).await;
    let beta = platform.client_of(&platform.home("beta")).await;
    assert!(may(&beta, "beta").await);

    lock(&platform, &tool_dn("alpha"), false).await;
    withdrawn(&platform, "alpha", None).await;
    runs(&platform, "alpha").await;
    assert!(may(&tool, "alpha").await, "with the credentials of before");
    assert_eq!(platform.certificate("alpha"), certificate);
    assert!(!mark.exists());
    let secrets: Api<Secret> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    assert!(secrets.get("own").await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_tool_is_archived_and_deleted_after_its_grace_period_and_made_anew_when_unlocked() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    let (_service, _) = platform
        .serve_with(|config| config.lifecycle.locked_grace = Duration::from_millis(200))
        .await;
    work(&platform, "alpha").await;
    lock(&platform, &tool_dn("alpha"), true).await;
    let namespaces: Api<Namespace> = Api::all(platform.admin.clone());
    wait(namespaces.clone(), "tool-alpha", |found: Option<&Namespace>| {
        found.is_none()
    })
    .await;
    let kind = GroupVersionKind::gvk(psp::GROUP, psp::VERSION, psp::KIND);
    let policies: Api<DynamicObject> = Api::all_with(
        platform.admin.clone(),
        &ApiResource::from_gvk_with_plural(&kind, psp::PLURAL),
    );
    assert!(policies.get_opt("tool-alpha-psp").await.unwrap().is_none());
    let [archive] = archives(&platform).try_into().unwrap();
    let text = std::fs::read_to_string(archive).unwrap();
    for part in [
        "kind: Deployment",
        "replicas: 2",
        "kind: CronJob",
        "kind: Secret",
        "eHl6enk=",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        platform.home("alpha").join(".toolskube/client.crt").exists(),
        "homes are never touched"
    );

    lock(&platform, &tool_dn("alpha"), false).await;
    platform.marker("alpha", |_| true).await;
    let tool = platform.client_of(&platform.home("alpha")).await;
    assert!(may(&tool, "alpha").await);
    assert!(!platform.home("alpha").join("k8s.disabled").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_is_locked_from_the_beginning_gets_nothing() {
    let platform = Platform::start_with(&[("alpha", 50001), ("beta", 50002)], |text| {
        text.replace(
            "sn: tools.alpha\nuidNumber",
            "sn: tools.alpha\npwdAccountLockedTime: 000001010000Z\nuidNumber",
        )
    })
    .await;
    let (_service, summary) = platform.serve().await;
    assert_eq!(summary.failing, vec![]);
    let namespaces: Api<Namespace> = Api::all(platform.admin.clone());
    assert!(namespaces.get_opt("tool-alpha").await.unwrap().is_none());
    assert!(!platform.home("alpha").exists());
}

pub(crate) async fn a_removed_tool_is_whole_again_within_the_grace_period(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001), ("beta", 50002), ("gamma", 50003)]).await;
    let (service, _) = platform.serve().await;
    work(&platform, "alpha").await;
    let tool = platform.client_of(&platform.home("alpha")).await;
    remove(&platform, &["alpha"]).await;
    until(async || !may(&tool, "alpha").await).await;
    stopped(&platform, "alpha").await;
    withdrawn(&platform, "alpha", Some("removed")).await;
    until(async || archives(&platform).len() == 1).await;
    service.stop().await;
    let (_service, _) = platform.serve().await;
    put_back(&platform, "alpha", 50001).await;
    withdrawn(&platform, "alpha", None).await;
    runs(&platform, "alpha").await;
    assert!(may(&tool, "alpha").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_tool_is_deleted_when_its_grace_period_is_over_also_by_the_next_service() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002), ("gamma", 50003)]).await;
    let (service, _) = platform
        .serve_with(|config| config.lifecycle.removed_grace = NEVER)
        .await;
    remove(&platform, &["alpha"]).await;
    withdrawn(&platform, "alpha", Some("removed")).await;
    until(async || archives(&platform).len() == 1).await;
    service.stop().await;
    let (_service, _) = platform
        .serve_with(|config| config.lifecycle.removed_grace = Duration::from_millis(1))
        .await;
    let namespaces: Api<Namespace> = Api::all(platform.admin.clone());
    wait(namespaces, "tool-alpha", |found: Option<&Namespace>| {
        found.is_none()
    })
    .await;
    assert!(platform.home("alpha").join("logs").exists());
}

pub(crate) async fn more_removals_than_are_believed_wait_for_an_approval_of_exactly_them(which: Which) {
    let tools: Vec<(String, u32)> = (1..=6)
        .map(|number| (format!("t{number}"), 50000 + number))
        .collect();
    let tools: Vec<(&str, u32)> = tools.iter().map(|(name, uid)| (name.as_str(), *uid)).collect();
    let platform = Platform::start_on(which, &tools).await;
    let careful = |config: &mut toolforge_accounts::Config| {
        config.lifecycle.most_removals = 2;
        config.lifecycle.most_removals_percent = 100;
        config.lifecycle.removal_pause = Duration::from_millis(1);
    };
    let (service, _) = platform.serve_with(careful).await;
    let client = &platform.admin;
    let tool = platform.client_of(&platform.home("t1")).await;
    // While nobody reads: the next reading misses all three at once.
    service.stop().await;
    remove(&platform, &["t1", "t2", "t3"]).await;
    let (service, _) = platform.serve_with(careful).await;
    until(async || {
        pending(client)
            .await
            .unwrap()
            .is_some_and(|waiting| waiting.accounts.len() == 3)
    })
    .await;
    let first = pending(client).await.unwrap().unwrap();
    assert!(may(&tool, "t1").await, "nothing has happened");

    // A restart forgets nothing, and another removal makes another set.
    service.stop().await;
    let (_service, _) = platform.serve_with(careful).await;
    assert_eq!(pending(client).await.unwrap().unwrap().digest(), first.digest());
    // Nor does a ledger that somebody deletes.
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), toolforge_accounts::ADMIN_NAMESPACE);
    maps.delete("toolforge-removals", &DeleteParams::default())
        .await
        .unwrap();
    until(async || {
        pending(client)
            .await
            .unwrap()
            .is_some_and(|waiting| waiting.digest() == first.digest())
    })
    .await;
    remove(&platform, &["t4"]).await;
    until(async || {
        pending(client)
            .await
            .unwrap()
            .is_some_and(|waiting| waiting.accounts.len() == 4)
    })
    .await;
    let refused = approve(client, &first.digest()).await.unwrap_err();
    assert!(matches!(refused, RemovalsError::Another { .. }), "{refused}");
    assert!(may(&tool, "t1").await);

    let second = pending(client).await.unwrap().unwrap();
    approve(client, &second.digest()).await.unwrap();
    for name in ["t1", "t2", "t3", "t4"] {
        withdrawn(&platform, name, Some("removed")).await;
    }
    assert!(!may(&tool, "t1").await);
    until(async || pending(client).await.unwrap().is_none()).await;
    assert!(matches!(
        approve(client, &second.digest()).await,
        Err(RemovalsError::NothingWaits)
    ));
    withdrawn(&platform, "t5", None).await;
}

pub(crate) async fn an_empty_directory_removes_nothing(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001), ("beta", 50002)]).await;
    let impatient =
        |config: &mut toolforge_accounts::Config| config.lifecycle.removed_grace = Duration::from_millis(1);
    let (service, _) = platform.serve_with(impatient).await;
    let tool = platform.client_of(&platform.home("alpha")).await;
    service.stop().await;
    remove(&platform, &["alpha", "beta"]).await;
    let (_service, _) = platform.serve_with(impatient).await;
    until(async || {
        pending(&platform.admin)
            .await
            .unwrap()
            .is_some_and(|waiting| waiting.accounts.len() == 2)
    })
    .await;
    assert!(may(&tool, "alpha").await);
    put_back(&platform, "alpha", 50001).await;
    put_back(&platform, "beta", 50002).await;
    until(async || pending(&platform.admin).await.unwrap().is_none()).await;
    withdrawn(&platform, "alpha", None).await;
    assert!(may(&tool, "alpha").await);
}

pub(crate) async fn a_removed_admin_loses_their_rights_at_once(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001)]).await;
    let group = format!("cn=tools.admin,ou=servicegroups,{BASE}");
    let grace = format!("uid=grace,ou=people,{BASE}");
    let mut directory = platform.directory().await;
    let both = vec![Mod::Add("member", HashSet::from([grace.as_str()]))];
    directory.modify(&group, both).await.unwrap().success().unwrap();
    let (_service, summary) = platform.serve().await;
    assert_eq!((summary.admins, summary.failing), (2, vec![]));
    let admin = platform.client_of(&platform.folder.path().join("home/ada")).await;
    assert!(may(&admin, "alpha").await);

    let ada = format!("uid=ada,ou=people,{BASE}");
    let gone = vec![Mod::Delete("member", HashSet::from([ada.as_str()]))];
    directory.modify(&group, gone).await.unwrap().success().unwrap();
    until(async || !may(&admin, "alpha").await).await;
    let bindings: Api<ClusterRoleBinding> = Api::all(platform.admin.clone());
    for name in ["ada-binding", "ada-view-binding"] {
        wait(bindings.clone(), name, |found: Option<&ClusterRoleBinding>| {
            found.is_none()
        })
        .await;
    }
    let markers: Api<ConfigMap> = Api::namespaced(platform.admin.clone(), "maintain-kubeusers");
    let forgotten = |found: Option<&ConfigMap>| {
        let data = found.and_then(|found| found.data.as_ref()).unwrap();
        !data.contains_key("ada") && data.contains_key("grace")
    };
    wait(markers, "maintain-kubeusers", forgotten).await;
    assert!(bindings.get("grace-binding").await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_admin_is_none_until_unlocked() {
    let platform = Platform::start(&[("alpha", 50001)]).await;
    let (_service, _) = platform.serve().await;
    let admin = platform.client_of(&platform.folder.path().join("home/ada")).await;
    let dn = format!("uid=ada,ou=people,{BASE}");
    lock(&platform, &dn, true).await;
    until(async || !may(&admin, "alpha").await).await;
    lock(&platform, &dn, false).await;
    until(async || may(&admin, "alpha").await || renewed(&platform).await).await;
}

/// Whether the admin's new credentials work: the marker was forgotten with the rights.
async fn renewed(platform: &Platform) -> bool {
    let admin = platform.client_of(&platform.folder.path().join("home/ada")).await;
    may(&admin, "alpha").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_that_somebody_gives_back_to_a_locked_tool_goes_again() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    let (_service, _) = platform.serve().await;
    let bindings: Api<RoleBinding> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    let mut binding = bindings.get("alpha-tool-binding").await.unwrap();
    lock(&platform, &tool_dn("alpha"), true).await;
    wait(
        bindings.clone(),
        "alpha-tool-binding",
        |found: Option<&RoleBinding>| found.is_none(),
    )
    .await;
    binding.metadata.resource_version = None;
    binding.metadata.uid = None;
    bindings.create(&PostParams::default(), &binding).await.unwrap();
    wait(bindings, "alpha-tool-binding", |found: Option<&RoleBinding>| {
        found.is_none()
    })
    .await;
}
