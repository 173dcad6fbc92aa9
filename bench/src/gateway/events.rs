//! A watch of our own beside the gateway's, on a thread of its own: when the API has said that a slice has changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use memchr::{memchr, memmem};
use tokio::sync::oneshot;

use super::{cluster::Cluster, stage::Stage};
use crate::client::{Call, Connection, Target};

type Times = Arc<Mutex<HashMap<Vec<u8>, Instant>>>;

/// Follows the API until this is dropped.
pub(super) struct Events {
    times: Times,
    _running: oneshot::Sender<()>,
}

impl Events {
    /// Follows all slices from now on.
    pub(super) async fn follow(cluster: &Cluster) -> anyhow::Result<Self> {
        let times = Times::default();
        let call = Call::get(format!(
            "/apis/discovery.k8s.io/v1/endpointslices?watch=true&resourceVersion={}&timeoutSeconds=600",
            cluster.revision().await?
        ));
        let (running, ended) = oneshot::channel();
        let (begun, begins) = oneshot::channel();
        let (target, noted) = (cluster.target().clone(), times.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new().name("events".into()).spawn(move || {
            runtime.block_on(async {
                let watch = open(&target, &call).await;
                let mut watch = match watch {
                    Ok(watch) => {
                        begun.send(Ok(())).ok();
                        watch
                    }
                    Err(error) => {
                        begun.send(Err(error)).ok();
                        return;
                    }
                };
                let mut lines = Lines {
                    rest: Vec::new(),
                    noted,
                };
                // A watch that breaks is missed by who asks for its events.
                tokio::select! {
                    _ = watch.follow(|part| lines.see(part)) => {}
                    _ = ended => {}
                }
            });
        })?;
        begins.await??;
        Ok(Self {
            times,
            _running: running,
        })
    }

    /// Forgets what has been.
    pub(super) fn forget(&self) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// When the slice of the host of this number changed.
    pub(super) fn of(&self, number: usize) -> Option<Instant> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.get(Stage::tool(number).as_bytes()).copied()
    }
}

async fn open(target: &Target, call: &Call) -> anyhow::Result<Connection> {
    let mut connection = target.connect().await?;
    connection.watch(call).await?;
    Ok(connection)
}

/// Cuts a stream into lines, each an event.
struct Lines {
    rest: Vec<u8>,
    noted: Times,
}

impl Lines {
    fn see(&mut self, part: &[u8]) {
        let now = Instant::now();
        self.rest.extend_from_slice(part);
        while let Some(end) = memchr(b'\n', &self.rest) {
            if let Some(name) = name(&self.rest[..end]) {
                let mut times = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
                times.entry(name.to_vec()).or_insert(now);
            }
            self.rest.drain(..=end);
        }
    }
}

/// The name of a slice that this bench has made.
fn name(line: &[u8]) -> Option<&[u8]> {
    const BEFORE: &[u8] = b"\"name\":\"bench-";
    let begin = memmem::find(line, BEFORE)? + BEFORE.len() - b"bench-".len();
    let length = memchr(b'"', &line[begin..])?;
    Some(&line[begin..begin + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_the_first_event_of_each_name_also_when_lines_come_in_parts() {
        let mut lines = Lines {
            rest: Vec::new(),
            noted: Times::default(),
        };
        lines.see(b"{\"object\":{\"metadata\":{\"name\":\"bench-00001\"}}}\n{\"name\":\"be");
        assert_eq!(lines.noted.lock().unwrap().len(), 1);
        lines.see(b"nch-00002\",\"a\":1}\n{\"name\":\"other\"}\n");
        let times = lines.noted.lock().unwrap();
        assert!(times.contains_key(&b"bench-00001"[..]) && times.contains_key(&b"bench-00002"[..]));
        assert_eq!(times.len(), 2);
    }
}
