//! Which certificate visitors are shown, as files and settings change, and the sessions that they resume.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
};

use kube::Client;
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use toolforge_gateway::{CertificateFiles, Config, Drain, GatewaySettings, Rules, Succession, run};
use toolforge_pki::{Authority, Identity};
use toolforge_policy::IngressPolicy;

use crate::cluster::Cluster;
use crate::scene::{DEADLINE, DOMAIN, LOOK_AGAIN, listener, refusing};

/// A gateway whose default certificate is in files.
struct Gateway {
    address: SocketAddr,
    authority: Authority,
    rules: watch::Sender<Arc<Rules>>,
    folder: tempfile::TempDir,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Gateway {
    /// Without an API.
    async fn new() -> Self {
        toolforge_pki::install_provider();
        let (_socket, nobody) = refusing();
        let api = kube::Config::new(format!("http://{nobody}").parse().unwrap());
        Self::before(Client::try_from(api).unwrap()).await
    }

    /// With the default certificate in `default.crt`.
    async fn before(client: Client) -> Self {
        let authority = Authority::create("web authority").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let identity = authority.issue_server(&[&format!("*.{DOMAIN}")]).unwrap();
        put(folder.path(), "default", &identity);
        let https = listener().await;
        let address = https.local_addr().unwrap();
        let (rules, followed) = watch::channel(Arc::default());
        let config = Config {
            policy: IngressPolicy::new(vec![DOMAIN.parse().unwrap()], "toolforge", [])
                .unwrap()
                .into(),
            http: None,
            status: None,
            process: toolforge_figures::Process::Own,
            workers: NonZeroUsize::MIN.saturating_add(1),
            https,
            public_https_port: address.port(),
            identity,
            identity_files: Some(CertificateFiles {
                certificate: folder.path().join("default.crt"),
                key: folder.path().join("default.key"),
            }),
            last_table: folder.path().join("table.json"),
            published: None,
            rules: Some(followed),
            registrations: None,
            drain: Drain::quick(),
            succession: Succession::default(),
        };
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let served = tokio::spawn(async move { run(client, config, stop).await.unwrap() });
        Self {
            address,
            authority,
            rules,
            folder,
            shutdown,
            served,
        }
    }

    fn settings(&self, text: &str) {
        let rules = GatewaySettings::read(text).unwrap().resolve().unwrap();
        self.rules.send_replace(Arc::new(rules));
    }

    fn issue(&self, name: &str) -> Identity {
        self.authority.issue_server(&[name]).unwrap()
    }

    async fn until_shown(&self, name: &str, identity: &Identity) {
        let looking = async {
            while self.shown(name).await != der(identity) {
                sleep(LOOK_AGAIN).await;
            }
        };
        let shown = timeout(DEADLINE, looking).await;
        assert!(shown.is_ok(), "{name} is shown another certificate");
    }

    /// The certificate that a visitor of this name is shown; the name need not be in it.
    async fn shown(&self, name: &str) -> CertificateDer<'static> {
        let config = Arc::new(toolforge_pki::unverified_client_config());
        let stream = connect(self.address, name, config).await;
        let (_, connection) = stream.get_ref();
        connection.peer_certificates().unwrap()[0].clone().into_owned()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(DEADLINE, self.served).await.unwrap().unwrap();
    }
}

async fn connect(address: SocketAddr, name: &str, config: Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(config).connect(name, stream).await.unwrap()
}

fn put(folder: &Path, name: &str, identity: &Identity) {
    for (ending, text) in [("crt", &identity.certificate_pem), ("key", &identity.key_pem)] {
        let beside = folder.join("beside");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, folder.join(format!("{name}.{ending}"))).unwrap();
    }
}

fn der(identity: &Identity) -> CertificateDer<'static> {
    let chain = toolforge_pki::read_bundle(&identity.certificate_pem).unwrap();
    CertificateDer::from(chain[0].clone())
}

