//! The directory as a whole: opened from its file, written by one task, served to connections.
//!
//! The roof program calls `open` and `run`. Writes go through one queue, are applied to a copy, stored, and
//! only then shown and announced; so whoever reads sees only what is on disk.

use std::{
    collections::HashMap,
    fmt,
    fmt::Write as _,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use ldap3_proto::proto::LdapResultCode;
use parking_lot::RwLock;
use prometheus_client::registry::Registry;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, broadcast, mpsc, oneshot},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::Accounts,
    change::Write,
    connection,
    entry::Entry,
    figures::Figures,
    journal::{self, Damaged},
    ldif::{self, LdifError, Record},
    name::{Dn, NameError},
    starttls,
    store::Store,
    tree::{Changed, Refusal, Tree},
};

/// Connections at once; more wait in the listener's backlog.
const MOST_CONNECTIONS: usize = 256;

/// Time for what comes before TLS and its handshake: whoever takes longer holds a place that others need.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Writes that wait for the disk together.
const MOST_WRITES_AT_ONCE: usize = 256;

/// Changes that a synchronising client may lag behind before it has to begin again.
const CHANGES_KEPT: usize = 4096;

/// Pause after the listener failed, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What the directory is told.
pub struct Config {
    /// The LDIF file on disk, with its journal beside it; made, readable by their owner only, where it does not exist.
    pub path: PathBuf,
    /// The base, such as `dc=toolforge,dc=org`.
    pub base: String,
    /// The password of `cn=admin,BASE`, which may write.
    pub admin_password: String,
    /// The password of `cn=reader,BASE`, which may read.
    pub reader_password: String,
    /// The certificate and key to serve with.
    pub tls: rustls::ServerConfig,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("path", &self.path)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// Why the directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The base is not a name.
    #[error("the base of the directory is no name")]
    Base(#[source] NameError),
    /// A password is empty.
    #[error("the password of cn={account} must not be empty: anybody could be it")]
    Password {
        /// `admin` or `reader`.
        account: &'static str,
    },
    /// The file, or the initial LDIF, breaks a rule.
    #[error("{origin} cannot be loaded")]
    Ldif {
        /// The file's path, or `the initial LDIF`.
        origin: String,
        /// Line, field, rule and way out.
        #[source]
        source: LdifError,
    },
    /// The journal is damaged in its middle.
    #[error("the journal {} cannot be believed", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Where, what, and the way out.
        #[source]
        source: Damaged,
    },
    /// A file cannot be read or written.
    #[error("cannot {step} {}", path.display())]
    File {
        /// `read` or `write`.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A write with the place for its answer.
struct Order {
    write: Write,
    by: String,
    answer: oneshot::Sender<Result<(), Refusal>>,
}

/// What sessions share.
pub(crate) struct Shared {
    tree: RwLock<Arc<Tree>>,
    changes: broadcast::Sender<Arc<Changed>>,
    orders: mpsc::Sender<Order>,
    pub(crate) accounts: Accounts,
    pub(crate) figures: Figures,
}

impl Shared {
    /// The tree as it is on disk.
    pub(crate) fn tree(&self) -> Arc<Tree> {
        self.tree.read().clone()
    }

    /// How many are told of changes as they come.
    pub(crate) fn followers(&self) -> usize {
        self.changes.receiver_count()
    }

    /// The tree, and every change after it: none is missed, none comes twice.
    pub(crate) fn follow(&self) -> (Arc<Tree>, broadcast::Receiver<Arc<Changed>>) {
        let tree = self.tree.read();
        (tree.clone(), self.changes.subscribe())
    }

    /// Does a write; returns when it is on disk.
    pub(crate) async fn write(&self, write: Write, by: String) -> Result<(), Refusal> {
        let stopping = || Refusal::new(LdapResultCode::Unavailable, "the directory is stopping");
        let (answer, done) = oneshot::channel();
        self.orders
            .send(Order { write, by, answer })
            .await
            .map_err(|_| stopping())?;
        done.await.map_err(|_| stopping())?
    }

    fn show(&self, tree: Tree, changes: Vec<Changed>) {
        let mut current = self.tree.write();
        *current = Arc::new(tree);
        for change in changes {
            // An error means that nobody listens.
            let _ = self.changes.send(Arc::new(change));
        }
    }
}

/// The directory.
pub struct Directory {
    shared: Arc<Shared>,
    path: PathBuf,
    /// What the writer needs; taken by `run`.
    writer: parking_lot::Mutex<Option<(Store, mpsc::Receiver<Order>)>>,
    tls: TlsAcceptor,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("file", &self.path)
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// Opens the directory: its file where there is one, else the initial LDIF, if any, with those of the folders for
    /// people and tools that it does not have.
    ///
    /// # Errors
    /// When the file or the LDIF is not right, with line and field, or the disk does not do its part.
    pub fn open(config: Config, initial_ldif: Option<&str>) -> Result<Self, DirectoryError> {
        for (account, password) in [
            ("admin", &config.admin_password),
            ("reader", &config.reader_password),
        ] {
            if password.is_empty() {
                return Err(DirectoryError::Password { account });
            }
        }
        let base = Dn::parse(&config.base).map_err(DirectoryError::Base)?;
        let name = |account: &str| Dn::parse(&format!("cn={account},{base}")).map_err(DirectoryError::Base);
        let accounts = Accounts {
            admin: name("admin")?,
            admin_password: config.admin_password,
            reader: name("reader")?,
            reader_password: config.reader_password,
        };
        let mut store = Store::new(config.path);
        let tree = load(&mut store, &base, initial_ldif)?;
        let (orders, waiting) = mpsc::channel(MOST_WRITES_AT_ONCE);
        let shared = Shared {
            tree: RwLock::new(Arc::new(tree)),
            changes: broadcast::channel(CHANGES_KEPT).0,
            orders,
            accounts,
            figures: Figures::new(),
        };
        let mut tls = config.tls;
        tls.alpn_protocols.clear();
        Ok(Self {
            shared: Arc::new(shared),
            path: store.path().to_owned(),
            writer: parking_lot::Mutex::new(Some((store, waiting))),
            tls: TlsAcceptor::from(Arc::new(tls)),
        })
    }

    /// What the directory tells of itself, to be told by whoever runs it.
    pub fn registry(&self) -> Registry {
        self.shared.figures.registry(&self.shared)
    }

    /// Serves LDAP over TLS, from the first byte or after `StartTLS`, until `shutdown`; writes that were begun are finished. Once per directory.
    pub async fn run(&self, listener: TcpListener, shutdown: CancellationToken) {
        let Some((store, orders)) = self.writer.lock().take() else {
            tracing::error!("the directory is running already");
            return;
        };
        let writer = tokio::spawn(write_loop(self.shared.clone(), store, orders, shutdown.clone()));
        let sessions = TaskTracker::new();
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accept(&listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let (tls, shared, shutdown) = (self.tls.clone(), self.shared.clone(), shutdown.clone());
                    sessions.spawn(async move {
                        serve(tls, stream, shared, shutdown).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the directory cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        sessions.close();
        sessions.wait().await;
        if writer.await.is_err() {
            tracing::error!("the directory's writer ended badly");
        }
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, Place)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn serve(tls: TlsAcceptor, stream: TcpStream, shared: Arc<Shared>, shutdown: CancellationToken) {
    let begin = async {
        match starttls::until_tls(stream, || shared.tree()).await {
            Some(stream) => tls.accept(stream).await.map(Some),
            None => Ok(None),
        }
    };
    let handshake = tokio::time::timeout(HANDSHAKE, begin).await;
    if !matches!(handshake, Ok(Ok(Some(_)))) {
        shared.figures.handshake_failed();
    }
    match handshake {
        Ok(Ok(Some(stream))) => {
            let _connected = shared.figures.connected();
            connection::run(stream, shared.clone(), shutdown).await;
        }
        Ok(Ok(None)) => tracing::debug!("a client of the directory left without TLS"),
        Ok(Err(error)) => tracing::debug!(%error, "a client of the directory failed its TLS handshake"),
        Err(_) => tracing::debug!("a client of the directory took too long for its TLS handshake"),
    }
}

fn load(store: &mut Store, base: &Dn, initial: Option<&str>) -> Result<Tree, DirectoryError> {
    let file_error = |step, path| move |source| DirectoryError::File { step, path, source };
    let path = store.path().to_owned();
    let stored = store.load().map_err(file_error("read", path.clone()))?;
    let origin = match (&stored, initial) {
        (Some(_), _) => path.display().to_string(),
        _ => "the initial LDIF".to_owned(),
    };
    let text = match &stored {
        Some(bytes) => bytes.as_slice(),
        None => initial.unwrap_or_default().as_bytes(),
    };
    let ldif_error = |source| DirectoryError::Ldif {
        origin: origin.clone(),
        source,
    };
    let mut records = ldif::read(text).map_err(ldif_error)?;
    if stored.is_none() {
        // Whoever looks for tools and people looks into these.
        let folders = ldif::read(skeleton(base).as_bytes()).map_err(ldif_error)?;
        let missing = |folder: &Record| records.iter().all(|there| there.entry.dn != folder.entry.dn);
        let missing: Vec<Record> = folders.into_iter().filter(missing).collect();
        records.extend(missing);
    }
    // A journal without its file belongs to nothing: the file is written first.
    let journaled = if stored.is_some() {
        journaled(store)?
    } else {
        Vec::new()
    };
    let fresh = stored.is_none() || !journaled.is_empty();
    take_in(&mut records, journaled);
    let tree = Tree::load(base, records, Timestamp::now()).map_err(ldif_error)?;
    if fresh {
        let entries = tree.entries().map(|entry| &**entry);
        store.save(entries).map_err(file_error("write", path))?;
    }
    Ok(tree)
}

fn journaled(store: &Store) -> Result<Vec<Entry>, DirectoryError> {
    let path = store.journal_path();
    match store.load_journal() {
        Err(source) => Err(DirectoryError::File {
            step: "read",
            path,
            source,
        }),
        Ok(text) => journal::read(&text).map_err(|source| DirectoryError::Journal { path, source }),
    }
}

/// What the journal says takes the place of what the file says.
fn take_in(records: &mut Vec<Record>, journaled: Vec<Entry>) {
    if journaled.is_empty() {
        return;
    }
    let last: HashMap<Arc<str>, Entry> = journaled
        .into_iter()
        .map(|entry| (entry.dn.key().clone(), entry))
        .collect();
    records.retain(|record| !last.contains_key(record.entry.dn.key()));
    let there = last.into_values().filter(|entry| !journal::is_gone(entry));
    records.extend(there.map(|entry| Record { line: 0, entry }));
}

/// The folders that a directory begins with.
fn skeleton(base: &Dn) -> String {
    let folders = [
        format!("ou=people,{base}"),
        format!("ou=servicegroups,{base}"),
        format!("ou=people,ou=servicegroups,{base}"),
    ];
    let mut text = String::new();
    for folder in folders {
        let name = if folder.starts_with("ou=people") {
            "people"
        } else {
            "servicegroups"
        };
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "dn: {folder}\nobjectClass: organizationalUnit\nou: {name}\n\n"
        );
    }
    text
}

/// Takes writes in batches: one new tree and one piece of the journal for all that wait.
async fn write_loop(
    shared: Arc<Shared>,
    mut store: Store,
    mut orders: mpsc::Receiver<Order>,
    shutdown: CancellationToken,
) {
    let mut batch = Vec::new();
    loop {
        let count = tokio::select! {
            biased;
            count = orders.recv_many(&mut batch, MOST_WRITES_AT_ONCE) => count,
            () = shutdown.cancelled() => 0,
        };
        if count == 0 {
            return fold(&shared, store).await;
        }
        match write_batch(&shared, store, std::mem::take(&mut batch)).await {
            Some(kept) => store = kept,
            None => return,
        }
    }
}

/// Takes the journal into the file at an ordered end, so that the file alone is the directory.
async fn fold(shared: &Shared, mut store: Store) {
    if !store.has_journal() {
        return;
    }
    let tree = shared.tree();
    let work = tokio::task::spawn_blocking(move || store.save(tree.entries().map(|entry| &**entry)));
    // The journal is still there then, and the next start takes it in.
    if let Err(error) = work.await.map_err(io::Error::other).and_then(|saved| saved) {
        tracing::warn!(%error, "the directory's journal cannot be taken into its file");
    }
}

/// Gives the store back, unless its thread ended badly: then nothing can be written any more.
async fn write_batch(shared: &Shared, store: Store, batch: Vec<Order>) -> Option<Store> {
    let mut tree = Tree::clone(&shared.tree());
    let mut changes = Vec::new();
    let mut answers = Vec::new();
    for order in batch {
        let outcome = tree.apply(&order.write, &order.by, Timestamp::now());
        answers.push((order.answer, outcome.map(|change| changes.push(change))));
    }
    let path = store.path().to_owned();
    let (store, changes, stored) = if changes.is_empty() {
        (Some(store), changes, Ok(()))
    } else {
        let began = Instant::now();
        let appended = append(store, &tree, changes).await;
        shared.figures.stored(appended.2.is_ok(), began.elapsed());
        appended
    };
    let failure = stored.err().map(|error| {
        tracing::error!(%error, file = %path.display(), "the directory's files cannot be written");
        Refusal::new(LdapResultCode::Unavailable, format!("not stored: {error}"))
    });
    if failure.is_none() && !changes.is_empty() {
        shared.show(tree, changes);
    }
    for (answer, outcome) in answers {
        let outcome = match (&failure, outcome) {
            (Some(failure), Ok(())) => Err(failure.clone()),
            (_, outcome) => outcome,
        };
        // The client may be gone; the change stays.
        let _ = answer.send(outcome);
    }
    store
}

async fn append(
    mut store: Store,
    tree: &Tree,
    changes: Vec<Changed>,
) -> (Option<Store>, Vec<Changed>, io::Result<()>) {
    let tree = tree.clone();
    let work = tokio::task::spawn_blocking(move || {
        let stored = store.append(&changes, tree.entries().map(|entry| &**entry));
        (Some(store), changes, stored)
    });
    work.await
        .unwrap_or_else(|error| (None, Vec::new(), Err(io::Error::other(error))))
}
