//! Asks targets how they are: at once, after each interval, and when a connection to one failed.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use toolforge_proxy_protocol::Header;

use crate::{
    carry::{is_of_target, write_header},
    limits::STATUS_LINE_BYTES,
    pool::Pool,
    settings::{CheckKind, CheckSettings, ProxyProtocol},
};

/// What is wrong with a target.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("it took too long")]
    TooLong,
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// Which says nothing of the target.
    #[error("this machine cannot connect: {0}")]
    Local(io::Error),
    #[error("it can shake no hands: {0}")]
    Handshake(io::Error),
    #[error("its answer is no HTTP")]
    NoHttp,
    #[error("it answers {0}")]
    Status(u16),
}

/// Asks every target of a service until `stop`.
pub(crate) fn start(pool: &Arc<Pool>, stop: &CancellationToken) {
    let service = pool.service();
    for target in &service.targets {
        let address = target.address;
        let (pool, stop) = (pool.clone(), stop.clone());
        let (check, protocol) = (service.check.clone(), service.proxy_protocol);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = go_on(&pool, address, &check, protocol) => {}
            }
        });
    }
}

async fn go_on(pool: &Arc<Pool>, address: SocketAddr, check: &CheckSettings, protocol: ProxyProtocol) {
    let waker = pool.waker(address);
    loop {
        let asked = timeout(check.timeout(), ask(address, check, protocol)).await;
        let is_up = match asked.unwrap_or(Err(Problem::TooLong)) {
            Ok(()) => pool.checked(address, None),
            Err(Problem::Local(error)) => {
                tracing::warn!(target = %address, %error, "a target cannot be checked: this machine cannot connect");
                pool.is_up(address)
            }
            Err(problem) => pool.checked(address, Some(&problem)),
        };
        tokio::select! {
            () = sleep(check.interval(is_up)) => {}
            () = waker.notified() => {}
        }
    }
}

async fn ask(address: SocketAddr, check: &CheckSettings, protocol: ProxyProtocol) -> Result<(), Problem> {
    let connected = TcpStream::connect(address).await;
    let mut stream = connected.map_err(|error| {
        if is_of_target(&error) {
            Problem::Unreachable(error)
        } else {
            Problem::Local(error)
        }
    })?;
    write_header(&mut stream, protocol, &Header::Own).await?;
    match check.kind {
        CheckKind::Tcp => Ok(()),
        CheckKind::Http => ask_over_http(stream, address, check).await,
        CheckKind::Tls | CheckKind::Https => {
            let named = check
                .host
                .as_ref()
                .and_then(|host| ServerName::try_from(host.clone()).ok());
            let name = named.unwrap_or_else(|| ServerName::from(address.ip()));
            let connector = TlsConnector::from(Arc::new(toolforge_pki::unverified_client_config()));
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(Problem::Handshake)?;
            if check.kind == CheckKind::Https {
                return ask_over_http(stream, address, check).await;
            }
            Ok(())
        }
    }
}

async fn ask_over_http(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    address: SocketAddr,
    check: &CheckSettings,
) -> Result<(), Problem> {
    let host = check.host.clone().unwrap_or_else(|| address.to_string());
    let path = &check.path;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: toolforge-balance\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < STATUS_LINE_BYTES {
        if stream.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    match status(&answer) {
        Some(200..=399) => Ok(()),
        Some(status) => Err(Problem::Status(status)),
        None => Err(Problem::NoHttp),
    }
}

/// The status of an answer in HTTP/1.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    let digits = rest.get(2..5)?;
    let is_a_status = rest.as_bytes().get(1) == Some(&b' ')
        && matches!(rest.as_bytes().get(5), None | Some(b' ' | b'\r'))
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_a_status.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_is_read_from_the_first_line() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nx: y\r\n\r\nok", Some(200)),
            ("HTTP/1.0 503\r\n\r\n", Some(503)),
            ("HTTP/1.1 404", Some(404)),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1 2000 x", None),
            ("HTTP/1.1 +20 x", None),
            ("HTTP/2 200", None),
            ("SSH-2.0-x\r\n", None),
            ("", None),
            ("HTTP/1.\u{e9}\u{e9}\u{e9}", None),
        ] {
            assert_eq!(status(answer.as_bytes()), expected, "{answer:?}");
        }
    }
}
