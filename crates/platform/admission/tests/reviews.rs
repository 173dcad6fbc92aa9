//! The guards as Kubernetes meets them: `AdmissionReview`s over HTTPS, with a small API behind for the accounts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use base64::Engine;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_admission::run;
use toolforge_model::ToolAccount;
use toolforge_pki::Authority;
use toolforge_policy::psp::{ToolClass, tool_policy};
use toolforge_policy::{Policies, PolicySettings};
use toolforge_serve::Presented;

const GOOD: &str = "docker-registry.tools.wmflabs.org/toolforge-php73-sssd-web:latest";
const OTHER: &str = "tools-harbor.wmcloud.org/tool-alpha/web:1";

/// A running webhook server and a client that trusts it.
struct Guards {
    url: String,
    client: reqwest::Client,
    shutdown: CancellationToken,
}

impl Drop for Guards {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn policies() -> Policies {
    let mut settings = PolicySettings::with("toolforge.org", "docker-registry.tools.wmflabs.org");
    settings.registries.push("tools-harbor.wmcloud.org".to_owned());
    settings.resolve().unwrap()
}

impl Guards {
    async fn start(api: Router) -> Self {
        let authority = Authority::create("test authority").unwrap();
        let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
        let certificate = Presented::of(&identity).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let kube = kube::Client::new(api, "default");
        tokio::spawn(run(kube, listener, certificate, policies(), shutdown.clone()));
        let trust = reqwest::Certificate::from_pem(authority.certificate_pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .use_rustls_tls()
            .add_root_certificate(trust)
            .build()
            .unwrap();
        Self {
            url,
            client,
            shutdown,
        }
    }

    async fn post(&self, path: &str, body: String) -> reqwest::Response {
        self.client
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// The response part of the answer to a review; its uid is checked on the way.
    async fn ask(&self, path: &str, request: &Value) -> Value {
        let review =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let answer = self.post(path, review.to_string()).await;
        assert_eq!(answer.status(), 200);
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["response"]["uid"], request["uid"]);
        answer["response"].clone()
    }

    async fn admits(&self, path: &str, request: &Value) {
        let response = self.ask(path, request).await;
        assert_eq!(response["allowed"], true, "{response}");
    }

    /// The message of the refusal.
    async fn refuses(&self, path: &str, request: &Value) -> String {
        let response = self.ask(path, request).await;
        assert_eq!(response["allowed"], false, "{response}");
        assert_eq!(response["status"]["code"], 403, "{response}");
        response["status"]["message"].as_str().unwrap().to_owned()
    }
}

/// An API that knows the tools `alpha` (at once), `late` (only when asked for by name) and `unready`.
fn api() -> Router {
    Router::new()
        .route("/api/v1/namespaces", get(list))
        .route("/api/v1/namespaces/{name}", get(one))
        .merge(grants())
}

/// The roles, bindings and policies of `alpha` for everybody, those of `late` for who asks about its namespace.
fn grants() -> Router {
    const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
    const POLICIES: &str = "/apis/policy.toolforge.org/v1/podsecuritypolicies";
    let all = |kind: &'static str| {
        get(
            move |query: Query<ListQuery>| async move { listed(kind, &query, &grants_of("tool-alpha", kind)) },
        )
    };
    let of = |kind: &'static str| {
        get(
            move |Path(namespace): Path<String>, query: Query<ListQuery>| async move {
                listed(kind, &query, &grants_of(&namespace, kind))
            },
        )
    };
    Router::new()
        .route(&format!("{RBAC}/roles"), all("Role"))
        .route(&format!("{RBAC}/rolebindings"), all("RoleBinding"))
        .route(&format!("{RBAC}/clusterroles"), all("ClusterRole"))
        .route(&format!("{RBAC}/clusterrolebindings"), all("ClusterRoleBinding"))
        .route(POLICIES, all("PodSecurityPolicy"))
        .route(&format!("{RBAC}/namespaces/{{namespace}}/roles"), of("Role"))
        .route(
            &format!("{RBAC}/namespaces/{{namespace}}/rolebindings"),
            of("RoleBinding"),
        )
        .route(
            &format!("{POLICIES}/{{name}}"),
            get(async |Path(name): Path<String>| {
                Json(grants_of(name.trim_end_matches("-psp"), "PodSecurityPolicy")[0].clone())
            }),
        )
}

