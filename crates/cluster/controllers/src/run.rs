//! Puts the controllers together and runs them until shutdown. Called by the roof program.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolforge_pki::Authority;
use tracing::{debug, info};

use crate::accounts::NamespaceContents;
use crate::autoscaler::controller::Autoscalers;
use crate::budget::controller::Budgets;
use crate::controller::{Controller, work};
use crate::cron_job::controller::CronJobs;
use crate::custom_kinds::CustomKinds;
use crate::deployment::controller::Deployments;
use crate::endpoints::controller::ServiceEndpoints;
use crate::endpoints::mirroring::MirroredEndpoints;
use crate::events::Recorder;
use crate::figures::Figures;
use crate::garbage::controller::Garbage;
use crate::job::controller::Jobs;
use crate::job::orphans::OrphanedPods;
use crate::namespace::controller::EndingNamespaces;
use crate::pod_collector::PodCollector;
use crate::quota::controller::QuotaStatus;
use crate::replica_set::controller::ReplicaSets;
use crate::requests::controller::CertificateRequests;
use crate::scheduler::controller::Scheduler;
use crate::stateful_set::controller::StatefulSets;
use crate::ttl::EndedJobs;
use crate::world::World;

/// First pause when the API cannot be reached at the start.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause between attempts to reach the API at the start.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long the API may refuse at the start before that is an error: a fault in the set-up, not a slow start.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why the controllers cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ControllersError {
    /// The API did not say what it serves, for a minute.
    #[error("the API server does not answer discovery requests")]
    Discovery(#[source] kube::Error),
}

/// Runs all controllers and the scheduler until `shutdown`; work that has begun is finished first.
///
/// `authority` signs approved certificate requests, and is what Pods find in `kube-root-ca.crt`. An API that goes away
/// later is waited for; only one that never answers is an error.
pub async fn run(
    client: Client,
    authority: Arc<Authority>,
    shutdown: CancellationToken,
) -> Result<(), ControllersError> {
    run_counted(client, authority, Figures::default(), shutdown).await
}

/// The same, with figures that somebody tells.
pub async fn run_counted(
    client: Client,
    authority: Arc<Authority>,
    figures: Figures,
    shutdown: CancellationToken,
) -> Result<(), ControllersError> {
    let Some(world) = shutdown.run_until_cancelled(discover(&client)).await else {
        return Ok(());
    };
    let world = Arc::new(world?);
    let (recorder, writer) = Recorder::new(client);
    let staff = Staff {
        tasks: TaskTracker::new(),
        figures,
        shutdown: shutdown.clone(),
    };
    staff.tasks.spawn(writer.run(shutdown.clone()));

    let starts = [
        staff.hire(Deployments::new(&world, &recorder)),
        staff.hire(ReplicaSets::new(&world, &recorder)),
        staff.hire(StatefulSets::new(&world, &recorder)),
        staff.hire(Jobs::new(&world, &recorder)),
        staff.hire(OrphanedPods::new(&world)),
        staff.hire(CronJobs::new(&world, &recorder)),
        staff.hire(EndedJobs::new(&world)),
        staff.hire(Budgets::new(&world, &recorder)),
        staff.hire(Autoscalers::new(&world, &recorder)),
        staff.hire(Scheduler::new(&world, &recorder, staff.figures.scheduling())),
        staff.hire(ServiceEndpoints::new(&world)),
        staff.hire(MirroredEndpoints::new(&world)),
        staff.hire(EndingNamespaces::new(&world)),
        staff.hire(Garbage::new(&world)),
        staff.hire(CustomKinds::new(&world)),
        staff.hire(CertificateRequests::new(&world, Arc::clone(&authority))),
        staff.hire(NamespaceContents::new(&world, authority)),
        staff.hire(QuotaStatus::new(&world)),
        staff.hire(PodCollector::new(&world)),
    ];
    world.follow(&staff.tasks, &shutdown);
    if shutdown.run_until_cancelled(world.synced()).await.is_some() {
        info!(kinds = world.served().len(), "controllers are running");
        for start in starts {
            start();
        }
        shutdown.cancelled().await;
    }
    staff.tasks.close();
    staff.tasks.wait().await;
    Ok(())
}

struct Staff {
    tasks: TaskTracker,
    figures: Figures,
    shutdown: CancellationToken,
}

impl Staff {
    /// Prepares `controller`; the returned function sets it to work, once all caches are filled.
    fn hire<C: Controller>(&self, controller: Arc<C>) -> Box<dyn FnOnce() + Send + 'static> {
        self.figures.watch(&controller);
        let (tasks, figures, shutdown) = (self.tasks.clone(), self.figures.clone(), self.shutdown.clone());
        Box::new(move || drop(tasks.spawn(work(controller, figures, shutdown))))
    }
}

async fn discover(client: &Client) -> Result<World, ControllersError> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        match World::discover(client.clone()).await {
            Ok(world) => return Ok(world),
            Err(source) if tokio::time::Instant::now() > deadline => {
                return Err(ControllersError::Discovery(source));
            }
            Err(source) => debug!(
                error = &source as &dyn std::error::Error,
                "waiting for the API server"
            ),
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}
