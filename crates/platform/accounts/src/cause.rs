//! What was in an account's way, in a few words that a metric can have as a label.
//!
//! Pure. The reason itself, with names and ways out, is in the log, in Events and in `toolforge accounts list`.

use toolforge_certificates::IssueError;

use crate::{file_work::FileWorkError, files::FileError, reconcile::ReconcileError};

/// What was in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The directory's entry cannot be used.
    Entry,
    /// It claims what another account has.
    Clash,
    /// The home, or its file system.
    Home,
    /// The API did not take or give an object.
    Api,
    /// The certificate request was denied, or the signer failed it.
    CertificateRefused,
    /// There is no certificate for another reason: nobody signs, or what was signed cannot be used.
    Certificate,
    /// The archive cannot be written.
    Archive,
    /// The namespace is being deleted; it passes.
    Leaving,
    /// This replica does not lead any more.
    NotLeading,
    /// The turn itself ended badly: a fault of the program.
    Fault,
}

impl Cause {
    pub(crate) const ALL: [Self; 10] = [
        Self::Entry,
        Self::Clash,
        Self::Home,
        Self::Api,
        Self::CertificateRefused,
        Self::Certificate,
        Self::Archive,
        Self::Leaving,
        Self::NotLeading,
        Self::Fault,
    ];

    /// Of an error.
    pub(crate) fn of(error: &ReconcileError) -> Self {
        match error {
            ReconcileError::Unusable(_) => Self::Entry,
            ReconcileError::Clash(_) => Self::Clash,
            ReconcileError::FileWork(FileWorkError::NotLeading(_)) => Self::NotLeading,
            _ if matches!(error.file(), Some(FileError::NotLeading(_))) => Self::NotLeading,
            ReconcileError::FileWork(FileWorkError::NoThread(_) | FileWorkError::Ended) => Self::Fault,
            ReconcileError::Home(_) | ReconcileError::FileWork(FileWorkError::Silent(_)) => Self::Home,
            ReconcileError::Execute(_) | ReconcileError::Stop(_) => Self::Api,
            ReconcileError::Credentials(IssueError::Refused { .. }) => Self::CertificateRefused,
            ReconcileError::Credentials(_) | ReconcileError::Certificate(_) => Self::Certificate,
            ReconcileError::Archive(_) => Self::Archive,
            ReconcileError::Leaving(_) => Self::Leaving,
        }
    }

    /// The label's value.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Clash => "clash",
            Self::Home => "home",
            Self::Api => "api",
            Self::CertificateRefused => "certificate_refused",
            Self::Certificate => "certificate",
            Self::Archive => "archive",
            Self::Leaving => "leaving",
            Self::NotLeading => "not_leading",
            Self::Fault => "fault",
        }
    }
}
