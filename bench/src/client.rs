//! A lean client: HTTP/1.1 over TLS on connections that stay, one request at a time on each. It shares the machine
//! with what it measures, so it does no more than a client must: verify, encrypt, send, and read the whole answer.

mod answer;
mod connection;

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Uri};
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::{io::BufReader, net::TcpStream};
use tokio_rustls::TlsConnector;
use toolforge_pki::Identity;

pub(crate) use answer::{Head, Length, chunk};
pub(crate) use connection::Connection;

/// Bytes that the kernel is asked for at a time: a few answers of lists would otherwise be thousands of calls.
const READ_BYTES: usize = 64 << 10;

/// A server, and who we are to it.
#[derive(Clone)]
pub(crate) struct Target {
    host: String,
    port: u16,
    /// Where the host is, when its name does not lead there.
    address: Option<SocketAddr>,
    tls: Arc<rustls::ClientConfig>,
    token: Option<String>,
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
        Self::new(url, authority_pem, None, Some(token.trim().to_owned()))
    }

    /// A server that asks nobody who they are.
    pub(crate) fn public(url: &str, authority_pem: &str) -> anyhow::Result<Self> {
        Self::new(url, authority_pem, None, None)
    }

    fn new(
        url: &str,
        authority_pem: &str,
        identity: Option<&Identity>,
        token: Option<String>,
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
            address: None,
            tls: Arc::new(tls),
            token,
        })
    }

    /// The same server, found at this address whatever its name says.
    pub(crate) fn found_at(self, address: SocketAddr) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = match self.address {
            Some(address) => TcpStream::connect(address).await?,
            None => TcpStream::connect((self.host.as_str(), self.port)).await?,
        };
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(self.host.clone())?;
        // TLS asks for a few kilobytes at a time; the kernel is asked for more.
        let stream = BufReader::with_capacity(READ_BYTES, stream);
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await?;
        let mut headers = format!(
            "Host: {}:{}\r\nAccept: application/json\r\n",
            self.host, self.port
        );
        if let Some(token) = &self.token {
            headers.push_str("Authorization: Bearer ");
            headers.push_str(token);
            headers.push_str("\r\n");
        }
        Ok(Connection::new(stream, headers))
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
