//! One look at a node, by way of the API's node proxy: whoever runs the nodes, and whatever is between, is the API's affair.

use http::Request;
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use kube::{Client, client::Body};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::page::{Look, read};

/// Longest page in bytes: some thousand containers.
const PAGE_BYTES: usize = 16 << 20;

/// Why there is no look at a node.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScrapeError {
    #[error("cannot be asked")]
    Ask(#[from] kube::Error),
    #[error("answers {0}")]
    Code(u16),
    #[error("breaks off its answer: {0}")]
    Body(String),
}

/// Looks at a node.
pub(super) async fn scrape(client: &Client, node: &str) -> Result<Look, ScrapeError> {
    let node = utf8_percent_encode(node, NON_ALPHANUMERIC);
    let mut request = Request::new(Body::empty());
    let path = format!("/api/v1/nodes/{node}/proxy/metrics/resource");
    *request.uri_mut() = path
        .parse()
        .map_err(|error: http::uri::InvalidUri| ScrapeError::Body(error.to_string()))?;
    let answer = client.send(request).await?;
    if !answer.status().is_success() {
        return Err(ScrapeError::Code(answer.status().as_u16()));
    }
    let body = Limited::new(answer.into_body(), PAGE_BYTES).collect().await;
    let bytes = body
        .map_err(|error| ScrapeError::Body(error.to_string()))?
        .to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    Ok(read(&text, Timestamp::now().as_millisecond()))
}
