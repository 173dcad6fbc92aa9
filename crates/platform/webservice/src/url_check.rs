//! Asks a tool's own URL, as a visitor would.

use std::time::Duration;

use reqwest::{Client, StatusCode, redirect::Policy};
use toolforge_model::{Chain, ToolName};

use crate::{error::WebserviceError, platform::Platform};

/// A visitor who gets no first byte within this time has gone.
const PATIENCE: Duration = Duration::from_secs(10);

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
            .redirect(Policy::none())
            .no_proxy();
        if let Some(pem) = &platform.ca_pem {
            let tls = toolforge_pki::client_config(pem, None).map_err(|error| failed(error.into()))?;
            builder = builder.use_preconfigured_tls(tls);
        }
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

    /// The status that a visitor gets, or why there is none.
    pub(crate) async fn ask(&self) -> Result<StatusCode, NoAnswer> {
        match self.client.get(&self.url).send().await {
            Ok(answer) => Ok(answer.status()),
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

/// Whether the tool itself answered: these three are what a gateway says when it does not.
pub(crate) fn is_from_the_tool(status: StatusCode) -> bool {
    !matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}
