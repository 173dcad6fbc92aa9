//! The logs of a webservice as they go on: of the Pods that are there and of those that come.

use std::{collections::HashMap, io::Write, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt as _,
    runtime::watcher::{self, Event},
};
use tokio::sync::{mpsc, watch};

use super::{
    Cursors, Line, Part, Printer,
    history::{Cursor, broken},
    is_none, lines_of,
};
use crate::{
    error::WebserviceError,
    objects::{CONTAINER, selector},
};

/// A log that broke off is asked for again after this; its end may also be known before the watch says so.
const PAUSE: Duration = Duration::from_millis(500);
/// How many lines may wait to be printed.
const WAITING_LINES: usize = 256;

/// A line, and the Pod that it is of.
type Told = (String, Line);

/// Prints lines as they come, from where the cursors stand. Returns only when nobody reads any more.
pub(crate) async fn follow<W: Write>(
    api: &Api<Pod>,
    cursors: Cursors,
    part: Part,
    printer: &mut Printer<W>,
) -> Result<(), WebserviceError> {
    let (say, mut said) = mpsc::channel(WAITING_LINES);
    let mut readers = Readers {
        api: api.clone(),
        cursors,
        part,
        say,
        by_name: HashMap::new(),
    };
    let config = watcher::Config::default().labels(&selector());
    let mut events = toolforge_watch::watch(api.clone(), config);
    loop {
        tokio::select! {
            told = said.recv() => {
                let Some((pod, line)) = told else { return Ok(()) };
                printer.print(&pod, &line).map_err(broken)?;
            }
            event = events.next() => match event {
                Some(Ok(Event::InitApply(pod) | Event::Apply(pod))) => readers.see(&pod),
                Some(Ok(Event::Delete(pod))) => drop(readers.by_name.remove(&pod.name_any())),
                // The watcher tries again by itself.
                Some(Ok(Event::Init | Event::InitDone) | Err(_)) => {}
                None => return Err(WebserviceError::Failed("your Pods cannot be watched any more; say it again".to_owned())),
            },
        }
    }
}

/// One task for each Pod, told which process of it is the last that started.
struct Readers {
    api: Api<Pod>,
    cursors: Cursors,
    part: Part,
    say: mpsc::Sender<Told>,
    by_name: HashMap<String, watch::Sender<Process>>,
}

/// A process of a Pod's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    /// How many there were before.
    nth: i32,
    ended: bool,
}

impl Readers {
    fn see(&mut self, pod: &Pod) {
        let Some(process) = process_of(pod) else { return };
        let name = pod.name_any();
        if let Some(known) = self.by_name.get(&name) {
            known.send_if_modified(|known| std::mem::replace(known, process) != process);
            return;
        }
        let (tell, told) = watch::channel(process);
        let reader = Reader {
            api: self.api.clone(),
            cursor: self.cursors.remove(&name).unwrap_or_default(),
            part: self.part,
            say: self.say.clone(),
            pod: name.clone(),
        };
        self.by_name.insert(name, tell);
        tokio::spawn(reader.read(told));
    }
}

/// The last process that has started; none while the first is awaited.
fn process_of(pod: &Pod) -> Option<Process> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == CONTAINER)?;
    let state = status.state.as_ref()?;
    let process = |nth, ended| Some(Process { nth, ended });
    if state.running.is_some() {
        return process(status.restart_count, false);
    }
    if state.terminated.is_some() {
        return process(status.restart_count, true);
    }
    let before = status.last_state.as_ref()?.terminated.as_ref();
    before.and(process(status.restart_count, true))
}

struct Reader {
    api: Api<Pod>,
    cursor: Cursor,
    part: Part,
    say: mpsc::Sender<Told>,
    pod: String,
}

impl Reader {
    /// Until the Pod is gone and all it said has been told, or nobody listens.
    async fn read(mut self, mut process: watch::Receiver<Process>) {
        loop {
            let now = *process.borrow_and_update();
            let Some(end) = self.read_once(outdated(process.clone(), now.nth)).await else {
                return;
            };
            let after = *process.borrow();
            let whole = end == End::Whole && after.nth == now.nth && now.ended;
            let changed = if whole || end == End::NoLog {
                process.changed().await
            } else {
                tokio::select! {
                    changed = process.changed() => changed,
                    () = tokio::time::sleep(PAUSE) => Ok(()),
                }
            };
            if changed.is_err() {
                // What it said between the last look and its end.
                self.read_once(std::future::pending).await;
                return;
            }
        }
    }

    /// None when nobody listens any more. It breaks off when `outdated` says so and no line comes.
    async fn read_once<F: Future<Output = ()>>(&mut self, outdated: impl Fn() -> F) -> Option<End> {
        self.cursor.again();
        let part = Part {
            since: self.cursor.last.or(self.part.since),
            ..Part::default()
        };
        let mut lines = match lines_of(&self.api, &self.pod, part, true).await {
            Ok(lines) => Box::pin(lines),
            Err(error) if is_none(&error) => return Some(End::NoLog),
            Err(_) => return Some(End::Broken),
        };
        loop {
            let next = tokio::select! {
                next = lines.try_next() => next,
                () = outdated() => return Some(End::Broken),
            };
            match next {
                Ok(Some(line)) if self.cursor.is_new(&line) => {
                    self.say.send((self.pod.clone(), line)).await.ok()?;
                }
                Ok(Some(_)) => {}
                Ok(None) => return Some(End::Whole),
                Err(_) => return Some(End::Broken),
            }
        }
    }
}

/// Waits until another process than this has started in the Pod, and then a while: a log that was asked for while one took
/// the place of the other may be that of the old one, which never ends.
fn outdated(
    process: watch::Receiver<Process>,
    nth: i32,
) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    move || {
        let mut process = process.clone();
        Box::pin(async move {
            if process.wait_for(|process| process.nth != nth).await.is_err() {
                // The Pod is gone, and its log ends with it.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(PAUSE).await;
        })
    }
}

/// How a log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
    NoLog,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_process_is_read_once_it_has_started() {
        let started = json!({ "startedAt": "2026-01-01T00:00:00Z" });
        for (state, last, restarts, expected) in [
            (json!({ "waiting": {} }), json!({}), 0, None),
            (json!({ "running": started }), json!({}), 0, Some((0, false))),
            (
                json!({ "terminated": { "exitCode": 1 } }),
                json!({}),
                0,
                Some((0, true)),
            ),
            (
                json!({ "waiting": {} }),
                json!({ "terminated": { "exitCode": 1 } }),
                3,
                Some((3, true)),
            ),
        ] {
            let pod = serde_json::from_value(json!({ "status": { "containerStatuses": [{
                "name": "webservice", "image": "", "imageID": "", "ready": false,
                "restartCount": restarts, "state": state, "lastState": last,
            }] } }))
            .unwrap();
            let found = process_of(&pod).map(|process| (process.nth, process.ended));
            assert_eq!(found, expected, "{state} {last}");
        }
    }
}
