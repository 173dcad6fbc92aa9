//! Content synchronisation (RFC 4533): what the server sends goes into the picture entry by entry.
//!
//! One synchronising search per kind of entry, all on one connection. The follower keeps the picture and the cookies
//! between connections, so that a short interruption costs what changed meanwhile and nothing more.

use std::collections::HashSet;

use futures::{FutureExt as _, StreamExt as _, stream::BoxStream};
use ldap3::{
    Ldap, LdapError, ResultEntry, Scope,
    controls::{MakeCritical as _, RawControl, RefreshMode, SyncRequest},
};

use super::{
    access::LdapAccess,
    failure::{LdapFailure, operation},
    follow::{End, Teller},
    message::{self, State, SyncInfo},
    place::Search,
};
use crate::picture::{Id, Picture};

/// Content synchronisation.
pub(super) const OID: &str = "1.3.6.1.4.1.4203.1.9.1.1";

/// The result of a server that cannot say what changed since a cookie (RFC 4533, 2.6).
const REFRESH_REQUIRED: u32 = 4096;

/// What is kept between connections to one server.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) picture: Picture,
    cookies: [Option<Vec<u8>>; 4],
}

impl Memory {
    pub(super) fn new(project: &str) -> Self {
        Self {
            picture: Picture::new(project),
            ..Self::default()
        }
    }
}

type Messages = BoxStream<'static, Result<ResultEntry, LdapFailure>>;

/// One search that runs, and what is known of its entries while it is brought up to date.
struct Running {
    search: Search,
    messages: Messages,
    /// What was named as being there in this phase.
    present: HashSet<Id>,
}

/// Synchronises until the connection ends or it is time to begin anew.
pub(super) async fn serve(
    ldap: &mut Ldap,
    access: &LdapAccess,
    memory: &mut Memory,
    teller: &mut Teller,
) -> Result<End, LdapFailure> {
    let mut running = Vec::new();
    for (search, cookie) in Search::all(access).into_iter().zip(memory.cookies.clone()) {
        let messages = begin(ldap, &search, cookie).await?;
        running.push(Running {
            search,
            messages,
            present: HashSet::new(),
        });
    }
    for one in &mut running {
        refresh(one, access, memory).await?;
    }
    teller.tell(&mut memory.picture);
    let searches: Vec<Search> = running.iter().map(|one| one.search.clone()).collect();
    let mut messages = futures::stream::select_all(
        running
            .into_iter()
            .enumerate()
            .map(|(at, one)| one.messages.map(move |message| (at, message)).boxed()),
    );
    loop {
        tokio::select! {
            next = messages.next() => {
                let mut next = Some(next);
                // All that has come in until now is told in one go.
                while let Some(message) = next {
                    let (at, message) = message.ok_or(LdapFailure::StreamEnded)?;
                    news(&searches[at], message?, memory)?;
                    next = messages.next().now_or_never();
                }
                teller.tell(&mut memory.picture);
            }
            end = teller.end() => return end,
        }
    }
}

async fn begin(ldap: &Ldap, search: &Search, cookie: Option<Vec<u8>>) -> Result<Messages, LdapFailure> {
    let control: RawControl = SyncRequest {
        mode: RefreshMode::RefreshAndPersist,
        cookie,
        reload_hint: false,
    }
    .critical()
    .into();
    let mut listener = ldap.clone();
    listener.with_controls(vec![control]);
    let base = search.place.base.clone();
    let stream = listener
        .streaming_search(
            &base,
            Scope::Subtree,
            &search.place.filter,
            search.attributes.clone(),
        )
        .await
        .map_err(operation("synchronise", &base))?;
    Ok(messages(stream, base))
}

/// The messages of a running search, as a stream that ends with the reason of its end.
pub(super) fn messages(stream: ldap3::SearchStream<'static, String, Vec<String>>, base: String) -> Messages {
    futures::stream::unfold(Some((stream, base)), |state| async move {
        let (mut stream, base) = state?;
        match stream.next().await {
            Ok(Some(entry)) if entry.is_ref() => Some((Err(LdapFailure::Referral { base }), None)),
            Ok(Some(entry)) => Some((Ok(entry), Some((stream, base)))),
            Ok(None) => {
                let end = stream.finish().await;
                Some((Err(ended(end, &base)), None))
            }
            Err(LdapError::EndOfStream) => Some((Err(LdapFailure::StreamEnded), None)),
            Err(error) => Some((Err(operation("synchronise", &base)(error)), None)),
        }
    })
    .boxed()
}

