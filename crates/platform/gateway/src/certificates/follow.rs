//! Follows certificates in files: read before the gateway serves, and again when something changes in their folders or
//! in the settings. `run` begins it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use toolforge_serve::Notices;

use super::{
    Certificates,
    files::{CertificateFiles, KEY_ENDING, Place, Read},
};
use crate::{Rules, limits::CERTIFICATES_DELAY};

/// The certificates in files, and what tells of their changes.
pub(crate) struct Following {
    certificates: Arc<Certificates>,
    /// The files of the default certificate.
    default: Option<CertificateFiles>,
    /// What is wrong with that, once it was said.
    default_said: Option<String>,
    /// The settings, which name the others.
    rules: Option<watch::Receiver<Arc<Rules>>>,
    places: Vec<Place>,
    notices: Option<Notices>,
    read: Read,
}

impl Following {
    /// Has the certificates shown that are in the files now. What does not work is logged.
    pub(crate) async fn begin(
        certificates: Arc<Certificates>,
        default: Option<CertificateFiles>,
        rules: Option<watch::Receiver<Arc<Rules>>>,
    ) -> Self {
        let mut following = Self {
            certificates,
            default,
            default_said: None,
            rules,
            places: Vec::new(),
            notices: None,
            read: Read::default(),
        };
        following.look_where_the_settings_say();
        following.show().await;
        following
    }

    /// Has those shown that are in the files after each change, until `shutdown`.
    pub(crate) async fn go_on(mut self, shutdown: CancellationToken) {
        let waiting = async {
            loop {
                tokio::select! {
                    () = changed(&mut self.rules) => self.look_where_the_settings_say(),
                    () = noticed(&mut self.notices) => {}
                }
                sleep(CERTIFICATES_DELAY).await;
                self.show().await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = waiting => {}
        }
    }

    /// Watches before anything is read: what changes meanwhile is read again.
    fn look_where_the_settings_say(&mut self) {
        if let Some(rules) = &mut self.rules {
            self.places.clone_from(&rules.borrow_and_update().certificates);
        }
        self.notices = notices_of(&self.places, self.default.as_ref());
    }

    async fn show(&mut self) {
        let (certificates, places) = (self.certificates.clone(), self.places.clone());
        let mut read = std::mem::take(&mut self.read);
        let showing = tokio::task::spawn_blocking(move || {
            read.again(&places, SystemTime::now());
            certificates.set_files(read.held.values().cloned().collect());
            read
        });
        // It does not panic; if it did, all would be read anew.
        self.read = showing.await.unwrap_or_default();
        if let Some(files) = &self.default {
            match files.read() {
                Ok(certificate) => {
                    self.certificates.set_default(certificate);
                    self.default_said = None;
                }
                Err(problem) => {
                    let problem = problem.to_string();
                    if self.default_said.as_ref() != Some(&problem) {
                        tracing::error!(
                            "the default certificate cannot be used: {problem}; what was before stays"
                        );
                    }
                    self.default_said = Some(problem);
                }
            }
        }
    }
}

fn notices_of(places: &[Place], default: Option<&CertificateFiles>) -> Option<Notices> {
    let mut watched = Vec::new();
    for place in places {
        match place {
            // Notices are of the folder in which a file is.
            Place::Folder(folder) => watched.push(folder.join(KEY_ENDING)),
            Place::Files(files) => watched.extend([files.certificate.clone(), files.key.clone()]),
        }
    }
    if let Some(files) = default {
        watched.extend([files.certificate.clone(), files.key.clone()]);
    }
    let (there, missing): (Vec<_>, Vec<_>) = watched
        .iter()
        .map(PathBuf::as_path)
        .partition(|path| folder_of(path).is_dir());
    for path in missing {
        let folder = folder_of(path).display();
        tracing::error!("the folder {folder} is not there; make it, then write the settings again");
    }
    if there.is_empty() {
        return None;
    }
    match Notices::of(&there) {
        Ok(notices) => Some(notices),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(
                error,
                "certificates in files are not followed; restart when they change"
            );
            None
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

async fn noticed(notices: &mut Option<Notices>) {
    if let Some(following) = notices
        && following.next().await
    {
        return;
    }
    // There will be no more.
    *notices = None;
    std::future::pending::<()>().await;
}

async fn changed(rules: &mut Option<watch::Receiver<Arc<Rules>>>) {
    if let Some(receiver) = rules
        && receiver.changed().await.is_ok()
    {
        return;
    }
    // Nobody changes them any more.
    std::future::pending::<()>().await;
}
