//! A small API behind the guards, which knows a few tools, their accounts and what their Pods may use.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use toolforge_model::ToolAccount;
use toolforge_policy::psp::{ToolClass, tool_policy};

/// An API that knows the tools `alpha` (at once), `late` (only when asked for by name) and `unready`.
pub(crate) fn api() -> Router {
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
    let version = match kind {
        "Namespace" => "v1",
        "PodSecurityPolicy" => "policy.toolforge.org/v1",
        _ => "rbac.authorization.k8s.io/v1",
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
pub(crate) fn no_api() -> Router {
    Router::new().fallback(async || StatusCode::INTERNAL_SERVER_ERROR)
}

#[derive(Deserialize)]
struct ListQuery {
    watch: Option<String>,
}

async fn list(query: Query<ListQuery>) -> Response {
    listed("Namespace", &query, &[namespace("tool-alpha", 52_001)])
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
