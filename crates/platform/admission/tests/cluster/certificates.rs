//! The cluster issues the guards' certificates: nothing is made by hand, and nothing is lost while they change.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::rbac::v1::Role;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use toolforge_admission::{
    AUTHORITIES, AUTHORITY_KEY, CONFIGURATION_NAME, ClientConfigBase, DEFAULT_SIGNER, Registration,
    keep_configurations, serving, webhook_configurations,
};
use toolforge_certificates::{Authorities, IssueError, Serving, issue, present};
use toolforge_pki::Authority;
use toolforge_policy::PolicySettings;

use crate::scratch::{Cluster, DEADLINE, reach};

/// How long certificates live; they begin five minutes before they are issued.
const LIFETIME: Duration = Duration::from_mins(30);
/// Longer than any of these tests.
const KEPT: Duration = Duration::from_hours(1);

/// One address in front of several servers, which take turns. With none, connections break.
pub(crate) struct Front {
    address: SocketAddr,
    servers: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Front {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let servers = Arc::new(Mutex::new(Vec::<SocketAddr>::new()));
        let of = Arc::clone(&servers);
        tokio::spawn(async move {
            while let Ok((mut incoming, _)) = listener.accept().await {
                let next = {
                    let mut servers = of.lock().unwrap();
                    let next = usize::from(!servers.is_empty());
                    servers.rotate_left(next);
                    servers.first().copied()
                };
                tokio::spawn(async move {
                    let Some(next) = next else { return };
                    let mut server = TcpStream::connect(next).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut incoming, &mut server).await;
                });
            }
        });
        Self { address, servers }
    }

    fn base(&self) -> ClientConfigBase {
        ClientConfigBase::Url(format!("https://localhost:{}", self.address.port()))
    }

    /// A guard as `toolforge admission` runs it, known by the authorities in the `ConfigMap` `trust`; where it listens.
    pub(crate) async fn guard(&self, client: Client, serving: Serving, trust: &str) -> SocketAddr {
        let stop = CancellationToken::new();
        let authorities = Authorities::config_map(
            client.clone(),
            "toolforge-system",
            trust,
            AUTHORITY_KEY,
            stop.clone(),
        );
        let (told, registered) = Authorities::told();
        let registration = Registration {
            base: self.base(),
            authorities,
            registered: told,
            retired_kept: KEPT,
            reach: reach(),
        };
        tokio::spawn(keep_configurations(client.clone(), registration, stop.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let policies = PolicySettings::with("toolforge.org", "r.example")
            .resolve()
            .unwrap();
        let certificate = present(client.clone(), serving, registered, stop.clone())
            .await
            .unwrap();
        tokio::spawn(toolforge_admission::run(
            client,
            listener,
            certificate,
            policies,
            toolforge_figures::Process::Shared,
            stop,
        ));
        self.servers.lock().unwrap().push(address);
        address
    }
}

/// A cluster with a tool, where the objects are that `toolforge manifests` prints, and no guard.
pub(crate) async fn cluster(front: &Front) -> (Cluster, Api<Service>) {
    let cluster = Cluster::start().await;
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "toolforge-system"}});
    cluster.create(&namespace).await.unwrap();
    cluster.tool("hello").await;
    for configuration in webhook_configurations(&front.base(), None, &reach()) {
        cluster.create(&configuration).await.unwrap();
    }
    let services = Api::namespaced(cluster.admin.clone(), "tool-hello");
    (cluster, services)
}

pub(crate) fn asked(replica: &str) -> Serving {
    serving(replica, DEFAULT_SIGNER, vec!["localhost".to_owned()], LIFETIME)
}

/// Why a Service is not made; none, if it is.
pub(crate) async fn refusal(services: &Api<Service>, name: &str, kind: &str) -> Option<String> {
    let service = json!({
        "metadata": {"name": name},
        "spec": {"type": kind, "selector": {"name": "hello"}, "ports": [{"port": 8000}]},
    });
    let service = serde_json::from_value(service).unwrap();
    let made = services.create(&PostParams::default(), &service).await;
    made.err().map(|error| error.to_string())
}

pub(crate) async fn until_guarded(services: &Api<Service>) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let refused = refusal(services, "never", "NodePort").await.unwrap();
        if refused.contains("spec.type is \"NodePort\"") {
            return;
        }
        assert!(refused.contains("failed calling webhook"), "{refused}");
        assert!(Instant::now() < deadline, "{refused}");
    }
}

