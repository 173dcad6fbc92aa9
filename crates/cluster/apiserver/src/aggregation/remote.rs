//! Another server of a group: who it is, how it is reached, and what is known of it.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use hyper::body::Incoming;
use rand::seq::SliceRandom as _;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use toolforge_chain::{NoAddress, World, addresses_behind};

use super::described::Described;
use super::front_proxy::FrontProxy;
use crate::dial::{self, Problem};

/// How long a server may take until it can be asked: it is near.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to begin with an answer, as long as Kubernetes gives any request.
const ANSWER_PATIENCE: Duration = Duration::from_mins(1);
/// The port of a Service that does not name one.
const DEFAULT_PORT: u16 = 443;

/// A server that answers for one version of a group.
#[derive(Debug)]
pub(crate) struct Remote {
    /// The name of the `APIService`.
    pub(super) name: String,
    pub(super) group: String,
    pub(super) version: String,
    pub(super) spec: Value,
    pub(super) namespace: String,
    pub(super) service: String,
    pub(super) port: u16,
    tls: Result<Arc<rustls::ClientConfig>, String>,
    /// What it said when it was asked last.
    told: ArcSwapOption<Described>,
}

impl Remote {
    /// Reads an `APIService`; none where it names no Service.
    pub(super) fn read(name: &str, object: &Value, front: &FrontProxy) -> Option<Self> {
        let spec = object.get("spec")?;
        let service = spec.get("service").filter(|service| service.is_object())?;
        let text = |value: &Value, field: &str| {
            let found = value.get(field).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let port = service.get("port").and_then(Value::as_u64);
        Some(Self {
            name: name.to_owned(),
            group: text(spec, "group"),
            version: text(spec, "version"),
            namespace: text(service, "namespace"),
            service: text(service, "name"),
            port: port.and_then(|port| port.try_into().ok()).unwrap_or(DEFAULT_PORT),
            tls: tls(&text(spec, "caBundle"), front),
            spec: spec.clone(),
            told: ArcSwapOption::empty(),
        })
    }

    /// Sorts servers as discovery shows them: groups by priority, then versions by theirs.
    pub(super) fn order(&self) -> (Reverse<i64>, String, Reverse<i64>, String) {
        let number = |field: &str| Reverse(self.spec.get(field).and_then(Value::as_i64).unwrap_or(0));
        (
            number("groupPriorityMinimum"),
            self.group.clone(),
            number("versionPriority"),
            self.version.clone(),
        )
    }

    /// What it offers; none before it has ever answered.
    pub(super) fn described(&self) -> Option<Described> {
        self.told.load().as_deref().cloned()
    }

    /// Whether it has said that it has this resource.
    pub(crate) fn offers(&self, plural: &str) -> bool {
        let told = self.told.load();
        let resources = told.as_deref().and_then(|told| told.resources.as_array());
        resources.is_some_and(|all| all.iter().any(|one| one["resource"] == plural))
    }

    /// Remembers what it offers.
    pub(super) fn told(&self, described: Described) {
        self.told.store(Some(Arc::new(described)));
    }

    /// Remembers that it does not answer; what it offered stays known.
    pub(super) fn silent(&self) {
        if let Some(mut described) = self.described() {
            described.available = false;
            self.told(described);
        }
    }

    /// The host in its certificate.
    pub(super) fn host(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    /// Where it can be reached now.
    pub(super) fn addresses(&self, world: &dyn World) -> Result<Vec<(String, u16)>, NoAddress> {
        addresses_behind(world, &self.namespace, &self.service, self.port)
    }

    /// Asks it, at one of these addresses; another one where the first cannot be reached.
    pub(super) async fn send(
        &self,
        mut addresses: Vec<(String, u16)>,
        request: Request<Body>,
    ) -> Result<http::Response<Incoming>, Problem> {
        addresses.shuffle(&mut rand::rng());
        let mut failure: Problem = "it has no address".into();
        for (host, port) in addresses {
            match timeout(CONNECT_PATIENCE, self.connect(&host, port)).await {
                Ok(Ok(mut sender)) => {
                    let answer = timeout(ANSWER_PATIENCE, sender.send_request(request)).await;
                    return Ok(answer.map_err(|_| "no answer in time")??);
                }
                Ok(Err(problem)) => failure = problem,
                Err(_) => failure = format!("{host}:{port} does not take connections").into(),
            }
        }
        Err(failure)
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> Result<hyper::client::conn::http1::SendRequest<Body>, Problem> {
        let tls = self.tls.clone()?;
        let stream = match host.parse::<IpAddr>() {
            Ok(address) => dial::tcp((address, port)).await?,
            Err(_) => dial::tcp((host, port)).await?,
        };
        let name = ServerName::try_from(self.host())?;
        dial::http(TlsConnector::from(tls).connect(name, stream).await?).await
    }
}

/// Trusts this authority alone, and says who we are.
fn tls(bundle: &str, front: &FrontProxy) -> Result<Arc<rustls::ClientConfig>, String> {
    if bundle.is_empty() {
        return Err(
            "spec.caBundle is empty, and without it the server's certificate cannot be verified".to_owned(),
        );
    }
    let pem = STANDARD
        .decode(bundle)
        .ok()
        .and_then(|pem| String::from_utf8(pem).ok());
    let pem = pem.ok_or("spec.caBundle is no PEM text in base64")?;
    let mut config = toolforge_pki::client_config(&pem, Some(front.identity()))
        .map_err(|problem| format!("spec.caBundle cannot be used: {problem}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