fn listed(kind: &str, query: &ListQuery, items: &[Value]) -> Response {
    if query.watch.is_some() {
        return Body::from_stream(futures::stream::pending::<Result<String, Infallible>>()).into_response();
    }
    let version = if kind == "PodSecurityPolicy" {
        "policy.toolforge.org/v1"
    } else {
        "rbac.authorization.k8s.io/v1"
    };
    Json(json!({
        "apiVersion": version, "kind": format!("{kind}List"), "metadata": {"resourceVersion": "1"}, "items": items,
    }))
    .into_response()
}

/// What the account service makes for a tool, of this kind.
fn grants_of(namespace: &str, kind: &str) -> Vec<Value> {
    let uid = match namespace {
        "tool-alpha" => 52_001,
        "tool-late" => 52_002,
        _ => return vec![],
    };
    let name = format!("{namespace}-psp");
    let metadata = json!({"name": name, "namespace": namespace});
    vec![match kind {
        "PodSecurityPolicy" => {
            let account = ToolAccount {
                uid,
                home: "/data/project/x".to_owned(),
            };
            let tool = namespace.trim_start_matches("tool-").parse().unwrap();
            tool_policy(&tool, &account, &ToolClass::default()).to_object()
        }
        "Role" => json!({"metadata": metadata, "rules": [{
            "apiGroups": ["policy.toolforge.org"], "resources": ["podsecuritypolicies"], "resourceNames": [name],
            "verbs": ["use"],
        }]}),
        "RoleBinding" => json!({
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        }),
        _ => return vec![],
    }]
}

/// An API that is down.
fn no_api() -> Router {
    Router::new().fallback(async || StatusCode::INTERNAL_SERVER_ERROR)
}

#[derive(Deserialize)]
struct ListQuery {
    watch: Option<String>,
}

async fn list(Query(query): Query<ListQuery>) -> Response {
    if query.watch.is_some() {
        return Body::from_stream(futures::stream::pending::<Result<String, Infallible>>()).into_response();
    }
    let items = [namespace("tool-alpha", 52_001)];
    let list = json!({"apiVersion": "v1", "kind": "NamespaceList", "metadata": {"resourceVersion": "1"}, "items": items});
    Json(list).into_response()
}

async fn one(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "tool-late" => Json(namespace(&name, 52_002)).into_response(),
        "tool-unready" => {
            Json(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).into_response()
        }
        _ => {
            let message = format!("namespaces {name:?} not found");
            let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": message});
            (StatusCode::NOT_FOUND, Json(status)).into_response()
        }
    }
}

fn namespace(name: &str, uid: u32) -> Value {
    let home = format!("/data/project/{}", name.trim_start_matches("tool-"));
    let annotations = json!({"toolforge.org/uid": uid.to_string(), "toolforge.org/home": home});
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": annotations}})
}

fn request(kind: (&str, &str, &str), namespace: &str, object: &Value) -> Value {
    let (group, version, kind) = kind;
    json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": kind},
        "namespace": namespace,
        "operation": "CREATE",
        "object": object,
    })
}

const INGRESS: (&str, &str, &str) = ("networking.k8s.io", "v1", "Ingress");
const POD: (&str, &str, &str) = ("", "v1", "Pod");

fn ingress(namespace: &str, hosts: &[&str]) -> Value {
    let rules: Vec<Value> = hosts.iter().map(|host| json!({ "host": host })).collect();
    request(INGRESS, namespace, &json!({"spec": {"rules": rules}}))
}

fn pod(namespace: &str, spec: &Value) -> Value {
    request(
        POD,
        namespace,
        &json!({"metadata": {"name": "web"}, "spec": spec}),
    )
}

fn with_image(image: &str) -> Value {
    json!({"containers": [{"name": "web", "image": image}]})
}

