//! The end of a container's log, as its status tells it when it failed.

use tokio::sync::mpsc;

use crate::{
    logs::{LogStore, Query, follow},
    runtime::ContainerPlace,
};

/// Most lines and bytes of it; kubelet's numbers.
const LINES: u64 = 80;
const BYTES: usize = 2048;
/// How many parts of a log may wait to be read.
const WAITING: usize = 4;

/// The last lines that a container wrote; none when it wrote nothing.
pub(super) async fn of(logs: &LogStore, place: &ContainerPlace) -> Option<String> {
    let log = logs
        .find(&place.namespace, &place.pod, &place.container, false)
        .ok()?;
    let query = Query {
        tail_lines: Some(LINES),
        ..Query::default()
    };
    let (out, mut parts) = mpsc::channel(WAITING);
    tokio::spawn(follow(log, query, out));
    let mut text = Vec::new();
    while let Some(Ok(part)) = parts.recv().await {
        text.extend_from_slice(&part);
        let surplus = text.len().saturating_sub(BYTES);
        text.drain(..surplus);
    }
    (!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned())
}
