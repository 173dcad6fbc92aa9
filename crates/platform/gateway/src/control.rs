//! The control side: what the API says becomes the table, and the table is kept on disk.
//!
//! Its shell is here; what follows from what is heard is decided in `hearing`, without I/O.

mod hearing;
mod last_table;
mod replies;
mod secrets;
mod telling;
mod watch;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures::StreamExt as _;
pub(crate) use last_table::{keep, load};
pub(crate) use telling::tell;
use tokio::{
    sync::{mpsc, watch as channel},
    time::interval,
};
use tokio_util::sync::CancellationToken;
use toolforge_registrations::Tenants;
use toolforge_routing::{Change, Kind, Object, ObjectKey, Registered, RouteTable};

use crate::{
    Published,
    certificates::Certificates,
    outside::{Routed, changes},
    policy::Policies,
    seen::health::Health,
};
use hearing::{Event, Hearing};
use replies::Reply;
use secrets::{SecretEvent, Secrets};

/// The most events that become one change of the table: a bound for memory, reached only while lists come in.
const BATCH: usize = 1024;

/// Between two turns in which a part of the reasons that stand is said again: with their number half an hour for all.
const TURN: Duration = Duration::from_mins(1);

/// What the control side needs besides the API.
pub(crate) struct Control {
    pub(crate) table: Arc<ArcSwap<RouteTable>>,
    /// Told what is heard.
    pub(crate) health: Arc<Health>,
    /// What Ingresses are held to, now and after each change.
    pub(crate) policy: Policies,
    pub(crate) published: Option<Published>,
    /// Takes the certificates of Ingresses.
    pub(crate) certificates: Arc<Certificates>,
    /// What has registered, where anything may.
    pub(crate) registered: Option<Routed>,
    /// Told which tools there are.
    pub(crate) tenants: channel::Sender<Arc<Tenants>>,
    /// Told after every change of the table.
    pub(crate) changed: channel::Sender<()>,
    /// Takes what the maintainers of Ingresses are to be told.
    pub(crate) replies: mpsc::UnboundedSender<Reply>,
}

/// Follows the API until `shutdown`.
pub(crate) async fn follow(client: kube::Client, control: Control, shutdown: CancellationToken) {
    let Control {
        table,
        health,
        policy,
        published,
        certificates,
        mut registered,
        tenants,
        changed,
        replies,
    } = control;
    let mut events = watch::events(&client, policy, published.as_ref(), &health).ready_chunks(BATCH);
    let mut of_secrets = watch::secrets(&client, &health).ready_chunks(BATCH);
    let (mut hearing, mut secrets) = (Hearing::default(), Secrets::default());
    // The Ingresses that may be received otherwise than was last said.
    let mut affected = BTreeSet::new();
    let mut is_told = true;
    // The time of the first tick is that of the start, when everything is said anyway.
    let (mut turns, mut turn) = (interval(TURN), 0);
    loop {
        let mut has_secrets = false;
        let may_show_others = tokio::select! {
            () = shutdown.cancelled() => return,
            batch = events.next() => {
                let Some(batch) = batch else { return };
                let listed: Vec<_> = batch.iter().filter_map(Event::whole_list).collect();
                let now = table.load_full();
                let changes: Vec<_> = batch.into_iter().flat_map(|event| hearing.hear(event, &now)).collect();
                let claims_change = changes.iter().any(changes_claims);
                if !changes.is_empty() {
                    let scope = scope_of(&changes);
                    affected.extend(affected_by(&now, &scope));
                    table.store(Arc::new(now.with(changes)));
                    health.changed();
                    is_told = false;
                    affected.extend(affected_by(&table.load(), &scope));
                }
                // Only now, so that whoever is told that the gateway is ready finds it so.
                for kind in listed {
                    health.listed(kind);
                }
                if let Some(known) = hearing.tenants() {
                    tenants.send_replace(Arc::new(known));
                }
                // In the middle of a list the table has what is new beside what is gone: nobody is told of that.
                if !hearing.is_in_a_list() {
                    reply(&table.load(), std::mem::take(&mut affected), &mut hearing, &replies);
                    if !is_told {
                        changed.send_replace(());
                        is_told = true;
                    }
                }
                secrets.remember(hearing.api_has_memory()) || claims_change
            }
            _ = turns.tick() => {
                turn += 1;
                for reply in hearing.replies.repeated(turn) {
                    // As above: who writes them ends first only when nobody is to be told any more.
                    let _ = replies.send(reply);
                }
                false
            }
            registered = next(&mut registered) => {
                let changes = changes(&table.load(), &registered);
                if !changes.is_empty() {
                    table.store(Arc::new(table.load().with(changes)));
                    health.changed();
                    changed.send_replace(());
                }
                false
            }
            batch = of_secrets.next() => {
                let Some(batch) = batch else { return };
                let has_memory = hearing.api_has_memory();
                has_secrets = batch.iter().any(|event| matches!(event, SecretEvent::Done));
                // All of them are heard, whatever follows from the first.
                let heard = batch.into_iter().map(|event| secrets.hear(event, has_memory));
                heard.filter(|may| *may).count() > 0
            }
        };
        if may_show_others {
            show(&table.load(), &mut secrets, &certificates);
        }
        if has_secrets {
            health.secrets_are_settled();
        }
    }
}

/// What has registered, when it is something else; never, where nothing can.
async fn next(registered: &mut Option<Routed>) -> Arc<Vec<Registered>> {
    if let Some(routed) = registered
        && routed.changed().await.is_ok()
    {
        return routed.borrow_and_update().clone();
    }
    std::future::pending().await
}

/// Whether other Secrets may be named after this change, or fewer.
fn changes_claims(change: &Change) -> bool {
    let kind = match change {
        Change::Put(object) => Object::kind(object),
        Change::Remove(kind, _) | Change::Replace(kind, _) => *kind,
        Change::Settings(_) => Kind::Class,
    };
    matches!(kind, Kind::Ingress | Kind::Class)
}

/// Has the certificates of the Secrets shown that the table's Ingresses name.
fn show(table: &RouteTable, secrets: &mut Secrets, certificates: &Certificates) {
    let (claimed, problems) = secrets.certificates(table.tls_claims());
    certificates.set_claimed(claimed);
    for problem in problems {
        tracing::warn!("a certificate is not shown: {problem}");
    }
}

/// The Ingresses that may be received otherwise before changes, or after them.
fn affected_by(table: &RouteTable, changes: &[Change]) -> BTreeSet<ObjectKey> {
    let affected = changes.iter().flat_map(|change| table.affected_by(change));
    affected.collect()
}

/// The changes as far as it matters whom they affect.
fn scope_of(changes: &[Change]) -> Vec<Change> {
    let scope = changes.iter().map(|change| match change {
        Change::Put(object) => Change::Remove(object.kind(), object.key()),
        Change::Remove(kind, key) => Change::Remove(*kind, key.clone()),
        Change::Replace(kind, _) => Change::Replace(*kind, Vec::new()),
        Change::Settings(settings) => Change::Settings(settings.clone()),
    });
    scope.collect()
}

/// Has the maintainers of these Ingresses told what became of them.
fn reply(
    table: &RouteTable,
    affected: BTreeSet<ObjectKey>,
    hearing: &mut Hearing,
    writer: &mpsc::UnboundedSender<Reply>,
) {
    for key in affected {
        let reception = table.reception(&key);
        if let Some(reply) = hearing.replies.owed(key, reception.as_ref()) {
            // The writer ends before the gateway only when nobody is to be told any more.
            let _ = writer.send(reply);
        }
    }
}
