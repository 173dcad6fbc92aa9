//! `metrics.k8s.io/v1beta1`: what is used, as `kubectl top` and autoscalers ask for it.

mod discovery;
mod items;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::seen::Seen;
use crate::selector::Selector;

type Parameters = Query<HashMap<String, String>>;

/// The paths.
pub(crate) fn router(seen: Arc<Seen>) -> Router {
    Router::new()
        .route(
            "/apis",
            get(|| async { answer(StatusCode::OK, &discovery::groups()) }),
        )
        .route(
            "/apis/metrics.k8s.io",
            get(|| async { answer(StatusCode::OK, &discovery::group()) }),
        )
        .route(
            "/apis/metrics.k8s.io/v1beta1",
            get(|| async { answer(StatusCode::OK, &discovery::resources()) }),
        )
        .route(
            "/openapi/v3",
            get(|| async { answer(StatusCode::OK, &discovery::schema_index()) }),
        )
        .route(
            "/openapi/v3/apis/metrics.k8s.io/v1beta1",
            get(|| async { answer(StatusCode::OK, &discovery::schemas()) }),
        )
        .route("/apis/metrics.k8s.io/v1beta1/nodes", get(nodes))
        .route("/apis/metrics.k8s.io/v1beta1/nodes/{name}", get(node))
        .route("/apis/metrics.k8s.io/v1beta1/pods", get(all_pods))
        .route(
            "/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods",
            get(pods),
        )
        .route(
            "/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/{name}",
            get(pod),
        )
        .with_state(seen)
}

/// JSON.
pub(crate) fn answer(code: StatusCode, value: &Value) -> Response {
    (
        code,
        [(header::CONTENT_TYPE, "application/json")],
        value.to_string(),
    )
        .into_response()
}

/// A refusal in Kubernetes' form.
pub(crate) fn refusal(code: StatusCode, reason: &str, message: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code.as_u16(), "reason": reason, "message": message,
    });
    answer(code, &status)
}

fn missing(resource: &str, name: &str) -> Response {
    let message = format!("{resource}.metrics.k8s.io \"{name}\" not found");
    refusal(StatusCode::NOT_FOUND, "NotFound", &message)
}

/// Which objects of a list are meant.
struct Wanted {
    selector: Selector,
    name: Option<String>,
}

impl Wanted {
    fn read(parameters: &HashMap<String, String>) -> Result<Self, Box<Response>> {
        let text = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        let bad = |message: &str| Box::new(refusal(StatusCode::BAD_REQUEST, "BadRequest", message));
        if parameters.contains_key("watch") && !matches!(text("watch"), "" | "0" | "false") {
            let refused = "metrics cannot be watched; ask again when you want to know";
            return Err(Box::new(refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                refused,
            )));
        }
        let selector = Selector::parse(text("labelSelector")).map_err(|error| bad(&error.to_string()))?;
        let name = match text("fieldSelector") {
            "" => None,
            field => {
                let name = field.strip_prefix("metadata.name=");
                let name =
                    name.ok_or_else(|| bad("metrics can be selected by the field metadata.name only"))?;
                Some(name.trim_start_matches('=').to_owned())
            }
        };
        Ok(Self { selector, name })
    }

    fn wants(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.name.as_deref().is_none_or(|wanted| wanted == name) && self.selector.matches(labels)
    }
}

async fn nodes(State(seen): State<Arc<Seen>>, Query(parameters): Parameters) -> Response {
    let wanted = match Wanted::read(&parameters) {
        Ok(wanted) => wanted,
        Err(refused) => return *refused,
    };
    let now = Timestamp::now();
    let (nodes, usage) = (seen.nodes.read(), seen.usage.read());
    let items = nodes.iter().filter(|(name, labels)| wanted.wants(name, labels));
    let items: Vec<Value> = items
        .filter_map(|(name, labels)| items::node(name, labels, usage.get(name)?, now))
        .collect();
    answer(StatusCode::OK, &items::list("NodeMetricsList", &items))
}

async fn node(State(seen): State<Arc<Seen>>, Path(name): Path<String>) -> Response {
    let (nodes, usage) = (seen.nodes.read(), seen.usage.read());
    let found = nodes.get(&name).zip(usage.get(&name));
    let found = found.and_then(|(labels, usage)| items::node(&name, labels, usage, Timestamp::now()));
    found.map_or_else(|| missing("nodes", &name), |item| answer(StatusCode::OK, &item))
}

async fn all_pods(State(seen): State<Arc<Seen>>, Query(parameters): Parameters) -> Response {
    some_pods(&seen, None, &parameters)
}

async fn pods(
    State(seen): State<Arc<Seen>>,
    Path(namespace): Path<String>,
    Query(parameters): Parameters,
) -> Response {
    some_pods(&seen, Some(&namespace), &parameters)
}

fn some_pods(seen: &Seen, namespace: Option<&str>, parameters: &HashMap<String, String>) -> Response {
    let wanted = match Wanted::read(parameters) {
        Ok(wanted) => wanted,
        Err(refused) => return *refused,
    };
    let now = Timestamp::now();
    let (pods, usage) = (seen.pods.read(), seen.usage.read());
    let first = (namespace.unwrap_or_default().to_owned(), String::new());
    let items = pods
        .range(first..)
        .take_while(|((its, _), _)| namespace.is_none_or(|namespace| namespace == its))
        .filter(|((_, name), pod)| wanted.wants(name, &pod.labels))
        .filter_map(|(place, pod)| items::pod(place, pod, usage.get(&pod.node)?, now));
    let items: Vec<Value> = items.collect();
    answer(StatusCode::OK, &items::list("PodMetricsList", &items))
}

async fn pod(State(seen): State<Arc<Seen>>, Path(place): Path<(String, String)>) -> Response {
    let (pods, usage) = (seen.pods.read(), seen.usage.read());
    let item = pods
        .get(&place)
        .and_then(|pod| items::pod(&place, pod, usage.get(&pod.node)?, Timestamp::now()));
    let name = format!("{}/{}", place.0, place.1);
    item.map_or_else(|| missing("pods", &name), |item| answer(StatusCode::OK, &item))
}
