//! Runs a probe: a request, a connection or a command.

use std::{net::Ipv4Addr, time::Duration};

use k8s_openapi::{
    api::core::v1::{Container, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use tokio::{net::TcpStream, time::timeout};

use super::{grpc, http_get};
use crate::{
    life::ProbeKind,
    runtime::{ContainerId, ProbeOutcome, Runtime},
};

/// How long a probe may take when it does not say, in seconds; the API's default.
const TIMEOUT_SECONDS: i32 = 1;

/// The probe of this kind that a container describes.
pub(super) fn probe_of(container: &Container, kind: ProbeKind) -> Option<&Probe> {
    match kind {
        ProbeKind::Startup => container.startup_probe.as_ref(),
        ProbeKind::Liveness => container.liveness_probe.as_ref(),
        ProbeKind::Readiness => container.readiness_probe.as_ref(),
    }
}

/// Runs a probe once.
pub(super) async fn check<R: Runtime>(
    runtime: &R,
    id: &ContainerId,
    container: &Container,
    probe: &Probe,
    address: Ipv4Addr,
) -> ProbeOutcome {
    let seconds = u64::try_from(probe.timeout_seconds.unwrap_or(TIMEOUT_SECONDS))
        .unwrap_or_default()
        .max(1);
    let limit = Duration::from_secs(seconds);
    if let Some(exec) = &probe.exec {
        return runtime
            .exec(id, exec.command.as_deref().unwrap_or_default(), limit)
            .await;
    }
    let asked = async {
        if let Some(get) = &probe.http_get {
            http_get::probe(container, get, address).await
        } else if let Some(socket) = &probe.tcp_socket {
            let host = host(socket.host.as_deref(), address);
            let port = port(container, &socket.port)?;
            TcpStream::connect((host.as_str(), port))
                .await
                .map(drop)
                .map_err(|error| format!("dial tcp {host}:{port}: {error}"))
        } else if let Some(health) = &probe.grpc {
            grpc::check(health, address).await
        } else {
            Err("this node knows no such probe: use httpGet, tcpSocket, grpc or exec".to_owned())
        }
    };
    let result = timeout(limit, asked)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {seconds}s")));
    match result {
        Ok(()) => ProbeOutcome {
            success: true,
            output: String::new(),
        },
        Err(output) => ProbeOutcome {
            success: false,
            output,
        },
    }
}

/// The host that is meant; the Pod where none is named.
pub(super) fn host(named: Option<&str>, address: Ipv4Addr) -> String {
    named
        .filter(|host| !host.is_empty())
        .map_or_else(|| address.to_string(), ToOwned::to_owned)
}

/// A port as a number; names are those of the container's ports.
pub(super) fn port(container: &Container, port: &IntOrString) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => {
            let named = container
                .ports
                .iter()
                .flatten()
                .find(|port| port.name.as_ref() == Some(name));
            named
                .map(|port| port.container_port)
                .or_else(|| name.parse().ok())
        }
    };
    number
        .and_then(|number| u16::try_from(number).ok())
        .ok_or_else(|| format!("unknown port {port:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container() -> Container {
        serde_json::from_value(json!({"name": "c", "ports": [{"name": "http", "containerPort": 8000}]}))
            .expect("container")
    }

    #[test]
    fn ports_may_be_named() {
        let container = container();
        assert_eq!(port(&container, &IntOrString::Int(80)), Ok(80));
        assert_eq!(
            port(&container, &IntOrString::String("http".to_owned())),
            Ok(8000)
        );
        assert!(port(&container, &IntOrString::String("other".to_owned())).is_err());
        assert!(port(&container, &IntOrString::Int(70_000)).is_err());
    }
}
