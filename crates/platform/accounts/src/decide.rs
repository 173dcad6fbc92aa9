//! Whether an account needs new credentials, and if not, when to look again.
//!
//! Pure: the marker, the certificate in the home and the time go in.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use toolforge_pki::Certified;

#[cfg(test)]
mod tests;

/// Why new credentials are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The marker is missing, or says nothing that can be read: the account is new, or somebody asks for it.
    NoMarker,
    /// The files are missing, changed, or not what they should be.
    NoFiles,
    /// They end soon.
    Ending,
}

impl Why {
    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NoMarker => "there are none yet, or the ConfigMap with their end is gone",
            Self::NoFiles => "its files are missing or changed",
            Self::Ending => "those that it has end soon",
        }
    }
}

/// What to do about credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Make new ones.
    Issue(Why),
    /// Leave them, and look again then.
    Keep(Timestamp),
}

/// Decides. `marker` is the end that the marker names, `certificate` what lies in the home.
pub(crate) fn decide(
    now: Timestamp,
    marker: Option<Timestamp>,
    certificate: Option<&Certified>,
    name: &str,
    renew_before: Duration,
) -> Decision {
    let Some(expires) = marker else {
        return Decision::Issue(Why::NoMarker);
    };
    let Some(certificate) = certificate.filter(|certificate| certificate.common_name == name) else {
        return Decision::Issue(Why::NoFiles);
    };
    let margin = margin(certificate, renew_before);
    let end = expires.min(timestamp(certificate.not_after));
    let renew_at = end.saturating_sub(margin).unwrap_or(now);
    if renew_at <= now {
        Decision::Issue(Why::Ending)
    } else {
        Decision::Keep(renew_at)
    }
}

/// How long before the end to renew: as told, but never more than a third of the lifetime, so that a
/// certificate of an hour is renewed after 40 minutes and not all the time.
fn margin(certificate: &Certified, renew_before: Duration) -> Duration {
    let lifetime = certificate
        .not_after
        .duration_since(certificate.not_before)
        .unwrap_or_default();
    renew_before.min(lifetime / 3)
}

/// A moment of a certificate; beyond what can be written it is far away, or long ago.
pub(crate) fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(if at < SystemTime::UNIX_EPOCH {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}
