//! Answers in place of those that no tool gave: the default backend's pages, and the gateway's own behind them.

use std::sync::atomic::Ordering;

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL},
};
use toolforge_annotations::Timeouts;
use toolforge_routing::Backend;

use super::DataPlane;
use crate::{
    body::ResponseBody,
    exchange::exchange,
    headers::identify,
    http1::tool::Asked,
    names::{X_CODE, X_FORMAT, X_INGRESS_NAME, X_NAMESPACE, X_SERVICE_NAME, X_SERVICE_PORT},
    page::{NO_STORE, own_page},
    request_body::RequestBody,
    visit::Visit,
};

impl DataPlane {
    /// The answer in place of one that a tool did not give.
    pub(super) async fn fault(
        &self,
        visit: &Visit,
        status: StatusCode,
        backend: &Backend,
    ) -> Response<ResponseBody> {
        let response = if status.is_client_error() {
            // The visitor's mistake, and no page of the platform's knows more about it.
            own_page(status, visit.accept.as_ref(), None)
        } else {
            self.ask_default_backend(visit, status, Some(backend)).await
        };
        self.finished(visit, response)
    }

    /// The default backend's page for this status; the gateway's own where there is none to be had.
    ///
    /// Where nothing was found the default backend is asked for the very path, and its status stands. Otherwise a tool
    /// failed, which no status of the page's may hide.
    pub(super) async fn ask_default_backend(
        &self,
        visit: &Visit,
        status: StatusCode,
        failed: Option<&Backend>,
    ) -> Response<ResponseBody> {
        let backend = self.shared.table.load().default_backend().clone();
        let Some(mut response) = self.page_of(&backend, visit, status, failed).await else {
            return own_page(status, visit.accept.as_ref(), None);
        };
        if failed.is_some() {
            *response.status_mut() = status;
        }
        if response.status().as_u16() >= 400 {
            response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        }
        response
    }

    /// What a backend with pages answers for this status, with the status that it gives.
    pub(super) async fn page_of(
        &self,
        backend: &Backend,
        visit: &Visit,
        status: StatusCode,
        failed: Option<&Backend>,
    ) -> Option<Response<ResponseBody>> {
        let headers = self.page_headers(visit, status, failed);
        let asked = Asked {
            method: if visit.method == Method::HEAD {
                &Method::HEAD
            } else {
                &Method::GET
            },
            target: if failed.is_none() {
                visit.path_and_query()
            } else {
                "/"
            },
            headers: &headers,
            timeouts: Timeouts::default(),
            announces: self.shared.rules.load().announcement(&backend.namespace, None),
        };
        let answered = exchange(
            self.means(),
            backend,
            self.turn_of_pages.fetch_add(1, Ordering::Relaxed),
            &asked,
            RequestBody::default(),
        )
        .await;
        let mut response = match answered {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(service = backend.service.as_str(), %error, "there is no page");
                return None;
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return None;
        }
        crate::headers::remove_hop_by_hop(response.headers_mut());
        Some(response)
    }

    /// What the default backend is asked: as ingress-nginx asks it, so that its pages can be written for both.
    fn page_headers(&self, visit: &Visit, status: StatusCode, failed: Option<&Backend>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        identify(&mut headers, visit, &self.https_port);
        headers.insert(X_CODE, HeaderValue::from(status.as_u16()));
        if let Some(accept) = &visit.accept {
            headers.insert(X_FORMAT, accept.clone());
            headers.insert(ACCEPT, accept.clone());
        }
        if let Some(failed) = failed {
            for (name, value) in [
                (X_NAMESPACE, &failed.namespace),
                (X_INGRESS_NAME, &failed.ingress),
                (X_SERVICE_NAME, &failed.service),
                (X_SERVICE_PORT, &failed.port),
            ] {
                if let Ok(value) = HeaderValue::from_str(value) {
                    headers.insert(name, value);
                }
            }
        }
        headers
    }
}
