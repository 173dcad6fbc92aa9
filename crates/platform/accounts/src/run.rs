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
    health::{self, Health},
    ldap::{self, LdapFailure, News, Servers},
    pace::Pace,
    reconcile::Context,
    service::Service,
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
    let health = Health::new();
    let mut background = JoinSet::new();
    if let Some(listener) = config.listener.take() {
        background.spawn(health::serve(listener, health.clone(), shutdown.clone()));
    }
    let found = shutdown.run_until_cancelled(find_cluster(&client, &config)).await;
    let Some(cluster) = found else { return Ok(()) };
    let cache = Arc::new(Cache::default());
    let (word, changes) = mpsc::unbounded_channel();
    let (filled, mut full) = watch::channel(0);
    for owned in Owned::ALL {
        background.spawn(cache::keep(
            client.clone(),
            owned,
            cache.clone(),
            word.clone(),
            filled.clone(),
        ));
    }
    let (tell, news) = watch::channel(News::default());
    background.spawn(ldap::follow(servers, tell));
    let full = full.wait_for(|count| *count == Owned::ALL.len());
    tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        // The sender lives as long as this function, so the wait ends only well.
        _ = full => {}
    }
    let lifecycle = config.lifecycle;
    let context = Context {
        metrics: health.metrics.clone(),
        client,
        cache,
        removals: Mutex::new(Pace::new(lifecycle.removal_pause, lifecycle.most_removals)),
        deletions: Mutex::new(Pace::new(lifecycle.removal_pause, 1)),
        lifecycle,
        home_root: config.home_root,
        admin_home_root: config.admin_home_root,
        server: cluster.server,
        ca_pem: cluster.ca_pem,
        certificate_lifetime: config.certificate_lifetime,
        renew_before: config.renew_before,
        tool_class: config.tool_class,
    };
    let mut service = Service::new(Arc::new(context), config.on_first_pass);
    service.serve(news, changes, health.leads(), &shutdown).await;
    background.shutdown().await;
    Ok(())
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
