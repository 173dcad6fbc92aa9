//! What goes on behind the data path: files and the API are followed, the table is kept, and figures are shown.
//!
//! It all goes on until the last request has been answered, but for what another gateway does as soon as this one takes
//! no more connections: keeping the table, and telling maintainers of Ingresses what became of them.

use std::{io, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use toolforge_registrations::Tenants;
use toolforge_routing::RouteTable;

use crate::{
    CertificateFiles, Policies, Published, Rules, Shared,
    certificates::{Certificates, Following},
    control::{Control, follow, keep, tell},
    outside::{Outside, Routed},
    policy::Domains,
    seen::{Seen, health::Health, serve as serve_pages},
};

/// The tasks behind the data path of one gateway.
#[derive(Debug)]
pub(crate) struct Behind {
    tasks: JoinSet<()>,
    /// No more connections are taken.
    stopping: CancellationToken,
    /// The last request has been answered.
    ended: CancellationToken,
}

/// What is made of what the API says.
pub(crate) struct Heard {
    pub(crate) health: Arc<Health>,
    pub(crate) table: Arc<ArcSwap<RouteTable>>,
    pub(crate) certificates: Arc<Certificates>,
    /// What has registered, where anything may.
    pub(crate) registered: Option<Routed>,
    /// Told which tools there are.
    pub(crate) tenants: watch::Sender<Arc<Tenants>>,
}

impl Behind {
    /// Nothing yet; no more connections are taken once `stopping` is cancelled.
    pub(crate) fn new(stopping: CancellationToken) -> Self {
        Self {
            tasks: JoinSet::new(),
            stopping,
            ended: CancellationToken::new(),
        }
    }

    /// Follows the files of certificates, and the rules; returns when both have been read.
    ///
    /// # Errors
    /// When the access log that the rules ask for cannot be opened.
    pub(crate) async fn follow_files(
        &mut self,
        certificates: &Arc<Certificates>,
        files: Option<CertificateFiles>,
        rules: Option<watch::Receiver<Arc<Rules>>>,
        shared: &Shared,
    ) -> io::Result<()> {
        let following = Following::begin(certificates.clone(), files, rules.clone()).await;
        self.tasks.spawn(following.go_on(self.ended.clone()));
        if let Some(newest) = rules {
            let first = newest.borrow().clone();
            shared.set_rules(first)?;
            self.tasks
                .spawn(follow_rules(shared.clone(), newest, self.ended.clone()));
        }
        Ok(())
    }

    /// Goes by the domains of the newest policy. What its verdicts are is the control side's.
    pub(crate) fn follow_policy(&mut self, mut policies: Policies, shared: &Shared) {
        let (domains, ended) = (shared.domains.clone(), self.ended.clone());
        domains.store(Arc::new(Domains::of(&policies.newest())));
        self.tasks.spawn(async move {
            while ended.run_until_cancelled(policies.changed()).await.is_some() {
                domains.store(Arc::new(Domains::of(&policies.newest())));
                tracing::info!("the policy has changed; all Ingresses are judged by the new one");
            }
        });
    }

    /// Shows figures and readiness; once somebody else is `relieved` of this one's work, that one does.
    pub(crate) fn show(&mut self, listener: TcpListener, seen: Seen, relieved: CancellationToken) {
        let until = self.ended.child_token();
        self.tasks.spawn(async move {
            let leave = relieved.run_until_cancelled_owned(until.cancelled());
            let pages = serve_pages(listener, seen, until.clone());
            tokio::join!(pages, async {
                leave.await;
                until.cancel();
            });
        });
    }

    /// Follows the API, keeps the table, and tells maintainers of Ingresses what became of them.
    pub(crate) fn follow_api(
        &mut self,
        client: kube::Client,
        heard: Heard,
        policy: Policies,
        published: Option<Published>,
        last_table: PathBuf,
    ) {
        let (changed, news) = watch::channel(());
        let keeping = keep(last_table, heard.table.clone(), news, self.stopping.clone());
        self.tasks.spawn(keeping);
        let (replies, owed) = mpsc::unbounded_channel();
        let telling = tell(client.clone(), published.clone(), owed, self.stopping.clone());
        self.tasks.spawn(telling);
        let control = Control {
            table: heard.table,
            health: heard.health,
            policy,
            published,
            certificates: heard.certificates,
            registered: heard.registered,
            tenants: heard.tenants,
            changed,
            replies,
        };
        self.tasks.spawn(follow(client, control, self.ended.clone()));
    }

    /// Lets webservices outside of Kubernetes register, until no more connections are taken.
    pub(crate) fn register(&mut self, outside: Outside) {
        self.tasks.spawn(outside.run(self.stopping.clone()));
    }

    /// Tells once when the listeners are served and the gateway is ready; and whoever asks for its readiness when it takes
    /// no more connections.
    pub(crate) fn tell(
        &mut self,
        health: Arc<Health>,
        serving: CancellationToken,
        told: Option<oneshot::Sender<()>>,
    ) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let ready = async {
                serving.cancelled().await;
                health.ready().await;
            };
            if stopping.run_until_cancelled(ready).await.is_some()
                && let Some(told) = told
            {
                // Whoever wanted to know may be gone.
                let _ = told.send(());
            }
            stopping.cancelled().await;
            health.drains();
        });
    }

    /// Ends everything: what is left goes by the table, and has nobody to do it for.
    pub(crate) async fn end(self) {
        self.ended.cancel();
        // It ends of itself with the stop, unless a thread has ended without one.
        self.stopping.cancel();
        self.tasks.join_all().await;
    }
}

/// Has the data plane go by the newest rules, until `shutdown` or until nobody changes them any more.
async fn follow_rules(shared: Shared, mut newest: watch::Receiver<Arc<Rules>>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = newest.changed() => if changed.is_err() { return },
        }
        let rules = newest.borrow_and_update().clone();
        match shared.set_rules(rules) {
            Ok(()) => tracing::info!("the settings of the gateway have changed"),
            Err(error) => tracing::error!(
                %error,
                "the settings of the gateway have changed, but their accessLog.file cannot be opened; what was before stays"
            ),
        }
    }
}
