//! Puts the account service together and runs it until it is told to stop. Called by the program.

use std::{sync::Arc, time::Duration};

use kube::Client;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use toolforge_model::Chain;

use crate::{
    cache::{self, Cache, Owned},
    cluster_info::{self, ClusterInfo},
    config::Config,
    election::{Candidate, Ended, Fence},
    events::{self, Events},
    file_work::FileWork,
    health::{self, Health},
    kubeconfig::Cluster,
    ldap::{self, LdapFailure, News, Servers},
    pace::Pace,
    pattern::Patterns,
    plan::ObjectKey,
    reconcile::Context,
    service::{FirstPass, Service},
};

/// Between two attempts to learn where the API is.
const CLUSTER_RETRY: Duration = Duration::from_secs(2);

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The directory cannot be spoken to as configured.
    #[error("the account service's directory is not configured right")]
    Directory(#[source] LdapFailure),
}

/// Runs the account service until `shutdown`.
///
/// # Errors
/// When the configuration cannot work. What only does not answer is waited for.
pub async fn run(
    client: Client,
    mut config: Config,
    shutdown: CancellationToken,
) -> Result<(), AccountsError> {
    let servers = Servers::new(config.ldap.clone()).map_err(AccountsError::Directory)?;
    let health = Health::new(config.process);
    let mut background = JoinSet::new();
    if let Some(listener) = config.listener.take() {
        background.spawn(health::serve(listener, health.clone(), shutdown.clone()));
    }
    let found = shutdown.run_until_cancelled(find_cluster(&client, &config)).await;
    let Some(found) = found else { return Ok(()) };
    let (tell, news) = watch::channel(News::default());
    background.spawn(ldap::follow(servers, tell));
    let election = config.election.take();
    let mut replica = Replica {
        config,
        cluster: Arc::new(found.for_kubeconfigs()),
        news,
        health,
    };
    match election {
        None => replica.act(client, Fence::default(), shutdown).await,
        Some(election) => {
            let candidate = Candidate::new(client, election);
            replica.take_turns(&candidate, &shutdown).await;
        }
    }
    background.shutdown().await;
    Ok(())
}

/// What a replica needs to act.
struct Replica {
    config: Config,
    /// Where kubeconfigs find the API.
    cluster: Arc<Cluster>,
    /// Of the directory, which is followed all the time: a standby has it at hand.
    news: watch::Receiver<News>,
    health: Arc<Health>,
}

impl Replica {
    /// Acts whenever it is this replica's turn, until `shutdown`.
    async fn take_turns(&mut self, candidate: &Candidate, shutdown: &CancellationToken) {
        let health = self.health.clone();
        health.stands_by(None);
        while let Some(term) = candidate
            .elected(shutdown, |leader| health.stands_by(leader))
            .await
        {
            health.starts();
            let work = self.act(term.client(), term.fence(), term.stop());
            if term.lead(work).await == Ended::Done {
                return;
            }
            health.stands_by(None);
        }
    }

    /// Acts until `stop`. The cluster is read anew: nothing that a leader before this one wrote can be missed.
    async fn act(&mut self, client: Client, fence: Fence, stop: CancellationToken) {
        let mut watches = JoinSet::new();
        let cache = Arc::new(Cache::default());
        let (word, mut changes) = mpsc::unbounded_channel();
        let (filled, mut full) = watch::channel(0);
        for owned in Owned::ALL {
            watches.spawn(cache::keep(
                client.clone(),
                owned,
                cache.clone(),
                word.clone(),
                filled.clone(),
            ));
        }
        let full = full.wait_for(|count| *count == Owned::ALL.len());
        tokio::select! {
            () = stop.cancelled() => return,
            // The sender lives as long as this function, so the wait ends only well.
            _ = full => {}
        }
        // All accounts are looked at when the directory has been read; words from before that would only bring most of
        // them more turns, up to one for each object.
        while changes.try_recv().is_ok() {}
        let (events, publisher) = events::publisher(client.clone());
        watches.spawn(publisher);
        let context = Arc::new(self.context(client, (cache, word), fence, events));
        let config = &mut self.config;
        let first_pass = FirstPass::new(config.on_first_pass.take(), config.progress.take());
        let mut service = Service::new(context, first_pass);
        let asks = self.health.leads();
        service.serve(self.news.clone(), changes, asks, &stop).await;
        watches.shutdown().await;
    }

    fn context(
        &self,
        client: Client,
        (cache, word): (Arc<Cache>, mpsc::UnboundedSender<ObjectKey>),
        fence: Fence,
        events: Events,
    ) -> Context {
        let config = &self.config;
        let lifecycle = config.lifecycle.clone();
        Context {
            metrics: self.health.metrics.clone(),
            client,
            cache,
            word,
            files: FileWork::new(fence),
            events,
            removals: Mutex::new(Pace::new(lifecycle.removal_pause, lifecycle.most_removals)),
            deletions: Mutex::new(Pace::new(lifecycle.removal_pause, 1)),
            lifecycle,
            home_root: config.home_root.clone(),
            admin_home_root: config.admin_home_root.clone(),
            cluster: self.cluster.clone(),
            certificate_lifetime: config.certificate_lifetime,
            key: config.key,
            renew_before: config.renew_before,
            tool_class: config.tool_class.clone(),
            patterns: Patterns::default(),
            overrides: config.overrides.clone(),
        }
    }
}

async fn find_cluster(client: &Client, config: &Config) -> ClusterInfo {
    if let (Some(server), Some(ca_pem)) = (config.server.clone(), config.ca_pem.clone()) {
        return ClusterInfo { server, ca_pem };
    }
    let mut said = false;
    loop {
        match cluster_info::read(client).await {
            Ok(found) => {
                return ClusterInfo {
                    server: config.server.clone().unwrap_or(found.server),
                    ca_pem: config.ca_pem.clone().unwrap_or(found.ca_pem),
                };
            }
            Err(failure) if !said => {
                tracing::warn!(error = %Chain(&failure), "the account service waits until it knows where the API is");
                said = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(CLUSTER_RETRY).await;
    }
}
