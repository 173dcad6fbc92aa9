//! A lean client: HTTP/1.1 over TLS on connections that stay, one request at a time on each. It shares the machine
//! with what it measures, so it reads no more of an answer than it is asked for.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use toolforge_pki::Identity;

/// A server, and who we are to it.
#[derive(Clone)]
pub(crate) struct Target {
    host: String,
    port: u16,
    tls: Arc<rustls::ClientConfig>,
    token: Option<HeaderValue>,
}

impl Target {
    /// The server and the certificate of a kubeconfig as the platform writes it: JSON, everything inline.
    pub(crate) fn of_kubeconfig(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let config: Value = serde_json::from_str(&text).context("the kubeconfig is not JSON")?;
        let field = |pointer: &str| {
            let found = config.pointer(pointer).and_then(Value::as_str);
            found.with_context(|| format!("the kubeconfig has no {pointer}"))
        };
        let decoded = |pointer: &str| -> anyhow::Result<String> {
            Ok(String::from_utf8(STANDARD.decode(field(pointer)?)?)?)
        };
        let identity = Identity {
            certificate_pem: decoded("/users/0/user/client-certificate-data")?,
            key_pem: decoded("/users/0/user/client-key-data")?,
        };
        let authority = decoded("/clusters/0/cluster/certificate-authority-data")?;
        Self::new(
            field("/clusters/0/cluster/server")?,
            &authority,
            Some(&identity),
            None,
        )
    }

    /// A server that knows us by a token.
    pub(crate) fn with_token(url: &str, authority_pem: &str, token: &str) -> anyhow::Result<Self> {
        let mut token = HeaderValue::from_str(&format!("Bearer {}", token.trim()))?;
        token.set_sensitive(true);
        Self::new(url, authority_pem, None, Some(token))
    }

    /// A server that asks nobody who they are.
    pub(crate) fn public(url: &str, authority_pem: &str) -> anyhow::Result<Self> {
        Self::new(url, authority_pem, None, None)
    }

    fn new(
        url: &str,
        authority_pem: &str,
        identity: Option<&Identity>,
        token: Option<HeaderValue>,
    ) -> anyhow::Result<Self> {
        let url: Uri = url.parse()?;
        let host = url
            .host()
            .with_context(|| format!("{url} has no host"))?
            .to_owned();
        let mut tls = toolforge_pki::client_config(authority_pem, identity)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            port: url.port_u16().unwrap_or(443),
            host,
            tls: Arc::new(tls),
            token,
        })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(self.host.clone())?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with its sender; an answer that breaks off is seen by who waits for it.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Connection {
            sender,
            host: HeaderValue::from_str(&format!("{}:{}", self.host, self.port))?,
            token: self.token.clone(),
        })
    }
}

/// What to send.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Bytes,
    /// Whether a compressed answer is welcome.
    pub(crate) gzip: bool,
}

impl Call {
    /// A read.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: Bytes::new(),
            gzip: false,
        }
    }

    /// A write of JSON.
    pub(crate) fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            body: body.into(),
            gzip: false,
        }
    }
}

/// One connection that stays.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    token: Option<HeaderValue>,
}

impl Connection {
    /// Sends a request; the answer's body is still to be read.
    pub(crate) async fn send(&mut self, call: Call) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.path)
            .header(header::HOST, self.host.clone())
            .header(header::ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token.clone());
        }
        if call.gzip {
            request = request.header(header::ACCEPT_ENCODING, "gzip");
        }
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        self.sender.ready().await?;
        Ok(self
            .sender
            .send_request(request.body(Full::new(call.body))?)
            .await?)
    }

    /// Sends a request and reads the answer to its end without keeping it; gives its size in bytes.
    pub(crate) async fn drain(&mut self, call: Call) -> anyhow::Result<usize> {
        let path = call.path.clone();
        let response = self.send(call).await?;
        if !response.status().is_success() {
            return Err(refused(&path, response).await);
        }
        let mut body = response.into_body();
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            size += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok(size)
    }

    /// Sends a request and gives the JSON that comes back.
    pub(crate) async fn json(&mut self, call: Call) -> anyhow::Result<Value> {
        let path = call.path.clone();
        let response = self.send(call).await?;
        if !response.status().is_success() {
            return Err(refused(&path, response).await);
        }
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&bytes)?)
    }
}

async fn refused(path: &str, response: Response<Incoming>) -> anyhow::Error {
    let status = response.status();
    let bytes = match response.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(problem) => return problem.into(),
    };
    anyhow::anyhow!("{path} answers {status}: {}", String::from_utf8_lossy(&bytes))
}

/// Checks that a status is the one that was expected.
pub(crate) fn expect(found: StatusCode, expected: StatusCode, what: &str) -> anyhow::Result<()> {
    if found != expected {
        bail!("{what} answers {found}");
    }
    Ok(())
}
