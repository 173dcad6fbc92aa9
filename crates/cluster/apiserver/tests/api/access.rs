//! Who gets in, and who may do what.

use base64::Engine as _;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, Secret};
use k8s_openapi::api::rbac::v1::{ClusterRole, Role, RoleBinding};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::harness::Harness;
use crate::objects::{config_map, pod};

pub(crate) fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn refused(result: Result<impl std::fmt::Debug, kube::Error>) -> (u16, String) {
    match result.unwrap_err() {
        kube::Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("no answer of the API: {other}"),
    }
}

pub(crate) async fn get(client: &kube::Client, path: &str) -> Result<String, u16> {
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    client.request_text(request).await.map_err(|error| match error {
        kube::Error::Api(status) => status.code,
        other => panic!("no answer of the API: {other}"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_there_is_health_and_version_only() {
    let api = Harness::start().await;
    let anonymous = api.anonymous().await;
    assert_eq!(get(&anonymous, "/healthz").await.as_deref(), Ok("ok"));
    assert_eq!(get(&anonymous, "/livez").await.as_deref(), Ok("ok"));
    assert!(
        get(&anonymous, "/version")
            .await
            .unwrap()
            .contains("\"minor\":\"37\"")
    );
    for path in [
        "/api",
        "/api/v1/namespaces/default/pods",
        "/apis",
        "/openapi/v3",
        "/",
    ] {
        assert_eq!(get(&anonymous, path).await, Err(401), "{path}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_has_its_namespace_and_is_forbidden_elsewhere() {
    let api = Harness::start().await;
    let namespaces: Api<Namespace> = Api::all(api.admin());
    for name in ["tool-a", "tool-b"] {
        namespaces
            .create(&PostParams::default(), &object(json!({"metadata":{"name":name}})))
            .await
            .unwrap();
    }
    let roles: Api<ClusterRole> = Api::all(api.admin());
    let role = json!({"metadata":{"name":"tools-user"},"rules":[
        {"apiGroups":[""],"resources":["configmaps"],"verbs":["get","list","watch","create"]}]});
    roles.create(&PostParams::default(), &object(role)).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(api.admin(), "tool-a");
    let binding = json!({"metadata":{"name":"a"},
        "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"tools-user"},
        "subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"a"}]});
    let client = api.over_tls("a", &["toolforge"]).await;
    let own: Api<ConfigMap> = Api::namespaced(client.clone(), "tool-a");
    assert_eq!(refused(own.list(&ListParams::default()).await).0, 403);
    bindings
        .create(&PostParams::default(), &object(binding))
        .await
        .unwrap();
    own.create(&PostParams::default(), &config_map("x", &json!({})))
        .await
        .unwrap();
    assert_eq!(own.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let other: Api<ConfigMap> = Api::namespaced(client.clone(), "tool-b");
    let expected = r#"configmaps is forbidden: User "a" cannot list resource "configmaps" in API group "" in the namespace "tool-b""#;
    assert_eq!(
        refused(other.list(&ListParams::default()).await),
        (403, expected.to_owned())
    );
    let all: Api<ConfigMap> = Api::all(client);
    let expected = r#"configmaps is forbidden: User "a" cannot list resource "configmaps" in API group "" at the cluster scope"#;
    assert_eq!(
        refused(all.list(&ListParams::default()).await),
        (403, expected.to_owned())
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_grants_what_they_do_not_have() {
    let api = Harness::start().await;
    let bindings: Api<RoleBinding> = Api::namespaced(api.admin(), "default");
    let bind = |name: &str, role: &str| {
        json!({"metadata":{"name":name},
            "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":role},
            "subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"ada"}]})
    };
    bindings
        .create(&PostParams::default(), &object(bind("ada", "admin")))
        .await
        .unwrap();
    let ada = api.server.client("ada", &[]);
    let roles: Api<Role> = Api::namespaced(ada.clone(), "default");
    let role = |resource: &str| json!({"metadata":{"name":resource},"rules":[{"apiGroups":[""],"resources":[resource],"verbs":["get"]}]});
    roles
        .create(&PostParams::default(), &object(role("pods")))
        .await
        .unwrap();
    let (code, message) = refused(roles.create(&PostParams::default(), &object(role("nodes"))).await);
    assert_eq!(code, 403);
    assert!(
        message.contains("attempting to grant RBAC permissions not currently held"),
        "{message}"
    );
    let own: Api<RoleBinding> = Api::namespaced(ada, "default");
    own.create(&PostParams::default(), &object(bind("view", "view")))
        .await
        .unwrap();
    assert_eq!(
        refused(
            own.create(&PostParams::default(), &object(bind("root", "cluster-admin")))
                .await
        )
        .0,
        403
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_touches_only_what_is_its_own() {
    let api = Harness::start().await;
    let client = api.over_tls("system:node:one", &["system:nodes"]).await;
    let nodes: Api<Node> = Api::all(client.clone());
    let node = |name: &str| object::<Node>(json!({"metadata":{"name":name}}));
    nodes.create(&PostParams::default(), &node("one")).await.unwrap();
    assert_eq!(
        refused(nodes.create(&PostParams::default(), &node("two")).await).0,
        403
    );

    let admin: Api<Pod> = Api::namespaced(api.admin(), "default");
    let mut mine = pod("mine");
    mine.spec.as_mut().unwrap().node_name = Some("one".to_owned());
    mine.spec.as_mut().unwrap().volumes =
        Some(vec![object(json!({"name":"v","secret":{"secretName":"used"}}))]);
    admin.create(&PostParams::default(), &mine).await.unwrap();
    let mut theirs = pod("theirs");
    theirs.spec.as_mut().unwrap().node_name = Some("two".to_owned());
    admin.create(&PostParams::default(), &theirs).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    pods.get("mine").await.unwrap();
    assert_eq!(refused(pods.get("theirs").await).0, 403);
    assert_eq!(refused(pods.list(&ListParams::default()).await).0, 403);
    let own = ListParams::default().fields("spec.nodeName=one");
    assert_eq!(pods.list(&own).await.unwrap().items.len(), 1);
    let running = Patch::Merge(json!({"status":{"phase":"Running"}}));
    pods.patch_status("mine", &PatchParams::default(), &running)
        .await
        .unwrap();
    assert_eq!(
        refused(
            pods.patch_status("theirs", &PatchParams::default(), &running)
                .await
        )
        .0,
        403
    );

    let secrets: Api<Secret> = Api::namespaced(api.admin(), "default");
    for name in ["used", "unused"] {
        secrets
            .create(&PostParams::default(), &object(json!({"metadata":{"name":name}})))
            .await
            .unwrap();
    }
    let secrets: Api<Secret> = Api::namespaced(client, "default");
    secrets.get("used").await.unwrap();
    assert_eq!(refused(secrets.get("unused").await).0, 403);
    assert_eq!(refused(secrets.list(&ListParams::default()).await).0, 403);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn impersonation_needs_the_right_to_it() {
    let api = Harness::start().await;
    let ask = |client: kube::Client| async move {
        let request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
            .header("content-type", "application/json")
            .header("impersonate-user", "bob")
            .header("impersonate-group", "friends")
            .body(br#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#.to_vec())
            .unwrap();
        client.request::<Value>(request).await
    };
    let answer = ask(api.admin()).await.unwrap();
    assert_eq!(
        answer["status"]["userInfo"],
        json!({"username":"bob","groups":["friends","system:authenticated"]})
    );
    assert_eq!(refused(ask(api.server.client("ada", &[])).await).0, 403);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_request_is_its_author_s_and_approved_by_who_may() {
    let api = Harness::start().await;
    let (_, request) = toolforge_pki::new_request("a", &["toolforge"]).unwrap();
    let request = base64::engine::general_purpose::STANDARD.encode(request);
    let csr = json!({"metadata":{"name":"tool-a"},"spec":{"request":request,"username":"root",
        "signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth"]}});
    let roles: Api<ClusterRole> = Api::all(api.admin());
    let role = json!({"metadata":{"name":"accounts"},"rules":[
        {"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests","certificatesigningrequests/approval"],"verbs":["*"]}]});
    roles.create(&PostParams::default(), &object(role)).await.unwrap();
    let bindings: Api<k8s_openapi::api::rbac::v1::ClusterRoleBinding> = Api::all(api.admin());
    let binding = json!({"metadata":{"name":"accounts"},
        "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"accounts"},
        "subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"toolforge:accounts"}]});
    bindings
        .create(&PostParams::default(), &object(binding))
        .await
        .unwrap();
    let requests: Api<CertificateSigningRequest> = Api::all(api.server.client("toolforge:accounts", &[]));
    let mut created = requests
        .create(&PostParams::default(), &object(csr))
        .await
        .unwrap();
    assert_eq!(created.spec.username.as_deref(), Some("toolforge:accounts"));
    let condition = json!({"type":"Approved","status":"True","reason":"Test","message":"test"});
    created.status = Some(object(json!({"conditions":[condition]})));
    let (code, message) = refused(
        requests
            .replace_subresource("approval", "tool-a", &PostParams::default(), &created)
            .await,
    );
    assert_eq!(code, 403);
    assert!(
        message.contains("user not permitted to approve requests with signerName"),
        "{message}"
    );
    let signers = json!([{"op":"add","path":"/rules/-","value":{"apiGroups":["certificates.k8s.io"],"resources":["signers"],
        "resourceNames":["kubernetes.io/kube-apiserver-client"],"verbs":["approve"]}}]);
    let signers: json_patch::Patch = serde_json::from_value(signers).unwrap();
    roles
        .patch("accounts", &PatchParams::default(), &Patch::Json::<()>(signers))
        .await
        .unwrap();
    let approved = requests
        .replace_subresource("approval", "tool-a", &PostParams::default(), &created)
        .await
        .unwrap();
    assert_eq!(approved.status.unwrap().conditions.unwrap()[0].type_, "Approved");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_has_tokens_for_its_pods_and_no_labels_of_others() {
    let api = Harness::start().await;
    let client = api.over_tls("system:node:one", &["system:nodes"]).await;
    let nodes: Api<Node> = Api::all(client.clone());
    let labelled = |label: &str| object::<Node>(json!({"metadata":{"name":"one","labels":{label:"x"}}}));
    let (code, message) = refused(
        nodes
            .create(&PostParams::default(), &labelled("node-role.kubernetes.io/main"))
            .await,
    );
    assert_eq!(code, 403);
    assert!(
        message.contains("is not allowed to set the following labels"),
        "{message}"
    );
    nodes
        .create(&PostParams::default(), &labelled("kubernetes.io/hostname"))
        .await
        .unwrap();
    let admin: Api<Pod> = Api::namespaced(api.admin(), "default");
    let mut uids = Vec::new();
    for (name, node) in [("mine", "one"), ("theirs", "two")] {
        let mut wanted = pod(name);
        wanted.spec.as_mut().unwrap().node_name = Some(node.to_owned());
        uids.push(
            admin
                .create(&PostParams::default(), &wanted)
                .await
                .unwrap()
                .metadata
                .uid
                .unwrap(),
        );
    }
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(client, "default");
    let ask = |name: &str, uid: &str| {
        object(json!({"spec":{"audiences":[],
            "boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":name,"uid":uid}}}))
    };
    let post = PostParams::default();
    accounts
        .create_token_request("default", &post, &ask("mine", &uids[0]))
        .await
        .unwrap();
    let theirs = accounts
        .create_token_request("default", &post, &ask("theirs", &uids[1]))
        .await;
    assert_eq!(refused(theirs).0, 403);
    let free = object(json!({"spec":{"audiences":[]}}));
    assert_eq!(
        refused(accounts.create_token_request("default", &post, &free).await).0,
        403
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_of_rules_tells_what_one_may_and_that_nodes_are_special() {
    let api = Harness::start().await;
    let ask = |client: kube::Client, namespace: &'static str| async move {
        let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews")
            .header("content-type", "application/json")
            .body(json!({"spec": {"namespace": namespace}}).to_string().into_bytes())
            .unwrap();
        client.request::<Value>(request).await
    };
    let ada = ask(api.server.client("ada", &[]), "default").await.unwrap();
    assert_eq!(ada["status"]["incomplete"], false);
    assert!(
        ada["status"]["resourceRules"]
            .to_string()
            .contains("selfsubjectrulesreviews")
    );
    let node = ask(api.server.client("system:node:one", &["system:nodes"]), "default")
        .await
        .unwrap();
    assert_eq!(node["status"]["incomplete"], true);
    assert_eq!(refused(ask(api.server.client("ada", &[]), "").await).0, 400);
    api.stop().await;
}
