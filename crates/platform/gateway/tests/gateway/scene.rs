//! A gateway before tools of the test's making, with a table that the test writes.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use toolforge_gateway::{
    DataPlane, DataPlaneSettings, Drain, GatewaySettings, PlainHttp, Shared, default_backend,
};
use toolforge_pki::{Authority, Identity};
use toolforge_routing::{
    AppProtocol, Change, Endpoint, EndpointSlice, Ingress, Object, ObjectKey, Path, PathKind, PortRef,
    RouteTable, Rule, Service, ServicePort, Settings, SlicePort, Target,
};

pub(crate) const DOMAIN: &str = "toolforge.test";
/// The port that the public is told, which is not the one that the test listens on.
pub(crate) const PUBLIC_PORT: u16 = 8443;
/// Small, so that tests need not send 128 MiB.
pub(crate) const BODY_LIMIT_BYTES: u64 = 64 * 1024;
/// How long a test waits for what must happen: long enough for a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// The pause between two looks at something that is about to happen.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Lets so many seconds pass at once, for everybody.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

pub(crate) struct Scene {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<()>,
    shared: Shared,
    authority: Authority,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(PlainHttp::Redirect).await
    }

    pub(crate) async fn with(plain_http: PlainHttp) -> Self {
        Self::ending(plain_http, Drain::quick()).await
    }

    /// A gateway that takes this long over its end.
    pub(crate) async fn ending(plain_http: PlainHttp, drain: Drain) -> Self {
        toolforge_pki::install_provider();
        let authority = Authority::create("test authority").unwrap();
        let identity = authority.issue_server(&[&format!("*.{DOMAIN}")]).unwrap();
        let tls = Arc::new(toolforge_pki::server_config(&identity, None).unwrap());
        let settings = DataPlaneSettings {
            request_body_limit_bytes: BODY_LIMIT_BYTES,
            drain,
            ..DataPlaneSettings::new(PUBLIC_PORT)
        };
        let shared = Shared::new(RouteTable::new(table_settings()), DOMAIN.parse().unwrap());
        let plane = DataPlane::new(settings, shared.clone());
        let (http, https) = (listener().await, listener().await);
        let addresses = (http.local_addr().unwrap(), https.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let plain = plane.clone().serve_plain(http, plain_http, shutdown.clone());
        let secure = plane.clone().serve_tls(https, tls, shutdown.clone());
        let served = tokio::spawn(async move {
            tokio::join!(plain, secure);
        });
        Self {
            http: addresses.0,
            https: addresses.1,
            shutdown,
            served,
            shared,
            authority,
        }
    }

    /// The host of a tool.
    pub(crate) fn host(tool: &str) -> String {
        format!("{tool}.{DOMAIN}")
    }

    /// Has the gateway go by a settings file with this text.
    pub(crate) fn settings(&self, text: &str) {
        let rules = GatewaySettings::read(text).unwrap().resolve().unwrap();
        self.shared.set_rules(Arc::new(rules)).unwrap();
    }

    /// Routes the tool's host to these endpoints.
    pub(crate) fn route(&self, tool: &str, endpoints: &[SocketAddr]) {
        self.route_to(tool, endpoints, AppProtocol::Http1);
    }

    /// The same, the tool's Service saying that this is spoken there.
    pub(crate) fn route_to(&self, tool: &str, endpoints: &[SocketAddr], protocol: AppProtocol) {
        self.put_ingress(tool, ("/", PathKind::Prefix), &[]);
        self.serve_endpoints(&format!("tool-{tool}"), tool, endpoints, protocol);
    }

    /// Routes a path of the tool's host to these endpoints, with these annotations.
    pub(crate) fn route_with(
        &self,
        tool: &str,
        endpoints: &[SocketAddr],
        path: (&str, PathKind),
        annotations: &[(&str, &str)],
    ) {
        self.put_ingress(tool, path, annotations);
        self.serve_endpoints(&format!("tool-{tool}"), tool, endpoints, AppProtocol::Http1);
    }

    fn put_ingress(&self, tool: &str, (path, kind): (&str, PathKind), annotations: &[(&str, &str)]) {
        let annotations = annotations.iter();
        let namespace = format!("tool-{tool}");
        let ingress = Ingress {
            key: ObjectKey::new(&namespace, "web"),
            created_seconds: 1,
            class: Some("toolforge".into()),
            refused: None,
            rules: vec![Rule {
                host: Self::host(tool).into(),
                paths: vec![Path {
                    path: path.into(),
                    kind,
                    target: Some(Target {
                        service: tool.into(),
                        port: PortRef::Number(8000),
                    }),
                }],
            }],
            default_backend: None,
            tls: Vec::new(),
            annotations: annotations
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        self.change(vec![Change::Put(Object::Ingress(ingress))]);
    }

    /// Makes this the default backend.
    pub(crate) fn default_backend(&self, endpoint: SocketAddr) {
        let default = default_backend();
        let service = &default.target.service;
        self.serve_endpoints(&default.namespace, service, &[endpoint], AppProtocol::Http1);
    }

    /// A Service of a namespace with these endpoints.
    pub(crate) fn serve_endpoints(
        &self,
        namespace: &str,
        service: &str,
        endpoints: &[SocketAddr],
        protocol: AppProtocol,
    ) {
        let port = ServicePort {
            name: "http".into(),
            port: 8000,
            protocol,
        };
        let mut changes = vec![Change::Put(Object::Service(Service {
            key: ObjectKey::new(namespace, service),
            ports: vec![port],
        }))];
        for (index, endpoint) in endpoints.iter().enumerate() {
            changes.push(Change::Put(Object::Slice(EndpointSlice {
                key: ObjectKey::new(namespace, format!("{service}-{index}")),
                service: service.into(),
                ports: vec![SlicePort {
                    name: "http".into(),
                    port: endpoint.port(),
                }],
                endpoints: vec![Endpoint {
                    address: endpoint.ip(),
                    ready: true,
                    serving: true,
                    terminating: false,
                }],
            })));
        }
        self.change(changes);
    }

    pub(crate) fn change(&self, changes: Vec<Change>) {
        let table = &self.shared.table;
        table.store(Arc::new(table.load().with(changes)));
    }

    /// A certificate for all hosts, and its key, for another server.
    pub(crate) fn identity(&self) -> Identity {
        self.authority.issue_server(&[&format!("*.{DOMAIN}")]).unwrap()
    }

    pub(crate) fn client_config(&self) -> ClientConfig {
        toolforge_pki::client_config(self.authority.certificate_pem(), None).unwrap()
    }

    /// A client that finds the tool's host at the gateway, speaks only this version, and follows no redirect.
    pub(crate) fn client(&self, tool: &str, version: Version) -> reqwest::Client {
        let mut tls = self.client_config();
        tls.alpn_protocols = match version {
            Version::Http1 => vec![b"http/1.1".to_vec()],
            Version::Http2 => vec![b"h2".to_vec()],
        };
        reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .resolve(&Self::host(tool), self.https)
            .timeout(DEADLINE)
            .build()
            .unwrap()
    }

    /// The URL of a path of a tool, at the port where the test finds it.
    pub(crate) fn url(&self, tool: &str, path: &str) -> String {
        format!("https://{}:{}{path}", Self::host(tool), self.https.port())
    }

    /// A TLS connection over which the test writes its own bytes.
    pub(crate) async fn raw(&self, tool: &str) -> Raw<TlsStream<TcpStream>> {
        Raw::new(self.stream(tool).await)
    }

    /// A TLS connection.
    pub(crate) async fn stream(&self, tool: &str) -> TlsStream<TcpStream> {
        self.tls(tool, self.client_config()).await
    }

    /// A TLS connection on which HTTP/2 was agreed.
    pub(crate) async fn http2(&self, tool: &str) -> TlsStream<TcpStream> {
        let mut tls = self.client_config();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        self.tls(tool, tls).await
    }

    async fn tls(&self, tool: &str, config: ClientConfig) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.https).await.unwrap();
        let name = ServerName::try_from(Self::host(tool)).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.unwrap()
    }

    /// A plain connection over which the test writes its own bytes.
    pub(crate) async fn raw_plain(&self) -> Raw<TcpStream> {
        Raw::new(TcpStream::connect(self.http).await.unwrap())
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// A connection without a client library.
pub(crate) struct Raw<S> {
    stream: S,
    read: Vec<u8>,
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads until this text has come, and gives what came up to its end.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let searching = async {
            loop {
                let found = String::from_utf8_lossy(&self.read).find(text);
                if let Some(at) = found {
                    let rest = self.read.split_off(at + text.len());
                    return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
                }
                let count = self.stream.read_buf(&mut self.read).await.unwrap_or(0);
                assert!(
                    count > 0,
                    "{text:?} did not come, but {:?}",
                    String::from_utf8_lossy(&self.read)
                );
            }
        };
        tokio::time::timeout(DEADLINE, searching)
            .await
            .expect("the text did not come in time")
    }

    /// Reads until these bytes have come, whatever comes before them.
    pub(crate) async fn until_bytes(&mut self, bytes: &[u8]) {
        let searching = async {
            while !self.read.windows(bytes.len()).any(|part| part == bytes) {
                let count = self.stream.read_buf(&mut self.read).await.unwrap_or(0);
                assert!(count > 0, "it did not come");
            }
        };
        tokio::time::timeout(DEADLINE, searching)
            .await
            .expect("the bytes did not come in time");
    }

    /// The head of the next answer.
    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Reads until the other side ends, in whatever way.
    pub(crate) async fn end(&mut self) -> String {
        let reading = async { while self.stream.read_buf(&mut self.read).await.unwrap_or(0) > 0 {} };
        tokio::time::timeout(DEADLINE, reading)
            .await
            .expect("the connection was not closed in time");
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }
}

/// A listener on a port that nobody else has.
pub(crate) async fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

/// An address at which nobody listens: the port stays taken, by a socket that does not listen, while the test runs.
pub(crate) fn refusing() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn table_settings() -> Settings {
    Settings {
        ingress_class: "toolforge".into(),
        controller: "toolforge.org/gateway".into(),
        default_backend: default_backend(),
        policy: String::new(),
    }
}
