//! By which authorities a server's certificate is known, as they change: from a file, or from a `ConfigMap` such as
//! `kube-root-ca.crt`, which Kubernetes keeps in every namespace.

use std::path::{Path, PathBuf};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolforge_serve::{Notices, NoticesError};

/// Authorities in PEM, which may change.
#[derive(Clone, Debug)]
pub struct Authorities(watch::Receiver<Option<String>>);

impl Authorities {
    /// These, which do not change.
    pub fn of(pem: &str) -> Self {
        Self(watch::channel(Some(pem.to_owned())).1)
    }

    /// Those that the holder of the sender tells of, such as who makes them known elsewhere first.
    pub fn told() -> (watch::Sender<Option<String>>, Self) {
        let (told, known) = watch::channel(None);
        (told, Self(known))
    }

    /// Those in a file, and what is in it after it changes, until `shutdown`. While it cannot be read, those before stay.
    ///
    /// # Errors
    /// When the folder of the file cannot be watched.
    pub fn file(path: &Path, shutdown: CancellationToken) -> Result<Self, NoticesError> {
        // Watched before it is read: what changes meanwhile is read again.
        let notices = Notices::of(&[path])?;
        let (known, receiver) = watch::channel(None);
        read(path, &known);
        let follow = follow_file(path.to_owned(), notices, known);
        tokio::spawn(shutdown.run_until_cancelled_owned(follow));
        Ok(Self(receiver))
    }

    /// Those that a key of a `ConfigMap` holds, until `shutdown`; the client must be allowed to get, list and watch it.
    /// They are not known until it has been read; while it is away, those before stay.
    pub fn config_map(
        client: Client,
        namespace: &str,
        name: &str,
        key: &'static str,
        shutdown: CancellationToken,
    ) -> Self {
        let (known, receiver) = watch::channel(None);
        let api = Api::namespaced(client, namespace);
        let follow = follow_config_map(api, format!("{namespace}/{name}"), name.to_owned(), key, known);
        tokio::spawn(shutdown.run_until_cancelled_owned(follow));
        Self(receiver)
    }

    /// Those that are known now.
    pub fn pem(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits until there are any; for ever, where none come any more.
    pub async fn known(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for the next change since the last look here; for ever, where nothing changes any more.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Takes what holds certificates, and tells of it if it is new.
fn tell(known: &watch::Sender<Option<String>>, pem: &str, place: &str) {
    if let Err(error) = toolforge_pki::read_bundle(pem) {
        tracing::warn!(place, %error, "there is no authority, and the one before stays");
        return;
    }
    known.send_if_modified(|known| {
        let new = known.as_deref() != Some(pem);
        if new {
            *known = Some(pem.to_owned());
            tracing::info!(place, "the authorities of the certificate are known");
        }
        new
    });
}

fn read(path: &Path, known: &watch::Sender<Option<String>>) {
    let place = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(pem) => tell(known, &pem, &place),
        Err(error) => tracing::warn!(place, %error, "the authorities cannot be read"),
    }
}

async fn follow_file(path: PathBuf, mut notices: Notices, known: watch::Sender<Option<String>>) {
    while notices.next().await {
        read(&path, &known);
    }
}

async fn follow_config_map(
    api: Api<ConfigMap>,
    place: String,
    name: String,
    key: &str,
    known: watch::Sender<Option<String>>,
) {
    let mine = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = toolforge_watch::watch(api, mine);
    let mut there = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(map) | Event::InitApply(map)) => {
                there = true;
                let pem = map.data.unwrap_or_default().remove(key).unwrap_or_default();
                tell(&known, &pem, &place);
            }
            Ok(Event::Init) => there = false,
            Ok(Event::Delete(_)) => tracing::warn!(place, "the authorities are gone; the ones before stay"),
            Ok(Event::InitDone) if !there => {
                tracing::warn!(
                    place,
                    key,
                    "there is no ConfigMap with the authorities of the certificate"
                );
            }
            Ok(Event::InitDone) => {}
            Err(error) => tracing::warn!(place, %error, "the authorities cannot be watched; trying again"),
        }
    }
}
