//! Which log belongs to which container, and where the files lie.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::writer::{LogWriter, Progress};
use crate::runtime::{ContainerPlace, OutputSink};

/// How many starts' logs are kept per container: the present one and the one before.
const ATTEMPTS_KEPT: usize = 2;

/// All logs of this node.
#[derive(Debug)]
pub(crate) struct LogStore {
    folder: PathBuf,
    /// The Pod that has a name now.
    pods: Mutex<HashMap<(String, String), Known>>,
    open: Mutex<HashMap<PathBuf, Weak<LogWriter>>>,
}

/// A Pod whose logs can be asked for.
#[derive(Debug)]
struct Known {
    uid: String,
    /// Its containers, each with the reason why it waits, if it does.
    containers: HashMap<String, Option<String>>,
}

/// A log to read.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(super) path: PathBuf,
    /// How it grows; none when nothing writes it any more.
    pub(super) progress: Option<watch::Receiver<Progress>>,
}

/// Why there is no log to read; the node's server answers with these words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoLog {
    /// No such Pod runs here.
    #[error("pod \"{0}\" not found")]
    Pod(String),
    /// The Pod has no such container.
    #[error("container \"{container}\" not found in pod \"{pod}\"")]
    Container {
        /// The container.
        container: String,
        /// The Pod.
        pod: String,
    },
    /// The container has not started yet.
    #[error("container \"{container}\" in pod \"{pod}\" is waiting to start: {reason}")]
    Waiting {
        /// Why it waits.
        reason: String,
        /// The container.
        container: String,
        /// Its Pod.
        pod: String,
    },
    /// The container has not been restarted.
    #[error("previous terminated container \"{container}\" in pod \"{pod}\" not found")]
    Previous {
        /// The container.
        container: String,
        /// Its Pod.
        pod: String,
    },
}

impl LogStore {
    pub(crate) fn open(state_dir: &Path) -> io::Result<Self> {
        let folder = state_dir.join("logs");
        create_private(&folder)?;
        Ok(Self {
            folder,
            pods: Mutex::default(),
            open: Mutex::default(),
        })
    }

    /// A Pod is here; its logs can be asked for by name. Told again, more containers may have come.
    pub(crate) fn register(&self, namespace: &str, pod: &str, uid: &str, containers: &[&str]) {
        let mut pods = self.pods.lock();
        let key = (namespace.to_owned(), pod.to_owned());
        let before = pods.remove(&key).filter(|known| known.uid == uid);
        let mut reasons = before.map(|known| known.containers).unwrap_or_default();
        let containers = containers
            .iter()
            .map(|name| ((*name).to_owned(), reasons.remove(*name).flatten()))
            .collect();
        let uid = uid.to_owned();
        pods.insert(key, Known { uid, containers });
    }

    /// Remembers why containers of a Pod wait, to tell those who ask for their logs.
    pub(crate) fn waits(&self, pod: &Pod, status: &PodStatus) {
        let metadata = &pod.metadata;
        let key = (
            metadata.namespace.clone().unwrap_or_default(),
            metadata.name.clone().unwrap_or_default(),
        );
        let mut pods = self.pods.lock();
        let Some(known) = pods
            .get_mut(&key)
            .filter(|known| Some(&known.uid) == metadata.uid.as_ref())
        else {
            return;
        };
        let statuses = status
            .init_container_statuses
            .iter()
            .flatten()
            .chain(status.container_statuses.iter().flatten())
            .chain(status.ephemeral_container_statuses.iter().flatten());
        for status in statuses {
            let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
            let reason = waiting.and_then(|waiting| waiting.reason.clone());
            known.containers.insert(status.name.clone(), reason);
        }
    }

    /// A Pod is gone, and its logs with it. A new Pod of its name keeps its own.
    pub(crate) fn forget(&self, namespace: &str, pod: &str, uid: &str) {
        let key = (namespace.to_owned(), pod.to_owned());
        let mut pods = self.pods.lock();
        if pods.get(&key).is_some_and(|known| known.uid == uid) {
            pods.remove(&key);
        }
        drop(pods);
        remove(&self.pod_folder(namespace, pod, uid));
    }

    /// Removes logs of Pods that went while the node was not there.
    pub(crate) fn keep_only_registered(&self) {
        let pods = self.pods.lock();
        let known: Vec<PathBuf> = pods
            .iter()
            .map(|((namespace, pod), known)| self.pod_folder(namespace, pod, &known.uid))
            .collect();
        drop(pods);
        let found = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        found
            .filter(|folder| !known.contains(folder))
            .for_each(|folder| remove(&folder));
    }

    /// Opens the log of a start of a container; logs of starts before the last are removed.
    pub(crate) fn create(&self, place: &ContainerPlace) -> io::Result<Arc<dyn OutputSink>> {
        let folder = self
            .pod_folder(&place.namespace, &place.pod, &place.pod_uid)
            .join(&place.container);
        create_private(&folder)?;
        let path = folder.join(format!("{}.log", place.attempt));
        let writer = Arc::new(LogWriter::create(&path)?);
        let mut open = self.open.lock();
        open.retain(|_, writer| writer.strong_count() > 0);
        open.insert(path, Arc::downgrade(&writer));
        drop(open);
        let attempts = attempts(&folder);
        for (_, old) in attempts.iter().rev().skip(ATTEMPTS_KEPT) {
            let _ = fs::remove_file(old);
            let _ = fs::remove_file(super::writer::older(old));
        }
        Ok(writer)
    }