#[tokio::test]
async fn an_ingress_may_have_its_tools_host_and_no_other() {
    let guards = Guards::start(api()).await;
    let path = "/validate/ingress";
    guards
        .admits(path, &ingress("tool-alpha", &["alpha.toolforge.org"]))
        .await;
    let message = guards
        .refuses(path, &ingress("tool-alpha", &["beta.toolforge.org"]))
        .await;
    assert!(
        message.contains("Ingress host must be <toolname>.toolforge.org"),
        "{message}"
    );
    assert!(
        message.contains("spec.rules[0].host is \"beta.toolforge.org\""),
        "{message}"
    );
    for hosts in [
        &["alpha.toolforge.org", "beta.toolforge.org"][..],
        &["alpha.toolforge.org.evil.com"],
        &["alpha.toolforgeXorg"],
        &["*.toolforge.org"],
        &[""],
    ] {
        guards.refuses(path, &ingress("tool-alpha", hosts)).await;
    }
    let backend = json!({"spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}});
    guards
        .refuses(path, &request(INGRESS, "tool-alpha", &backend))
        .await;
    for annotation in ["configuration-snippet", "server-alias"] {
        let key = format!("nginx.ingress.kubernetes.io/{annotation}");
        let object = json!({"metadata": {"annotations": {key: "x"}}, "spec": {"rules": [{"host": "alpha.toolforge.org"}]}});
        guards
            .refuses(path, &request(INGRESS, "tool-alpha", &object))
            .await;
    }
}

#[tokio::test]
async fn an_update_is_held_to_the_same_and_a_deletion_to_nothing() {
    let guards = Guards::start(api()).await;
    let path = "/validate/ingress";
    let mut update = ingress("tool-alpha", &["beta.toolforge.org"]);
    update["operation"] = json!("UPDATE");
    update["oldObject"] = json!({"spec": {"rules": [{"host": "alpha.toolforge.org"}]}});
    guards.refuses(path, &update).await;
    update["oldObject"] = update["object"].clone();
    update["oldObject"]["metadata"] = json!({"finalizers": ["x"]});
    update["object"]["metadata"] = json!({});
    guards.admits(path, &update).await;
    let mut deletion = ingress("tool-alpha", &["beta.toolforge.org"]);
    deletion["operation"] = json!("DELETE");
    guards.admits(path, &deletion).await;
}

#[tokio::test]
async fn safe_namespaces_are_left_alone() {
    let guards = Guards::start(api()).await;
    for namespace in ["kube-system", "tool-fourohfour"] {
        guards
            .admits("/validate/ingress", &ingress(namespace, &["anything.example"]))
            .await;
    }
    guards
        .admits("/validate/images", &pod("kube-system", &with_image("nginx")))
        .await;
}

#[tokio::test]
async fn nonsense_is_answered_with_a_sentence_and_the_server_stays_up() {
    let guards = Guards::start(api()).await;
    let review = |request: &Value| {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
            .to_string()
    };
    for path in [
        "/validate/ingress",
        "/validate/images",
        "/validate/pod",
        "/validate/service",
        "/validate/endpoints",
        "/validate/volumes",
        "/mutate/volumes",
        "/mutate/pod",
    ] {
        for body in [
            String::new(),
            "{".to_owned(),
            "{}".to_owned(),
            review(&Value::Null),
            "[".repeat(1 << 20),
        ] {
            let answer = guards.post(path, body).await;
            assert_eq!(answer.status(), 400);
            assert!(answer.text().await.unwrap().contains("AdmissionReview"));
        }
        let message = guards
            .refuses(path, &request(("", "v1", "Secret"), "tool-alpha", &json!({})))
            .await;
        assert!(message.contains("Unsupported Kind=Secret"), "{message}");
        guards.refuses(path, &request(INGRESS, "", &json!({}))).await;
        guards
            .refuses(path, &request(INGRESS, "tool-alpha", &Value::Null))
            .await;
    }
    guards
        .refuses("/validate/ingress", &ingress("abc", &["abc.toolforge.org"]))
        .await;
    let wrong_shape = request(INGRESS, "tool-alpha", &json!({"spec": {"rules": "all"}}));
    let message = guards.refuses("/validate/ingress", &wrong_shape).await;
    assert!(message.contains("cannot be judged"), "{message}");
    let huge = guards.post("/validate/ingress", "x".repeat(9 << 20)).await;
    assert_eq!(huge.status(), 413);
    guards
        .admits(
            "/validate/ingress",
            &ingress("tool-alpha", &["alpha.toolforge.org"]),
        )
        .await;
}

#[tokio::test]
async fn images_come_from_an_allowed_registry_wherever_they_stand() {
    let guards = Guards::start(api()).await;
    let path = "/validate/images";
    guards.admits(path, &pod("tool-alpha", &with_image(GOOD))).await;
    guards.admits(path, &pod("tool-alpha", &with_image(OTHER))).await;
    let message = guards
        .refuses(path, &pod("tool-alpha", &with_image("nginx")))
        .await;
    assert!(
        message.contains("[Kind=Pod, Namespace=tool-alpha Name=web Image=nginx]"),
        "{message}"
    );
    guards
        .refuses(
            path,
            &pod(
                "tool-alpha",
                &with_image("docker-registry.tools.wmflabs.org.evil/x"),
            ),
        )
        .await;
    for list in ["initContainers", "ephemeralContainers"] {
        let mut spec = with_image(GOOD);
        spec[list] = json!([{"name": "x", "image": "busybox"}]);
        let mut review = pod("tool-alpha", &spec);
        review["subResource"] = json!("ephemeralcontainers");
        assert!(guards.refuses(path, &review).await.contains(list));
    }
    let both = json!({"containers": [{"name": "a", "image": "nginx"}, {"name": "b", "image": "redis"}]});
    let message = guards.refuses(path, &pod("tool-alpha", &both)).await;
    assert!(
        message.contains("Image=nginx") && message.contains("Image=redis"),
        "{message}"
    );
}

#[tokio::test]
async fn templates_are_refused_when_the_workload_is_made() {
    let guards = Guards::start(api()).await;
    let template = json!({"spec": {"template": {"spec": with_image("nginx")}}});
    for (group, kind) in [
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("", "ReplicationController"),
        ("batch", "Job"),
    ] {
        guards
            .refuses(
                "/validate/images",
                &request((group, "v1", kind), "tool-alpha", &template),
            )
            .await;
    }
    let cron_job = json!({"spec": {"jobTemplate": template}});
    guards
        .refuses(
            "/validate/images",
            &request(("batch", "v1", "CronJob"), "tool-alpha", &cron_job),
        )
        .await;
    let root = json!({"containers": [{"name": "a", "image": GOOD, "securityContext": {"runAsUser": 0}}]});
    let deployment = json!({"spec": {"template": {"spec": root}}});
    guards
        .refuses(
            "/validate/pod",
            &request(("apps", "v1", "Deployment"), "tool-alpha", &deployment),
        )
        .await;
}

/// Asks the mutating guards in their order and applies their patches.
async fn completed(guards: &Guards, review: &Value) -> Value {
    let mut review = review.clone();
    for path in ["/mutate/volumes", "/mutate/pod"] {
        review["object"] = patched(guards, path, &review).await;
    }
    review["object"].take()
}

async fn patched(guards: &Guards, route: &str, review: &Value) -> Value {
    let response = guards.ask(route, review).await;
    assert_eq!(response["allowed"], true, "{response}");
    let mut object = review["object"].clone();
    if let Some(patch) = response["patch"].as_str() {
        assert_eq!(response["patchType"], "JSONPatch");
        let patch = base64::engine::general_purpose::STANDARD.decode(patch).unwrap();
        let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
    }
    object
}

#[tokio::test]
async fn a_pod_is_completed_with_its_tools_account_and_then_admitted() {
    let guards = Guards::start(api()).await;
    for (namespace, uid) in [("tool-alpha", 52_001), ("tool-late", 52_002)] {
        let mut review = pod(namespace, &with_image(GOOD));
        review["object"]["metadata"]["labels"] = json!({"toolforge": "tool"});
        guards.refuses("/validate/pod", &review).await;
        review["object"] = completed(&guards, &review).await;
        assert_eq!(review["object"]["spec"]["securityContext"]["fsGroup"], uid);
        let context = &review["object"]["spec"]["containers"][0]["securityContext"];
        assert_eq!(context["runAsUser"], uid);
        let annotations = &review["object"]["metadata"]["annotations"];
        assert_eq!(annotations["kubernetes.io/psp"], format!("{namespace}-psp"));
        assert_eq!(
            review["object"]["spec"]["containers"][0]["env"][0]["name"],
            "HOME"
        );
        guards.admits("/validate/pod", &review).await;
        assert_eq!(completed(&guards, &review).await, review["object"]);
    }
}

#[tokio::test]
async fn only_new_ephemeral_containers_of_a_running_pod_are_completed() {
    let guards = Guards::start(api()).await;
    let mut review = pod("tool-alpha", &with_image(GOOD));
    review["object"] = completed(&guards, &review).await;
    review["object"]["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": GOOD}]);
    review["operation"] = json!("UPDATE");
    assert_eq!(completed(&guards, &review).await, review["object"]);
    review["subResource"] = json!("ephemeralcontainers");
    let changed = completed(&guards, &review).await;
    assert_eq!(
        changed["spec"]["containers"],
        review["object"]["spec"]["containers"]
    );
    assert_eq!(
        changed["spec"]["ephemeralContainers"][0]["securityContext"]["allowPrivilegeEscalation"],
        false
    );
}

