//! Who may ask the node: the cluster's API for everything; who may `get` the resource `nodes/metrics`, as with kubelet, for
//! `/metrics` and what is below it, so that Prometheus needs no right to `nodes/proxy`, by which one also gets into containers.

use axum::{
    Extension,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, Client, api::PostParams};
use toolforge_pki::{Certified, read_certificate_der};
use toolforge_serve::Peer;

/// Who the cluster's API is.
pub(super) const API: &str = "kube-apiserver-kubelet-client";
/// Who may do everything.
pub(super) const ADMINS: &str = "system:masters";
/// The group of everybody with a valid identity.
const AUTHENTICATED: &str = "system:authenticated";

/// Asks the API about those whom the node does not know.
#[derive(Clone)]
pub(crate) struct Door {
    client: Client,
    node: String,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl Door {
    /// The door of this node.
    pub(crate) fn new(client: Client, node: String) -> Self {
        Self { client, node }
    }

    /// Whether the API lets somebody look at the node's figures.
    async fn lets_look(&self, who: &Certified) -> Result<bool, kube::Error> {
        let mut groups = who.organizations.clone();
        groups.push(AUTHENTICATED.to_owned());
        let text = |text: &str| Some(text.to_owned());
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(who.common_name.clone()),
                groups: Some(groups),
                resource_attributes: Some(ResourceAttributes {
                    verb: text("get"),
                    version: text("v1"),
                    resource: text("nodes"),
                    subresource: text("metrics"),
                    name: text(&self.node),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews = Api::<SubjectAccessReview>::all(self.client.clone());
        let answered = reviews.create(&PostParams::default(), &review).await?;
        Ok(answered.status.is_some_and(|status| status.allowed))
    }
}

/// Before what only the API may ask.
pub(super) async fn only_the_api(Extension(peer): Extension<Peer>, request: Request, next: Next) -> Response {
    if identity(&peer).as_ref().is_some_and(may_ask) {
        return next.run(request).await;
    }
    let message = "only the cluster's API may ask here; ask it instead";
    (StatusCode::FORBIDDEN, message).into_response()
}

/// Before the figures.
pub(super) async fn who_may_look(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let Some(who) = identity(&peer) else {
        return (
            StatusCode::UNAUTHORIZED,
            "show a certificate of the cluster's clients",
        )
            .into_response();
    };
    if may_ask(&who) {
        return next.run(request).await;
    }
    match door.lets_look(&who).await {
        Ok(true) => next.run(request).await,
        Ok(false) => {
            let message = format!(
                "user {:?} may not get nodes/metrics; ask an operator for a role that allows it",
                who.common_name
            );
            (StatusCode::FORBIDDEN, message).into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "the API does not say who may look at the node's figures");
            let message = "the Kubernetes API does not say who may look here; try again";
            (StatusCode::SERVICE_UNAVAILABLE, message).into_response()
        }
    }
}

fn identity(peer: &Peer) -> Option<Certified> {
    let named = read_certificate_der(peer.certificate.as_ref()?).ok()?;
    (!named.common_name.is_empty()).then_some(named)
}

pub(super) fn may_ask(certificate: &Certified) -> bool {
    certificate.common_name == API || certificate.organizations.iter().any(|group| group == ADMINS)
}