    /// Takes back a log that nothing will be written to: its container could not be made.
    pub(crate) fn discard(&self, place: &ContainerPlace) {
        let folder = self
            .pod_folder(&place.namespace, &place.pod, &place.pod_uid)
            .join(&place.container);
        let path = folder.join(format!("{}.log", place.attempt));
        self.open.lock().remove(&path);
        // When it cannot be removed, readers see an empty log.
        let _ = fs::remove_file(path);
    }

    /// Finds a container's log, or that of its start before.
    pub(crate) fn find(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
    ) -> Result<LogFile, NoLog> {
        let key = (namespace.to_owned(), pod.to_owned());
        let pods = self.pods.lock();
        let known = pods.get(&key).ok_or_else(|| NoLog::Pod(pod.to_owned()))?;
        let uid = known.uid.clone();
        // Only names that the Pod has become parts of a path.
        let reason = known.containers.get(container).cloned();
        drop(pods);
        let (container, pod) = (container.to_owned(), pod.to_owned());
        let Some(reason) = reason else {
            return Err(NoLog::Container { container, pod });
        };
        let mut attempts = attempts(&self.pod_folder(namespace, &pod, &uid).join(&container));
        if previous {
            attempts.pop_last();
        }
        let Some((_, path)) = attempts.pop_last() else {
            if previous {
                return Err(NoLog::Previous { container, pod });
            }
            let reason = reason.unwrap_or_else(|| "ContainerCreating".to_owned());
            return Err(NoLog::Waiting {
                reason,
                container,
                pod,
            });
        };
        let writer = self.open.lock().get(&path).and_then(Weak::upgrade);
        Ok(LogFile {
            progress: writer.map(|writer| writer.subscribe()),
            path,
        })
    }

    fn pod_folder(&self, namespace: &str, pod: &str, uid: &str) -> PathBuf {
        self.folder.join(format!("{namespace}_{pod}_{uid}"))
    }
}

fn attempts(folder: &Path) -> BTreeMap<u32, PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(".log")?.parse().ok();
    entries.filter_map(|path| Some((number(&path)?, path))).collect()
}

fn create_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), %error, "logs of a Pod cannot be removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(attempt: u32) -> ContainerPlace {
        ContainerPlace {
            namespace: "n".to_owned(),
            pod: "p".to_owned(),
            pod_uid: "u".to_owned(),
            container: "c".to_owned(),
            attempt,
        }
    }

    #[test]
    fn the_last_two_starts_can_be_read() {
        let state = tempfile::tempdir().expect("folder");
        let store = LogStore::open(state.path()).expect("store");
        assert_eq!(
            store.find("n", "p", "c", false).expect_err("none"),
            NoLog::Pod("p".to_owned())
        );
        store.register("n", "p", "u", &["c"]);
        assert!(matches!(
            store.find("n", "p", "c", false),
            Err(NoLog::Waiting { .. })
        ));
        for attempt in [8, 9, 10] {
            store.create(&place(attempt)).expect("log").close();
            if attempt == 8 {
                assert!(matches!(
                    store.find("n", "p", "c", true),
                    Err(NoLog::Previous { .. })
                ));
            }
        }
        assert!(
            store
                .find("n", "p", "c", false)
                .expect("log")
                .path
                .ends_with("10.log")
        );
        assert!(
            store
                .find("n", "p", "c", true)
                .expect("log")
                .path
                .ends_with("9.log")
        );
        assert_eq!(
            fs::read_dir(state.path().join("logs/n_p_u/c"))
                .expect("folder")
                .count(),
            2
        );
    }

    #[test]
    fn names_cannot_lead_out_of_the_folder() {
        let state = tempfile::tempdir().expect("folder");
        let store = LogStore::open(state.path()).expect("store");
        store.register("n", "p", "u", &["c"]);
        for name in ["..", "../..", "a/b", "/etc"] {
            assert!(
                matches!(store.find("n", "p", name, false), Err(NoLog::Container { .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn who_asks_too_early_hears_why_the_container_waits() {
        let state = tempfile::tempdir().expect("folder");
        let store = LogStore::open(state.path()).expect("store");
        store.register("n", "p", "u", &["c"]);
        let metadata = serde_json::json!({"namespace": "n", "name": "p", "uid": "u"});
        let pod: Pod = serde_json::from_value(serde_json::json!({"metadata": metadata})).expect("pod");
        let status = serde_json::json!({"containerStatuses": [{"name": "c", "image": "", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"waiting": {"reason": "CreateContainerConfigError"}}}]});
        store.waits(&pod, &serde_json::from_value(status).expect("status"));
        let refusal = store.find("n", "p", "c", false).expect_err("no log").to_string();
        assert_eq!(
            refusal,
            "container \"c\" in pod \"p\" is waiting to start: CreateContainerConfigError"
        );
    }

    #[test]
    fn logs_go_with_their_pod() {
        let state = tempfile::tempdir().expect("folder");
        let store = LogStore::open(state.path()).expect("store");
        store.register("n", "p", "u", &["c"]);
        store.create(&place(0)).expect("log");
        store.forget("n", "p", "another");
        assert!(store.find("n", "p", "c", false).is_ok());
        store.forget("n", "p", "u");
        assert!(store.find("n", "p", "c", false).is_err());
        assert_eq!(
            fs::read_dir(state.path().join("logs")).expect("folder").count(),
            0
        );
    }
}
