//! The certificate of a server, asked of the cluster: the first one is waited for, the next ones come while it serves.
//!
//! A certificate is renewed when two thirds of its life are over, and at once when it is no longer known by the authorities
//! of now. While nobody signs, the one before is presented, until its end and beyond: whoever connects judges.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use kube::Client;
use tokio_util::sync::CancellationToken;
use toolforge_model::Chain;
use toolforge_pki::{Certified, Identity};
use toolforge_serve::Presented;

use crate::renewal::{due, retry_after};
use crate::{Authorities, IssueError, Request, issue};

/// The longest sleep: the wall clock may be set, or the machine may sleep, and certificates go by the wall clock.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);
/// The share of its life after which a certificate is renewed.
pub const RENEWED_AFTER: f64 = 2.0 / 3.0;

/// What a server's certificate is asked for.
#[derive(Clone, Debug)]
pub struct Serving {
    /// What is asked for; with one DNS name at least.
    pub request: Request,
    /// The share of its life after which it is renewed, such as [`RENEWED_AFTER`].
    pub renewed_after: f64,
}

/// Gets a certificate, however long it takes, and presents it; it is renewed until `shutdown`. None if that came first.
///
/// There is none before `authorities` are known and one of them signed it: until then callers would not trust this server.
/// The client must be allowed what [`issue()`] needs.
pub async fn present(
    client: Client,
    serving: Serving,
    authorities: Authorities,
    shutdown: CancellationToken,
) -> Option<Presented> {
    let mut keeper = Keeper {
        client,
        serving,
        authorities,
    };
    let (presented, held) = shutdown.run_until_cancelled(keeper.first()).await?;
    let task = {
        let presented = presented.clone();
        async move { keeper.keep(presented, held).await }
    };
    tokio::spawn(shutdown.run_until_cancelled_owned(task));
    Some(presented)
}

struct Keeper {
    client: Client,
    serving: Serving,
    authorities: Authorities,
}

/// A certificate that is presented.
struct Held {
    pem: String,
    certified: Certified,
    /// Whether the authorities of now know it.
    known: bool,
}

impl Keeper {
    /// The first certificate that callers can trust: nothing is presented before they do, for they would be told of a
    /// broken server and not of one that is not there yet.
    async fn first(&mut self) -> (Presented, Held) {
        if self.authorities.pem().is_none() {
            tracing::info!(
                "there is no authority yet by which this server is known; nothing is served until there is"
            );
        }
        self.authorities.known().await;
        let mut failures = 0;
        loop {
            if let Some(first) = self.attempt().await {
                return first;
            }
            failures += 1;
            tokio::select! {
                () = tokio::time::sleep(retry_after(failures)) => {}
                () = self.authorities.changed() => {}
            }
        }
    }

    /// One attempt at a first certificate; none, if it was not signed, or not by who is trusted. The log says why.
    async fn attempt(&mut self) -> Option<(Presented, Held)> {
        let (identity, held) = match self.issue().await {
            Ok(issued) => issued,
            Err(error) => {
                tracing::error!(
                    error = %Chain(&error),
                    "there is no certificate yet, and nothing is served; trying again"
                );
                return None;
            }
        };
        if !held.known {
            return None;
        }
        Presented::of(&identity)
            .inspect_err(|error| tracing::error!(error = %Chain(error), "a certificate cannot be presented"))
            .ok()
            .map(|presented| (presented, held))
    }

    async fn keep(mut self, presented: Presented, mut held: Held) {
        let mut failures = 0;
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.pause(&held, failures)) => {}
                () = self.authorities.changed() => held.known = self.knows(&held.pem),
            }
            if held.known && SystemTime::now() < due(&held.certified, self.serving.renewed_after) {
                failures = 0;
                continue;
            }
            match self.renew(&presented, &held).await {
                Some(new) => {
                    failures = if new.known { 0 } else { failures + 1 };
                    held = new;
                }
                None => failures += 1,
            }
        }
    }

    fn pause(&self, held: &Held, failures: u32) -> Duration {
        if failures > 0 {
            return retry_after(failures);
        }
        due(&held.certified, self.serving.renewed_after)
            .duration_since(SystemTime::now())
            .unwrap_or_default()
            .min(LONGEST_SLEEP)
    }

    /// The next certificate, presented in place of the one before; none, if that is the better one.
    async fn renew(&mut self, presented: &Presented, before: &Held) -> Option<Held> {
        let (identity, held) = match self.issue().await {
            Ok(issued) => issued,
            Err(error) => {
                let ends = ends(&before.certified);
                tracing::warn!(
                    error = %Chain(&error),
                    ends,
                    "the certificate is not renewed, and the one before stays; trying again"
                );
                return None;
            }
        };
        if before.known && !held.known {
            return None;
        }
        if let Err(error) = presented.change(&identity) {
            tracing::warn!(error = %Chain(&error), "a certificate cannot be presented");
            return None;
        }
        Some(held)
    }

    async fn issue(&mut self) -> Result<(Identity, Held), IssueError> {
        let request = &self.serving.request;
        let identity = issue(&self.client, request).await?;
        let certified = toolforge_pki::read_certificate_pem(&identity.certificate_pem).map_err(|source| {
            IssueError::Certificate {
                name: request.object.clone(),
                source,
            }
        })?;
        let signer = &request.signer;
        tracing::info!(signer, ends = ends(&certified), "a certificate was issued");
        let held = Held {
            known: self.knows(&identity.certificate_pem),
            pem: identity.certificate_pem.clone(),
            certified,
        };
        Ok((identity, held))
    }

    /// Whether the authorities of now know a certificate.
    fn knows(&self, certificate_pem: &str) -> bool {
        let (Some(authorities), Some(name)) =
            (self.authorities.pem(), self.serving.request.dns_names.first())
        else {
            return false;
        };
        match toolforge_pki::check_server(certificate_pem, &authorities, name, SystemTime::now()) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(
                    error = %Chain(&error),
                    signer = self.serving.request.signer,
                    "the certificate is of none of the authorities by which this server is known; name the signer's own"
                );
                false
            }
        }
    }
}

fn ends(certified: &Certified) -> String {
    Timestamp::try_from(certified.not_after).map_or_else(|_| "never".to_owned(), |end| end.to_string())
}
