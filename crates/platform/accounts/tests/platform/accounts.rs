//! The cases.

use std::{collections::HashSet, os::unix::fs::MetadataExt as _};

use k8s_openapi::api::{
    certificates::v1::CertificateSigningRequest,
    core::v1::{ConfigMap, LimitRange, Namespace, Node, Pod, ResourceQuota, ServiceAccount},
    networking::v1::NetworkPolicy,
    rbac::v1::{ClusterRoleBinding, RoleBinding},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use ldap3::Mod;
use serde_json::json;
use toolforge_accounts::{Creation, EditError, MARKER, Overrides, State, create_tool};

use crate::{
    scratch::{Platform, wait, within},
    servers::{BASE, Which},
};

on_both!(
    a_tool_of_the_directory_gets_everything_and_its_credentials_work,
    admins_view_everything_change_nothing_and_may_act_as_others,
    a_deleted_marker_brings_new_credentials_every_time,
    a_marker_that_ends_in_29_days_brings_new_credentials_and_31_days_do_not,
    a_created_tool_works_at_once_and_mistakes_are_explained,
    one_bad_account_holds_up_nobody_and_is_taken_up_when_it_is_corrected,
    a_stale_request_of_the_same_name_is_replaced,
    what_users_wrote_in_their_homes_is_theirs,
);

fn forbidden<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> bool {
    matches!(result, Err(kube::Error::Api(status)) if status.is_forbidden())
}

async fn pods(client: &Client, namespace: &str) -> Result<usize, kube::Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    api.list(&ListParams::default())
        .await
        .map(|list| list.items.len())
}

pub(crate) async fn a_tool_of_the_directory_gets_everything_and_its_credentials_work(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001), ("beta", 50002)]).await;
    let (_service, summary) = platform.serve().await;
    assert_eq!((summary.tools, summary.admins, &summary.failing), (2, 1, &vec![]));

    let namespaces: Api<Namespace> = Api::all(platform.admin.clone());
    let namespace = namespaces.get("tool-alpha").await.unwrap();
    assert_eq!(
        (
            namespace.labels()["name"].as_str(),
            namespace.labels()["tenancy"].as_str()
        ),
        ("tool-alpha", "tool")
    );
    assert_eq!(namespace.annotations()["toolforge.org/uid"], "50001");
    assert_eq!(
        namespace.annotations()["toolforge.org/maintainers"],
        r#"[{"uid":"grace","name":"Grace Hopper"}]"#
    );
    Api::<ResourceQuota>::namespaced(platform.admin.clone(), "tool-alpha")
        .get("tool-alpha")
        .await
        .unwrap();
    Api::<LimitRange>::namespaced(platform.admin.clone(), "tool-alpha")
        .get("tool-alpha")
        .await
        .unwrap();
    Api::<RoleBinding>::namespaced(platform.admin.clone(), "tool-alpha")
        .get("alpha-tool-binding")
        .await
        .unwrap();
    let marker = platform.markers("alpha").get(MARKER).await.unwrap().data.unwrap();
    assert!(marker["status"].starts_with("user created: 20"), "{marker:?}");

    let home = platform.home("alpha");
    let mode = |path: &str| home.join(path).metadata().unwrap().mode() & 0o7777;
    assert_eq!(
        (mode(""), mode("logs"), mode(".kube/config")),
        (0o2775, 0o2775, 0o600)
    );
    assert_eq!(
        (mode(".toolskube/client.crt"), mode(".toolskube/client.key")),
        (0o400, 0o400)
    );
    if rustix::process::geteuid().is_root() {
        for path in [
            "",
            "logs",
            ".kube",
            ".kube/config",
            ".toolskube",
            ".toolskube/client.crt",
            ".toolskube/client.key",
        ] {
            let found = home.join(path).metadata().unwrap();
            assert_eq!((found.uid(), found.gid()), (50001, 50001), "{path}");
        }
    }
    let certified = toolforge_pki::read_certificate_pem(&platform.certificate("alpha")).unwrap();
    assert_eq!(
        (certified.common_name.as_str(), certified.organizations),
        ("alpha", vec!["toolforge".to_owned()])
    );

    let tool = platform.client_of(&home).await;
    assert_eq!(pods(&tool, "tool-alpha").await.unwrap(), 0);
    assert!(forbidden(pods(&tool, "tool-beta").await));
    let nodes: Api<Node> = Api::all(tool.clone());
    assert!(forbidden(nodes.list(&ListParams::default()).await));
    assert!(forbidden(
        Api::<ServiceAccount>::namespaced(tool.clone(), "tool-alpha")
            .list(&ListParams::default())
            .await
    ));
    let requests: Api<CertificateSigningRequest> = Api::all(platform.admin.clone());
    assert!(
        requests
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty(),
        "no request is left behind"
    );
}