#[tokio::test]
async fn a_pod_that_reaches_for_the_machine_is_refused() {
    let guards = Guards::start(api()).await;
    for (field, value) in [
        ("hostNetwork", json!(true)),
        ("securityContext", json!({"runAsUser": 0})),
        ("volumes", json!([{"name": "x", "hostPath": {"path": "/etc"}}])),
    ] {
        let mut spec = with_image(GOOD);
        spec[field] = value;
        let review = pod("tool-alpha", &spec);
        for path in ["/mutate/pod", "/validate/pod"] {
            let message = guards.refuses(path, &review).await;
            assert!(message.contains(&format!("spec.{field}")), "{message}");
        }
    }
}

#[tokio::test]
async fn endpoints_are_written_by_controllers_only() {
    let guards = Guards::start(api()).await;
    let object = json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]});
    let mut review = request(("", "v1", "Endpoints"), "tool-alpha", &object);
    review["userInfo"] = json!({"username": "alpha", "groups": ["toolforge", "system:authenticated"]});
    let message = guards.refuses("/validate/endpoints", &review).await;
    assert!(
        message.contains("subsets[0].addresses[0].ip is \"10.0.0.1\""),
        "{message}"
    );
    review["userInfo"] = json!({"username": "system:kube-controller-manager", "groups": []});
    guards.admits("/validate/endpoints", &review).await;
}

