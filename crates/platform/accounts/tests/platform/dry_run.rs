//! The dry run: what it says of clusters in all states, that the service then does just that, and that it itself does nothing.

use std::{collections::BTreeSet, fmt::Debug, fs, os::unix::fs::MetadataExt as _, path::Path};

use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::CronJob,
    core::v1::{ConfigMap, LimitRange, Namespace, ResourceQuota},
    networking::v1::NetworkPolicy,
    rbac::v1::{ClusterRoleBinding, Role, RoleBinding},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use toolforge_accounts::{AccountPlan, Config, DryRun, Overrides, Standing, Target, Verb, dry_run};
use toolforge_model::labels;

use crate::{
    lifecycle::{lock, remove, tool_dn, until, work},
    scratch::{Platform, within},
};

fn config(platform: &Platform) -> Config {
    let mut config = Config::new(
        platform.ldap("reader"),
        platform.homes(),
        platform.folder.path().join("home"),
    );
    config.lifecycle.archive = platform.archive();
    config
}

/// Lets the service run until there is nothing to do any more: it learns of its own namespaces a moment after it made them.
async fn settle(platform: &Platform) {
    let (service, summary) = platform.serve().await;
    assert_eq!(summary.failing, []);
    let config = config(platform);
    until(async || {
        let found = dry_run(&platform.service_client(), &config).await;
        found.unwrap().is_settled()
    })
    .await;
    within(service.stop()).await;
}

/// As the service would run it, with its rights; whatever it says, it has changed nothing.
async fn run(platform: &Platform, config: &Config) -> DryRun {
    let before = everything(platform).await;
    let found = dry_run(&platform.service_client(), config).await.unwrap();
    assert_eq!(everything(platform).await, before, "a dry run changes nothing");
    found
}

/// Each object that the service may touch, by version, and each file of homes and archive, by number and time.
async fn everything(platform: &Platform) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    versions::<Namespace>(platform, &mut found).await;
    versions::<ConfigMap>(platform, &mut found).await;
    versions::<LimitRange>(platform, &mut found).await;
    versions::<Role>(platform, &mut found).await;
    versions::<RoleBinding>(platform, &mut found).await;
    versions::<ClusterRoleBinding>(platform, &mut found).await;
    versions::<NetworkPolicy>(platform, &mut found).await;
    workloads::<Deployment>(platform, &mut found).await;
    workloads::<CronJob>(platform, &mut found).await;
    // The usage in a quota's status is its controller's.
    let quotas: Api<ResourceQuota> = Api::all(platform.admin.clone());
    for quota in quotas.list(&ListParams::default()).await.unwrap().items {
        found.insert(format!("{} {:?}", quota.name_any(), quota.spec));
    }
    for root in [
        platform.homes(),
        platform.folder.path().join("home"),
        platform.archive(),
    ] {
        files(&root, &mut found);
    }
    found
}

async fn versions<K>(platform: &Platform, found: &mut BTreeSet<String>)
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let ours = ListParams::default().labels(&format!("{}=toolforge-accounts", labels::MANAGED_BY));
    let api: Api<K> = Api::all(platform.admin.clone());
    for object in api.list(&ours).await.unwrap().items {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let version = object.resource_version();
        found.insert(format!("{} {namespace}/{name} {version:?}", K::kind(&())));
    }
}

/// Of these the controllers write the status; the generation changes with what is asked of them.
async fn workloads<K>(platform: &Platform, found: &mut BTreeSet<String>)
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::all(platform.admin.clone());
    for object in api.list(&ListParams::default()).await.unwrap().items {
        let generation = object.meta().generation;
        found.insert(format!("{} {} {generation:?}", K::kind(&()), object.name_any()));
    }
}

fn files(path: &Path, found: &mut BTreeSet<String>) {
    let Ok(data) = path.symlink_metadata() else { return };
    found.insert(format!(
        "{} {} {}.{}",
        path.display(),
        data.ino(),
        data.mtime(),
        data.mtime_nsec()
    ));
    if data.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), found);
        }
    }
}

fn of<'a>(found: &'a DryRun, account: &str) -> &'a AccountPlan {
    let plan = found.accounts.iter().find(|plan| plan.account == account);
    plan.unwrap_or_else(|| panic!("{account} is not in\n{found}"))
}

