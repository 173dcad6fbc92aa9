//! Where a webhook is reached: from its URL or its Service to addresses and the name in its certificate.

use rustls_pki_types::ServerName;
use serde_json::Value;

use super::definition::{ClientConfig, ServiceReference};
use crate::world::World;

/// The port of a webhook that does not name one; as in Kubernetes.
const DEFAULT_PORT: u16 = 443;

/// A webhook's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The host that the certificate must name.
    pub(super) host: String,
    /// The port that is written in the request; the connection may go elsewhere.
    pub(super) port: u16,
    /// Path and query.
    pub(super) path: String,
    /// The Service behind which the webhook is, or else the host is dialled itself.
    service: Option<ServiceReference>,
}

/// Why a webhook has no place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("clientConfig names neither url nor service")]
    Nowhere,
    #[error("url {url:?} must be https://HOST[:PORT][/PATH] without user, query or fragment")]
    Url { url: String },
    #[error(transparent)]
    Service(#[from] NoAddress),
}

/// Why a Service leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// It is not there.
    #[error("service {name:?} not found in namespace {namespace:?}")]
    NoService {
        /// Where it should be.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// It does not have the port.
    #[error("no service port {port} found for service {name:?}")]
    NoPort {
        /// Its name.
        name: String,
        /// The port.
        port: u16,
    },
    /// Nobody is ready behind it.
    #[error("no endpoints available for service {name:?}")]
    NoEndpoints {
        /// Its name.
        name: String,
    },
}

impl Target {
    pub(super) fn of(config: &ClientConfig) -> Result<Self, TargetError> {
        match (&config.url, &config.service) {
            (Some(url), _) => Self::of_url(url),
            (None, Some(service)) => Ok(Self {
                host: format!("{}.{}.svc", service.name, service.namespace),
                port: service.port.unwrap_or(DEFAULT_PORT),
                path: format!(
                    "/{}",
                    service
                        .path
                        .as_deref()
                        .unwrap_or_default()
                        .trim_start_matches('/')
                ),
                service: Some(service.clone()),
            }),
            (None, None) => Err(TargetError::Nowhere),
        }
    }

    fn of_url(url: &str) -> Result<Self, TargetError> {
        let wrong = || TargetError::Url { url: url.to_owned() };
        let uri: http::Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))
            .ok_or_else(wrong)?;
        if uri.scheme_str() != Some("https") || uri.query().is_some() || url.contains('#') {
            return Err(wrong());
        }
        Ok(Self {
            host: authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: authority.port_u16().unwrap_or(DEFAULT_PORT),
            path: uri.path().to_owned(),
            service: None,
        })
    }

    /// The whole address, as it stands in requests and messages.
    pub(super) fn url(&self, timeout_seconds: u64) -> String {
        format!("https://{}{}", self.authority(), self.path_with(timeout_seconds))
    }

    pub(super) fn path_with(&self, timeout_seconds: u64) -> String {
        format!("{}?timeout={timeout_seconds}s", self.path)
    }

    pub(super) fn authority(&self) -> String {
        let bracketed = self.host.contains(':');
        if bracketed {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The name that the certificate must have.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, TargetError> {
        ServerName::try_from(self.host.clone()).map_err(|_| TargetError::Url { url: self.url(0) })
    }

    /// The hosts and ports to dial, in the order in which to try them.
    pub(super) fn addresses(&self, world: &dyn World) -> Result<Vec<(String, u16)>, TargetError> {
        match &self.service {
            None => Ok(vec![(self.host.clone(), self.port)]),
            Some(service) => Ok(addresses_behind(
                world,
                &service.namespace,
                &service.name,
                self.port,
            )?),
        }
    }
}

/// Hosts and ports of the ready endpoints behind a port of a Service.
///
/// # Errors
/// When there is no such Service or port, or nobody behind it.
pub fn addresses_behind(
    world: &dyn World,
    namespace: &str,
    name: &str,
    port: u16,
) -> Result<Vec<(String, u16)>, NoAddress> {
    let service = world
        .get("", "services", Some(namespace), name)
        .ok_or_else(|| NoAddress::NoService {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })?;
    if service
        .pointer("/spec/type")
        .is_some_and(|kind| kind == "ExternalName")
    {
        let external = service
            .pointer("/spec/externalName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        return Ok(vec![(external.to_owned(), port)]);
    }
    let ports = service
        .pointer("/spec/ports")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let port_name = ports
        .iter()
        .find(|known| known.get("port").and_then(Value::as_u64) == Some(u64::from(port)))
        .map(|known| known.get("name").and_then(Value::as_str).unwrap_or_default())
        .ok_or_else(|| NoAddress::NoPort {
            name: name.to_owned(),
            port,
        })?;
    let mut addresses = Vec::new();
    for slice in world.list("discovery.k8s.io", "endpointslices", Some(namespace)) {
        let owner = slice
            .pointer("/metadata/labels/kubernetes.io~1service-name")
            .and_then(Value::as_str);
        if owner == Some(name) {
            collect(&slice, port_name, &mut addresses);
        }
    }
    if addresses.is_empty() {
        Err(NoAddress::NoEndpoints {
            name: name.to_owned(),
        })
    } else {
        Ok(addresses)
    }
}

fn collect(slice: &Value, port_name: &str, addresses: &mut Vec<(String, u16)>) {
    let list = |value: &Value, field: &str| {
        value
            .get(field)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let port = list(slice, "ports")
        .iter()
        .find(|port| port.get("name").and_then(Value::as_str).unwrap_or_default() == port_name)
        .and_then(|port| port.get("port").and_then(Value::as_u64))
        .and_then(|port| u16::try_from(port).ok());
    let Some(port) = port else { return };
    for endpoint in list(slice, "endpoints") {
        let ready = endpoint
            .pointer("/conditions/ready")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        let found = list(&endpoint, "addresses");
        addresses.extend(
            found
                .iter()
                .filter(|_| ready)
                .filter_map(Value::as_str)
                .map(|address| (address.to_owned(), port)),
        );
    }
}

#[cfg(test)]
mod tests;
