//! The registrations of a running gateway: the book, its file, and what the table is told. Everybody who changes them does
//! so here, one after the other, and is answered when it is on disk.

use std::{
    fs::File,
    io,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    task::spawn_blocking,
};
use toolforge_model::ToolName;
use toolforge_routing::Registered;

use crate::{
    Book, Claim, Clock, Event, Figures, Full, Names, Registration, RegistrationRules, Shown, Tenants,
    fault::Fault,
    file,
    lock::lock,
    registration::{Failure, Life},
};

/// Why something was not registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("it breaks a rule")]
    Fault(Fault),
    #[error(transparent)]
    Full(#[from] Full),
    #[error("it could not be kept on disk")]
    Disk(#[from] io::Error),
}

/// What a tool wants to have registered.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) tool: ToolName,
    pub(crate) claim: Claim,
    pub(crate) destination: SocketAddr,
    pub(crate) from: SocketAddr,
    /// None leaves it as it is, or says no.
    pub(crate) is_canonical: Option<bool>,
    pub(crate) check_path: Option<String>,
}

/// What others say, now and after each change.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The hosts that there are.
    pub names: watch::Receiver<Arc<Names>>,
    /// What the operator allows.
    pub rules: watch::Receiver<Arc<RegistrationRules>>,
    /// The tools that there are.
    pub tenants: watch::Receiver<Arc<Tenants>>,
}

#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) figures: Arc<Figures>,
    followed: Followed,
    /// Where the platform itself listens.
    own: Vec<SocketAddr>,
    /// Held while the file is written.
    writing: AsyncMutex<()>,
    book: Mutex<Book>,
    routed: watch::Sender<Arc<Vec<Registered>>>,
    /// Told what is new, to be checked.
    new: mpsc::UnboundedSender<Registration>,
}

impl Store {
    pub(crate) fn new(
        path: PathBuf,
        clock: Clock,
        followed: Followed,
        own: Vec<SocketAddr>,
        book: Book,
        new: mpsc::UnboundedSender<Registration>,
    ) -> Arc<Self> {
        let store = Arc::new(Self {
            path,
            clock,
            figures: Arc::default(),
            followed,
            own,
            writing: AsyncMutex::default(),
            book: Mutex::new(book),
            routed: watch::Sender::new(Arc::default()),
            new,
        });
        store.rules_changed();
        store
    }

    /// Has the file to itself from now on, and goes by what it says.
    pub(crate) async fn take_over(&self) -> io::Result<File> {
        let lock = lock(&self.path).await?;
        let book = file::read(&self.path).map_err(io::Error::other)?;
        *self.book.lock() = book;
        self.publish();
        Ok(lock)
    }

    /// What is asked of registrations now.
    pub(crate) fn rules(&self) -> Arc<RegistrationRules> {
        self.followed.rules.borrow().clone()
    }

    /// The hosts that there are now.
    pub(crate) fn names(&self) -> Arc<Names> {
        self.followed.names.borrow().clone()
    }

    /// What the table is to have, now and after each change.
    pub(crate) fn routed(&self) -> watch::Receiver<Arc<Vec<Registered>>> {
        self.routed.subscribe()
    }

    /// All registrations, as they are.
    pub(crate) fn book(&self) -> Book {
        self.book.lock().clone()
    }

    /// How many there are in each state: unchecked, alive, dead.
    pub(crate) fn counts(&self) -> [usize; 3] {
        self.book.lock().counts()
    }

    /// Whether this is what is registered now.
    pub(crate) fn is_current(&self, registration: &Registration) -> bool {
        let book = self.book.lock();
        let known = book.one(&registration.tool, &registration.claim);
        known.is_some_and(|known| known.is_same_server(registration))
    }

    /// The tools that have any.
    pub(crate) fn tools(&self) -> Vec<ToolName> {
        self.book.lock().tools().cloned().collect()
    }

    /// Those of a tool, or all, as people see them.
    pub(crate) fn shown(&self, tool: Option<&ToolName>) -> Vec<Shown> {
        let book = self.book.lock();
        let show = |registration: &Registration| Shown::new(registration, self.judge(registration).err());
        match tool {
            Some(tool) => book.of(tool).map(show).collect(),
            None => book.all().map(show).collect(),
        }
    }