pub(crate) async fn admins_view_everything_change_nothing_and_may_act_as_others(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001)]).await;
    let (_service, _) = platform.serve().await;
    let home = platform.folder.path().join("home/ada");
    assert_eq!(home.metadata().unwrap().mode() & 0o7777, 0o2700);
    let admin = platform.client_of(&home).await;
    assert_eq!(pods(&admin, "tool-alpha").await.unwrap(), 0);
    let maps: Api<ConfigMap> = Api::namespaced(admin.clone(), "tool-alpha");
    assert!(forbidden(maps.delete(MARKER, &DeleteParams::default()).await));
    let root = platform.impersonating(&home, "root", "system:masters").await;
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": "shell" },
        "spec": { "automountServiceAccountToken": false, "containers": [{ "name": "main", "image": "x" }] },
    }))
    .unwrap();
    let theirs: Api<Pod> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    theirs.create(&PostParams::default(), &pod).await.unwrap();
    let [own, as_root] = [&admin, &root].map(|client| Api::<Pod>::namespaced(client.clone(), "tool-alpha"));
    assert!(forbidden(own.delete("shell", &DeleteParams::default()).await));
    as_root.delete("shell", &DeleteParams::default()).await.unwrap();
    let bindings: Api<ClusterRoleBinding> = Api::all(platform.admin.clone());
    assert_eq!(
        bindings.get("ada-view-binding").await.unwrap().role_ref.name,
        "view"
    );
    assert_eq!(
        bindings.get("ada-binding").await.unwrap().role_ref.name,
        "k8s-admin"
    );
    let pem = std::fs::read_to_string(home.join(".admkube/client.crt")).unwrap();
    assert_eq!(
        toolforge_pki::read_certificate_pem(&pem).unwrap().organizations,
        ["admins"]
    );
}

pub(crate) async fn a_deleted_marker_brings_new_credentials_every_time(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001)]).await;
    let (_service, _) = platform.serve().await;
    let mut uid = platform.marker("alpha", |_| true).await.uid();
    // Each deletion comes while the account may still have a turn because of the one before.
    for _ in 0..8 {
        let before = platform.certificate("alpha");
        platform
            .markers("alpha")
            .delete(MARKER, &DeleteParams::default())
            .await
            .unwrap();
        let old = uid.clone();
        uid = platform
            .marker("alpha", move |marker| marker.uid() != old)
            .await
            .uid();
        assert_ne!(platform.certificate("alpha"), before);
    }
    let tool = platform.client_of(&platform.home("alpha")).await;
    pods(&tool, "tool-alpha").await.unwrap();
}

pub(crate) async fn a_marker_that_ends_in_29_days_brings_new_credentials_and_31_days_do_not(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001)]).await;
    let (_service, _) = platform.serve().await;
    let set = async |days: i64| {
        let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        let end = end.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let patch = Patch::Merge(json!({ "data": { "expires": end } }));
        platform
            .markers("alpha")
            .patch(MARKER, &PatchParams::default(), &patch)
            .await
            .unwrap();
        end
    };
    let before = platform.certificate("alpha");
    set(31).await;
    // The quota is repaired by a turn that began after the marker was changed: that turn left the credentials.
    drift_and_wait(&platform).await;
    assert_eq!(platform.certificate("alpha"), before);
    let end = set(29).await;
    platform
        .marker("alpha", move |marker| {
            marker.data.as_ref().unwrap()["expires"] > end
        })
        .await;
    assert_ne!(platform.certificate("alpha"), before);
}

