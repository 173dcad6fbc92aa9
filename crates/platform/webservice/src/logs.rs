//! What the replicas of a webservice print: as it was, merged in the order of time, or as it goes on.

mod follow;
mod history;
mod line;
mod paint;
mod since;

use futures::{AsyncBufRead, AsyncBufReadExt as _, Stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::LogParams};

use crate::objects::CONTAINER;

pub(crate) use follow::follow;
pub(crate) use history::{Cursors, show};
pub(crate) use line::Line;
pub(crate) use paint::Printer;
pub(crate) use since::since;

/// Which lines of a replica are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    pub(crate) since: Option<Timestamp>,
    pub(crate) last: Option<u32>,
    /// Of the process before the one that runs now.
    pub(crate) previous: bool,
}

/// The lines of a replica, as they come.
async fn lines_of(
    pods: &Api<Pod>,
    pod: &str,
    part: Part,
    follow: bool,
) -> kube::Result<impl Stream<Item = std::io::Result<Line>> + Send + 'static> {
    let parameters = LogParams {
        container: Some(CONTAINER.to_owned()),
        follow,
        previous: part.previous,
        tail_lines: part.last.map(i64::from),
        // On the wire it has whole seconds; what is too much is left out where it is read.
        since_time: part.since.map(a_second_earlier),
        timestamps: true,
        ..LogParams::default()
    };
    let stream = pods.log_stream(pod, &parameters).await?;
    let since = part.since;
    let lines = futures::stream::unfold(Some(Box::pin(stream)), async |stream| {
        let mut stream = stream?;
        match next_line(&mut stream).await {
            Ok(Some(line)) => Some((Ok(line), Some(stream))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(futures::StreamExt::filter(lines, move |line| {
        let early = line
            .as_ref()
            .is_ok_and(|line| line.time.is_some_and(|time| Some(time) < since));
        std::future::ready(!early)
    }))
}

fn a_second_earlier(time: Timestamp) -> Timestamp {
    time.saturating_sub(jiff::SignedDuration::from_secs(1))
        .unwrap_or(time)
}

async fn next_line(stream: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    if stream.read_until(b'\n', &mut bytes).await? == 0 {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(Some(Line::of(&bytes)))
}

/// Whether the API says that there is no log, or no such Pod any more; everything else is a problem.
fn is_none(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 400 || status.code == 404)
}
