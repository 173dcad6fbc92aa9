//! One request and its answer, taken apart so that two proxies can be compared: what the visitor gets, and what the tool
//! is asked.

use std::{
    collections::BTreeMap,
    io::Read as _,
    sync::{Arc, Mutex},
};

use bytes::BytesMut;
use http::Method;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use toolforge_http1::{Body, EndOfHead, Length, Piece, response};

use crate::{scene::DEADLINE, tools::Tool};

/// What came of a request, by aspect: `status`, `body`, `field NAME`, `tool target` and so on.
pub(super) type Seen = BTreeMap<String, String>;

/// The field by which answers of the tool are told from those of a proxy.
pub(super) const OF_TOOL: &str = "field x-tool";

/// What an answer that a proxy makes has in common with that of another proxy. Pages are each one's own.
pub(super) const SHARED: [&str; 7] = [
    "status",
    "field location",
    "field retry-after",
    "field strict-transport-security",
    "field permissions-policy",
    "field x-clacks-overhead",
    "field x-powered-by",
];

/// Sends a request, and takes its answer apart.
pub(super) async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Seen {
    let method = request.split(' ').next().unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
    let asked = async {
        // Who refuses a request need not read all of it.
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.flush().await;
        answer(&mut stream, &method).await
    };
    let answered = tokio::time::timeout(DEADLINE, asked).await;
    assert!(answered.is_ok(), "no answer in time to {request:?}");
    answered.unwrap()
}

async fn answer(stream: &mut (impl AsyncRead + Unpin), method: &Method) -> Seen {
    let mut bytes = BytesMut::new();
    let mut seen = Seen::new();
    let (read, mut left) = loop {
        let Some(head) = head(stream, &mut bytes).await else {
            seen.insert("status".into(), "none".into());
            return seen;
        };
        let head = head.freeze();
        let Ok(read) = response(method, &head) else {
            seen.insert("status".into(), format!("no HTTP/1: {head:?}"));
            return seen;
        };
        if read.response.status() == 100 {
            seen.insert("interim".into(), "100".into());
            continue;
        }
        break (read.response, Body::new(read.length));
    };
    seen.insert("status".into(), read.status().as_u16().to_string());
    for name in read.headers().keys() {
        let values: Vec<_> = read.headers().get_all(name).iter().collect();
        let values: Vec<_> = values.iter().map(|value| value.to_str().unwrap()).collect();
        seen.insert(format!("field {name}"), values.join(" | "));
    }
    if read.status() != 101 {
        let (all, end) = body(stream, &mut left, &mut bytes).await;
        let is_compressed = seen.contains_key("field content-encoding") && !all.is_empty();
        seen.insert("body".into(), text(&all, is_compressed) + &end);
    }
    if !seen.contains_key(OF_TOOL) {
        seen.retain(|aspect, _| SHARED.contains(&aspect.as_str()));
    }
    seen
}

/// The next head, with its empty line; nothing when the connection ends before.
async fn head(stream: &mut (impl AsyncRead + Unpin), bytes: &mut BytesMut) -> Option<BytesMut> {
    let mut end = EndOfHead::default();
    loop {
        if let Some(length) = end.find(bytes).expect("the head of a message") {
            return Some(bytes.split_to(length));
        }
        if stream.read_buf(bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

/// What is left of a body, and what came after it or instead of it.
async fn body(
    stream: &mut (impl AsyncRead + Unpin),
    left: &mut Body,
    bytes: &mut BytesMut,
) -> (Vec<u8>, String) {
    let mut all = Vec::new();
    let end = loop {
        match left.take(bytes) {
            Ok(Piece::Data(data)) => all.extend_from_slice(&data),
            Ok(Piece::Trailers(trailers)) => break format!(" and {trailers:?}"),
            Ok(Piece::End) => break String::new(),
            Ok(Piece::Wanting) if stream.read_buf(bytes).await.unwrap_or(0) > 0 => {}
            Ok(Piece::Wanting) if left.ends_with_connection() => break String::new(),
            Ok(Piece::Wanting) => break " and broke off".into(),
            Err(error) => break format!(" and {error}"),
        }
    };
    (all, end)
}

/// A body as text, decompressed if it has to be.
fn text(body: &[u8], is_compressed: bool) -> String {
    let mut text = String::new();
    if is_compressed {
        flate2::read::GzDecoder::new(body)
            .read_to_string(&mut text)
            .expect("gzip");
    } else {
        text += &String::from_utf8_lossy(body);
    }
    text
}

/// A tool that gives the answer which it was told last, and notes what it is asked.
pub(super) struct Recorder {
    pub(super) tool: Tool,
    state: Arc<Mutex<(String, Seen)>>,
}

impl Recorder {
    pub(super) async fn new() -> Self {
        let state = Arc::new(Mutex::new((String::new(), Seen::new())));
        let shared = state.clone();
        let tool = Tool::on_connection(move |stream| converse(stream, shared.clone())).await;
        Self { tool, state }
    }

    /// From now on it answers this, byte for byte.
    pub(super) fn answers(&self, answer: &str) {
        *self.state.lock().unwrap() = (answer.to_owned(), Seen::new());
    }

    /// What it was asked since.
    pub(super) fn asked(&self) -> Seen {
        self.state.lock().unwrap().1.clone()
    }
}

async fn converse(mut stream: TcpStream, state: Arc<Mutex<(String, Seen)>>) {
    let mut bytes = BytesMut::new();
    while let Some(head) = head(&mut stream, &mut bytes).await {
        let (mut seen, length) = request(&String::from_utf8_lossy(&head));
        let (all, end) = body(&mut stream, &mut Body::new(length), &mut bytes).await;
        seen.insert("tool body".into(), text(&all, false) + &end);
        let is_head = seen["tool method"] == "HEAD";
        let answer = {
            let mut state = state.lock().unwrap();
            state.1 = seen;
            state.0.clone()
        };
        let end = if is_head { answer.find("\r\n\r\n") } else { None };
        let answer = end.map_or(answer.as_str(), |end| &answer[..end + 4]);
        if stream.write_all(answer.as_bytes()).await.is_err() || answer.contains("connection: close") {
            return;
        }
    }
}

/// What a head asks, and how much body follows.
fn request(head: &str) -> (Seen, Length) {
    let mut seen = Seen::new();
    let mut lines = head.split("\r\n").take_while(|line| !line.is_empty());
    let mut first = lines.next().unwrap_or_default().split(' ');
    for part in ["method", "target", "version"] {
        seen.insert(format!("tool {part}"), first.next().unwrap_or_default().into());
    }
    let mut length = Length::Empty;
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "content-length" => length = Length::Known(value.parse().unwrap()),
            "transfer-encoding" => length = Length::Chunked,
            _ => {}
        }
        let values = seen.entry(format!("tool field {name}")).or_default();
        if !values.is_empty() {
            *values += " | ";
        }
        *values += value;
    }
    (seen, length)
}
