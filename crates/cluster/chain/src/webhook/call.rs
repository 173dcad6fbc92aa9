//! One call of a webhook over HTTPS.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use parking_lot::Mutex;

use super::definition::{ClientConfig, Webhook};
use super::pool::{Connection, Pool};
use super::review::AnswerError;
use super::target::TargetError;
use crate::world::World;

/// The largest answer that is read, in bytes: more than a patch that replaces the largest object.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// Most pools that are kept; beyond, all are dropped, which costs only new connections.
const MAX_POOLS: usize = 256;

/// Why a webhook could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("clientConfig has no caBundle, so its certificate cannot be verified")]
    NoAuthority,
    #[error("caBundle is not PEM in base64")]
    Authority,
    #[error("caBundle cannot be used: {0}")]
    Pki(#[from] toolforge_pki::PkiError),
    #[error("{0}")]
    Target(#[from] TargetError),
    #[error("no address to dial")]
    NoAddress,
    #[error("dial tcp {address}: {source}")]
    Dial { address: String, source: io::Error },
    #[error("tls: {0}")]
    Tls(io::Error),
    #[error("{0}")]
    Http(hyper::Error),
    #[error("the webhook answered with HTTP status {0}")]
    Code(StatusCode),
    #[error("the answer is larger than {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
    #[error("the answer could not be read: {0}")]
    Body(String),
    #[error("context deadline exceeded")]
    TooSlow,
    #[error("{0}")]
    Answer(#[from] AnswerError),
    #[error("Post {url:?}: {source}")]
    Post { url: String, source: Box<CallError> },
}

/// Whom to call, and how long to wait for the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Callee<'a> {
    /// The object that defines the webhook, and its name there: connections are kept by them.
    pub(crate) name: (&'a str, &'a str),
    pub(crate) config: &'a ClientConfig,
    pub(crate) timeout_seconds: u64,
}

impl<'a> From<&'a Webhook> for Callee<'a> {
    fn from(webhook: &'a Webhook) -> Self {
        Self {
            name: (&webhook.configuration, &webhook.name),
            config: &webhook.client_config,
            timeout_seconds: webhook.timeout_seconds(),
        }
    }
}

/// Calls webhooks, over connections that are kept.
pub(crate) struct Caller {
    world: Arc<dyn World>,
    pools: Mutex<HashMap<(String, String), Arc<Pool>>>,
}

impl Caller {
    pub(crate) fn new(world: Arc<dyn World>) -> Self {
        Self {
            world,
            pools: Mutex::new(HashMap::new()),
        }
    }

    /// Sends a review, and gives the bytes of the answer.
    pub(crate) async fn call(&self, callee: Callee<'_>, review: Bytes) -> Result<Bytes, CallError> {
        let pool = self.pool(callee)?;
        let seconds = callee.timeout_seconds;
        let deadline = Duration::from_secs(seconds);
        let answer = match tokio::time::timeout(deadline, self.post(&pool, seconds, review)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::TooSlow),
        };
        answer.map_err(|error| CallError::Post {
            url: pool.target.url(seconds),
            source: Box::new(error),
        })
    }

    fn pool(&self, callee: Callee<'_>) -> Result<Arc<Pool>, CallError> {
        let key = (callee.name.0.to_owned(), callee.name.1.to_owned());
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.get(&key).filter(|pool| pool.config == *callee.config) {
            return Ok(Arc::clone(pool));
        }
        let pool = Arc::new(Pool::new(callee.config)?);
        if pools.len() >= MAX_POOLS {
            pools.clear();
        }
        pools.insert(key, Arc::clone(&pool));
        Ok(pool)
    }

    async fn post(&self, pool: &Arc<Pool>, seconds: u64, review: Bytes) -> Result<Bytes, CallError> {
        // A kept connection may have been closed by the other side meanwhile; then a new one is tried.
        while let Some(connection) = pool.reuse() {
            match send(pool, connection, seconds, review.clone()).await {
                Err(CallError::Http(error)) if is_stale(&error) => {}
                answer => return answer,
            }
        }
        // So may a new one, by a replica that dies: another may take its place. Kubernetes lets the write fail: its client
        // asks again for GET only (client-go `rest/request.go`), and below it Go's sends a POST again only where nothing of
        // it was written on a kept connection (`net/http` `shouldRetryRequest`). A review may be asked twice all the same,
        // by reinvocation and by writers that meet: `sideEffects` of v1 forbids webhooks to count on anything else. An
        // answer of any code, a refused connection and a missed deadline are final.
        match self.post_anew(pool, seconds, review.clone()).await {
            Err(CallError::Http(error)) if is_stale(&error) => self.post_anew(pool, seconds, review).await,
            Err(CallError::Tls(error)) if is_cut_off(&error) => self.post_anew(pool, seconds, review).await,
            answer => answer,
        }
    }

    async fn post_anew(&self, pool: &Arc<Pool>, seconds: u64, review: Bytes) -> Result<Bytes, CallError> {
        let connection = pool.connect(self.world.as_ref()).await?;
        send(pool, connection, seconds, review).await
    }
}

/// Whether the other side went away in the middle of the handshake.
fn is_cut_off(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// Whether the connection broke before an answer came. Asking again is safe: a review changes nothing.
fn is_stale(error: &hyper::Error) -> bool {
    error.is_canceled()
        || error.is_closed()
        || error.is_incomplete_message()
        || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<io::Error>)
}

async fn send(
    pool: &Arc<Pool>,
    mut connection: Connection,
    seconds: u64,
    review: Bytes,
) -> Result<Bytes, CallError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(pool.target.path_with(seconds))
        .header(header::HOST, pool.target.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .body(Full::new(review))
        .map_err(|_| TargetError::Url {
            url: pool.target.url(seconds),
        })?;
    let response = connection.send_request(request).await.map_err(CallError::Http)?;
    let code = response.status();
    if code != StatusCode::OK {
        return Err(CallError::Code(code));
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                CallError::TooLarge
            } else {
                CallError::Body(error.to_string())
            }
        })?;
    // It is ready for the next request a moment after the answer was read, unless the webhook closes it.
    if connection.ready().await.is_ok() {
        pool.keep(connection);
    }
    Ok(body.to_bytes())
}
