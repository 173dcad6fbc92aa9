//! TLS Secrets as the API tells of them, and the certificates that follow for the hosts of Ingresses. Pure.
//!
//! **Invariant:** neither a Secret that does not work nor an API that lost its memory takes a certificate away: what was
//! shown before is shown on. Keys are in memory only; no file of the gateway ever holds one.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use toolforge_pki::{Identity, ServerCertificate};
use toolforge_routing::{ObjectKey, TlsClaim};

use crate::certificates::Claimed;

/// The type of Secrets that hold a certificate.
pub(crate) const TLS_TYPE: &str = "kubernetes.io/tls";
/// Where the certificate and its key stand in such a Secret.
const CERTIFICATE_FIELD: &str = "tls.crt";
const KEY_FIELD: &str = "tls.key";

/// A certificate, or what is wrong with the Secret.
pub(crate) type SecretRead = Result<ServerCertificate, String>;

/// Something that the API said of Secrets.
#[derive(Clone, Debug)]
pub(crate) enum SecretEvent {
    /// All of them are about to be listed.
    Begin,
    /// One of them.
    Listed(ObjectKey, SecretRead),
    /// That was all.
    Done,
    /// One is there, as it is now.
    Put(ObjectKey, SecretRead),
    /// One is gone.
    Gone(ObjectKey),
}

/// The certificate of a Secret.
pub(crate) fn read_secret(secret: &Secret) -> SecretRead {
    let field = |name: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(name));
        bytes
            .and_then(|bytes| String::from_utf8(bytes.0.clone()).ok())
            .ok_or_else(|| format!("data[{name}] is missing or no text; write it in PEM"))
    };
    let identity = Identity {
        certificate_pem: field(CERTIFICATE_FIELD)?,
        key_pem: field(KEY_FIELD)?,
    };
    let read = ServerCertificate::read(&identity).and_then(ServerCertificate::with_names);
    read.map_err(|error| {
        let name = if error.is_of_certificate() {
            CERTIFICATE_FIELD
        } else {
            KEY_FIELD
        };
        format!("data[{name}]: {error}")
    })
}

/// A Secret as it was heard of last.
#[derive(Debug, Default)]
struct Known {
    /// The last certificate that worked.
    certificate: Option<ServerCertificate>,
    /// What is wrong with the Secret now.
    problem: Option<String>,
}

/// Everything that was heard of Secrets.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    known: BTreeMap<ObjectKey, Known>,
    /// The names in the list that is coming in.
    listing: Option<BTreeSet<ObjectKey>>,
    /// Those that were missing from a list when the API knew nothing else either.
    missing: BTreeSet<ObjectKey>,
    /// Whether there was a whole list: before, nobody can say that a Secret is not there.
    is_complete: bool,
    /// What was said already.
    said: BTreeSet<String>,
}

impl Secrets {
    /// Notes what was said; `has_memory` is whether the API knows a tool's namespace. True when certificates may follow.
    pub(crate) fn hear(&mut self, event: SecretEvent, has_memory: bool) -> bool {
        match event {
            SecretEvent::Begin => self.listing = Some(BTreeSet::new()),
            SecretEvent::Listed(key, read) => {
                if let Some(listing) = &mut self.listing {
                    listing.insert(key.clone());
                }
                self.put(key, read);
            }
            SecretEvent::Done => {
                let listed = self.listing.take().unwrap_or_default();
                let known = self.known.keys();
                self.missing = known.filter(|key| !listed.contains(key)).cloned().collect();
                self.is_complete = true;
                self.remember(has_memory);
                return true;
            }
            SecretEvent::Put(key, read) => {
                self.put(key, read);
                return true;
            }
            SecretEvent::Gone(key) => {
                self.missing.remove(&key);
                return self.known.remove(&key).is_some();
            }
        }
        false
    }

    /// Forgets what was missing from the last list, if the API has its memory. True when something was forgotten.
    pub(crate) fn remember(&mut self, has_memory: bool) -> bool {
        if !has_memory || self.missing.is_empty() {
            return false;
        }
        for key in std::mem::take(&mut self.missing) {
            self.known.remove(&key);
        }
        true
    }

    fn put(&mut self, key: ObjectKey, read: SecretRead) {
        self.missing.remove(&key);
        let known = self.known.entry(key).or_default();
        match read {
            Ok(certificate) => {
                *known = Known {
                    certificate: Some(certificate),
                    problem: None,
                }
            }
            Err(problem) => known.problem = Some(problem),
        }
    }

    /// The certificates of these claims, and what is wrong and was not said before.
    pub(crate) fn certificates(&mut self, claims: Vec<TlsClaim>) -> (Vec<Claimed>, Vec<String>) {
        let (mut certificates, mut problems) = (Vec::new(), BTreeSet::new());
        for claim in claims {
            if let Some(certificate) = self.certificate(&claim, &mut problems) {
                certificates.push(Claimed {
                    host: claim.host,
                    certificate,
                });
            }
        }
        let new = problems.difference(&self.said).cloned().collect();
        self.said = problems;
        (certificates, new)
    }

    fn certificate(&self, claim: &TlsClaim, problems: &mut BTreeSet<String>) -> Option<ServerCertificate> {
        let TlsClaim {
            host,
            secret,
            ingress,
        } = claim;
        let secret_name = format!("Secret {}/{}", secret.namespace, secret.name);
        let ingress = format!("Ingress {}/{}", ingress.namespace, ingress.name);
        let Some(known) = self.known.get(secret) else {
            if self.is_complete {
                problems.insert(format!(
                    "{ingress}, spec.tls: there is no {secret_name} of type {TLS_TYPE}; create it, or leave secretName out"
                ));
            }
            return None;
        };
        if let Some(problem) = &known.problem {
            problems.insert(format!(
                "{secret_name}, {problem}; until then {}",
                if known.certificate.is_some() {
                    "its last certificate is shown"
                } else {
                    "another one is shown"
                }
            ));
        }
        let certificate = known.certificate.clone()?;
        if !certificate.covers(host) {
            problems.insert(format!(
                "{secret_name}, data[{CERTIFICATE_FIELD}]: it is not for {host}, which {ingress} names in spec.tls; \
                 have one issued with that host, or take the host out"
            ));
            return None;
        }
        Some(certificate)
    }
}

#[cfg(test)]
mod tests;