pub(crate) async fn drift_and_wait(platform: &Platform) {
    let quotas: Api<ResourceQuota> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    // What somebody adds is taken out, too: the overrides are the only place that says what a quota bounds.
    let patch = Patch::Merge(json!({ "spec": { "hard": { "pods": "99", "count/statefulsets.apps": "2" } } }));
    quotas
        .patch("tool-alpha", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let repaired = |quota: Option<&ResourceQuota>| {
        quota
            .and_then(|quota| quota.spec.as_ref()?.hard.as_ref())
            .is_some_and(|hard| hard["pods"].0 == "10" && !hard.contains_key("count/statefulsets.apps"))
    };
    wait(quotas, "tool-alpha", repaired).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_drifts_is_repaired() {
    let platform = Platform::start(&[("alpha", 50001)]).await;
    let (_service, _) = platform.serve().await;
    drift_and_wait(&platform).await;
    let bindings: Api<RoleBinding> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    let name = "alpha-tool-binding";
    let uid = bindings.get(name).await.unwrap().uid();
    bindings.delete(name, &DeleteParams::default()).await.unwrap();
    wait(bindings.clone(), name, |found: Option<&RoleBinding>| {
        found.is_some_and(|found| found.uid() != uid)
    })
    .await;
    let patch = Patch::Merge(
        json!({ "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory" }] }),
    );
    bindings
        .patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
    let ours = |found: Option<&RoleBinding>| {
        found
            .and_then(|found| found.subjects.as_ref())
            .is_some_and(|subjects| subjects.len() == 1 && subjects[0].name == "alpha")
    };
    wait(bindings, name, ours).await;
    let namespaces: Api<Namespace> = Api::all(platform.admin.clone());
    let patch = Patch::Merge(
        json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": null, "tenancy": "x" } } }),
    );
    namespaces
        .patch("tool-alpha", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let labelled = |found: Option<&Namespace>| {
        found.is_some_and(|found| found.labels().get("tenancy").is_some_and(|value| value == "tool"))
    };
    wait(namespaces, "tool-alpha", labelled).await;
}

pub(crate) async fn a_created_tool_works_at_once_and_mistakes_are_explained(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001)]).await;
    let (_service, _) = platform.serve().await;
    let ldap = platform.ldap("admin");
    let creation = Creation::below(platform.homes());
    let maintainers = ["ada".to_owned(), "grace".to_owned()];
    let created = create_tool(&ldap, &creation, &"gamma".parse().unwrap(), &maintainers)
        .await
        .unwrap();
    assert_eq!((created.uid, created.home), (50000, platform.home("gamma")));
    platform.marker("gamma", |_| true).await;
    let tool = platform.client_of(&platform.home("gamma")).await;
    pods(&tool, "tool-gamma").await.unwrap();

    let again = create_tool(&ldap, &creation, &"gamma".parse().unwrap(), &maintainers).await;
    assert!(matches!(again, Err(EditError::Exists { .. })), "{again:?}");
    let unknown = create_tool(&ldap, &creation, &"delta".parse().unwrap(), &["adda".to_owned()])
        .await
        .unwrap_err();
    assert!(unknown.to_string().contains("did you mean ada"), "{unknown}");
    let next = create_tool(&ldap, &creation, &"delta".parse().unwrap(), &maintainers)
        .await
        .unwrap();
    assert_eq!(next.uid, 50002);
    let reader = create_tool(
        &platform.ldap("reader"),
        &creation,
        &"epsilon".parse().unwrap(),
        &maintainers,
    )
    .await;
    assert!(matches!(reader, Err(EditError::NotAllowed { .. })), "{reader:?}");
}

