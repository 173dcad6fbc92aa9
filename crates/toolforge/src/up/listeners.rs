//! Takes every port before anything starts, so that a busy one is said at once, with all others.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::bail;
use tokio::net::TcpListener;

use crate::settings::Ports;

/// The ports of the platform, taken.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) https: TcpListener,
    pub(super) http: TcpListener,
    pub(super) api: TcpListener,
    pub(super) ldap: TcpListener,
    pub(super) node: TcpListener,
    pub(super) admission: TcpListener,
    pub(super) fourohfour: TcpListener,
}

/// Binds all of them on loopback.
pub(super) async fn take(ports: &Ports) -> anyhow::Result<Listeners> {
    let mut problems = Vec::new();
    let mut taken = Vec::new();
    for (flag, port) in ports.with_flags() {
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
            Ok(listener) => taken.push(listener),
            Err(error) => problems.push(problem(flag, port, &error)),
        }
    }
    // In the order of `Ports::with_flags`.
    match <[TcpListener; 7]>::try_from(taken) {
        Ok([https, http, api, ldap, node, admission, fourohfour]) => Ok(Listeners {
            https,
            http,
            api,
            ldap,
            node,
            admission,
            fourohfour,
        }),
        Err(_) => bail!("some ports cannot be used:\n  {}", problems.join("\n  ")),
    }
}

fn problem(flag: &str, port: u16, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("port {port} is in use by another program; stop that, or choose another with {flag} PORT")
        }
        std::io::ErrorKind::PermissionDenied => {
            format!("port {port} is only for root; choose one above 1023 with {flag} PORT")
        }
        _ => format!("port {port}: {error}; choose another with {flag} PORT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(all: [u16; 7]) -> Ports {
        let [https, http, api, ldap, node, admission, fourohfour] = all;
        Ports {
            https,
            http,
            api,
            ldap,
            node,
            admission,
            fourohfour,
        }
    }

    #[tokio::test]
    async fn every_busy_port_is_named_with_its_flag() {
        let busy = [
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ];
        let port = |index: usize| busy[index].local_addr().unwrap().port();
        // Port 0 takes any free one.
        let error = take(&ports([0, port(0), 0, 0, port(1), 0, 0]))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("port {} is in use", port(0))) && error.contains("--http-port"),
            "{error}"
        );
        assert!(
            error.contains(&format!("port {} is in use", port(1))) && error.contains("--node-port"),
            "{error}"
        );
    }
}
