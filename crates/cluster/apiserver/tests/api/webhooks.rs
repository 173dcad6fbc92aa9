//! Which writes reach webhooks, and in which form.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, DeleteParams, DynamicObject, EvictParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_pki::Authority;

use crate::custom;
use crate::harness::{DEADLINE, Harness};
use crate::objects::{config_map, pod};

type Handler = Box<dyn Fn(&Value) -> Value + Send + Sync>;

/// A mutating webhook that remembers what it was asked.
struct Webhook {
    handler: Handler,
    questions: Mutex<Vec<Value>>,
    /// One permit for each question that has come.
    asked: Semaphore,
    /// One permit for each answer that may go.
    may_answer: Semaphore,
}

async fn answer(State(webhook): State<Arc<Webhook>>, body: Bytes) -> String {
    let review: Value = serde_json::from_slice(&body).unwrap();
    let request = &review["request"];
    webhook.questions.lock().unwrap().push(request.clone());
    webhook.asked.add_permits(1);
    webhook.may_answer.acquire().await.unwrap().forget();
    let mut response = (webhook.handler)(request);
    response["uid"] = request["uid"].clone();
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).to_string()
}

fn configurations(api: &Harness) -> Api<DynamicObject> {
    let kind = kube::core::GroupVersionKind::gvk(
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
    );
    Api::all_with(api.admin(), &ApiResource::from_gvk(&kind))
}

