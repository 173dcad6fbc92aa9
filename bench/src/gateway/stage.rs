//! What all proxies are measured with: the hosts, the certificate, the servers behind them, and the client.

use std::{path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tempfile::TempDir;
use toolforge_pki::Authority;

use super::upstream::Upstream;
use crate::platform::data_folder;

/// The domain of all hosts.
pub(super) const DOMAIN: &str = "toolforge.org";
/// Tools that answer, spread over all hosts.
const SERVERS: usize = 4;
/// A step that shares no factor with the number of hosts: neighbours in time are none in any table.
const STEP: usize = 7919;

/// Everything around the proxies.
pub(super) struct Stage {
    /// How many hosts each proxy knows.
    pub(super) hosts: usize,
    pub(super) upstream: Upstream,
    /// The program whose gateway is measured.
    pub(super) program: std::path::PathBuf,
    authority: Authority,
    folder: TempDir,
}

/// What a client agrees on the keys of TLS with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Groups {
    /// X25519 with ML-KEM, and without where the server does not know it.
    AsBrowsers,
    X25519,
}

impl Stage {
    /// Starts the servers and writes the certificate.
    pub(super) fn set(program: &Path, hosts: usize) -> anyhow::Result<Self> {
        let folder = data_folder()?;
        let authority = Authority::create("bench")?;
        let identity = authority.issue_server(&[&format!("*.{DOMAIN}"), DOMAIN])?;
        let (certificate, key) = (&identity.certificate_pem, &identity.key_pem);
        toolforge_pki::write_private(&folder.path().join("tls.crt"), certificate.as_bytes())?;
        toolforge_pki::write_private(&folder.path().join("tls.key"), key.as_bytes())?;
        // haproxy wants both in one file.
        let both = format!("{certificate}{key}");
        toolforge_pki::write_private(&folder.path().join("haproxy.pem"), both.as_bytes())?;
        Ok(Self {
            hosts,
            upstream: Upstream::start(SERVERS)?,
            program: program.to_owned(),
            authority,
            folder,
        })
    }

    /// Where everything lies; goes with the stage.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The authority of the certificate, and of whatever else needs one.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The tool of this number.
    pub(super) fn tool(number: usize) -> String {
        format!("bench-{number:05}")
    }

    /// The host of this number.
    pub(super) fn host(number: usize) -> String {
        format!("{}.{DOMAIN}", Self::tool(number))
    }

    /// The host that the so-many-th connection asks for.
    pub(super) fn host_of_connection(&self, connection: usize) -> String {
        Self::host(connection * STEP % self.hosts)
    }

    /// A client of these protocols over TLS 1.3 with AES-128-GCM. It keeps no sessions, so each of its handshakes is a full one.
    pub(super) fn client(
        &self,
        protocols: &[&[u8]],
        groups: Groups,
    ) -> anyhow::Result<Arc<rustls::ClientConfig>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.authority.certificate_pem().as_bytes()) {
            roots.add(certificate?)?;
        }
        let mut provider = CryptoProvider {
            cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
            ..aws_lc_rs::default_provider()
        };
        if groups == Groups::X25519 {
            provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
        }
        let mut client = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = Resumption::disabled();
        client.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(client))
    }
}
