//! Asks a tool's own URL, as a visitor would.

use std::{net::SocketAddr, time::Duration};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{HOST, HeaderMap, HeaderValue},
    redirect::Policy,
};
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
    /// The same, with the port at which the gateway is reached from here.
    asked: String,
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
        let url = platform.url_of(tool);
        let mut asked = url.clone();
        if let Some(address) = platform.gateway {
            let (at, headers) =
                at_gateway(&url, address).ok_or_else(|| failed("it is no URL with a host".into()))?;
            builder = builder
                .resolve(&platform.domain.host_of(tool), address)
                .default_headers(headers);
            asked = at.into();
        }
        let client = builder.build().map_err(|error| failed(error.into()))?;
        Ok(Self { client, url, asked })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The port of the gateway.
    pub(crate) fn port(&self) -> u16 {
        let url = Url::parse(&self.url).ok();
        url.and_then(|url| url.port_or_known_default()).unwrap_or(443)
    }

    /// What a visitor gets, or why there is nothing.
    pub(crate) async fn ask(&self) -> Result<Answer, NoAnswer> {
        match self.client.get(&self.asked).send().await {
            Ok(answer) => Ok(Answer::of(&answer)),
            Err(error) => Err(NoAnswer {
                text: Chain(&error).to_string(),
                is_connect: error.is_connect(),
            }),
        }
    }
}

/// A URL as it is asked at an address of the gateway: the client goes by the port of the URL, not by that of the address. The
/// gateway is told the host and the port that visitors see.
fn at_gateway(url: &str, address: SocketAddr) -> Option<(Url, HeaderMap)> {
    let mut url = Url::parse(url).ok()?;
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str()?),
        None => url.host_str()?.to_owned(),
    };
    let headers = HeaderMap::from_iter([(HOST, HeaderValue::try_from(host).ok()?)]);
    url.set_port(Some(address.port())).ok()?;
    Some((url, headers))
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
    use std::collections::BTreeMap;

    use reqwest::Response;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::{Answer, UrlCheck};
    use crate::platform::Platform;

    #[tokio::test]
    async fn gateway_is_asked_at_its_address_whatever_the_port_of_the_url() {
        toolforge_pki::install_provider();
        for (port, expected) in [
            (":1", "host: hello.toolforge.test:1\r\n"),
            ("", "host: hello.toolforge.test\r\n"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let texts = |texts: &[(&str, String)]| {
                let texts = texts.iter().map(|(key, text)| ((*key).to_owned(), text.clone()));
                texts.collect::<BTreeMap<_, _>>()
            };
            let platform = texts(&[
                ("domain", "toolforge.test".to_owned()),
                ("registry", "registry.test".to_owned()),
                ("url", format!("http://{{tool}}.toolforge.test{port}/")),
                ("gateway-address", listener.local_addr().unwrap().to_string()),
            ]);
            let images = texts(&[("images-v1.yaml", "{}".to_owned())]);
            let platform = Platform::from_maps(&platform, &images).unwrap();
            let asked = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    assert!(stream.read_buf(&mut head).await.unwrap() > 0, "it sends a head");
                }
                let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                String::from_utf8(head).unwrap()
            });
            let check = UrlCheck::new(&platform, &"hello".parse().unwrap()).unwrap();
            assert_eq!(check.url(), format!("http://hello.toolforge.test{port}/"));
            assert_eq!(check.ask().await.unwrap().status, 204);
            let head = asked.await.unwrap();
            assert!(head.contains(expected), "{head}");
        }
    }

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