impl Webhook {
    /// A webhook that answers so many questions, registered for these resources and all operations.
    async fn register(
        api: &Harness,
        resources: &[&str],
        answers: usize,
        handler: Handler,
    ) -> (Arc<Self>, DropGuard) {
        let rules = json!({"rules": [
            {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": resources}]});
        Self::register_as(api, &rules, answers, handler).await
    }

    /// The same with rules, and other fields, of its own.
    async fn register_as(
        api: &Harness,
        fields: &Value,
        answers: usize,
        handler: Handler,
    ) -> (Arc<Self>, DropGuard) {
        let authority = Authority::create("webhook test").unwrap();
        let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
        let tls = Arc::new(toolforge_pki::server_config(&identity, None).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let webhook = Arc::new(Self {
            handler,
            questions: Mutex::default(),
            asked: Semaphore::new(0),
            may_answer: Semaphore::new(answers),
        });
        let router = Router::new().fallback(answer).with_state(webhook.clone());
        let shutdown = CancellationToken::new();
        tokio::spawn(toolforge_serve::serve(
            listener,
            Some(tls),
            router,
            shutdown.clone(),
        ));
        let mut configuration: Value = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "watching"},
            "webhooks": [{
                "name": "watching.example.org", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": {"url": format!("https://{address}/"), "caBundle": STANDARD.encode(authority.certificate_pem())},
            }],
        });
        for (name, value) in fields.as_object().unwrap() {
            configuration["webhooks"][0][name] = value.clone();
        }
        let configuration = serde_json::from_value(configuration).unwrap();
        configurations(api)
            .create(&PostParams::default(), &configuration)
            .await
            .unwrap();
        (webhook, shutdown.drop_guard())
    }

    /// What it was asked: operation, resource with subresource, kind of the request, kinds of both objects.
    fn heard(&self) -> Vec<String> {
        let questions = self.questions.lock().unwrap();
        let line = |question: &Value| {
            let text = |pointer: &str| {
                question
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or("-")
                    .to_owned()
            };
            format!(
                "{} {}/{} {} {} {}",
                text("/operation"),
                text("/resource/resource"),
                text("/subResource"),
                text("/kind/kind"),
                text("/object/kind"),
                text("/oldObject/kind")
            )
        };
        questions.iter().map(line).collect()
    }
}

fn allow(_: &Value) -> Value {
    json!({"allowed": true})
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_and_evictions_are_created_below_their_pod() {
    let api = Harness::start().await;
    let resources = ["pods", "pods/*"];
    let (webhook, _running) = Webhook::register(&api, &resources, 100, Box::new(allow)).await;
    let pods: Api<Pod> = Api::namespaced(api.admin(), "default");
    pods.create(&PostParams::default(), &pod("a")).await.unwrap();
    let binding = json!({"apiVersion":"v1","kind":"Binding","metadata":{"name":"a"},"target":{"kind":"Node","name":"n"}});
    let bound: Result<Value, _> = pods
        .create_subresource("binding", "a", &PostParams::default(), &binding)
        .await;
    assert_eq!(bound.unwrap()["status"], "Success");
    let node = pods.get("a").await.unwrap().spec.unwrap().node_name;
    assert_eq!(node.as_deref(), Some("n"));
    pods.evict("a", &EvictParams::default()).await.unwrap();
    assert_eq!(
        webhook.heard(),
        [
            "CREATE pods/- Pod Pod -",
            "CREATE pods/binding Binding Binding -",
            "CREATE pods/eviction Eviction Eviction -",
        ]
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scale_is_what_webhooks_see_of_a_scale() {
    let api = Harness::start().await;
    let patch = STANDARD.encode(json!([{"op":"replace","path":"/spec/replicas","value":2}]).to_string());
    let two = move |_: &Value| json!({"allowed": true, "patchType": "JSONPatch", "patch": patch});
    let (webhook, _running) = Webhook::register(&api, &["deployments/scale"], 100, Box::new(two)).await;
    let deployments: Api<Deployment> = Api::namespaced(api.admin(), "default");
    deployments
        .create(&PostParams::default(), &crate::objects::deployment("web", 1))
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"spec":{"replicas":9}}));
    let scale = deployments
        .patch_scale("web", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(2));
    assert_eq!(webhook.heard(), ["UPDATE deployments/scale Scale Scale Scale"]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutating_webhooks_hear_of_deletions_and_of_dry_runs_and_may_refuse() {
    let api = Harness::start().await;
    let refuse = |request: &Value| {
        let allowed = request["operation"] != "DELETE" || request["dryRun"] == true;
        json!({"allowed": allowed, "status": {"message": "it stays"}})
    };
    let (webhook, _running) = Webhook::register(&api, &["configmaps"], 100, Box::new(refuse)).await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    maps.create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    let error = maps.delete("a", &DeleteParams::default()).await.unwrap_err();
    assert!(error.to_string().contains("it stays"), "{error}");
    maps.delete("a", &DeleteParams::default().dry_run())
        .await
        .unwrap();
    maps.get("a").await.unwrap();
    let deletion = "DELETE configmaps/- ConfigMap - ConfigMap";
    assert_eq!(webhook.heard()[1..], [deletion, deletion]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_has_begun_goes_to_its_end_without_its_client() {
    let api = Harness::start().await;
    let (webhook, _running) = Webhook::register(&api, &["configmaps"], 0, Box::new(allow)).await;
    let maps: Api<ConfigMap> = Api::namespaced(api.over_tls("admin", &["system:masters"]).await, "default");
    let object = config_map("a", &json!({}));
    let parameters = PostParams::default();
    tokio::select! {
        _ = maps.create(&parameters, &object) => panic!("nobody has answered yet"),
        asked = webhook.asked.acquire() => asked.unwrap().forget(),
    }
    webhook.may_answer.add_permits(1);
    let written = async { while maps.get_opt("a").await.unwrap().is_none() {} };
    tokio::time::timeout(DEADLINE, written)
        .await
        .expect("the write goes to its end");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_that_webhooks_hold_up_both_get_through() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    maps.create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    let (webhook, _running) = Webhook::register(&api, &["configmaps"], 0, Box::new(allow)).await;
    let change = |key: &str| {
        let (maps, patch) = (maps.clone(), Patch::Merge(json!({"data": {key: "x"}})));
        tokio::spawn(async move { maps.patch("a", &PatchParams::default(), &patch).await })
    };
    // Both are asked about; whoever loses is asked about again.
    let (outer, inner) = (change("outer"), change("inner"));
    webhook.may_answer.add_permits(100);
    outer.await.unwrap().unwrap();
    inner.await.unwrap().unwrap();
    let data = maps.get("a").await.unwrap().data.unwrap();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["inner", "outer"]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_asked_who_may_connect_to_a_pod() {
    let api = Harness::start().await;
    let refuse = |request: &Value| {
        let allowed = request["object"]["command"] != json!(["rm"]);
        json!({"allowed": allowed, "status": {"message": "not that"}})
    };
    let pods: Api<Pod> = Api::namespaced(api.admin(), "default");
    pods.create(&PostParams::default(), &pod("a")).await.unwrap();
    // Also the Pods themselves belong to `pods/*`, as in Kubernetes.
    let (webhook, _running) = Webhook::register(&api, &["pods/*"], 100, Box::new(refuse)).await;
    let connect = async |line: &str| {
        let request = http::Request::post(format!("/api/v1/namespaces/default/pods/a/{line}"));
        let request = request.body(Vec::new()).unwrap();
        api.admin().request_text(request).await.unwrap_err().to_string()
    };
    let refused = connect("exec?command=rm&stdin=true").await;
    assert!(
        refused.contains("admission webhook \"watching.example.org\" denied the request: not that"),
        "{refused}"
    );
    let allowed = connect("exec?command=ls").await;
    assert!(
        allowed.contains("pod a does not have a host assigned"),
        "{allowed}"
    );
    connect("attach").await;
    connect("portforward?ports=80").await;
    connect("proxy/x").await;
    assert_eq!(
        webhook.heard(),
        [
            "CONNECT pods/exec PodExecOptions PodExecOptions -",
            "CONNECT pods/exec PodExecOptions PodExecOptions -",
            "CONNECT pods/attach PodAttachOptions PodAttachOptions -",
            "CONNECT pods/portforward PodPortForwardOptions PodPortForwardOptions -",
            "CONNECT pods/proxy PodProxyOptions PodProxyOptions -",
        ]
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_sees_a_custom_object_in_the_version_that_it_knows() {
    let api = Harness::start().await;
    custom::define(&api, custom::crates()).await;
    let rules = |versions: &[&str]| {
        json!([{"apiGroups": [custom::GROUP], "apiVersions": versions, "operations": ["CREATE", "UPDATE"],
            "resources": ["crates", "crates/status"]}])
    };
    let paint = |request: &Value| {
        let is_main = request.get("subResource").is_none();
        let patch = json!([{"op": "add", "path": "/spec/color", "value": "blue"}]).to_string();
        if is_main && request["operation"] == "CREATE" {
            json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch)})
        } else {
            json!({"allowed": true})
        }
    };
    let (webhook, _guard) =
        Webhook::register_as(&api, &json!({"rules": rules(&["v1beta1"])}), 9, Box::new(paint)).await;
    let all = custom::of(api.admin(), "v1");
    let made = all
        .create(&PostParams::default(), &custom::one("a", &json!({})))
        .await
        .unwrap();
    assert_eq!(made.types.unwrap().api_version, format!("{}/v1", custom::GROUP));
    assert_eq!(made.data["spec"]["color"], "blue");
    let status = json!({"status": {"phase": "Ready"}});
    all.patch_status("a", &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
    let questions = webhook.questions.lock().unwrap().clone();
    assert_eq!(questions.len(), 2);
    for question in &questions {
        assert_eq!(question["kind"]["version"], "v1beta1");
        assert_eq!(question["resource"]["version"], "v1beta1");
        assert_eq!(question["requestKind"]["version"], "v1");
    }
    let seen = format!("{}/v1beta1", custom::GROUP);
    assert_eq!(questions[0]["object"]["apiVersion"], seen);
    assert_eq!(questions[1]["subResource"], "status");
    // Whoever insists on a version is asked about no other.
    let configurations = configurations(&api);
    let exact = json!([{"op": "add", "path": "/webhooks/0/matchPolicy", "value": "Exact"}]);
    let exact: json_patch::Patch = serde_json::from_value(exact).unwrap();
    configurations
        .patch("watching", &PatchParams::default(), &Patch::Json::<()>(exact))
        .await
        .unwrap();
    all.create(&PostParams::default(), &custom::one("b", &json!({})))
        .await
        .unwrap();
    assert_eq!(webhook.questions.lock().unwrap().len(), 2);
    api.stop().await;
}

/// An address in front of a webhook, at which every connection can be cut off.
struct Cut(Arc<Notify>);

impl Cut {
    /// Puts itself before the one webhook that is registered.
    async fn before_the_webhook(api: &Harness) -> Self {
        let cut = Arc::new(Notify::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut configuration = configurations(api).get("watching").await.unwrap();
        let url = configuration
            .data
            .pointer_mut("/webhooks/0/clientConfig/url")
            .unwrap();
        let host = url.as_str().unwrap().trim_start_matches("https://");
        let webhook: std::net::SocketAddr = host.trim_end_matches('/').parse().unwrap();
        *url = json!(format!("https://{address}/"));
        let scissors = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((mut incoming, _)) = listener.accept().await {
                let scissors = Arc::clone(&scissors);
                tokio::spawn(async move {
                    let mut outgoing = TcpStream::connect(webhook).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut incoming, &mut outgoing) => {}
                        () = scissors.notified() => {}
                    }
                });
            }
        });
        configurations(api)
            .replace("watching", &PostParams::default(), &configuration)
            .await
            .unwrap();
        Self(cut)
    }

    /// Waits until the webhook is asked, and cuts the question off.
    async fn next_question(&self, webhook: &Webhook) {
        let asked = tokio::time::timeout(DEADLINE, webhook.asked.acquire()).await;
        asked.expect("the webhook is asked").unwrap().forget();
        self.0.notify_waiters();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_cut_off_is_asked_once_more_on_a_new_connection() {
    let api = Harness::start().await;
    let (webhook, _running) = Webhook::register(&api, &["configmaps"], 0, Box::new(allow)).await;
    let cut = Cut::before_the_webhook(&api).await;
    let write = |name: &'static str| {
        let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
        tokio::spawn(async move {
            maps.create(&PostParams::default(), &config_map(name, &json!({})))
                .await
        })
    };

    // Whoever cuts off both is not asked for ever: the write fails, for nobody has said that it may be.
    let written = write("a");
    cut.next_question(&webhook).await;
    cut.next_question(&webhook).await;
    let error = written.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("failed calling webhook"), "{error}");
    assert_eq!(webhook.heard().len(), 2);

    let written = write("b");
    cut.next_question(&webhook).await;
    webhook.may_answer.add_permits(10);
    written.await.unwrap().unwrap();
    assert_eq!(webhook.heard().len(), 4);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_for_another_version_sees_and_patches_what_is_converted() {
    let api = Harness::start().await;
    let (_converter, config, _converting) = custom::conversion::Webhook::start().await;
    custom::define(&api, custom::conversion::sites(&config)).await;
    let rules = json!({"rules": [{"apiGroups": [custom::GROUP], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["sites"]}]});
    let patch = json!([{"op": "replace", "path": "/spec/port", "value": 9}]);
    let patches = move |_: &Value| json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string())});
    let (webhook, _running) = Webhook::register_as(&api, &rules, 1, Box::new(patches)).await;
    let two = custom::conversion::of(api.admin(), "v2");
    let object = custom::conversion::site("v2", "a", &json!({"hostPort": "a.org:8"}));
    let made = two.create(&PostParams::default(), &object).await.unwrap();
    assert_eq!(made.data["spec"]["hostPort"], "a.org:9");
    let questions = webhook.questions.lock().unwrap().clone();
    assert_eq!(questions[0]["kind"]["version"], "v1");
    assert_eq!(
        questions[0]["object"]["spec"],
        json!({"host": "a.org", "port": 8})
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_ask_what_the_user_may_do() {
    let api = Harness::start().await;
    // Who may break the glass is not stopped, and nobody is while that account may read Secrets.
    let conditions = json!([
        {"name": "glass", "expression": "!authorizer.requestResource.check('breakglass').allowed()"},
        {"name": "account", "expression": "!authorizer.serviceAccount('kube-system', 'reader').group('').resource('secrets').check('get').allowed()"},
    ]);
    let fields = json!({"matchConditions": conditions,
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]});
    let deny = |_: &Value| json!({"allowed": false});
    let (webhook, _running) = Webhook::register_as(&api, &fields, 100, Box::new(deny)).await;
    let roles: Api<ClusterRole> = Api::all(api.admin());
    let bindings: Api<ClusterRoleBinding> = Api::all(api.admin());
    for (name, verbs, resource) in [
        ("ada", json!(["create"]), "configmaps"),
        ("bob", json!(["create", "breakglass"]), "configmaps"),
        ("reader", json!(["get"]), "secrets"),
    ] {
        let role = json!({"metadata": {"name": name}, "rules": [{"verbs": verbs, "apiGroups": [""], "resources": [resource]}]});
        roles
            .create(&PostParams::default(), &serde_json::from_value(role).unwrap())
            .await
            .unwrap();
    }
    for user in ["ada", "bob"] {
        bind(&bindings, user, &json!({"kind": "User", "name": user})).await;
    }
    let create = async |user: &str, name: &str| {
        let maps: Api<ConfigMap> = Api::namespaced(api.server.client(user, &[]), "default");
        maps.create(&PostParams::default(), &config_map(name, &json!({})))
            .await
            .map(drop)
            .map_err(custom::refusal)
    };
    let (code, message) = create("ada", "a").await.unwrap_err();
    assert_eq!(code, 403, "{message}");
    assert!(message.contains("denied the request"), "{message}");
    create("bob", "b").await.unwrap();
    assert_eq!(webhook.heard().len(), 1);
    bind(
        &bindings,
        "reader",
        &json!({"kind": "Group", "name": "system:serviceaccounts:kube-system"}),
    )
    .await;
    create("ada", "a").await.unwrap();
    assert_eq!(webhook.heard().len(), 1);
    api.stop().await;
}

/// Binds a subject to the role of this name.
async fn bind(bindings: &Api<ClusterRoleBinding>, name: &str, subject: &Value) {
    let binding = json!({"metadata": {"name": name}, "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}});
    bindings
        .create(&PostParams::default(), &serde_json::from_value(binding).unwrap())
        .await
        .unwrap();
}