fn ended(result: ldap3::LdapResult, base: &str) -> LdapFailure {
    match result.rc {
        0 => LdapFailure::StreamEnded,
        REFRESH_REQUIRED => LdapFailure::RefreshRequired,
        _ => operation("synchronise", base)(LdapError::LdapResult { result }),
    }
}

/// Reads until the server says that what follows is news.
async fn refresh(one: &mut Running, access: &LdapAccess, memory: &mut Memory) -> Result<(), LdapFailure> {
    loop {
        let next = tokio::time::timeout(access.pace.receive, one.messages.next());
        let next = next.await.map_err(|_| LdapFailure::Slow {
            seconds: access.pace.receive.as_secs(),
        })?;
        let message = next.ok_or(LdapFailure::StreamEnded)??;
        let kind = one.search.kind;
        if !message.is_intermediate() {
            let (id, there) = entry(&one.search, message, memory)?;
            if there {
                one.present.insert(id);
            }
            continue;
        }
        match info(&one.search, message)? {
            SyncInfo::Cookie(cookie) => memory.cookies[kind as usize] = Some(cookie),
            SyncInfo::Identities { gone: true, ids, .. } => {
                for id in ids {
                    memory.picture.remove(kind, &id);
                }
            }
            SyncInfo::Identities { ids, .. } => one.present.extend(ids),
            SyncInfo::Phase {
                cookie,
                present,
                done,
            } => {
                if present {
                    memory.picture.retain(kind, &one.present);
                }
                if let Some(cookie) = cookie {
                    memory.cookies[kind as usize] = Some(cookie);
                }
                if done {
                    return Ok(());
                }
            }
            SyncInfo::Foreign => {}
        }
    }
}

/// Takes one message that came after the refresh.
fn news(search: &Search, message: ResultEntry, memory: &mut Memory) -> Result<(), LdapFailure> {
    if !message.is_intermediate() {
        return entry(search, message, memory).map(|_| ());
    }
    let at = search.kind as usize;
    match info(search, message)? {
        SyncInfo::Cookie(cookie) => memory.cookies[at] = Some(cookie),
        SyncInfo::Identities { cookie, gone, ids } => {
            for id in ids.iter().filter(|_| gone) {
                memory.picture.remove(search.kind, id);
            }
            memory.cookies[at] = cookie.or(memory.cookies[at].take());
        }
        // A refresh in the middle of the news would need the memory of what it named; the next connection does it.
        SyncInfo::Phase { .. } => return Err(LdapFailure::RefreshRequired),
        SyncInfo::Foreign => {}
    }
    Ok(())
}

/// Puts an entry into the picture or takes it out; says which, and whether it is there.
fn entry(search: &Search, message: ResultEntry, memory: &mut Memory) -> Result<(Id, bool), LdapFailure> {
    let damaged = |what| LdapFailure::Damaged {
        base: search.place.base.clone(),
        what,
    };
    let state = message::sync_state(&message.1)
        .ok_or_else(|| damaged("an entry comes without the word of the synchronisation"))?;
    match state.state {
        State::Present => {}
        State::Gone => memory.picture.remove(search.kind, &state.id),
        State::Put => {
            let record = message::record(message).ok_or_else(|| damaged("an entry is not one"))?;
            memory
                .picture
                .put(search.kind, &state.id, &search.canonical(record));
        }
    }
    if let Some(cookie) = state.cookie {
        memory.cookies[search.kind as usize] = Some(cookie);
    }
    Ok((state.id, state.state != State::Gone))
}

fn info(search: &Search, message: ResultEntry) -> Result<SyncInfo, LdapFailure> {
    message::sync_info(message).ok_or_else(|| LdapFailure::Damaged {
        base: search.place.base.clone(),
        what: "a message of the synchronisation is broken",
    })
}
