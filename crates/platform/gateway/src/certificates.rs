//! Which certificate a visitor is shown, by the name that it asks for.
//!
//! The resolver of the TLS listener asks here, once for each full handshake: a look into one immutable value, without a
//! lock and without allocating. `files` and `control` put certificates in. It reads no files and watches nothing.

pub(crate) mod files;
mod follow;

use std::{collections::HashMap, fmt, iter, sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
pub(crate) use follow::Following;
use parking_lot::Mutex;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use toolforge_pki::ServerCertificate;

type ByName = HashMap<Box<str>, Arc<CertifiedKey>>;

/// Every certificate, by name: an immutable value.
struct Shown {
    exact: ByName,
    /// By what follows `*.`.
    wildcard: ByName,
    default: Arc<CertifiedKey>,
}

/// A certificate for one host, which somebody claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// A host, or `*.` and a host.
    pub(crate) host: String,
    pub(crate) certificate: ServerCertificate,
}

/// Where the certificates come from; of the same name the first of these has it.
#[derive(Debug)]
struct Sources {
    /// The operator's files, each for all of its names.
    files: Vec<ServerCertificate>,
    /// Secrets of Ingresses, each only for the hosts that its namespace may claim.
    claimed: Vec<Claimed>,
    /// For every other name, and for visitors who name none.
    default: ServerCertificate,
}

/// When certificates of a source end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// `default`, `files` or `secrets`.
    pub(crate) source: &'static str,
    pub(crate) count: usize,
    /// The end of the one that ends first.
    pub(crate) first: SystemTime,
}

/// The certificates of a gateway, which may change at any time.
pub(crate) struct Certificates {
    shown: ArcSwap<Shown>,
    sources: Mutex<Sources>,
}

impl Certificates {
    pub(crate) fn new(default: ServerCertificate) -> Arc<Self> {
        let sources = Sources {
            files: Vec::new(),
            claimed: Vec::new(),
            default,
        };
        Arc::new(Self {
            shown: ArcSwap::from_pointee(sources.shown()),
            sources: Mutex::new(sources),
        })
    }

    /// Shows this one where there is no other.
    pub(crate) fn set_default(&self, certificate: ServerCertificate) {
        self.change(|sources| sources.default = certificate);
    }

    /// Shows the operator's certificates: these, and no others of files any more.
    pub(crate) fn set_files(&self, certificates: Vec<ServerCertificate>) {
        self.change(|sources| sources.files = certificates);
    }

    /// Shows the certificates of Ingresses: these, and no others any more. Of two for the same host the first has it.
    pub(crate) fn set_claimed(&self, certificates: Vec<Claimed>) {
        self.change(|sources| sources.claimed = certificates);
    }

    /// What is shown to who asks for this host, in lower case.
    pub(crate) fn find(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let shown = self.shown.load();
        let found = name.and_then(|name| {
            let name = name.strip_suffix('.').unwrap_or(name);
            let of_wildcard = || shown.wildcard.get(name.split_once('.')?.1);
            shown.exact.get(name).or_else(of_wildcard)
        });
        found.unwrap_or(&shown.default).clone()
    }

    /// When they end, by source, for those that have some.
    pub(crate) fn ends(&self) -> Vec<Ends> {
        let sources = self.sources.lock();
        let of_claimed = sources.claimed.iter().map(|claimed| &claimed.certificate);
        let all = [
            Ends::of("default", iter::once(&sources.default)),
            Ends::of("files", sources.files.iter()),
            Ends::of("secrets", of_claimed),
        ];
        all.into_iter().flatten().collect()
    }

    fn change(&self, change: impl FnOnce(&mut Sources)) {
        let mut sources = self.sources.lock();
        change(&mut sources);
        self.shown.store(Arc::new(sources.shown()));
    }
}

impl Ends {
    fn of<'c>(
        source: &'static str,
        all: impl Iterator<Item = &'c ServerCertificate> + Clone,
    ) -> Option<Self> {
        let first = all.clone().map(ServerCertificate::not_after).min()?;
        let count = all.count();
        Some(Self { source, count, first })
    }
}

impl Sources {
    fn shown(&self) -> Shown {
        let mut shown = Shown {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            default: self.default.certified().clone(),
        };
        // Of several files for one name, the one that lives longest: a renewed certificate beside its predecessor.
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|certificate| std::cmp::Reverse(certificate.not_after()));
        for certificate in files {
            for name in certificate.dns_names() {
                shown.add(name, certificate);
            }
        }
        for claimed in &self.claimed {
            shown.add(&claimed.host, &claimed.certificate);
        }
        shown
    }
}

impl Shown {
    fn add(&mut self, name: &str, certificate: &ServerCertificate) {
        let (names, name) = match name.strip_prefix("*.") {
            Some(rest) => (&mut self.wildcard, rest),
            None => (&mut self.exact, name),
        };
        names
            .entry(name.into())
            .or_insert_with(|| certificate.certified().clone());
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.find(hello.server_name()))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown.load();
        f.debug_struct("Certificates")
            .field("exact", &shown.exact.len())
            .field("wildcard", &shown.wildcard.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
