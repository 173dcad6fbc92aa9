//! Asks a gRPC server whether it is well: one call of `grpc.health.v1.Health/Check` over HTTP/2.
//!
//! Source: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::core::v1::GRPCAction;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{dial, http_get::PROBE_AGENT};

/// Most bytes of an answer: one number with its frame.
const ANSWER_BYTES: usize = 4096;
/// The protocol's name in TLS.
const HTTP2: &[u8] = b"h2";
/// What stands before a message: whether it is compressed, and its length.
const FRAME_BYTES: usize = 5;
/// The first field of both messages, as the wire has it: text in the request, a number in the answer.
const TEXT_FIELD: u8 = 0x0A;
const NUMBER_FIELD: u8 = 0x08;

/// Asks once.
pub(super) async fn check(health: &GRPCAction, address: Ipv4Addr) -> Result<(), String> {
    let port = u16::try_from(health.port).map_err(|_| format!("unknown port {}", health.port))?;
    let service = health.service.as_deref().unwrap_or_default();
    let at = format!("{address}:{port}");
    let failed = |error: &dyn std::fmt::Display| format!("error: health rpc to {at:?} failed: {error}");
    let stream = TcpStream::connect((address, port))
        .await
        .map_err(|error| failed(&error))?;
    if health.mode.as_deref() == Some("TLS") {
        let stream = dial::secure(stream, &address.to_string(), &[HTTP2]).await;
        return call(stream.map_err(|error| failed(&error))?, &at, service).await;
    }
    call(stream, &at, service).await
}

async fn call(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    at: &str,
    service: &str,
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("error: health rpc to {at:?} failed: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
    let request = request(at, service).map_err(|error| failed(&error))?;
    let call = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| failed(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES)
            .collect()
            .await
            .map_err(|error| failed(&error))?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        verdict(&head.headers, &trailers, &body.to_bytes())
    };
    // Driven only as long as its answer is awaited, and ended with it.
    tokio::select! {
        answer = call => answer,
        ended = connection => Err(failed(&ended.err().map_or_else(|| "connection closed".to_owned(), |error| error.to_string()))),
    }
}

fn request(at: &str, service: &str) -> Result<Request<Full<Bytes>>, http::Error> {
    Request::post(format!("http://{at}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, PROBE_AGENT)
        .body(Full::new(framed(&question(service))))
}

/// `HealthCheckRequest`: the name of a service, nothing for the server as a whole.
fn question(service: &str) -> Vec<u8> {
    if service.is_empty() {
        return Vec::new();
    }
    let mut message = vec![TEXT_FIELD];
    let mut length = service.len();
    while length >= 0x80 {
        message.push(u8::try_from(length & 0x7F).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).unwrap_or_default());
    message.extend_from_slice(service.as_bytes());
    message
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = vec![0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// Reads the call's end, and the state in `HealthCheckResponse`.
fn verdict(head: &HeaderMap, trailers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let read = |name: &str| {
        let value = trailers.get(name).or_else(|| head.get(name));
        value.and_then(|value| value.to_str().ok())
    };
    match read("grpc-status") {
        Some("0") => {}
        Some("12") => {
            return Err(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
                    .to_owned(),
            );
        }
        Some(code) => {
            let message = read("grpc-message").unwrap_or_default();
            return Err(format!("error: health rpc failed with code {code}: {message}"));
        }
        None => return Err("error: the answer is none of gRPC".to_owned()),
    }
    let name = match state(body) {
        1 => return Ok(()),
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "UNKNOWN",
    };
    Err(format!("service unhealthy (responded with {name:?})"))
}

/// The number in an answer; an empty message stands for 0.
fn state(body: &[u8]) -> u8 {
    match body.get(FRAME_BYTES..) {
        Some([NUMBER_FIELD, state, ..]) => *state,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{HeaderValue, Response};
    use http_body_util::StreamBody;
    use hyper::body::{Frame, Incoming};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn questions_are_messages_of_the_protocol() {
        assert!(question("").is_empty());
        assert_eq!(question("ab"), [0x0A, 2, b'a', b'b']);
        assert_eq!(question(&"x".repeat(300))[..3], [0x0A, 0xAC, 0x02]);
        assert_eq!(framed(&[7, 8])[..], [0, 0, 0, 0, 2, 7, 8]);
    }

    #[test]
    fn broken_answers_are_no_health() {
        let ok = HeaderMap::from_iter([(
            header::HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        )]);
        for body in [&b""[..], b"\0\0", b"\0\0\0\0\x01\x08", b"\0\0\0\0\x02\x08\x02"] {
            assert!(verdict(&HeaderMap::new(), &ok, body).is_err(), "{body:?}");
        }
        assert!(verdict(&HeaderMap::new(), &HeaderMap::new(), b"\0\0\0\0\x02\x08\x01").is_err());
    }

    /// A server that is in this state, for one connection.
    async fn server(state: u8) -> i32 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
        let port = listener.local_addr().expect("address").port();
        let answer = move |request: Request<Incoming>| async move {
            assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
            let asked = request
                .into_body()
                .collect()
                .await
                .expect("a question")
                .to_bytes();
            assert_eq!(&asked[FRAME_BYTES..], question("db"));
            let trailers = HeaderMap::from_iter([(
                header::HeaderName::from_static("grpc-status"),
                HeaderValue::from_static("0"),
            )]);
            let frames = [
                Frame::data(framed(&[NUMBER_FIELD, state])),
                Frame::trailers(trailers),
            ];
            let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, Infallible>)));
            Ok::<_, Infallible>(Response::new(body))
        };
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let service = hyper::service::service_fn(answer);
            // The client goes when it has its answer.
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        i32::from(port)
    }

    #[tokio::test]
    async fn a_server_says_how_its_service_is() {
        for (state, expected) in [
            (1, Ok(())),
            (
                2,
                Err("service unhealthy (responded with \"NOT_SERVING\")".to_owned()),
            ),
        ] {
            let health = GRPCAction {
                mode: None,
                port: server(state).await,
                service: Some("db".to_owned()),
            };
            assert_eq!(check(&health, Ipv4Addr::LOCALHOST).await, expected);
        }
    }
}
