//! The heart of the account service: hears of the directory and of the cluster, and gives every account its turns.
//!
//! `run.rs` starts it. One loop owns all state, so that no word can get lost between two threads: news marks
//! accounts in the queue, turns run beside the loop, a finished turn is entered into the queue. **Invariant:** an account
//! that the directory does not have gets a turn only when `guard.rs` has let it go and that is written down.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use toolforge_model::{Chain, ToolName};

mod answer;
mod concerned;
mod first_pass;
mod looks;

pub(crate) use first_pass::FirstPass;

use concerned::Concerned;
use looks::Look;

use crate::{
    account::Account,
    cause::Cause,
    clash::clashes,
    config::Summary,
    desired,
    events::Kind,
    ldap::News,
    ledger::Keeper,
    metrics::{Done, Metrics},
    near,
    overrides::Overrides,
    plan::ObjectKey,
    queue::{Queue, Turn},
    reconcile::{self, Context, Outcome, ReconcileError, namespace_key},
    removals,
    report::Ask,
    snapshot::{NAME_RULE, Snapshot},
    standing::{self, Known, Standing},
    status::{self, Severity, Status},
    withdraw,
    withdrawn::{Reason, Withdrawn},
};

/// Turns at once: enough to keep the API and the disk busy, few enough to leave them to others.
const MOST_TURNS: usize = 8;

/// How often every account is looked at without a reason: the safety net.
const COMPARE_EVERY: Duration = Duration::from_mins(10);

/// The longest time that an account waits for its renewal in one go; a clock may be set in the meantime.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

type TurnResult = Result<Outcome, ReconcileError>;

/// The state of the service: only its own loop touches it.
pub(crate) struct Service {
    context: Arc<Context>,
    snapshot: Arc<Snapshot>,
    keeper: Keeper,
    concerned: Concerned,
    queue: Queue<Account>,
    turns: JoinSet<TurnResult>,
    running: HashMap<Id, Account>,
    failing: BTreeMap<Account, String>,
    status: Status,
    directory_failure: Option<String>,
    directory_read: Option<SystemTime>,
    look: Option<Look>,
    overrides: watch::Receiver<Arc<Overrides>>,
    /// Those that turns have begun with.
    overrides_seen: Arc<Overrides>,
    /// Tools that overrides name and the directory does not.
    overridden_unknown: BTreeSet<ToolName>,
    /// Tools that may not have what the directory gives them.
    clashes: BTreeMap<ToolName, String>,
    first_pass: FirstPass,
}

impl Service {
    pub(crate) fn new(context: Arc<Context>, first_pass: FirstPass) -> Self {
        let mut overrides = context.overrides.clone();
        let overrides_seen = overrides.borrow_and_update().clone();
        Self {
            keeper: Keeper::new(context.clone()),
            status: Status::new(context.clone()),
            concerned: Concerned::new(&context.cache),
            context,
            snapshot: Arc::default(),
            queue: Queue::new(),
            turns: JoinSet::new(),
            running: HashMap::new(),
            failing: BTreeMap::new(),
            directory_failure: None,
            directory_read: None,
            look: None,
            overrides,
            overrides_seen,
            overridden_unknown: BTreeSet::new(),
            clashes: BTreeMap::new(),
            first_pass,
        }
    }

