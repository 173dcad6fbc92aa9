//! What all replicas have printed so far, in the order of time.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Write},
    pin::Pin,
};

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use super::{Line, Part, Printer, is_none, lines_of};
use crate::error::WebserviceError;

const DOING: &str = "reading the logs";

/// How far the log of a Pod has been shown: the time of its last line, and how many of that time there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(super) last: Option<Timestamp>,
    shown_of_last: usize,
    met_of_last: usize,
}

/// The cursors by the names of Pods, which are never given again.
pub(crate) type Cursors = HashMap<String, Cursor>;

impl Cursor {
    /// Begins to read again from [`Cursor::last`].
    pub(super) fn again(&mut self) {
        self.met_of_last = 0;
    }

    /// Whether a line has not been shown; then it counts as shown.
    pub(super) fn is_new(&mut self, line: &Line) -> bool {
        // Without a time it belongs to the line before.
        let Some(time) = line.time else { return true };
        match self.last {
            Some(last) if time < last => false,
            Some(last) if time == last => {
                self.met_of_last += 1;
                let new = self.met_of_last > self.shown_of_last;
                self.shown_of_last = self.shown_of_last.max(self.met_of_last);
                new
            }
            _ => {
                *self = Self {
                    last: Some(time),
                    shown_of_last: 1,
                    met_of_last: 1,
                };
                true
            }
        }
    }
}

type Lines = Pin<Box<dyn Stream<Item = io::Result<Line>> + Send>>;

/// A replica's log, and its first line that has not been taken.
struct Source {
    pod: String,
    lines: Lines,
    next: Option<Line>,
    /// The time of the last line that had one.
    time: Timestamp,
}

impl Source {
    async fn fill(&mut self) -> io::Result<()> {
        self.next = self.lines.next().await.transpose()?;
        if let Some(time) = self.next.as_ref().and_then(|line| line.time) {
            self.time = time;
        }
        Ok(())
    }
}

/// Prints what the Pods have printed; how far that was.
pub(crate) async fn show<W: Write>(
    api: &Api<Pod>,
    pods: &[Pod],
    part: Part,
    printer: &mut Printer<W>,
) -> Result<Cursors, WebserviceError> {
    let mut sources = Vec::new();
    let mut problem = None;
    let mut names: Vec<String> = pods.iter().map(ResourceExt::name_any).collect();
    names.sort();
    for pod in names {
        match lines_of(api, &pod, part, false).await {
            Ok(lines) => sources.push(Source {
                pod,
                lines: Box::pin(lines),
                next: None,
                time: Timestamp::MIN,
            }),
            // One that has not started has no log.
            Err(error) if is_none(&error) => {}
            Err(error) => problem = Some(error),
        }
    }
    let cursors = merge(sources, part.last, printer).await.map_err(broken)?;
    match problem {
        Some(error) => Err(WebserviceError::api(DOING)(error)),
        None => Ok(cursors),
    }
}

/// What a log that breaks off means.
pub(super) fn broken(error: io::Error) -> WebserviceError {
    WebserviceError::Output {
        doing: DOING,
        source: error,
    }
}

async fn merge<W: Write>(
    mut sources: Vec<Source>,
    last: Option<u32>,
    printer: &mut Printer<W>,
) -> io::Result<Cursors> {
    let most = last.map(|last| last as usize);
    let mut cursors = Cursors::new();
    let mut kept: VecDeque<(String, Line)> = VecDeque::new();
    for source in &mut sources {
        source.fill().await?;
    }
    loop {
        let earliest = sources
            .iter_mut()
            .filter(|source| source.next.is_some())
            .min_by_key(|source| source.time);
        let Some(source) = earliest else { break };
        let Some(line) = source.next.take() else { break };
        cursors.entry(source.pod.clone()).or_default().is_new(&line);
        match most {
            None => printer.print(&source.pod, &line)?,
            Some(most) => {
                kept.push_back((source.pod.clone(), line));
                if kept.len() > most {
                    kept.pop_front();
                }
            }
        }
        source.fill().await?;
    }
    for (pod, line) in &kept {
        printer.print(pod, line)?;
    }
    Ok(cursors)
}

#[cfg(test)]
mod tests;
