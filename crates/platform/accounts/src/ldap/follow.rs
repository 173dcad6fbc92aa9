//! Follows the directory for as long as the service runs: connects, learns of changes in the best way that the server
//! offers, and begins anew after every interruption.
//!
//! In order of preference: content synchronisation, persistent search, cheap differences; what a server offers and then
//! refuses is passed over until the next connection. What is known is told through a channel that holds the latest
//! only, so that a slow listener costs no memory.

use std::{sync::Arc, time::Duration};

use ldap3::{Ldap, Scope};
use rand::Rng as _;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use toolforge_model::Chain;

use super::{
    access::{Changes, LdapAccess, Pace},
    connect::Servers,
    differences,
    failure::LdapFailure,
    persist,
    search::{self, Query},
    sync::{self, Memory},
};
use crate::{picture::Picture, snapshot::Snapshot};

/// Wait after the first failed attempt, doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Longest wait between attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// How often a connection on which nothing happens is tried, so that one that died in silence is noticed.
const PULSE_EVERY: Duration = Duration::from_secs(30);

/// Results with which servers refuse a kind of search that they seem to offer: limits, an unknown extension, rights.
const PASSED_OVER: [u32; 7] = [2, 8, 11, 12, 50, 52, 53];

/// What is known of the directory.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// What it said last; none before the first reading.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Why it cannot be read at the moment.
    pub failure: Option<Arc<LdapFailure>>,
}

/// Follows a directory for as long as the receiver is kept.
///
/// # Errors
/// When the configuration cannot work. What only does not answer is in the news.
pub fn follow_directory(access: LdapAccess) -> Result<watch::Receiver<News>, LdapFailure> {
    let (tell, news) = watch::channel(News::default());
    tokio::spawn(follow(Servers::new(access)?, tell));
    Ok(news)
}

/// Why a session ended well.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Everything is to be read anew.
    Anew,
}

/// Tells of what is known, and says when a session is over.
pub(super) struct Teller {
    news: watch::Sender<News>,
    pulse: JoinHandle<LdapFailure>,
    anew_at: Instant,
    told: bool,
}

impl Teller {
    fn new(news: watch::Sender<News>, ldap: Ldap, pace: &Pace) -> Self {
        Self {
            news,
            pulse: tokio::spawn(pulse(ldap, pace.clone())),
            anew_at: Instant::now() + pace.compare_every,
            told: false,
        }
    }

    /// Tells what a picture says, if that is new.
    pub(super) fn tell(&mut self, picture: &mut Picture) {
        if picture.take_changed() || !self.told {
            let snapshot = Arc::new(picture.snapshot().clone());
            self.news.send_replace(News {
                snapshot: Some(snapshot),
                failure: None,
            });
            self.told = true;
        }
    }

    /// The end of the session: its connection is dead, or it is time to begin anew. Can be dropped and asked again.
    pub(super) async fn end(&mut self) -> Result<End, LdapFailure> {
        tokio::select! {
            () = sleep_until(self.anew_at) => Ok(End::Anew),
            dead = &mut self.pulse => Err(dead.unwrap_or(LdapFailure::StreamEnded)),
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.pulse.abort();
    }
}

/// Ends when the server does not answer a small question any more.
async fn pulse(mut ldap: Ldap, pace: Pace) -> LdapFailure {
    let pace = Pace {
        receive: pace.connect,
        ..pace
    };
    loop {
        tokio::time::sleep(PULSE_EVERY).await;
        if let Err(failure) = root(&mut ldap, &pace).await {
            return failure;
        }
    }
}

/// The controls that the server's root entry names.
async fn root(ldap: &mut Ldap, pace: &Pace) -> Result<Vec<String>, LdapFailure> {
    let query = Query {
        base: "",
        scope: Scope::Base,
        filter: "(objectClass=*)",
        attributes: &["supportedControl".to_owned()],
    };
    let found = search::all(ldap, pace, query).await?;
    Ok(found
        .iter()
        .flat_map(|root| root.all("supportedcontrol"))
        .cloned()
        .collect())
}

/// How changes are learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Synchronisation,
    PersistentSearch,
    Differences,
}

/// The ways that a server offers and the configuration allows, the best first.
fn ways(controls: &[String], changes: Changes) -> Vec<Way> {
    let offers = |oid: &str| controls.iter().any(|control| control == oid);
    let mut ways = Vec::new();
    if matches!(changes, Changes::Best | Changes::Synchronisation) && offers(sync::OID) {
        ways.push(Way::Synchronisation);
    }
    if matches!(changes, Changes::Best | Changes::PersistentSearch) && offers(persist::OID) {
        ways.push(Way::PersistentSearch);
    }
    ways.push(Way::Differences);
    ways
}