    /// One of a tool.
    pub(crate) fn one(&self, tool: &ToolName, claim: &Claim) -> Option<Shown> {
        let book = self.book.lock();
        let registration = book.one(tool, claim)?;
        Some(Shown::new(registration, self.judge(registration).err()))
    }

    /// Registers; the answer is whether it is a new one, and it comes when that is on disk.
    pub(crate) async fn register(self: &Arc<Self>, wanted: Wanted) -> Result<bool, StoreError> {
        let now = self.clock.now_seconds();
        let mut registration = Registration {
            tool: wanted.tool,
            claim: wanted.claim,
            destination: wanted.destination,
            from: wanted.from.ip().to_canonical(),
            is_canonical: wanted.is_canonical.unwrap_or_default(),
            check_path: wanted.check_path,
            registered_seconds: now,
            life: Life::new(now),
        };
        self.judge(&registration).map_err(StoreError::Fault)?;
        let put = {
            let registration = registration.clone();
            let keeps = wanted.is_canonical.is_none();
            move |book: &mut Book| {
                let known = book.one(&registration.tool, &registration.claim);
                let was_canonical = known.is_some_and(|known| known.is_canonical);
                book.put(Registration {
                    is_canonical: registration.is_canonical || keeps && was_canonical,
                    ..registration
                })
            }
        };
        let is_new = if self.is_kept(&registration, wanted.is_canonical.is_none()) {
            // Said again it is on disk already.
            false
        } else {
            self.change(put).await??
        };
        self.figures.happened(Event::Registered);
        let Registration {
            tool,
            claim,
            destination,
            ..
        } = &registration;
        tracing::info!(%tool, %claim, %destination, "registered");
        registration.life = Life::new(now);
        // Whoever checks ends only with the gateway.
        let _ = self.new.send(registration);
        Ok(is_new)
    }

    /// Whether this very thing is on disk.
    fn is_kept(&self, registration: &Registration, keeps_canonical: bool) -> bool {
        let book = self.book.lock();
        let known = book.one(&registration.tool, &registration.claim);
        known.is_some_and(|known| {
            known.is_same_server(registration)
                && known.from == registration.from
                && (keeps_canonical || known.is_canonical == registration.is_canonical)
        })
    }

    /// Takes a registration back; the answer is whether there was one, and it comes when that is on disk.
    pub(crate) async fn unregister(self: &Arc<Self>, tool: &ToolName, claim: &Claim) -> io::Result<bool> {
        if self.book.lock().one(tool, claim).is_none() {
            return Ok(false);
        }
        let (removed, of) = (claim.clone(), tool.clone());
        let gone = self
            .change(move |book| book.remove(&of, &removed).is_some())
            .await?;
        if gone {
            self.figures.happened(Event::Unregistered);
            tracing::info!(%tool, %claim, "unregistered");
        }
        Ok(gone)
    }

    /// Notes what a check has found.
    pub(crate) async fn checked(self: &Arc<Self>, asked: &Registration, found: Result<(), Failure>) {
        if found.is_err() {
            self.figures.happened(Event::CheckFailed);
        }
        let now = self.clock.now_seconds();
        let changed = self.book.lock().checked(asked, found, now).cloned();
        let Some(Registration {
            tool, claim, life, ..
        }) = changed
        else {
            return;
        };
        let error = life.last_error.as_deref().unwrap_or_default();
        tracing::info!(%tool, %claim, state = ?life.state, error, "a registered webservice has changed");
        // It is in memory already; written is what a restart need not find out again.
        if let Err(error) = self.change(|_| ()).await {
            tracing::warn!(%error, "what was found of a registered webservice could not be kept on disk");
        }
    }

    /// Forgets what has been dead for too long.
    pub(crate) async fn expire(self: &Arc<Self>) {
        let (after, now) = (self.rules().expire_after_seconds, self.clock.now_seconds());
        let looked_at = self.book.lock().over(after, now);
        match looked_at {
            Ok(over) if over.is_empty() => return,
            Ok(_) => {}
            Err(held) => {
                tracing::warn!(
                    held,
                    "no registered webservice answers at all, so that the gateway may be cut off; no registration expires"
                );
                return;
            }
        }
        match self.change(move |book| book.expire(after, now)).await {
            Ok(Ok(expired)) => {
                for Registration {
                    tool,
                    claim,
                    destination,
                    life,
                    ..
                } in &expired
                {
                    self.figures.happened(Event::Expired);
                    let dead_seconds = now.saturating_sub(life.since_seconds);
                    let error = life.last_error.as_deref().unwrap_or_default();
                    tracing::warn!(%tool, %claim, %destination, dead_seconds, error, "a registration has expired: its webservice is dead");
                }
            }
            Ok(Err(_)) => {}
            Err(error) => tracing::warn!(%error, "expired registrations could not be taken from the disk"),
        }
    }

