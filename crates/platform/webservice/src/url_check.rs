//! Asks a tool's own URL, as a visitor would.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, redirect::Policy};
use toolforge_model::{Chain, ToolName};

use crate::{error::WebserviceError, platform::Platform};

/// A visitor who gets no first byte within this time has gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who asks: platforms may refuse those who do not say so.
const USER_AGENT: &str = concat!("toolforge-webservice/", env!("CARGO_PKG_VERSION"));
/// What the gateway writes on answers that no tool gave; from a tool's it is taken away.
const MARK: &str = "toolforge-answer";

/// A client for one tool's URL.
#[derive(Debug)]
pub(crate) struct UrlCheck {
    client: Client,
    url: String,
}

impl UrlCheck {
    pub(crate) fn new(platform: &Platform, tool: &ToolName) -> Result<Self, WebserviceError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| WebserviceError::Url(error);
        let mut builder = Client::builder()
            .timeout(PATIENCE)
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .no_proxy();
        let tls = match &platform.ca_pem {
            Some(pem) => toolforge_pki::client_config(pem, None),
            // Its certificate is one that all browsers accept.
            None => toolforge_pki::public_client_config(),
        };
        builder = builder.use_preconfigured_tls(tls.map_err(|error| failed(error.into()))?);
        if let Some(address) = platform.gateway {
            builder = builder.resolve(&platform.domain.host_of(tool), address);
        }
        let client = builder.build().map_err(|error| failed(error.into()))?;
        Ok(Self {
            client,
            url: platform.url_of(tool),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The port of the gateway.
    pub(crate) fn port(&self) -> u16 {
        let url = reqwest::Url::parse(&self.url).ok();
        url.and_then(|url| url.port_or_known_default()).unwrap_or(443)
    }

    /// What a visitor gets, or why there is nothing.
    pub(crate) async fn ask(&self) -> Result<Answer, NoAnswer> {
        match self.client.get(&self.url).send().await {
            Ok(answer) => Ok(Answer::of(&answer)),
            Err(error) => Err(NoAnswer {
                text: Chain(&error).to_string(),
                is_connect: error.is_connect(),
            }),
        }
    }
}

/// Why a visitor gets nothing.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    pub(crate) text: String,
    /// No connection came about, or no secure one.
    pub(crate) is_connect: bool,
}

/// What a visitor gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Whether the gateway answers because it has nobody to ask, or got no answer.
    pub(crate) is_in_place_of_the_tool: bool,
}

impl Answer {
    fn of(response: &Response) -> Self {
        let status = response.status();
        Self {
            status,
            is_in_place_of_the_tool: response.headers().contains_key(MARK) && stands_for_another(status),
        }
    }
}

/// Whether a page of the gateway with this status is there for want of the tool's. What it refuses, or leads elsewhere,
/// says nothing about the tool.
fn stands_for_another(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

#[cfg(test)]
mod tests {
    use reqwest::Response;

    use super::Answer;

    fn answer(status: u16, marked: bool) -> bool {
        let mut builder = axum::http::Response::builder().status(status);
        if marked {
            builder = builder.header("Toolforge-Answer", "gateway");
        }
        let response = Response::from(builder.body("").unwrap());
        Answer::of(&response).is_in_place_of_the_tool
    }

    #[test]
    fn a_tool_may_say_what_a_gateway_says() {
        for status in [404, 502, 503, 504] {
            assert!(answer(status, true), "{status}");
            assert!(!answer(status, false), "{status}");
        }
    }

    #[test]
    fn what_the_gateway_refuses_is_not_for_want_of_the_tool() {
        for status in [200, 308, 403, 429] {
            assert!(!answer(status, true), "{status}");
        }
    }
}