#[tokio::test]
async fn certificates_in_files_are_shown_by_name_and_follow_their_files() {
    let gateway = Gateway::new().await;
    let folder = gateway.folder.path().join("certificates");
    fs::create_dir(&folder).unwrap();
    let (default, own) = (gateway.issue("*.other.test"), gateway.issue("own.test"));
    put(&folder, "own", &own);
    put(gateway.folder.path(), "default", &default);
    gateway.until_shown("own.test", &default).await;
    gateway.settings(&format!("certificates: [{{ folder: {} }}]", folder.display()));
    gateway.until_shown("own.test", &own).await;
    gateway.until_shown("OWN.test", &own).await;
    assert_eq!(gateway.shown("a.own.test").await, der(&default));
    // Renewed, and one that comes; in between a file that does not work.
    fs::write(folder.join("own.crt"), "soon").unwrap();
    let wildcard = gateway.issue("*.own.test");
    put(&folder, "wildcard", &wildcard);
    gateway.until_shown("a.own.test", &wildcard).await;
    assert_eq!(gateway.shown("own.test").await, der(&own));
    let renewed = gateway.issue("own.test");
    put(&folder, "own", &renewed);
    gateway.until_shown("own.test", &renewed).await;
    gateway.settings("");
    gateway.until_shown("own.test", &default).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_change_of_certificates_ends_no_connection() {
    let gateway = Gateway::new().await;
    let name = format!("alpha.{DOMAIN}");
    let config = Arc::new(toolforge_pki::client_config(gateway.authority.certificate_pem(), None).unwrap());
    let mut stream = connect(gateway.address, &name, config).await;
    let renewed = gateway.issue(&format!("*.{DOMAIN}"));
    put(gateway.folder.path(), "default", &renewed);
    gateway.until_shown(&name, &renewed).await;
    ask_for_health(&mut stream, &name).await;
    gateway.stop().await;
}

#[tokio::test]
async fn sessions_are_resumed_in_both_versions_for_the_same_name_only() {
    let gateway = Gateway::new().await;
    let (alpha, beta) = (format!("alpha.{DOMAIN}"), format!("beta.{DOMAIN}"));
    for (version, number) in [
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let mut roots = rustls::RootCertStore::empty();
        for der in toolforge_pki::read_bundle(gateway.authority.certificate_pem()).unwrap() {
            roots.add(CertificateDer::from(der)).unwrap();
        }
        let config = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        for (name, kind) in [
            (&alpha, HandshakeKind::Full),
            (&alpha, HandshakeKind::Resumed),
            (&beta, HandshakeKind::Full),
        ] {
            let mut stream = connect(gateway.address, name, config.clone()).await;
            // The tickets of TLS 1.3 come after the handshake.
            ask_for_health(&mut stream, name).await;
            let (_, connection) = stream.get_ref();
            assert_eq!(connection.protocol_version(), Some(number));
            assert_eq!(connection.handshake_kind(), Some(kind), "{number:?} {name}");
        }
    }
    gateway.stop().await;
}

async fn ask_for_health(stream: &mut TlsStream<TcpStream>, host: &str) {
    let request = format!("GET /.well-known/healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    let asking = async {
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
    };
    timeout(DEADLINE, asking).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_tools_own_certificate_is_shown_for_its_own_host_only() {
    let cluster = Cluster::new().await;
    for tool in ["alpha", "beta"] {
        let (namespace, host) = (format!("tool-{tool}"), format!("{tool}.{DOMAIN}"));
        cluster.create_namespace(&namespace).await;
        cluster.create_ingress(&namespace, "web", &host).await;
    }
    let gateway = Gateway::before(cluster.client.clone()).await;
    let (alpha, beta) = (format!("alpha.{DOMAIN}"), format!("beta.{DOMAIN}"));
    let default = gateway.shown(&alpha).await;
    // The Ingress names the Secret before there is one, and the certificate says that it is for everybody.
    let tls = json!([{ "hosts": [alpha], "secretName": "web" }]);
    cluster
        .patch_ingress("tool-alpha", "web", json!({ "spec": { "tls": tls } }))
        .await;
    let greedy = [alpha.as_str(), beta.as_str(), &format!("*.{DOMAIN}")];
    let own = gateway.authority.issue_server(&greedy).unwrap();
    cluster.put_tls_secret("tool-alpha", "web", &own).await;
    gateway.until_shown(&alpha, &own).await;
    assert_eq!(gateway.shown(&beta).await, default);
    // Another's host is refused with the whole Ingress, by the gateway too, where no guard stands before the API.
    let tls = json!([{ "hosts": [alpha], "secretName": "web" }]);
    cluster
        .patch_ingress("tool-beta", "web", json!({ "spec": { "tls": tls } }))
        .await;
    let stolen = gateway.issue(&alpha);
    cluster.put_tls_secret("tool-beta", "web", &stolen).await;
    // A key that is another's leaves the last one; what comes after it is shown.
    let broken = Identity {
        key_pem: stolen.key_pem.clone(),
        ..gateway.issue(&alpha)
    };
    cluster.put_tls_secret("tool-alpha", "web", &broken).await;
    let renewed = gateway.issue(&alpha);
    cluster.put_tls_secret("tool-alpha", "web", &renewed).await;
    gateway.until_shown(&alpha, &renewed).await;
    assert_eq!(gateway.shown(&beta).await, default);
    // No key is in what the gateway keeps, and without the API the certificate stays.
    cluster.stop().await;
    assert_eq!(gateway.shown(&alpha).await, der(&renewed));
    let folder = gateway.folder.path().to_owned();
    gateway.shutdown.cancel();
    timeout(DEADLINE, gateway.served).await.unwrap().unwrap();
    let table = fs::read_to_string(folder.join("table.json")).unwrap();
    assert!(
        table.contains("\"secret\":\"web\"") && !table.contains("PRIVATE"),
        "{table}"
    );
}

#[tokio::test]
async fn who_names_no_host_is_shown_the_default() {
    let gateway = Gateway::new().await;
    let shown = gateway.shown(&Ipv4Addr::LOCALHOST.to_string()).await;
    let text = fs::read_to_string(gateway.folder.path().join("default.crt")).unwrap();
    assert_eq!(shown.as_ref(), toolforge_pki::read_bundle(&text).unwrap()[0]);
    gateway.stop().await;
}