pub(crate) async fn one_bad_account_holds_up_nobody_and_is_taken_up_when_it_is_corrected(which: Which) {
    let platform = Platform::start_on_with(which, &[("alpha", 50001), ("beta", 50002)], |text| {
        text.replace("/project/alpha\n", "/elsewhere/alpha\n")
    })
    .await;
    let (_service, summary) = platform.serve().await;
    assert_eq!(summary.tools, 1);
    let (who, why) = &summary.failing[0];
    assert_eq!(who, "tool alpha");
    assert!(why.contains("homeDirectory") && why.contains("below"), "{why}");
    assert!(platform.markers("alpha").get_opt(MARKER).await.unwrap().is_none());
    platform.marker("beta", |_| true).await;

    let home = platform.home("alpha").display().to_string();
    let dn = format!("uid=tools.alpha,ou=people,ou=servicegroups,{BASE}");
    let change = vec![Mod::Replace("homeDirectory", HashSet::from([home.as_str()]))];
    platform
        .directory()
        .await
        .modify(&dn, change)
        .await
        .unwrap()
        .success()
        .unwrap();
    platform.marker("alpha", |_| true).await;
}

pub(crate) async fn a_stale_request_of_the_same_name_is_replaced(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001)]).await;
    let (_, csr) = toolforge_pki::new_request("mallory", &["toolforge"]).unwrap();
    let stale: CertificateSigningRequest = serde_json::from_value(json!({
        "metadata": { "name": "tool-alpha" },
        "spec": {
            "request": k8s_openapi::ByteString(csr.into_bytes()),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    }))
    .unwrap();
    Api::all(platform.admin.clone())
        .create(&PostParams::default(), &stale)
        .await
        .unwrap();
    let (_service, summary) = platform.serve().await;
    assert_eq!(summary.failing, vec![]);
    let certified = toolforge_pki::read_certificate_pem(&platform.certificate("alpha")).unwrap();
    assert_eq!(certified.common_name, "alpha");
}

