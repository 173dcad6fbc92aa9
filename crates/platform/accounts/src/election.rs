//! Which of several replicas acts: the one that holds a Lease (`coordination.k8s.io`), and nobody after it has lost it.
//!
//! `run.rs` asks for a term and works through the client of that term. The rules are those of client-go, which the
//! times come from as well: how long a holder has been silent is measured from when this replica saw the Lease change,
//! by its own clock, so that clocks may differ; every write names the revision that was seen, so that of two who take
//! the Lease at once one fails. Beyond them: a standby waits at a watch, and so sees a release when it happens; and what a
//! leader writes goes through a fence (`fence.rs`), which is shut well before another replica may begin.
//!
//! No library is used: kubert and kube-lease-manager compare the holder's clock with their own.

use std::{future::Future, pin::pin, time::Duration};

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use toolforge_model::Chain;

mod fence;
mod lease;

use lease::{Observed, holder, next};

pub(crate) use fence::{Fence, NotLeading};

/// How the replicas find out which of them acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Election {
    /// The namespace of the Lease; it has to be there.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// Who this replica is. No other may be called so, an earlier one of the same machine neither.
    pub identity: String,
    /// A leader that has been silent for so long is replaced. Whole seconds, one at least.
    pub lease_duration: Duration,
    /// A leader whose renewals have not been taken for so long writes nothing any more. Shorter than `lease_duration`: what
    /// lies between is for what is on its way.
    pub renew_deadline: Duration,
    /// Between two renewals, and between two attempts that fail. Shorter than `renew_deadline`.
    pub retry_period: Duration,
}

impl Election {
    /// With the proportions of client-go, whose times are 15, 10 and 2 seconds.
    pub fn new(namespace: String, name: String, identity: String, lease_duration: Duration) -> Self {
        Self {
            namespace,
            name,
            identity,
            lease_duration,
            renew_deadline: lease_duration * 2 / 3,
            retry_period: lease_duration * 2 / 15,
        }
    }

    /// How long one request may take, so that within the deadline there is time for a second.
    fn patience(&self) -> Duration {
        self.renew_deadline / 2
    }
}

/// Why a replica does not lead any more.
#[derive(Debug)]
enum Lost {
    /// Another one has the Lease, or somebody took it away.
    Taken,
    /// The API has not taken a renewal in time.
    Silent,
}

/// How a term ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The work is done, and the Lease is released.
    Done,
    /// The Lease was lost. There may be another term.
    Lost,
}

/// One replica's part in the election.
pub(crate) struct Candidate {
    election: Election,
    client: Client,
    api: Api<Lease>,
}

impl Candidate {
    pub(crate) fn new(client: Client, election: Election) -> Self {
        let api = Api::namespaced(client.clone(), &election.namespace);
        Self {
            election,
            client,
            api,
        }
    }

    /// Waits until this replica leads; none when `shutdown` comes first. Tells who leads meanwhile.
    pub(crate) async fn elected(
        &self,
        shutdown: &CancellationToken,
        tell: impl Fn(Option<&str>),
    ) -> Option<Term<'_>> {
        // On the heap: a watch is large.
        let acquired = Box::pin(self.acquire(tell));
        let (lease, asked) = shutdown.run_until_cancelled(acquired).await?;
        tracing::info!(identity = self.election.identity, "this replica leads");
        Some(Term {
            candidate: self,
            lease,
            renewed: asked,
            fence: Fence::until(asked + self.election.renew_deadline),
            stop: shutdown.child_token(),
        })
    }

    /// The Lease once it is ours, and when it was asked for.
    async fn acquire(&self, tell: impl Fn(Option<&str>)) -> (Lease, Instant) {
        let mut changes = pin!(watch(&self.api, &self.election.name));
        let mut observed = Observed::new(changes.next().await.flatten(), Instant::now());
        let mut not_before = Instant::now();
        let (mut told, mut complaint) = (None, String::new());
        loop {
            let leader = observed.holder();
            if leader != told.as_deref() {
                tracing::info!(leader, "another replica leads, or none");
                tell(leader);
                told = leader.map(str::to_owned);
            }
            let due = observed.free_at(self.election.lease_duration).max(not_before);
            tokio::select! {
                biased;
                Some(lease) = changes.next() => observed.see(lease, Instant::now()),
                () = sleep_until(due) => {
                    let asked = Instant::now();
                    match self.take(&mut observed).await {
                        Ok(lease) => return (lease, asked),
                        Err(error) if error != complaint => {
                            tracing::warn!(error, "the lease is not to be had");
                            complaint = error;
                        }
                        Err(_) => {}
                    }
                    not_before = Instant::now() + self.election.retry_period;
                }
            }
        }
    }

    /// Takes the Lease; looks at it again when somebody was faster.
    async fn take(&self, observed: &mut Observed) -> Result<Lease, String> {
        let attempt = async {
            match self.write(observed.lease(), Some(&self.election.identity)).await {
                Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                    observed.see(self.api.get_opt(&self.election.name).await?, Instant::now());
                    Err(kube::Error::Api(status))
                }
                other => other,
            }
        };
        match timeout(self.election.patience(), attempt).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(error)) => Err(Chain(&error).to_string()),
            Err(_) => Err("the API does not answer in time".to_owned()),
        }
    }

    /// Writes the Lease over what was seen: with a holder, or with none to release it.
    async fn write(&self, seen: Option<&Lease>, holder: Option<&str>) -> Result<Lease, kube::Error> {
        let lease = next(&self.election, seen, holder, Timestamp::now());
        let how = PostParams::default();
        match seen {
            None => self.api.create(&how, &lease).await,
            Some(_) => self.api.replace(&self.election.name, &how, &lease).await,
        }
    }
}

