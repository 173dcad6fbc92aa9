//! The body of a request, as far as it is worth reading: of the right type, in time, and not too much of all of them at
//! once. Whoever can reach the port can send; what they send must not take the machine's memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest review in bytes: the API takes objects of 3 MiB, an update carries two, and there is some wrapping.
const LARGEST_REVIEW: usize = 8 << 20;
/// How much of bodies is held at once, in bytes: some of the largest, and thousands of the usual ones.
const HELD: usize = 64 << 20;
/// In what portions it is counted, in bytes.
const PORTION: usize = 4 << 10;
/// From this size in bytes on, reviews are judged one after the other: read, they take ten times their size.
const LARGE: usize = 256 << 10;
/// How long a body may take: after that the API does not wait for an answer any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is left of the memory for bodies.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    portions: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A body that was read, and its place in memory.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _portions: Option<OwnedSemaphorePermit>,
    _turn: Option<OwnedSemaphorePermit>,
}

/// Why a body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the Content-Type must be application/json, for an AdmissionReview is sent as JSON")]
    Type,
    #[error("the body is larger than {LARGEST_REVIEW} bytes, which no AdmissionReview of Kubernetes is")]
    TooLarge,
    #[error("the body took longer than {} seconds", PATIENCE.as_secs())]
    TooSlow,
    #[error("the body ended early")]
    Broken,
    #[error("too much is being reviewed at once; try again in a moment")]
    Busy,
}

impl BodyError {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Type => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The same in a word, for the metrics.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Type => "content_type",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Broken => "broken",
            Self::Busy => "busy",
        }
    }
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            portions: Arc::new(Semaphore::new(HELD / PORTION)),
            large: Arc::new(Semaphore::new(1)),
        }
    }

    /// Reads the body of a request.
    pub(crate) async fn read(&self, request: Request) -> Result<Held, BodyError> {
        if !is_json(request.headers()) {
            return Err(BodyError::Type);
        }
        let reading = self.collect(request.into_body());
        let (bytes, portions) = tokio::time::timeout(PATIENCE, reading)
            .await
            .map_err(|_| BodyError::TooSlow)??;
        let turn = if bytes.len() >= LARGE {
            Arc::clone(&self.large).acquire_owned().await.ok()
        } else {
            None
        };
        Ok(Held {
            bytes,
            _portions: portions,
            _turn: turn,
        })
    }

    async fn collect(&self, mut body: Body) -> Result<(Bytes, Option<OwnedSemaphorePermit>), BodyError> {
        let (mut pieces, mut length) = (Vec::new(), 0);
        let mut portions: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
                continue;
            };
            length += piece.len();
            if length > LARGEST_REVIEW {
                return Err(BodyError::TooLarge);
            }
            self.take(&mut portions, length)?;
            pieces.push(piece);
        }
        let bytes = match pieces.len() {
            1 => pieces.remove(0),
            _ => pieces.concat().into(),
        };
        Ok((bytes, portions))
    }

    /// Takes room for all of `length`, of which `portions` were taken before.
    fn take(&self, portions: &mut Option<OwnedSemaphorePermit>, length: usize) -> Result<(), BodyError> {
        let have = portions.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = length.div_ceil(PORTION).saturating_sub(have);
        let more = u32::try_from(more).map_err(|_| BodyError::TooLarge)?;
        let taken = Arc::clone(&self.portions)
            .try_acquire_many_owned(more)
            .map_err(|_| BodyError::Busy)?;
        match portions {
            Some(portions) => portions.merge(taken),
            None => *portions = Some(taken),
        }
        Ok(())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = value.and_then(|value| value.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
