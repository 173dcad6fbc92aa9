//! The last table on disk, so that a gateway that starts without the API serves what it served before.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use toolforge_routing::{RouteTable, Settings, Snapshot};

use crate::limits::KEEP_DELAY;

/// The last table, where there is one that is good under these settings. Anything else is logged and passed over: a
/// gateway without a last table learns everything from the API.
pub(crate) fn load(path: &Path, settings: &Settings) -> Option<RouteTable> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the last table cannot be read");
            return None;
        }
    };
    let snapshot = match serde_json::from_reader::<_, Snapshot>(BufReader::new(file)) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the last table is damaged and not used");
            return None;
        }
    };
    match snapshot.into_table(settings) {
        Ok(table) => Some(table),
        Err(reason) => {
            tracing::info!(path = %path.display(), %reason, "the last table is not used");
            None
        }
    }
}

/// Keeps the file up to date with the table until `shutdown`, and once more then.
pub(crate) async fn keep(
    path: PathBuf,
    table: Arc<ArcSwap<RouteTable>>,
    mut changed: watch::Receiver<()>,
    shutdown: CancellationToken,
) {
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            () = shutdown.cancelled() => is_last = true,
            told = changed.changed() => {
                // More is likely to follow at once; and who tells ends only with the gateway.
                is_last = told.is_err();
                tokio::select! {
                    () = shutdown.cancelled() => is_last = true,
                    () = sleep(KEEP_DELAY) => {}
                }
                changed.mark_unchanged();
            }
        }
        let (path, table) = (path.clone(), table.load_full());
        let written = tokio::task::spawn_blocking(move || write(&path, &table)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "the table could not be kept on disk");
        }
    }
}

/// Writes the table beside the file and puts it in the file's place: a reader finds the old or the new one, whole.
fn write(path: &Path, table: &RouteTable) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let beside = path.with_extension("new");
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    let mut file = BufWriter::new(file);
    serde_json::to_writer(&mut file, &Snapshot::of(table))?;
    file.flush()?;
    file.get_ref().sync_all()?;
    fs::rename(&beside, path)?;
    // Only with its folder on disk does the new name survive a power cut.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use toolforge_routing::{RouteTable, Settings};

    use super::{load, write};
    use crate::default_backend;

    fn settings(policy: &str) -> Settings {
        Settings {
            ingress_class: "toolforge".into(),
            controller: "toolforge.org/gateway".into(),
            default_backend: default_backend(),
            policy: policy.into(),
        }
    }

    #[test]
    fn table_comes_back_under_the_same_settings_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("not yet there/table.json");
        assert!(load(&path, &settings("a")).is_none(), "there is none yet");
        write(&path, &RouteTable::new(settings("a"))).unwrap();
        assert!(load(&path, &settings("a")).is_some());
        assert!(load(&path, &settings("b")).is_none());
    }

    #[test]
    fn damaged_table_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.json");
        std::fs::write(&path, "{\"version\":1").unwrap();
        assert!(load(&path, &settings("a")).is_none());
    }
}