    /// Serves until `shutdown`.
    pub(crate) async fn serve(
        &mut self,
        mut news: watch::Receiver<News>,
        mut changes: mpsc::UnboundedReceiver<ObjectKey>,
        mut asks: mpsc::Receiver<Ask>,
        shutdown: &CancellationToken,
    ) {
        let mut compare = tokio::time::interval(COMPARE_EVERY);
        loop {
            self.start_turns();
            let due = self.queue.next_due();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ask) = asks.recv() => drop(ask.send(self.answer())),
                Some(done) = self.turns.join_next_with_id() => self.finish(done),
                Some(key) = changes.recv() => self.changed(&key),
                Ok(()) = news.changed() => {
                    let news = news.borrow_and_update().clone();
                    self.hear(news);
                }
                let_go = self.keeper.written() => self.mark(let_go),
                () = self.status.publish() => {}
                Ok(()) = self.overrides.changed() => self.take_overrides(),
                () = sleep_until(due) => {}
                _ = compare.tick() => self.compare(),
            }
        }
        // Turns that have begun end at their next await; what they leave undone the next start does.
        self.turns.shutdown().await;
    }

    fn start_turns(&mut self) {
        let now = Instant::now();
        while self.turns.len() < MOST_TURNS {
            let Some(account) = self.queue.take(now) else {
                return;
            };
            if let Some(turn) = self.turn(&account) {
                let handle = self.turns.spawn(timed(turn, self.context.metrics.clone()));
                self.running.insert(handle.id(), account);
            } else {
                self.forget(&account);
            }
        }
    }

    /// The turn of an account; none when there is nothing to be done about it.
    fn turn(&self, account: &Account) -> Option<BoxFuture<'static, TurnResult>> {
        let context = self.context.clone();
        let standing = self.standing(account);
        Some(match (account, standing) {
            (_, Standing::Held | Standing::Unknown) => return None,
            (Account::Tool(name), Standing::Active) => {
                if let Some(reason) = self.clashes.get(name).cloned() {
                    return Some(async move { Err(ReconcileError::Clash(reason)) }.boxed());
                }
                let tool = self.snapshot.tools.get(name)?.clone();
                async move { reconcile::tool(&context, &tool?).await }.boxed()
            }
            (Account::Tool(name), _) => {
                let tool = self.snapshot.tools.get(name).and_then(|tool| tool.clone().ok());
                let (name, reason) = (name.clone(), reason(standing));
                async move { withdraw::tool(&context, &name, reason, tool.as_ref()).await }.boxed()
            }
            (Account::Admin(name), Standing::Active) => {
                let admin = self.snapshot.admins.get(name)?.clone();
                async move { reconcile::admin(&context, &admin?).await }.boxed()
            }
            (Account::Admin(name), _) => {
                let (name, done) = (name.clone(), done(standing));
                async move { withdraw::admin(&context, &name, done).await }.boxed()
            }
        })
    }

    fn standing(&self, account: &Account) -> Standing {
        let of = |cached: Option<&Option<Withdrawn>>| {
            standing::standing(account, &self.snapshot, cached, self.keeper.going())
        };
        match account {
            Account::Tool(name) => self.context.cache.ask_of_tool(name, of),
            Account::Admin(_) => of(None),
        }
    }

    fn forget(&mut self, account: &Account) {
        self.queue.finish(account, Turn::Done(None), Instant::now());
        self.queue.forget(account);
        self.failing.remove(account);
        self.status.clear(&account.to_string());
        self.passed(account);
    }

    fn finish(&mut self, done: Result<(Id, TurnResult), JoinError>) {
        let (id, result) = match done {
            Ok((id, Ok(outcome))) => (id, Ok(outcome)),
            Ok((id, Err(error))) => {
                self.context.metrics.turn_failed(Cause::of(&error));
                (id, Err(Chain(&error).to_string()))
            }
            Err(error) => {
                self.context.metrics.turn_failed(Cause::Fault);
                (error.id(), Err(format!("its turn ended badly: {error}")))
            }
        };
        let Some(account) = self.running.remove(&id) else {
            return;
        };
        let now = Instant::now();
        let turn = match result {
            Ok(outcome) => {
                if self.failing.remove(&account).is_some() {
                    tracing::info!(%account, "works now");
                    self.tell(&account, Kind::Works, "works now");
                }
                if outcome.issued {
                    tracing::info!(%account, "has new credentials");
                }
                self.warn(&account, outcome.warning);
                Turn::Done(Some(now + pause(outcome.look_again, Timestamp::now())))
            }
            Err(reason) => {
                if self.status.set(&account.to_string(), Severity::Failing, &reason) {
                    tracing::warn!(%account, reason, "is not as it should be and will be tried again");
                    self.tell(&account, Kind::Failing, &reason);
                }
                self.failing.insert(account.clone(), reason);
                Turn::Failed
            }
        };
        self.queue.finish(&account, turn, now);
        self.passed(&account);
    }

    fn warn(&mut self, account: &Account, warning: Option<String>) {
        let Some(warning) = warning else {
            self.status.clear(&account.to_string());
            return;
        };
        if self.status.set(&account.to_string(), Severity::Warning, &warning) {
            tracing::warn!(%account, "{warning}");
        }
    }

    fn tell(&self, account: &Account, kind: Kind, note: &str) {
        let has_place = match account {
            Account::Tool(name) => {
                let key = namespace_key(name.namespace().as_str());
                self.context.cache.has(&key)
            }
            Account::Admin(_) => false,
        };
        self.context.events.tell(account, has_place, kind, note);
    }

    fn passed(&mut self, account: &Account) {
        self.looked_at(account);
        if let Some(asked) = self.first_pass.passed(account) {
            self.sum_up(asked);
        }
    }

    /// Answers who wants to know how the first pass went.
    fn sum_up(&self, asked: oneshot::Sender<Summary>) {
        let of = |tools: bool| move |account: &&Account| matches!(account, Account::Tool(_)) == tools;
        let failing = |tools| self.failing.keys().filter(of(tools)).count();
        // The one who asked may be gone.
        let _ = asked.send(Summary {
            tools: self.snapshot.tools.len().saturating_sub(failing(true)),
            admins: self.snapshot.admins.len().saturating_sub(failing(false)),
            failing: self
                .failing
                .iter()
                .map(|(account, why)| (account.to_string(), why.clone()))
                .collect(),
        });
    }

    fn changed(&mut self, key: &ObjectKey) {
        let admins = self.snapshot.admins.keys();
        let concerned = self.concerned.by(key, &self.context.cache, admins);
        self.mark(concerned);
        if *key == status::key() {
            self.status.changed();
        }
        if *key == removals::key() || (self.keeper.is_open() && is_about_knowledge(key)) {
            self.judge();
        }
    }

    /// Looks for accounts that the cluster has and the directory has not.
    fn judge(&mut self) {
        // Without an answer of the directory nothing can be missing in it.
        if !self.first_pass.has_begun() {
            return;
        }
        let known = Known::of(&self.context.cache);
        let snapshot = &self.snapshot;
        self.keeper.judge(|approved| known.facts(snapshot, approved));
    }

    fn mark(&mut self, accounts: impl IntoIterator<Item = Account>) {
        for account in accounts {
            self.queue.mark(account);
        }
    }

    fn hear(&mut self, news: News) {
        if let Some(failure) = news.failure {
            let text = Chain(&*failure).to_string();
            if self.directory_failure.as_ref() != Some(&text) {
                tracing::warn!(
                    error = text,
                    "the directory cannot be read; everything stays as it is"
                );
            }
            self.directory_failure = Some(text);
        } else if self.directory_failure.take().is_some() {
            tracing::info!("the directory is read again");
        }
        // A failure may come right after a reading: what was read is taken with it, once.
        if let Some(snapshot) = news.snapshot
            && !Arc::ptr_eq(&self.snapshot, &snapshot)
        {
            self.directory_read = Some(SystemTime::now());
            self.take_snapshot(snapshot);
        }
    }

    fn take_snapshot(&mut self, new: Arc<Snapshot>) {
        self.report(&new);
        self.find_clashes(&new);
        self.mark(new.differences(&self.snapshot));
        self.snapshot = new;
        if self.first_pass.has_begun() {
            self.judge();
        } else {
            if let Some(asked) = self.first_pass.begin(self.snapshot.accounts()) {
                self.sum_up(asked);
            }
            self.forget_troubles();
            self.compare();
        }
        self.report_overridden();
    }

    /// Says which names are impossible.
    fn report(&mut self, new: &Snapshot) {
        self.status.keep_only(Severity::Skipped, |account| {
            account
                .strip_prefix("tool ")
                .is_some_and(|name| new.skipped.contains(name))
        });
        for name in &new.skipped {
            if self
                .status
                .set(&format!("tool {name}"), Severity::Skipped, NAME_RULE)
            {
                tracing::warn!(account = name, "{NAME_RULE}");
            }
        }
    }

    /// Looks for tools that claim what others have; those of which this changes get a turn.
    fn find_clashes(&mut self, new: &Snapshot) {
        let clashes = clashes(&new.tools, |tool| self.context.cache.has_tool(tool));
        let names: BTreeSet<&ToolName> = self.clashes.keys().chain(clashes.keys()).collect();
        let changed: Vec<Account> = names
            .into_iter()
            .filter(|name| self.clashes.get(*name) != clashes.get(*name))
            .map(|name| Account::Tool(name.clone()))
            .collect();
        self.clashes = clashes;
        self.mark(changed);
    }

    /// What an earlier service said is good until the account's first turn, and worth nothing when there is no account.
    fn forget_troubles(&mut self) {
        self.status.load();
        let mut accounts = self.snapshot.accounts();
        accounts.extend(Known::of(&self.context.cache).accounts());
        let names: BTreeSet<String> = accounts.iter().map(Account::to_string).collect();
        for severity in [Severity::Failing, Severity::Warning] {
            self.status.keep_only(severity, |account| names.contains(account));
        }
        self.report(&self.snapshot.clone());
    }

    /// Gives those tools a turn that have something else by the new overrides.
    fn take_overrides(&mut self) {
        let new = self.overrides.borrow_and_update().clone();
        let old = std::mem::replace(&mut self.overrides_seen, new.clone());
        let is_other = |tool: &&ToolName| !new.gives_the_same(&old, tool);
        let concerned: Vec<ToolName> = self.snapshot.tools.keys().filter(is_other).cloned().collect();
        tracing::info!(tools = concerned.len(), "the overrides have changed");
        self.mark(concerned.into_iter().map(Account::Tool));
        self.report_overridden();
    }

    /// Says once which tools of the overrides the directory does not have: a misspelled name would override nothing.
    fn report_overridden(&mut self) {
        let is_unknown = |tool: &&ToolName| !self.snapshot.tools.contains_key(*tool);
        let unknown: BTreeSet<ToolName> = self.overrides_seen.tools().filter(is_unknown).cloned().collect();
        let keys: BTreeSet<String> = unknown.iter().map(overrides_of).collect();
        self.status
            .keep_only(Severity::Unknown, |account| keys.contains(account));
        for tool in &unknown {
            let names = self.snapshot.tools.keys().map(ToolName::as_str);
            let near = near::proposals(&near::near(tool.as_str(), names));
            let reason = format!(
                "the directory does not have this tool{near}; correct its name in the overrides, or take it out"
            );
            self.status.set(&overrides_of(tool), Severity::Unknown, &reason);
            if !self.overridden_unknown.contains(tool) {
                tracing::warn!(%tool, "overrides: {reason}");
            }
        }
        self.overridden_unknown = unknown;
    }

    /// Looks at everything that the directory or the cluster has.
    fn compare(&mut self) {
        let mut all = self.snapshot.accounts();
        all.extend(Known::of(&self.context.cache).accounts());
        self.begin_look(&all);
        self.mark(all);
        self.judge();
    }
}

/// How the published state calls what the overrides say of a tool: that is no account.
fn overrides_of(tool: &ToolName) -> String {
    format!("override {tool}")
}

/// Whether an object says which accounts the cluster has, and how they stand.
fn is_about_knowledge(key: &ObjectKey) -> bool {
    matches!(key.kind.as_str(), "Namespace" | "ClusterRoleBinding") || *key == desired::admin_marker_key()
}

async fn timed(turn: BoxFuture<'static, TurnResult>, metrics: Arc<Metrics>) -> TurnResult {
    let began = Instant::now();
    let result = turn.await;
    metrics.turn_ended(result.is_ok(), began.elapsed());
    result
}

fn done(standing: Standing) -> Done {
    if standing == Standing::Locked {
        Done::Disabled
    } else {
        Done::Removed
    }
}

fn reason(standing: Standing) -> Reason {
    if standing == Standing::Locked {
        Reason::Locked
    } else {
        Reason::Removed
    }
}

fn pause(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now))
        .unwrap_or_default()
        .min(LONGEST_PAUSE)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