/// The certificate that a server presents, whoever signed it.
pub(crate) async fn presented(address: SocketAddr) -> Vec<u8> {
    let config = Arc::new(toolforge_pki::unverified_client_config());
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(config);
    let stream = connector.connect("localhost".try_into().unwrap(), stream);
    let stream = stream.await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_with_no_guard_running_starts_them_with_certificates_of_its_own() {
    let front = Front::start().await;
    let (cluster, services) = cluster(&front).await;
    let refused = refusal(&services, "early", "ClusterIP").await.unwrap();
    assert!(refused.contains("failed calling webhook"), "{refused}");

    let _controllers = cluster.control(&cluster.authority);
    let client = cluster.guard(DEFAULT_SIGNER).await;
    // Two replicas behind one address, each with a key and a certificate of its own.
    let one = front.guard(client.clone(), asked("one"), AUTHORITIES).await;
    let two = front.guard(client, asked("two"), AUTHORITIES).await;
    until_guarded(&services).await;
    for i in 0..20 {
        assert_eq!(refusal(&services, &format!("s-{i}"), "ClusterIP").await, None);
    }
    assert_ne!(presented(one).await, presented(two).await);
    // What has served is gone.
    let requests: Api<CertificateSigningRequest> = Api::all(cluster.admin.clone());
    let left = requests.list(&ListParams::default()).await.unwrap();
    assert!(left.items.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_renewed_and_nobody_sees_it() {
    let front = Front::start().await;
    let (cluster, services) = cluster(&front).await;
    let _controllers = cluster.control(&cluster.authority);
    let client = cluster.guard(DEFAULT_SIGNER).await;
    // Of 35 minutes five are over at birth: due after two seconds.
    let soon = Serving {
        renewed_after: 302.0 / 2100.0,
        ..asked("one")
    };
    let address = front.guard(client, soon, AUTHORITIES).await;
    until_guarded(&services).await;
    let first = presented(address).await;
    let deadline = Instant::now() + DEADLINE;
    let mut i = 0;
    while presented(address).await == first {
        assert_eq!(refusal(&services, &format!("s-{i}"), "ClusterIP").await, None);
        assert!(Instant::now() < deadline, "it is not renewed");
        i += 1;
    }
    assert_eq!(refusal(&services, "after", "ClusterIP").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gets_no_certificate_is_told_why() {
    let front = Front::start().await;
    let (cluster, _) = cluster(&front).await;
    let client = cluster.guard(DEFAULT_SIGNER).await;
    // Nobody is there who signs.
    let mut request = asked("one").request;
    request.patience = Duration::from_millis(300);
    let error = issue(&client, &request).await.unwrap_err();
    assert!(matches!(error, IssueError::NotSigned { .. }), "{error}");
    assert!(error.to_string().contains("kube-controller-manager"), "{error}");

    // A right on one signer is none on others.
    "example.org/webhooks".clone_into(&mut request.signer);
    let error = issue(&client, &request).await.unwrap_err();
    assert!(matches!(error, IssueError::NotApproved { .. }), "{error}");
    request.others_may_approve = false;
    let error = issue(&client, &request).await.unwrap_err();
    assert!(
        matches!(error, IssueError::Api { step: "approve", .. }),
        "{error}"
    );

    let _controllers = cluster.control(&cluster.authority);
    let mut request = asked("one").request;
    request.organizations = vec!["system:masters".to_owned()];
    let error = issue(&client, &request).await.unwrap_err().to_string();
    let why = "was refused (Failed): subject organization is not system:nodes";
    assert!(error.ends_with(why), "{error}");

    // A request of an attempt that was interrupted is replaced.
    let (_, pem) = toolforge_pki::new_request("a", &[]).unwrap();
    let pem = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem);
    let stale = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": request.object},
        "spec": {"signerName": "example.org/a", "usages": ["server auth"], "request": pem},
    });
    cluster.create(&stale).await.unwrap();
    issue(&client, &asked("one").request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_is_replaced_and_no_write_is_lost() {
    let front = Front::start().await;
    let (cluster, services) = cluster(&front).await;
    let controllers = cluster.control(&cluster.authority);
    let client = cluster.guard(DEFAULT_SIGNER).await;
    let old = cluster.authority.certificate_pem();
    let trust = |pem: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {AUTHORITY_KEY: pem},
            "metadata": {"name": "trust", "namespace": "toolforge-system"},
        })
    };
    cluster.create(&trust(old)).await.unwrap();
    let parameters = PatchParams::default();
    let roles: Api<Role> = Api::namespaced(cluster.admin.clone(), "toolforge-system");
    let wider = json!({"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]});
    roles
        .patch("toolforge-admission", &parameters, &Patch::Merge(wider))
        .await
        .unwrap();
    let address = front.guard(client, asked("one"), "trust").await;
    until_guarded(&services).await;

    let (done, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writer = tokio::spawn({
        let (done, written) = (Arc::clone(&done), Arc::clone(&written));
        async move {
            while !done.load(Ordering::SeqCst) {
                let i = written.fetch_add(1, Ordering::SeqCst);
                assert_eq!(refusal(&services, &format!("s-{i}"), "ClusterIP").await, None);
            }
        }
    });
    controllers.cancel();
    let new = Arc::new(Authority::create("new").unwrap());
    let _controllers = cluster.control(&new);
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin.clone(), "toolforge-system");
    let change = Patch::Merge(trust(new.certificate_pem()));
    maps.patch("trust", &parameters, &change).await.unwrap();
    let signed_by_new = |der: &[u8]| {
        let (pem, now) = (toolforge_pki::write_bundle([der]), std::time::SystemTime::now());
        toolforge_pki::check_server(&pem, new.certificate_pem(), "localhost", now).is_ok()
    };
    let deadline = Instant::now() + DEADLINE;
    while !signed_by_new(&presented(address).await) {
        assert!(Instant::now() < deadline, "the new authority signs nothing");
    }
    let seen = written.load(Ordering::SeqCst);
    while written.load(Ordering::SeqCst) < seen + 10 && !writer.is_finished() {
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    let api: Api<MutatingWebhookConfiguration> = Api::all(cluster.admin.clone());
    let configuration = api.get(CONFIGURATION_NAME).await.unwrap();
    let webhook = configuration.webhooks.unwrap().remove(0);
    let bundle = String::from_utf8(webhook.client_config.ca_bundle.unwrap().0).unwrap();
    assert_eq!(bundle, old.to_owned() + new.certificate_pem());
}