pub(crate) async fn what_users_wrote_in_their_homes_is_theirs(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001), ("beta", 50002)]).await;
    let foreign = "apiVersion: v1\nkind: Config\nclusters:\n- name: own\n  cluster: {server: 'https://example.org'}\n\
                   users: []\ncontexts: []\ncurrent-context: own\n";
    for (tool, uid, text) in [("alpha", 50001, foreign), ("beta", 50002, "{ corrupt")] {
        let kube = platform.home(tool).join(".kube");
        std::fs::create_dir_all(&kube).unwrap();
        std::fs::write(kube.join("config"), text).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(platform.home(tool), Some(uid), Some(uid)).unwrap();
        }
    }
    let (_service, summary) = platform.serve().await;
    assert_eq!(
        summary.failing,
        vec![],
        "a kubeconfig that cannot be read is no failure of the account"
    );
    let read = |tool: &str| std::fs::read_to_string(platform.home(tool).join(".kube/config")).unwrap();
    assert_eq!(read("beta"), "{ corrupt");
    let merged = read("alpha");
    assert!(
        merged.contains("current-context: own") && merged.contains("tf-alpha"),
        "{merged}"
    );
    platform.certificate("beta");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_changes_nothing() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    let (service, _) = platform.serve().await;
    let before = (
        platform.certificate("alpha"),
        platform.markers("alpha").get(MARKER).await.unwrap(),
    );
    service.stop().await;
    let (service, _) = platform.serve().await;
    let after = (
        platform.certificate("alpha"),
        platform.markers("alpha").get(MARKER).await.unwrap(),
    );
    assert_eq!(before, after);
    within(service.stop()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_somebody_deletes_comes_back_with_new_credentials() {
    let platform = Platform::start(&[("alpha", 50001)]).await;
    let (_service, _) = platform.serve().await;
    let old = platform.marker("alpha", |_| true).await.uid();
    let namespaces: Api<Namespace> = Api::all(platform.admin.clone());
    namespaces
        .delete("tool-alpha", &DeleteParams::default())
        .await
        .unwrap();
    platform.marker("alpha", move |marker| marker.uid() != old).await;
    let tool = platform.client_of(&platform.home("alpha")).await;
    pods(&tool, "tool-alpha").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_account_is_listed_with_its_reason_and_told_as_an_event() {
    let platform = Platform::start_with(
        &[
            ("alpha", 50001),
            ("beta", 50002),
            ("gamma", 50002),
            ("a_b", 50003),
        ],
        |text| text.replace("/project/alpha\n", "/elsewhere/alpha\n"),
    )
    .await;
    let (_service, summary) = platform.serve().await;
    assert_eq!(summary.failing.len(), 3, "{:?}", summary.failing);
    let found = async |account: &str| {
        within(async {
            loop {
                let lines = toolforge_accounts::list(&platform.admin).await.unwrap();
                if let Some(line) = lines
                    .into_iter()
                    .find(|line| line.account == account && line.reason.is_some())
                {
                    return line;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    };
    let alpha = found("tool alpha").await;
    assert_eq!(alpha.state, State::Failing);
    assert!(alpha.reason.unwrap().contains("homeDirectory"));
    let beta = found("tool beta").await.reason.unwrap();
    assert!(
        beta.contains("uidNumber 50002 is also that of tool gamma"),
        "{beta}"
    );
    assert_eq!(found("tool a_b").await.state, State::Skipped);
    // What is published is published anew when somebody deletes it.
    let maps: Api<ConfigMap> = Api::namespaced(platform.admin.clone(), toolforge_accounts::ADMIN_NAMESPACE);
    maps.delete("toolforge-accounts", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(found("tool a_b").await.state, State::Skipped);
    let events: Api<k8s_openapi::api::core::v1::Event> = Api::all(platform.admin.clone());
    within(async {
        loop {
            let listed = events.list(&ListParams::default()).await.unwrap();
            let told = |event: &k8s_openapi::api::core::v1::Event| {
                event.reason.as_deref() == Some("AccountFailing")
                    && event
                        .message
                        .as_deref()
                        .is_some_and(|note| note.contains("tool gamma"))
            };
            if listed.iter().any(told) {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;

    // The later claim goes, and the other is taken up.
    let dn = format!("uid=tools.gamma,ou=people,ou=servicegroups,{BASE}");
    let change = vec![Mod::Replace("uidNumber", HashSet::from(["50004"]))];
    let mut directory = platform.directory().await;
    directory.modify(&dn, change).await.unwrap().success().unwrap();
    platform.marker("beta", |_| true).await;
    platform.marker("gamma", |_| true).await;
    // Whoever claims an old tool's id later gets nothing, and the old one goes on.
    let change = vec![Mod::Replace("uidNumber", HashSet::from(["50002"]))];
    directory.modify(&dn, change).await.unwrap().success().unwrap();
    let gamma = found("tool gamma").await.reason.unwrap();
    assert!(gamma.contains("tool beta"), "{gamma}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overrides_reach_old_tools_and_what_is_taken_back_is_taken_back() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    let (sender, receiver) = tokio::sync::watch::channel(std::sync::Arc::default());
    let (_service, _) = platform.serve_with(|config| config.overrides = receiver).await;
    let quotas: Api<ResourceQuota> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    let hard = |key: &'static str, value: Option<&'static str>| {
        move |quota: Option<&ResourceQuota>| {
            let hard = quota.and_then(|quota| quota.spec.as_ref()?.hard.as_ref());
            hard.is_some_and(|hard| hard.get(key).map(|amount| amount.0.as_str()) == value)
        }
    };
    let text = "networkPolicy: { podSelector: {} }\ntools:\n  alpha: { quota: { pods: 20, count/statefulsets.apps: 2 } }\n";
    sender.send(Overrides::read(text).unwrap().into()).unwrap();
    wait(quotas.clone(), "tool-alpha", hard("pods", Some("20"))).await;
    let policies: Api<NetworkPolicy> = Api::namespaced(platform.admin.clone(), "tool-beta");
    let is_there = |found: Option<&NetworkPolicy>| found.is_some();
    wait(policies.clone(), "toolforge", is_there).await;
    sender.send(Overrides::default().into()).unwrap();
    wait(quotas.clone(), "tool-alpha", hard("pods", Some("10"))).await;
    wait(quotas, "tool-alpha", hard("count/statefulsets.apps", None)).await;
    let is_gone = |found: Option<&NetworkPolicy>| found.is_none();
    wait(policies, "toolforge", is_gone).await;
}