    /// Goes by other rules.
    pub(crate) fn rules_changed(&self) {
        for registration in self.book().all() {
            if let Err(fault) = self.judge(registration) {
                let Registration { tool, claim, .. } = registration;
                tracing::warn!(%tool, %claim, %fault, "a registration is not served, as it breaks a rule");
            }
        }
        self.publish();
    }

    /// Goes by what is known of tools now: whose access is withdrawn loses its registrations.
    pub(crate) async fn tenants_changed(self: &Arc<Self>) {
        self.publish();
        let withdrawn = self.followed.tenants.borrow().withdrawn.clone();
        if !self.tools().iter().any(|tool| withdrawn.contains(tool)) {
            return;
        }
        match self.change(move |book| book.remove_all_of(&withdrawn)).await {
            Ok(removed) => {
                for Registration { tool, claim, .. } in removed {
                    self.figures.happened(Event::Unregistered);
                    tracing::warn!(%tool, %claim, "unregistered: the tool's access is withdrawn");
                }
            }
            // They are not served all the same.
            Err(error) => {
                tracing::warn!(%error, "registrations of tools without access could not be taken from the disk");
            }
        }
    }

    /// Tells the table what it is to have.
    fn publish(&self) {
        let (book, names) = (self.book.lock(), self.names());
        let served = book.all().filter(|registration| self.judge(registration).is_ok());
        let routed: Vec<_> = served.map(|registration| registration.routed(&names)).collect();
        self.routed.send_if_modified(|told| {
            let is_new = **told != routed;
            if is_new {
                *told = Arc::new(routed);
            }
            is_new
        });
    }

    /// Whether a registration may lead where it does, by the rules of now.
    pub(crate) fn judge(&self, registration: &Registration) -> Result<(), Fault> {
        let Registration {
            destination,
            from,
            tool,
            claim,
            ..
        } = registration;
        self.followed.tenants.borrow().judge(tool)?;
        claim.judge(tool, &self.followed.names.borrow())?;
        let is_own = self.is_own(*destination);
        self.followed
            .rules
            .borrow()
            .destinations
            .judge(*destination, *from, is_own)
    }

    /// Whether the platform listens there itself. What listens everywhere is at each address of the machine.
    fn is_own(&self, destination: SocketAddr) -> bool {
        let mut same_port = self.own.iter().filter(|own| own.port() == destination.port());
        same_port.any(|own| {
            own.ip() == destination.ip() || own.ip().is_unspecified() && is_of_machine(destination)
        })
    }

    /// Changes the book, on disk first. It goes on when nobody waits for it any more, so that what is written last is what
    /// was decided last.
    async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Book) -> T + Send + 'static,
    ) -> io::Result<T> {
        let store = self.clone();
        let changing = tokio::spawn(async move {
            let _writing = store.writing.lock().await;
            let mut next = store.book();
            let result = change(&mut next);
            let (path, written) = (store.path.clone(), next);
            let next = spawn_blocking(move || file::write(&path, &written).map(|()| written))
                .await
                .map_err(io::Error::other)
                .flatten();
            let next = next.inspect_err(|_| store.figures.happened(Event::NotKept))?;
            store.take(next);
            store.publish();
            Ok(result)
        });
        changing.await.map_err(io::Error::other)?
    }

    /// Goes by what was written. What checks have found meanwhile is newer.
    fn take(&self, mut next: Book) {
        let mut book = self.book.lock();
        next.keep_lives_of(&book);
        *book = next;
    }
}

/// Whether an address is one of this machine: only at those can a socket be bound.
fn is_of_machine(address: SocketAddr) -> bool {
    address.ip().is_loopback() || UdpSocket::bind((address.ip(), 0)).is_ok()
}
