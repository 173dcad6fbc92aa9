//! Registrations put together: the doors, the checks, and what the table is told.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use toolforge_routing::Registered;

use crate::{
    Book, Clock, Figures, FileError, Followed, Registration, Tenants, api, check::check_all, file, lines,
    list, store::Store,
};

/// Everything that registrations need.
#[derive(Debug)]
pub struct Config {
    /// Where they are kept.
    pub file: PathBuf,
    /// The door for lines; without it nobody registers so.
    pub lines: Option<TcpListener>,
    /// The door of the API, and its TLS, which must verify certificates of clients.
    pub api: Option<(TcpListener, Arc<rustls::ServerConfig>)>,
    /// The door of the list.
    pub list: Option<TcpListener>,
    /// What others say, now and after each change.
    pub followed: Followed,
    /// Where the platform listens itself, besides these doors: nobody is led there.
    pub own: Vec<SocketAddr>,
    /// The port of ident: [`IDENT_PORT`](crate::IDENT_PORT).
    pub ident_port: u16,
    /// The time.
    pub clock: Clock,
}

/// Why there are no registrations.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A damaged file cannot be put aside.
    #[error("the damaged file of registrations cannot be put aside")]
    PutAside(#[source] io::Error),
    /// A listener has no address.
    #[error("a door has no address")]
    Door(#[source] io::Error),
}

/// The registrations of a gateway.
#[derive(Debug)]
pub struct Registrations {
    config: Doors,
    store: Arc<Store>,
    new: mpsc::UnboundedReceiver<Registration>,
}

#[derive(Debug)]
struct Doors {
    lines: Option<TcpListener>,
    api: Option<(TcpListener, Arc<rustls::ServerConfig>)>,
    list: Option<TcpListener>,
    followed: Followed,
    ident_port: u16,
}

/// What can be seen of registrations from outside.
#[derive(Clone, Debug)]
pub struct Seen(Arc<Store>);

impl Seen {
    /// What happened.
    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// How many there are in each state: unchecked, alive, dead.
    pub fn counts(&self) -> [usize; 3] {
        self.0.counts()
    }
}

impl Registrations {
    /// Reads what is kept. A damaged file is put aside, and said: those who had registered are to do so again.
    ///
    /// # Errors
    /// When the file cannot be read, or not be put aside.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let book = match file::read(&config.file) {
            Err(error @ FileError::Damaged { .. }) => {
                let aside =
                    file::put_aside(&config.file, config.clock.now_seconds()).map_err(OpenError::PutAside)?;
                tracing::error!(%error, aside = %aside.display(), "no registrations are known; webservices have to register again");
                Book::default()
            }
            read => read?,
        };
        let mut own = config.own;
        let plain = [&config.lines, &config.list].into_iter().flatten();
        for door in plain.chain(config.api.iter().map(|(listener, _)| listener)) {
            own.push(door.local_addr().map_err(OpenError::Door)?);
        }
        let (sender, new) = mpsc::unbounded_channel();
        let store = Store::new(
            config.file,
            config.clock,
            config.followed.clone(),
            own,
            book,
            sender,
        );
        let config = Doors {
            lines: config.lines,
            api: config.api,
            list: config.list,
            followed: config.followed,
            ident_port: config.ident_port,
        };
        Ok(Self { config, store, new })
    }

    /// What the table is to have, now and after each change.
    pub fn routed(&self) -> watch::Receiver<Arc<Vec<Registered>>> {
        self.store.routed()
    }

    /// What can be seen.
    pub fn seen(&self) -> Seen {
        Seen(self.store.clone())
    }

    /// Serves until `shutdown`. Nobody is let in before this gateway has the file to itself.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { config, store, new } = self;
        let _lock = match shutdown.run_until_cancelled(store.take_over()).await {
            None => return,
            Some(Ok(lock)) => lock,
            Some(Err(error)) => {
                tracing::error!(%error, "the registrations cannot be kept; nobody can register");
                return;
            }
        };
        let mut tasks = JoinSet::new();
        if let Some(listener) = config.lines {
            tasks.spawn(lines::serve(
                listener,
                store.clone(),
                config.ident_port,
                shutdown.clone(),
            ));
        }
        if let Some((listener, tls)) = config.api {
            tasks.spawn(api::serve(listener, tls, store.clone(), shutdown.clone()));
        }
        if let Some(listener) = config.list {
            tasks.spawn(list::serve(listener, store.clone(), shutdown.clone()));
        }
        let Followed {
            names,
            rules,
            tenants,
        } = config.followed;
        tasks.spawn(judge_after_each(names, store.clone(), shutdown.clone()));
        tasks.spawn(judge_after_each(rules, store.clone(), shutdown.clone()));
        tasks.spawn(follow_tenants(store.clone(), tenants, shutdown.clone()));
        tasks.spawn(check_all(store, new, shutdown));
        tasks.join_all().await;
    }
}

/// Has all registrations judged anew after each change of what they are judged by.
async fn judge_after_each<T>(
    mut judged_by: watch::Receiver<T>,
    store: Arc<Store>,
    shutdown: CancellationToken,
) {
    while let Some(Ok(())) = shutdown.run_until_cancelled(judged_by.changed()).await {
        judged_by.mark_unchanged();
        store.rules_changed();
    }
}

/// Whose access is withdrawn loses its registrations, also where that was said before this began.
async fn follow_tenants(
    store: Arc<Store>,
    mut tenants: watch::Receiver<Arc<Tenants>>,
    shutdown: CancellationToken,
) {
    loop {
        tenants.mark_unchanged();
        store.tenants_changed().await;
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = tenants.changed() => if changed.is_err() { return },
        }
    }
}
