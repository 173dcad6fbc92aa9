//! The control side: what the API says becomes the table, and the table is kept on disk.
//!
//! Its shell is here; what follows from what is heard is decided in `hearing`, without I/O.

mod hearing;
mod last_table;
mod secrets;
mod status;
mod watch;

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::StreamExt as _;
pub(crate) use last_table::{keep, load};
pub(crate) use status::write_statuses;
use tokio::sync::{mpsc, watch as channel};
use tokio_util::sync::CancellationToken;
use toolforge_policy::IngressPolicy;
use toolforge_routing::{Change, Kind, Object, ObjectKey, Registered, RouteTable};

use crate::{
    Published,
    certificates::Certificates,
    outside::{Routed, changes},
    seen::health::Health,
};
use hearing::{Event, Hearing};
use secrets::{SecretEvent, Secrets};

/// The most events that become one change of the table: a bound for memory, reached only while lists come in.
const BATCH: usize = 1024;

/// What the control side needs besides the API.
pub(crate) struct Control {
    pub(crate) table: Arc<ArcSwap<RouteTable>>,
    /// Told what is heard.
    pub(crate) health: Arc<Health>,
    pub(crate) policy: Arc<IngressPolicy>,
    pub(crate) published: Option<Published>,
    /// Takes the certificates of Ingresses.
    pub(crate) certificates: Arc<Certificates>,
    /// What has registered, where anything may.
    pub(crate) registered: Option<Routed>,
    /// Told after every change of the table.
    pub(crate) changed: channel::Sender<()>,
    /// Takes the Ingresses whose status does not yet say where they are served.
    pub(crate) unpublished: mpsc::UnboundedSender<ObjectKey>,
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
        changed,
        unpublished,
    } = control;
    let mut events = watch::events(&client, &policy, published.as_ref(), &health).ready_chunks(BATCH);
    let mut of_secrets = watch::secrets(&client, &health).ready_chunks(BATCH);
    let mut hearing = Hearing::new(table.load().keys());
    let mut secrets = Secrets::default();
    loop {
        let mut has_secrets = false;
        let may_show_others = tokio::select! {
            () = shutdown.cancelled() => return,
            batch = events.next() => {
                let Some(batch) = batch else { return };
                let listed: Vec<_> = batch.iter().filter_map(Event::whole_list).collect();
                let changes: Vec<_> = batch.into_iter().flat_map(|event| hearing.hear(event)).collect();
                let claims_change = changes.iter().any(changes_claims);
                if !changes.is_empty() {
                    table.store(Arc::new(table.load().with(changes)));
                    health.changed();
                    changed.send_replace(());
                }
                // Only now, so that whoever is told that the gateway is ready finds it so.
                for kind in listed {
                    health.listed(kind);
                }
                ask_for_statuses(&table.load(), &mut hearing, &unpublished);
                secrets.remember(hearing.api_has_memory()) || claims_change
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

/// Has the status written of every served Ingress that lacks it. One that is not served yet may be later, when its
/// class comes.
fn ask_for_statuses(table: &RouteTable, hearing: &mut Hearing, writer: &mpsc::UnboundedSender<ObjectKey>) {
    for key in hearing.unpublished() {
        if table.ingress(&key).is_some_and(|ingress| table.serves(ingress)) {
            hearing.asked(&key);
            // The writer ends only with the gateway.
            let _ = writer.send(key);
        }
    }
}
