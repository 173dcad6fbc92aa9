//! Runs a probe: a request, a connection or a command.

use std::{io, net::Ipv4Addr, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use k8s_openapi::{
    api::core::v1::{Container, HTTPGetAction, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    life::ProbeKind,
    runtime::{ContainerId, ProbeOutcome, Runtime},
};

/// How long a probe may take when it does not say, in seconds; the API's default.
const TIMEOUT_SECONDS: i32 = 1;
/// What probes call themselves.
const AGENT: &str = "kube-probe/1.37";

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
            http_get(container, get, address).await
        } else if let Some(socket) = &probe.tcp_socket {
            let host = host(socket.host.as_deref(), address);
            let port = port(container, &socket.port)?;
            TcpStream::connect((host.as_str(), port))
                .await
                .map(drop)
                .map_err(|error| format!("dial tcp {host}:{port}: {error}"))
        } else {
            Err("this node knows no such probe: use httpGet, tcpSocket or exec".to_owned())
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

fn host(named: Option<&str>, address: Ipv4Addr) -> String {
    named
        .filter(|host| !host.is_empty())
        .map_or_else(|| address.to_string(), ToOwned::to_owned)
}

/// A port as a number; names are those of the container's ports.
fn port(container: &Container, port: &IntOrString) -> Result<u16, String> {
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

async fn http_get(container: &Container, get: &HTTPGetAction, address: Ipv4Addr) -> Result<(), String> {
    if get.scheme.as_deref() == Some("HTTPS") {
        return Err("this node probes over HTTP only: use scheme HTTP, or tcpSocket".to_owned());
    }
    let (host, port) = (host(get.host.as_deref(), address), port(container, &get.port)?);
    let path = get.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let url = format!("http://{host}:{port}{path}");
    let failed = |error: &dyn std::fmt::Display| format!("Get \"{url}\": {error}");
    let request = request(get, &host, port, path).map_err(|error| failed(&error))?;
    let status = send(&host, port, request).await.map_err(|error| failed(&error))?;
    // A redirect is an answer, as for kubelet.
    if (200..400).contains(&status) {
        Ok(())
    } else {
        Err(format!("HTTP probe failed with statuscode: {status}"))
    }
}

fn request(
    get: &HTTPGetAction,
    host: &str,
    port: u16,
    path: &str,
) -> Result<Request<Empty<Bytes>>, http::Error> {
    let mut request = Request::get(path);
    let own = get.http_headers.as_deref().unwrap_or_default();
    let has = |name: &str| own.iter().any(|header| header.name.eq_ignore_ascii_case(name));
    if !has("host") {
        request = request.header(header::HOST, format!("{host}:{port}"));
    }
    if !has("user-agent") {
        request = request.header(header::USER_AGENT, AGENT);
    }
    for header in own {
        request = request.header(header.name.as_str(), header.value.as_str());
    }
    request.header(header::CONNECTION, "close").body(Empty::new())
}

async fn send(host: &str, port: u16, request: Request<Empty<Bytes>>) -> io::Result<u16> {
    let stream = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let answer = async move { sender.send_request(request).await };
    // The connection is driven only as long as its answer is awaited, and ends with it.
    tokio::pin!(connection);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer.map(|answer| answer.status().as_u16()).map_err(io::Error::other),
        ended = &mut connection => {
            ended.map_err(io::Error::other)?;
            answer.await.map(|answer| answer.status().as_u16()).map_err(io::Error::other)
        }
    }
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

    #[test]
    fn a_request_says_who_asks_unless_the_pod_says_so() {
        let get: HTTPGetAction = serde_json::from_value(json!({"port": 80,
            "httpHeaders": [{"name": "Host", "value": "tool.example"}]}))
        .expect("action");
        let request = request(&get, "127.64.0.2", 80, "/x").expect("request");
        assert_eq!(request.headers()[header::HOST], "tool.example");
        assert_eq!(request.headers()[header::USER_AGENT], AGENT);
        assert_eq!(request.uri().path(), "/x");
    }
}
