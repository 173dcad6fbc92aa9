//! The certificate that a server presents, read again when its files change: nothing is restarted, and no connection is
//! dropped. Handshakes from then on see the new one.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use arc_swap::ArcSwap;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_util::sync::CancellationToken;
use toolforge_pki::{Identity, PkiError};

use crate::{Notices, NoticesError};

/// Why there is no certificate to present.
#[derive(Debug, thiserror::Error)]
pub enum PresentedError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The files hold no certificate with its key.
    #[error("{} and {} do not hold a certificate and its key", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        source: PkiError,
    },
    /// The folders of the files cannot be watched.
    #[error(transparent)]
    Watch(#[from] NoticesError),
}

/// A certificate that may change while it is presented.
#[derive(Debug, Clone)]
pub struct Presented {
    current: Arc<ArcSwap<Current>>,
}

#[derive(Debug)]
struct Current {
    certified: Arc<CertifiedKey>,
    not_after: Option<SystemTime>,
}

impl Presented {
    /// Presents this certificate, until [`Self::change`] gives another.
    ///
    /// # Errors
    /// When it is none, or its key is another's.
    pub fn of(identity: &Identity) -> Result<Self, PkiError> {
        Ok(Self::now(current(identity)?))
    }

    /// Presents what these PEM files hold, and what they hold after they change, until `shutdown`.
    ///
    /// What does not hold a certificate with its key is not presented: the one before stays, and the log says why.
    ///
    /// # Errors
    /// When the files cannot be read now, or their folders cannot be watched.
    pub fn files(
        certificate: &Path,
        key: &Path,
        shutdown: CancellationToken,
    ) -> Result<Self, PresentedError> {
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        // Watched before they are read: what changes meanwhile is read again.
        let notices = Notices::of(&[certificate, key])?;
        let presented = Self::now(files.read()?);
        tokio::spawn(shutdown.run_until_cancelled_owned(follow(presented.clone(), files, notices)));
        Ok(presented)
    }

    fn now(current: Current) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(current)),
        }
    }

    /// Presents this certificate from now on.
    ///
    /// # Errors
    /// As [`Self::of`]; then the one before stays.
    pub fn change(&self, identity: &Identity) -> Result<(), PkiError> {
        self.current.store(Arc::new(current(identity)?));
        Ok(())
    }

    /// The end of the certificate that is presented now.
    pub fn not_after(&self) -> Option<SystemTime> {
        self.current.load().not_after
    }

    /// A configuration of a server that presents it: TLS 1.2 and 1.3, HTTP/2 offered first.
    pub fn server_config(&self) -> Arc<rustls::ServerConfig> {
        toolforge_pki::install_provider();
        let resolver = Arc::new(Resolver(Arc::clone(&self.current)));
        let mut config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn current(identity: &Identity) -> Result<Current, PkiError> {
    let read = toolforge_pki::read_certificate_pem(&identity.certificate_pem)?;
    Ok(Current {
        certified: Arc::new(toolforge_pki::certified_key(identity)?),
        not_after: Some(read.not_after),
    })
}

struct Resolver(Arc<ArcSwap<Current>>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().certified))
    }
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn read(&self) -> Result<Current, PresentedError> {
        let text = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| PresentedError::Read {
                path: path.to_owned(),
                source,
            })
        };
        let identity = Identity {
            certificate_pem: text(&self.certificate)?,
            key_pem: text(&self.key)?,
        };
        current(&identity).map_err(|source| PresentedError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        })
    }
}

/// Reads the files after each change in their folders. Two files do not change at once: between them they do not belong
/// together, which the next notice mends.
async fn follow(presented: Presented, files: Files, mut notices: Notices) {
    while notices.next().await {
        match files.read() {
            Ok(read) if read.certified.cert == presented.current.load().certified.cert => {}
            Ok(read) => {
                presented.current.store(Arc::new(read));
                tracing::info!("a new certificate is presented");
            }
            Err(error) => {
                let source = std::error::Error::source(&error)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                tracing::warn!(%error, source, "the certificate's files changed, and the one before stays");
            }
        }
    }
}