/// `verb target`, in the order of the steps.
fn steps(plan: &AccountPlan) -> Vec<String> {
    let step = |step: &toolforge_accounts::Step| format!("{:?} {}", step.verb, step.target);
    plan.steps.iter().map(step).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_an_empty_cluster_it_names_what_the_service_then_makes_and_afterwards_there_is_nothing_to_do() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002), ("a_b", 50003)]).await;
    let config = config(&platform);
    let first = run(&platform, &config).await;
    let accounts: Vec<&str> = first.accounts.iter().map(|plan| plan.account.as_str()).collect();
    assert_eq!(accounts, ["tool alpha", "tool beta", "admin ada", "tool a_b"]);
    let alpha = of(&first, "tool alpha");
    let home = platform.home("alpha").display().to_string();
    assert_eq!(
        steps(alpha),
        [
            "Create Namespace tool-alpha".to_owned(),
            "Create ResourceQuota tool-alpha/tool-alpha".to_owned(),
            "Create LimitRange tool-alpha/tool-alpha".to_owned(),
            "Create RoleBinding tool-alpha/alpha-tool-binding".to_owned(),
            "Create PodSecurityPolicy tool-alpha-psp".to_owned(),
            "Create Role tool-alpha/tool-alpha-psp".to_owned(),
            "Create RoleBinding tool-alpha/tool-alpha-psp-binding".to_owned(),
            "Create RoleBinding tool-alpha/default-alpha-psp-binding".to_owned(),
            format!("Write {home}"),
            format!("Issue {home}/.toolskube"),
            format!("Write {home}/.kube/config"),
            "Create ConfigMap tool-alpha/maintain-kubeusers".to_owned(),
        ]
    );
    assert_eq!(of(&first, "tool a_b").standing, Standing::Skipped);
    assert!(!first.is_settled());

    settle(&platform).await;
    let roles: Api<Role> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    assert_eq!(roles.list(&ListParams::default()).await.unwrap().items.len(), 1);
    for step in &alpha.steps {
        if let Target::File(path) = &step.target {
            assert!(path.exists(), "{step}");
        }
    }
    let second = run(&platform, &config).await;
    assert!(second.is_settled(), "{second}");
    // The tool `a_b` stays what it is.
    let last = "nothing would be done; 1 account has a problem, as is said above\n";
    assert!(second.to_string().ends_with(last), "{second}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_names_what_drifted_field_by_field() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    settle(&platform).await;
    let quotas: Api<ResourceQuota> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    let more = json!({ "spec": { "hard": { "pods": "99", "count/statefulsets.apps": "2" } } });
    quotas
        .patch("tool-alpha", &PatchParams::default(), &Patch::Merge(more))
        .await
        .unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    bindings
        .delete("alpha-tool-binding", &DeleteParams::default())
        .await
        .unwrap();
    fs::remove_file(platform.home("alpha").join(".kube/config")).unwrap();
    fs::write(platform.home("beta").join(".kube/config"), "{").unwrap();
    let mut config = config(&platform);
    let found = run(&platform, &config).await;
    let alpha = of(&found, "tool alpha");
    let kubeconfig = platform.home("alpha").join(".kube/config");
    assert_eq!(
        steps(alpha),
        [
            "Change ResourceQuota tool-alpha/tool-alpha".to_owned(),
            "Create RoleBinding tool-alpha/alpha-tool-binding".to_owned(),
            format!("Write {}", kubeconfig.display()),
        ]
    );
    let fields: Vec<String> = alpha.steps[0].fields.iter().map(ToString::to_string).collect();
    assert_eq!(
        fields,
        [
            "spec.hard[count/statefulsets.apps]: \"2\" -> nothing",
            "spec.hard.pods: \"99\" -> \"10\"",
        ]
    );
    let beta = of(&found, "tool beta");
    assert_eq!(
        (beta.steps.len(), beta.steps[0].verb),
        (1, Verb::Leave),
        "{found}"
    );
    let printed: Value = serde_json::to_value(&found).unwrap();
    assert_eq!(printed["accounts"][0]["steps"][0]["fields"][1]["old"], "99");

    // What the configuration changes is named as well.
    let overrides = Overrides::read("tools: { beta: { quota: { pods: 20 } } }").unwrap();
    config.overrides = tokio::sync::watch::channel(overrides.into()).1;
    let found = run(&platform, &config).await;
    let fields = &of(&found, "tool beta").steps[0].fields;
    assert_eq!(fields[0].to_string(), "spec.hard.pods: \"10\" -> \"20\"");

    let home = platform.home("beta");
    fs::rename(&home, platform.folder.path().join("aside")).unwrap();
    std::os::unix::fs::symlink(platform.folder.path().join("aside"), &home).unwrap();
    let found = run(&platform, &config).await;
    let problem = of(&found, "tool beta").problem.clone().unwrap();
    assert!(problem.contains("beta"), "{problem}");
    assert_eq!(of(&found, "tool alpha").problem, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removals_are_named_with_what_they_take_and_whether_they_wait() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    settle(&platform).await;
    work(&platform, "alpha").await;
    remove(&platform, &["alpha"]).await;
    let config = config(&platform);
    let found = run(&platform, &config).await;
    let alpha = of(&found, "tool alpha");
    assert_eq!(alpha.standing, Standing::Removed);
    let told = steps(alpha);
    let archive = told.last().unwrap().clone();
    assert!(archive.contains("archive/tool-alpha-"), "{archive}");
    assert_eq!(
        told[..told.len() - 1],
        [
            "Delete RoleBinding tool-alpha/alpha-tool-binding",
            "Delete RoleBinding tool-alpha/tool-alpha-psp-binding",
            "Delete RoleBinding tool-alpha/default-alpha-psp-binding",
            "Change Namespace tool-alpha",
            "Stop CronJob tool-alpha/daily",
            "Stop Deployment tool-alpha/web",
            "Delete Pod tool-alpha/shell",
        ]
    );
    let note = alpha.steps.last().unwrap().note.clone().unwrap();
    assert!(
        note.contains("1 Deployment") && note.contains("1 Secret"),
        "{note}"
    );

    // A directory without any tool is not believed.
    remove(&platform, &["beta"]).await;
    let found = run(&platform, &config).await;
    assert_eq!(of(&found, "tool alpha").standing, Standing::Waiting);
    assert_eq!(of(&found, "tool beta").standing, Standing::Waiting);
    assert!(
        found.to_string().contains("2 would wait for an approval"),
        "{found}"
    );
    assert_eq!(toolforge_accounts::pending(&platform.admin).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lock_takes_is_named_and_what_unlocking_gives_back() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    settle(&platform).await;
    work(&platform, "alpha").await;
    lock(&platform, &tool_dn("alpha"), true).await;
    let config = config(&platform);
    let mark = platform.home("alpha").join("k8s.disabled");
    let found = run(&platform, &config).await;
    let alpha = of(&found, "tool alpha");
    assert_eq!(
        (alpha.standing, alpha.steps.len()),
        (Standing::Locked, 8),
        "{found}"
    );
    let said = &alpha.steps[3].fields[0];
    assert!(
        said.path
            .starts_with("metadata.annotations[toolforge.org/withdrawn"),
        "{said}"
    );
    assert_eq!(alpha.steps[7].target, Target::File(mark.clone()));

    settle(&platform).await;
    assert!(mark.exists());
    let found = run(&platform, &config).await;
    assert!(found.is_settled(), "{found}");
    lock(&platform, &tool_dn("alpha"), false).await;
    let found = run(&platform, &config).await;
    assert_eq!(
        steps(of(&found, "tool alpha")),
        [
            format!("Remove {}", mark.display()),
            "Create RoleBinding tool-alpha/alpha-tool-binding".to_owned(),
            "Create RoleBinding tool-alpha/tool-alpha-psp-binding".to_owned(),
            "Create RoleBinding tool-alpha/default-alpha-psp-binding".to_owned(),
            "Start CronJob tool-alpha/daily".to_owned(),
            "Start Deployment tool-alpha/web".to_owned(),
            "Change Namespace tool-alpha".to_owned(),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_named() {
    let platform = Platform::start(&[("alpha", 50001)]).await;
    settle(&platform).await;
    let tool = platform.client_of(&platform.home("alpha")).await;
    let error = dry_run(&tool, &config(&platform)).await.unwrap_err();
    assert!(error.to_string().contains("the cluster's namespaces"), "{error}");
    let homes = platform.homes();
    let nobody = Config::new(platform.ldap("nobody"), homes.clone(), homes);
    let error = dry_run(&platform.service_client(), &nobody).await.unwrap_err();
    assert!(error.to_string().contains("the directory"), "{error}");
}