/// What a session leaves to the next one: a picture with its cookies, and whose they are.
struct Left {
    server: usize,
    memory: Memory,
}

/// Follows the directory. Ends when nobody listens any more.
pub(crate) async fn follow(servers: Servers, news: watch::Sender<News>) {
    let servers = Arc::new(servers);
    let mut wait = FIRST_RETRY;
    let mut left = None;
    loop {
        // In a task of its own: the library panics on replies that are not LDAP.
        let mut session = tokio::spawn(session(servers.clone(), news.clone(), left.take()));
        let ended = tokio::select! {
            ended = &mut session => ended,
            () = news.closed() => {
                session.abort();
                return;
            }
        };
        let (served, failure) = match ended {
            Ok(Ended {
                served,
                left: kept,
                result,
            }) => {
                left = kept;
                (served, result.err())
            }
            Err(_) => (false, Some(LdapFailure::StreamEnded)),
        };
        if served {
            wait = FIRST_RETRY;
        }
        let Some(failure) = failure else { continue };
        news.send_modify(|news| news.failure = Some(Arc::new(failure)));
        tokio::select! {
            () = tokio::time::sleep(jittered(wait)) => {}
            () = news.closed() => return,
        }
        wait = (wait * 2).min(LONGEST_RETRY);
    }
}

/// Half of a wait and a random part of the other half, so that many services do not come back at once.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.5..=1.0))
}

struct Ended {
    served: bool,
    left: Option<Left>,
    result: Result<End, LdapFailure>,
}

/// One connection, for as long as it lasts.
async fn session(servers: Arc<Servers>, news: watch::Sender<News>, left: Option<Left>) -> Ended {
    let access = servers.access();
    let connected = match servers.connect().await {
        Ok(connected) => connected,
        Err(failure) => {
            return Ended {
                served: false,
                left,
                result: Err(failure),
            };
        }
    };
    let (mut ldap, server) = (connected.ldap, connected.server);
    let mut teller = Teller::new(news, ldap.clone(), &access.pace);
    // A cookie means something to the server that gave it only.
    let memory = left.filter(|left| left.server == server).map(|left| left.memory);
    let mut memory = memory.unwrap_or_else(|| Memory::new(&access.project));
    let result = serve(&mut ldap, access, server, &mut memory, &mut teller).await;
    let keep = !matches!(result, Ok(End::Anew) | Err(LdapFailure::RefreshRequired));
    // The server may be gone.
    let _ = ldap.unbind().await;
    Ended {
        served: teller.told,
        left: keep.then_some(Left { server, memory }),
        result: match result {
            Err(LdapFailure::RefreshRequired) if teller.told => Ok(End::Anew),
            result => result,
        },
    }
}

async fn serve(
    ldap: &mut Ldap,
    access: &LdapAccess,
    server: usize,
    memory: &mut Memory,
    teller: &mut Teller,
) -> Result<End, LdapFailure> {
    let controls = root(ldap, &access.pace).await?;
    let url = &access.urls[server];
    for way in ways(&controls, access.pace.changes) {
        tracing::info!(url, ?way, "follows the directory");
        let end = match way {
            Way::Synchronisation => sync::serve(ldap, access, memory, teller).await,
            Way::PersistentSearch => persist::serve(ldap, access, teller).await,
            Way::Differences => differences::serve(ldap, access, teller).await,
        };
        match end {
            Err(failure) if way != Way::Differences && !teller.told && is_passed_over(&failure) => {
                tracing::warn!(url, ?way, error = %Chain(&failure), "the directory offers this and refuses it; the next way is taken");
            }
            end => return end,
        }
    }
    Err(LdapFailure::StreamEnded)
}

fn is_passed_over(failure: &LdapFailure) -> bool {
    matches!(failure, LdapFailure::CutShort { .. })
        || failure.code().is_some_and(|code| PASSED_OVER.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_way_that_a_server_offers_comes_first() {
        let offered = |oids: &[&str]| oids.iter().map(|oid| (*oid).to_owned()).collect::<Vec<_>>();
        let both = offered(&[persist::OID, sync::OID]);
        assert_eq!(
            ways(&both, Changes::Best),
            [Way::Synchronisation, Way::PersistentSearch, Way::Differences]
        );
        assert_eq!(
            ways(&offered(&[persist::OID]), Changes::Best),
            [Way::PersistentSearch, Way::Differences]
        );
        assert_eq!(ways(&both, Changes::Differences), [Way::Differences]);
    }

    #[test]
    fn waits_are_spread() {
        for _ in 0..100 {
            let wait = jittered(LONGEST_RETRY);
            assert!(wait >= LONGEST_RETRY / 2 && wait <= LONGEST_RETRY, "{wait:?}");
        }
    }
}