#[tokio::test]
async fn a_volume_of_the_machine_is_refused_before_it_is_completed() {
    let guards = Guards::start(api()).await;
    let mut spec = with_image(GOOD);
    spec["volumes"] = json!([{"name": "x", "hostPath": {"path": "/etc"}}]);
    let mut review = pod("tool-alpha", &spec);
    for path in ["/mutate/volumes", "/validate/volumes"] {
        let message = guards.refuses(path, &review).await;
        assert!(message.starts_with("No hostPath volumes allowed"), "{message}");
    }
    review["namespace"] = json!("default");
    review["object"] = json!({"metadata": {"labels": {"toolforge": "tool"}}, "spec": with_image(GOOD)});
    let message = guards.refuses("/mutate/volumes", &review).await;
    assert!(
        message.starts_with("Only tools can have tool volumes mounted to them"),
        "{message}"
    );
}

#[tokio::test]
async fn an_account_that_is_not_there_yet_is_a_reason_to_ask_again() {
    let guards = Guards::start(api()).await;
    let response = guards
        .ask("/mutate/pod", &pod("tool-unready", &with_image(GOOD)))
        .await;
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 503);
    assert!(
        response["status"]["message"]
            .as_str()
            .unwrap()
            .contains("toolforge.org/uid"),
        "{response}"
    );
    let message = guards
        .refuses("/mutate/pod", &pod("tool-nobody", &with_image(GOOD)))
        .await;
    assert!(message.contains("does not exist"), "{message}");
    guards
        .refuses("/mutate/pod", &pod("default", &with_image(GOOD)))
        .await;
}

#[tokio::test]
async fn without_an_api_the_other_guards_still_answer() {
    let guards = Guards::start(no_api()).await;
    guards
        .admits(
            "/validate/ingress",
            &ingress("tool-alpha", &["alpha.toolforge.org"]),
        )
        .await;
    let response = guards
        .ask("/mutate/pod", &pod("tool-alpha", &with_image(GOOD)))
        .await;
    assert_eq!(response["status"]["code"], 503);
    let health = |path: &str| guards.client.get(format!("{}{path}", guards.url)).send();
    assert_eq!(health("/livez").await.unwrap().status(), 200);
    assert_eq!(health("/readyz").await.unwrap().status(), 503);
}

#[tokio::test]
async fn is_ready_once_the_accounts_are_known() {
    let guards = Guards::start(api()).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while guards
        .client
        .get(format!("{}/readyz", guards.url))
        .send()
        .await
        .unwrap()
        .status()
        != 200
    {
        assert!(tokio::time::Instant::now() < deadline, "never ready");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn services_stay_inside_the_cluster() {
    let guards = Guards::start(api()).await;
    let service = |spec: &Value| request(("", "v1", "Service"), "tool-alpha", &json!({ "spec": spec }));
    guards
        .admits(
            "/validate/service",
            &service(&json!({"selector": {"name": "alpha"}})),
        )
        .await;
    let message = guards
        .refuses("/validate/service", &service(&json!({"type": "NodePort"})))
        .await;
    assert!(message.contains("spec.type is \"NodePort\""), "{message}");
}
