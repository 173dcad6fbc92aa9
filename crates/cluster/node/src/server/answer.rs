//! Answers of paths that hand their connection over.

use axum::{
    body::Body,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use toolforge_streams::Refusal;

use super::Server;
use crate::{
    logs::NoLog,
    runtime::{ContainerId, Runtime},
};

/// The answer after which the connection is no HTTP any more.
pub(super) fn switched(response: http::Response<()>) -> Response {
    response.map(|()| Body::empty())
}

pub(super) fn refused(refusal: &Refusal) -> Response {
    let code = StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::BAD_REQUEST);
    (code, refusal.message.clone()).into_response()
}

pub(super) fn failed(why: impl Into<String>) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, why.into()).into_response()
}

impl<R: Runtime> Server<R> {
    /// The running container of this name, or the answer that there is none.
    pub(super) async fn container(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<ContainerId, Box<Response>> {
        if let Some(id) = self.runtime.find(namespace, pod, container) {
            return Ok(id);
        }
        Err(Box::new(if self.knows(namespace, pod).await {
            failed(format!("container not found (\"{container}\")"))
        } else {
            (StatusCode::NOT_FOUND, "pod does not exist").into_response()
        }))
    }

    /// Whether a Pod of this name is here.
    pub(super) async fn knows(&self, namespace: &str, pod: &str) -> bool {
        let (logs, namespace, pod) = (self.logs.clone(), namespace.to_owned(), pod.to_owned());
        // Looking through folders blocks for a moment.
        let found = tokio::task::spawn_blocking(move || logs.find(&namespace, &pod, "", false)).await;
        !matches!(found, Ok(Err(NoLog::Pod(_))))
    }
}
