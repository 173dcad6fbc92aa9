//! What the service would do now, without doing it: `toolforge accounts --dry-run`.
//!
//! Reads directory, cluster and homes once, and asks the functions that the service itself decides by. What an object would
//! become, the API says: it is asked to apply it and to keep nothing (`dryRun=All`). **Invariant:** nothing here writes, neither
//! to the API nor into homes nor to the ledger of removals. Called by the program.

mod active;
mod changes;
mod homes;
mod plan;
mod withdrawal;

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt,
    sync::Arc,
};

use futures::StreamExt as _;
use jiff::Timestamp;
use kube::Client;
use toolforge_model::{Chain, ToolName};

pub use changes::FieldChange;
pub use plan::{AccountPlan, DryRun, Standing, Step, Target, Verb};

use crate::{
    account::Account,
    cache::{Cache, Owned},
    clash::clashes,
    cluster_info::{self, ClusterInfo},
    config::Config,
    election::Fence,
    file_work::FileWork,
    guard::{Ledger, judge},
    kubeconfig::Cluster,
    ldap,
    plan::ObjectKey,
    reconcile::ReconcileError,
    removals,
    snapshot::{NAME_RULE, Snapshot},
    standing::{self, Known, Standing as Stands},
    withdrawn::{Reason, Withdrawn},
};

/// Accounts that are looked at at once.
const AT_ONCE: usize = 8;

/// What cannot be read, so that nothing can be said about any account.
#[derive(Debug)]
pub struct DryRunError {
    what: String,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for DryRunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing can be said: {} cannot be read", self.what)
    }
}

impl Error for DryRunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

fn unreadable<E: Error + Send + Sync + 'static>(what: &str) -> impl FnOnce(E) -> DryRunError {
    let what = what.to_owned();
    move |source| DryRunError {
        what,
        source: Box::new(source),
    }
}

/// Says what the service, configured like this, would do now. What is as it should be is not in it.
///
/// # Errors
/// When the directory, the cluster's objects or the cluster's own address cannot be read. What cannot be read of one account is
/// told with that account.
pub async fn dry_run(client: &Client, config: &Config) -> Result<DryRun, DryRunError> {
    let snapshot = ldap::read_directory(&config.ldap)
        .await
        .map_err(unreadable("the directory"))?;
    let cache = Cache::default();
    for owned in Owned::ALL {
        let resource = owned.resource();
        let filled = cache.fill(client, owned).await;
        filled.map_err(unreadable(&format!("the cluster's {}", resource.plural)))?;
    }
    let cluster = Arc::new(cluster(client, config).await?.for_kubeconfigs());
    let seen = Seen::new(client, config, &snapshot, &cache, cluster);
    let accounts = seen.accounts();
    let plans = futures::stream::iter(&accounts)
        .map(|account| seen.plan(account))
        .buffered(AT_ONCE)
        .filter(|plan| std::future::ready(!plan.says_nothing()));
    let mut plans: Vec<AccountPlan> = plans.collect().await;
    plans.extend(
        snapshot
            .skipped
            .iter()
            .map(|name| AccountPlan::skipped(name, NAME_RULE)),
    );
    Ok(DryRun { accounts: plans })
}

async fn cluster(client: &Client, config: &Config) -> Result<ClusterInfo, DryRunError> {
    if let (Some(server), Some(ca_pem)) = (config.server.clone(), config.ca_pem.clone()) {
        return Ok(ClusterInfo { server, ca_pem });
    }
    let found = cluster_info::read(client)
        .await
        .map_err(unreadable("where the API is"))?;
    Ok(ClusterInfo {
        server: config.server.clone().unwrap_or(found.server),
        ca_pem: config.ca_pem.clone().unwrap_or(found.ca_pem),
    })
}

/// Everything that has been read, and how to read more.
struct Seen<'a> {
    client: &'a Client,
    config: &'a Config,
    snapshot: &'a Snapshot,
    cache: &'a Cache,
    cluster: Arc<Cluster>,
    files: FileWork,
    known: Known,
    ledger: Ledger,
    clashes: BTreeMap<ToolName, String>,
    now: Timestamp,
}

impl<'a> Seen<'a> {
    fn new(
        client: &'a Client,
        config: &'a Config,
        snapshot: &'a Snapshot,
        cache: &'a Cache,
        cluster: Arc<Cluster>,
    ) -> Self {
        let now = Timestamp::now();
        let known = Known::of(cache);
        let (old, approved) = cache
            .find(&removals::key())
            .map_or_else(Default::default, |found| removals::read(&found));
        let facts = known.facts(snapshot, approved);
        Self {
            client,
            config,
            snapshot,
            cache,
            cluster,
            files: FileWork::new(Fence::default()),
            known,
            ledger: judge(&old, &facts, &config.lifecycle.limits(), now),
            clashes: clashes(&snapshot.tools, |tool| cache.has_tool(tool)),
            now,
        }
    }

    fn accounts(&self) -> BTreeSet<Account> {
        let mut accounts = self.snapshot.accounts();
        accounts.extend(self.known.accounts());
        accounts
    }

    async fn plan(&self, account: &Account) -> AccountPlan {
        let stands = self.stands(account);
        let mut plan = AccountPlan::new(account, stands);
        let outcome = match (account, stands) {
            (_, Stands::Unknown) => Ok(()),
            (Account::Tool(name), Stands::Active) => self.active_tool(name, &mut plan.steps).await,
            (Account::Admin(name), Stands::Active) => self.active_admin(name, &mut plan.steps).await,
            (Account::Tool(name), _) => self.withdraw_tool(name, reason(stands), &mut plan.steps).await,
            (Account::Admin(name), _) => {
                self.withdraw_admin(name, &mut plan.steps);
                Ok(())
            }
        };
        plan.problem = outcome
            .err()
            .map(|error: ReconcileError| Chain(&error).to_string());
        plan
    }

    fn stands(&self, account: &Account) -> Stands {
        let withdrawn = match account {
            Account::Tool(name) => self.known.tools.get(name),
            Account::Admin(_) => None,
        };
        standing::standing(account, self.snapshot, withdrawn, &self.ledger.going)
    }

    fn has(&self, key: &ObjectKey) -> bool {
        self.cache.has(key)
    }

    fn withdrawn(&self, name: &ToolName) -> Option<Withdrawn> {
        self.known.tools.get(name)?.clone()
    }
}

fn reason(stands: Stands) -> Reason {
    if stands == Stands::Locked {
        Reason::Locked
    } else {
        Reason::Removed
    }
}
