//! A visitor: an HTTP client that trusts the platform's local authority and nothing else, and finds every
//! name at the gateway.

use std::net::SocketAddr;

use reqwest::{Method, StatusCode, header::HeaderMap, redirect::Policy};

/// An HTTP client outside the platform.
#[derive(Debug)]
pub struct Visitor {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

/// What a visitor got.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, as text.
    pub text: String,
}

impl Visitor {
    /// A visitor who trusts `authority` (PEM) and resolves these names to these addresses.
    pub fn new(authority: &str, names: &[(&str, SocketAddr)]) -> Self {
        let tls = toolforge_pki::client_config(authority, None).unwrap();
        let mut builder = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .redirect(Policy::none())
            .no_proxy();
        for (name, address) in names {
            builder = builder.resolve(name, *address);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            runtime,
            client: builder.build().unwrap(),
        }
    }

    /// GETs a URL.
    ///
    /// # Errors
    /// When there is no answer; why.
    pub fn get(&self, url: &str) -> Result<Answer, String> {
        self.send(Method::GET, url, &[])
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// When there is no answer; why.
    pub fn send(&self, method: Method, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        let mut request = self.client.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let text = answer.text().await.map_err(|error| format!("{error:?}"))?;
            Ok(Answer {
                status,
                headers,
                text,
            })
        })
    }
}