/// The time for which this replica leads.
pub(crate) struct Term<'a> {
    candidate: &'a Candidate,
    lease: Lease,
    /// When the last renewal that succeeded was asked for: the others cannot have seen it earlier.
    renewed: Instant,
    fence: Fence,
    stop: CancellationToken,
}

impl Term<'_> {
    /// What the work of this term writes through.
    pub(crate) fn client(&self) -> Client {
        self.fence.client(self.candidate.client.clone())
    }

    /// Open as long as this term lasts.
    pub(crate) fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Tells the work to end: this replica is told to stop, or leads no more.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Keeps the Lease while `work` goes on. When the Lease is lost, nothing of the work is written any more, and what has
    /// not ended when another replica may begin is dropped.
    pub(crate) async fn lead(mut self, work: impl Future<Output = ()>) -> Ended {
        let mut work = pin!(work);
        let lost = tokio::select! {
            () = &mut work => {
                self.release().await;
                return Ended::Done;
            }
            lost = self.renew() => lost,
        };
        self.fence.shut();
        tracing::warn!(?lost, "this replica does not lead any more");
        self.stop.cancel();
        let _ = timeout_at(self.renewed + self.candidate.election.lease_duration, work).await;
        Ended::Lost
    }

    /// Renews for as long as that succeeds.
    async fn renew(&mut self) -> Lost {
        let election = &self.candidate.election;
        loop {
            let deadline = self.renewed + election.renew_deadline;
            sleep_until((Instant::now() + election.retry_period).min(deadline)).await;
            if Instant::now() >= deadline {
                return Lost::Silent;
            }
            let attempt = timeout(election.patience(), self.renew_once());
            match timeout_at(deadline, attempt).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(Some(lost)))) => return lost,
                Ok(Ok(Err(None)) | Err(_)) => tracing::warn!("the lease is not renewed yet"),
                Err(_) => return Lost::Silent,
            }
        }
    }

    /// One attempt; an error without a verdict may be tried again.
    async fn renew_once(&mut self) -> Result<(), Option<Lost>> {
        let Self { candidate, .. } = *self;
        let (asked, identity) = (Instant::now(), candidate.election.identity.as_str());
        match candidate.write(Some(&self.lease), Some(identity)).await {
            Ok(lease) => {
                self.lease = lease;
                self.renewed = asked;
                self.fence.keep_until(asked + candidate.election.renew_deadline);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Err(Some(Lost::Taken)),
            Err(kube::Error::Api(status)) if status.is_conflict() => {
                match candidate.api.get_opt(&candidate.election.name).await {
                    // Somebody wrote something else into it, or a renewal of ours came through without an answer.
                    Ok(Some(lease)) if holder(&lease) == Some(identity) => {
                        self.lease = lease;
                        Err(None)
                    }
                    Ok(_) => Err(Some(Lost::Taken)),
                    Err(_) => Err(None),
                }
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the lease is not renewed");
                Err(None)
            }
        }
    }

    /// Lets go of the Lease: the work has ended, and what is left of it writes nothing any more.
    async fn release(&mut self) {
        self.fence.shut();
        let patience = self.candidate.election.patience();
        match timeout(patience, self.try_release()).await {
            Ok(Ok(())) => tracing::info!("the lease is released"),
            Ok(Err(error)) => {
                tracing::warn!(error = %Chain(&error), "the lease is not released, and ends by itself");
            }
            Err(_) => tracing::warn!("the lease is not released in time, and ends by itself"),
        }
    }

    async fn try_release(&mut self) -> Result<(), kube::Error> {
        let Candidate { election, api, .. } = self.candidate;
        loop {
            match self.candidate.write(Some(&self.lease), None).await {
                // A renewal that nobody waits for any more came through.
                Err(kube::Error::Api(status)) if status.is_conflict() => {
                    match api.get_opt(&election.name).await? {
                        Some(lease) if holder(&lease) == Some(&*election.identity) => self.lease = lease,
                        _ => return Ok(()),
                    }
                }
                other => return other.map(|_| ()),
            }
        }
    }
}

fn watch(api: &Api<Lease>, name: &str) -> impl Stream<Item = Option<Lease>> {
    toolforge_watch::watch_object(api.clone(), name).filter_map(async |seen| {
        seen.inspect_err(
            |error| tracing::warn!(error = %Chain(error), "the watch of the lease is interrupted"),
        )
        .ok()
    })
}
