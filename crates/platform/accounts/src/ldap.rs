//! The directory over LDAP: one full reading, and a word whenever something in it changes.
//!
//! `follow` runs for as long as the service does. Where the server offers content synchronisation (RFC 4533) a
//! change is known at once: the stream is used as a bell only, what is acted on is always a full, paged reading.
//! Other servers are read every minute.

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use futures::FutureExt as _;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry,
    adapters::{Adapter, EntriesOnly, PagedResults},
    controls::{MakeCritical as _, RefreshMode, SyncRequest},
};
use tokio::sync::mpsc;
use toolforge_pki::PkiError;

use crate::{
    config::LdapAccess,
    snapshot::{Record, Snapshot, assemble},
};

/// How long a server may take to be reached; the next one is tried then.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a full reading may take, thousands of accounts included.
const READ: Duration = Duration::from_mins(1);

/// How often a directory that does not tell of its changes is read.
const COMPARE_EVERY: Duration = Duration::from_mins(1);

/// How often everything is read in any case: the safety net, should a word get lost.
const READ_ANYWAY: Duration = Duration::from_mins(10);

/// Wait after the first failed attempt, doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Longest wait between attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Entries per page; servers commonly refuse more than 500.
const PAGE: i32 = 500;

/// Content synchronisation.
const OID_SYNC: &str = "1.3.6.1.4.1.4203.1.9.1.1";

/// Why the directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LdapFailure {
    /// The authority's certificate is not one.
    #[error("the directory's authority cannot be used")]
    Authority(#[source] PkiError),
    /// No server was named.
    #[error("no directory is configured: name at least one URL, such as ldaps://ldap.example.org")]
    NoUrl,
    /// A server cannot be reached.
    #[error("cannot reach the directory at {url}")]
    Connect {
        /// Its URL.
        url: String,
        /// What the library says.
        #[source]
        source: Box<LdapError>,
    },
    /// The server does not let us in, or an operation failed.
    #[error("the directory refused to {step} {target}")]
    Operation {
        /// What was asked.
        step: &'static str,
        /// Of what.
        target: String,
        /// What the server says.
        #[source]
        source: Box<LdapError>,
    },
    /// The server does not answer.
    #[error("the directory does not answer within {seconds} seconds")]
    Slow {
        /// The time it had.
        seconds: u64,
    },
    /// A part of the answer is on another server: what this one gave is not all there is, and so no answer at all.
    #[error(
        "the directory has only a part of {base} and refers to {url}; name a server that holds all of it"
    )]
    Elsewhere {
        /// What was searched.
        base: String,
        /// Where the rest is.
        url: String,
    },
    /// The server ended a stream of changes.
    #[error("the directory ended the stream of its changes")]
    StreamEnded,
}

fn operation(step: &'static str, target: &str) -> impl FnOnce(LdapError) -> LdapFailure {
    let target = target.to_owned();
    move |source| LdapFailure::Operation {
        step,
        target,
        source: Box::new(source),
    }
}

/// Whether the configuration can work at all.
pub(crate) fn check(access: &LdapAccess) -> Result<(), LdapFailure> {
    if access.urls.is_empty() {
        return Err(LdapFailure::NoUrl);
    }
    tls(access).map(|_| ())
}

fn tls(access: &LdapAccess) -> Result<Option<Arc<rustls::ClientConfig>>, LdapFailure> {
    let config = access
        .ca_pem
        .as_ref()
        .map(|ca| toolforge_pki::client_config(ca, None));
    Ok(config.transpose().map_err(LdapFailure::Authority)?.map(Arc::new))
}

/// Connects to the first server that answers, and binds.
pub(crate) async fn connect(access: &LdapAccess) -> Result<Ldap, LdapFailure> {
    let mut failure = LdapFailure::NoUrl;
    for url in &access.urls {
        match connect_to(access, url).await {
            Ok(ldap) => return Ok(ldap),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn connect_to(access: &LdapAccess, url: &str) -> Result<Ldap, LdapFailure> {
    // StartTLS is ignored for ldaps; for ldap it is what keeps the password from going in the clear.
    let mut settings = LdapConnSettings::new().set_starttls(true);
    if let Some(tls) = tls(access)? {
        settings = settings.set_config(tls);
    }
    let slow = |_| LdapFailure::Slow {
        seconds: CONNECT.as_secs(),
    };
    let connected = tokio::time::timeout(CONNECT, LdapConnAsync::with_settings(settings, url))
        .await
        .map_err(slow)?;
    let (connection, mut ldap) = connected.map_err(|source| LdapFailure::Connect {
        url: url.to_owned(),
        source: Box::new(source),
    })?;
    tokio::spawn(async move {
        if let Err(error) = connection.drive().await {
            tracing::debug!(%error, "the connection to the directory ended");
        }
    });
    let bound = tokio::time::timeout(CONNECT, ldap.simple_bind(&access.bind_dn, &access.bind_password));
    let bound = bound.await.map_err(slow)?;
    bound
        .and_then(ldap3::LdapResult::success)
        .map_err(operation("bind", &access.bind_dn))?;
    Ok(ldap)
}

/// Reads everything that the service needs to know.
///
/// # Errors
/// When the directory cannot be reached, does not let us in, or does not have the bases.
pub async fn read_directory(access: &LdapAccess) -> Result<Snapshot, LdapFailure> {
    let mut ldap = connect(access).await?;
    let snapshot = read(&mut ldap, access).await;
    let _ = ldap.unbind().await;
    snapshot
}

async fn read(ldap: &mut Ldap, access: &LdapAccess) -> Result<Snapshot, LdapFailure> {
    let slow = |_| LdapFailure::Slow {
        seconds: READ.as_secs(),
    };
    tokio::time::timeout(READ, read_all(ldap, access))
        .await
        .map_err(slow)?
}

async fn read_all(ldap: &mut Ldap, access: &LdapAccess) -> Result<Snapshot, LdapFailure> {
    let (base, project) = (&access.base, ldap3::ldap_escape(access.project.as_str()));
    let accounts = search(
        ldap,
        &format!("ou=people,ou=servicegroups,{base}"),
        &format!("(&(objectClass=posixAccount)(cn={project}.*))"),
        &[
            "cn",
            "uidNumber",
            "homeDirectory",
            "pwdAccountLockedTime",
            "pwdPolicySubentry",
        ],
    )
    .await?;
    let groups = search(
        ldap,
        &format!("ou=servicegroups,{base}"),
        &format!("(&(objectClass=posixGroup)(cn={project}.*))"),
        &["cn", "member"],
    )
    .await?;
    let people = search(
        ldap,
        &format!("ou=people,{base}"),
        "(objectClass=posixAccount)",
        &[
            "uid",
            "cn",
            "uidNumber",
            "gidNumber",
            "homeDirectory",
            "pwdAccountLockedTime",
            "pwdPolicySubentry",
        ],
    )
    .await?;
    Ok(assemble(&access.project, &accounts, &groups, &people))
}

/// All entries of one search, page by page.
pub(crate) async fn search(
    ldap: &mut Ldap,
    base: &str,
    filter: &str,
    attributes: &[&'static str],
) -> Result<Vec<Record>, LdapFailure> {
    let adapters: Vec<Box<dyn Adapter<'_, &str, Vec<&str>>>> =
        vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
    let mut stream = ldap
        .streaming_search_with(adapters, base, Scope::Subtree, filter, attributes.to_vec())
        .await
        .map_err(operation("search", base))?;
    let mut records = Vec::new();
    while let Some(entry) = stream.next().await.map_err(operation("search", base))? {
        records.push(record(SearchEntry::construct(entry)));
    }
    let done = stream
        .finish()
        .await
        .success()
        .map_err(operation("search", base))?;
    if let Some(elsewhere) = done.refs.first() {
        return Err(LdapFailure::Elsewhere {
            base: base.to_owned(),
            url: elsewhere.clone(),
        });
    }
    Ok(records)
}

fn record(entry: SearchEntry) -> Record {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, found) in entry.attrs {
        values.entry(name.to_ascii_lowercase()).or_default().extend(found);
    }
    Record { dn: entry.dn, values }
}

/// What `follow` has to say.
#[derive(Debug)]
pub(crate) enum News {
    /// The directory, read anew.
    Read(Box<Snapshot>),
    /// It cannot be read.
    Failed(LdapFailure),
}

/// Reads the directory, again at every change and after every interruption. Ends when nobody listens any more.
pub(crate) async fn follow(access: LdapAccess, news: mpsc::UnboundedSender<News>) {
    let mut wait = FIRST_RETRY;
    while !news.is_closed() {
        let mut served = false;
        // In a task of its own: the library panics on replies that are not LDAP.
        let session = tokio::spawn(session(access.clone(), news.clone()));
        let failure = match session.await {
            Ok((reads, failure)) => {
                served = reads > 0;
                failure
            }
            Err(_) => LdapFailure::StreamEnded,
        };
        if news.send(News::Failed(failure)).is_err() {
            return;
        }
        wait = if served {
            FIRST_RETRY
        } else {
            (wait * 2).min(LONGEST_RETRY)
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = news.closed() => return,
        }
    }
}

/// One connection, for as long as it lasts; says how many readings it gave.
async fn session(access: LdapAccess, news: mpsc::UnboundedSender<News>) -> (usize, LdapFailure) {
    let mut reads = 0;
    let ended = tokio::select! {
        () = news.closed() => LdapFailure::StreamEnded,
        Err(failure) = serve(&access, &news, &mut reads) => failure,
    };
    (reads, ended)
}

async fn serve(
    access: &LdapAccess,
    news: &mpsc::UnboundedSender<News>,
    reads: &mut usize,
) -> Result<std::convert::Infallible, LdapFailure> {
    let mut ldap = connect(access).await?;
    let pushes = offers_sync(&mut ldap).await?;
    tracing::info!(pushes, "connected to the directory");
    if !pushes {
        loop {
            tell(&mut ldap, access, news, reads).await?;
            tokio::time::sleep(COMPARE_EVERY).await;
        }
    }
    let control = SyncRequest {
        mode: RefreshMode::RefreshAndPersist,
        cookie: None,
        reload_hint: false,
    }
    .critical();
    let mut listener = ldap.clone();
    listener.with_controls(control);
    let filter = "(|(objectClass=posixAccount)(objectClass=posixGroup))";
    let base = access.base.as_str();
    let mut stream = listener
        .streaming_search(base, Scope::Subtree, filter, vec!["1.1"])
        .await
        .map_err(operation("synchronise", base))?;
    // What comes before the first intermediate message is what is there already, and is read below anyway.
    let refresh = async {
        while let Some(entry) = stream.next().await.map_err(operation("synchronise", base))? {
            if entry.is_intermediate() {
                return Ok(());
            }
        }
        Err(LdapFailure::StreamEnded)
    };
    tokio::time::timeout(READ, refresh)
        .await
        .map_err(|_| LdapFailure::Slow {
            seconds: READ.as_secs(),
        })??;
    loop {
        tell(&mut ldap, access, news, reads).await?;
        let ended = {
            let next = pin!(stream.next());
            tokio::select! {
                next = next => next.map_err(operation("synchronise", base))?.is_none(),
                () = tokio::time::sleep(READ_ANYWAY) => false,
            }
        };
        if ended {
            return Err(LdapFailure::StreamEnded);
        }
        // One reading serves all changes that have come in until now.
        while let Some(next) = stream.next().now_or_never() {
            if next.map_err(operation("synchronise", base))?.is_none() {
                return Err(LdapFailure::StreamEnded);
            }
        }
    }
}

async fn tell(
    ldap: &mut Ldap,
    access: &LdapAccess,
    news: &mpsc::UnboundedSender<News>,
    reads: &mut usize,
) -> Result<(), LdapFailure> {
    let snapshot = read(ldap, access).await?;
    *reads += 1;
    // An error means that nobody listens; the session ends by itself then.
    let _ = news.send(News::Read(Box::new(snapshot)));
    Ok(())
}

async fn offers_sync(ldap: &mut Ldap) -> Result<bool, LdapFailure> {
    let root = tokio::time::timeout(
        CONNECT,
        ldap.search("", Scope::Base, "(objectClass=*)", vec!["supportedControl"]),
    );
    let root = root.await.map_err(|_| LdapFailure::Slow {
        seconds: CONNECT.as_secs(),
    })?;
    let (entries, _) = root
        .and_then(ldap3::SearchResult::success)
        .map_err(operation("read", "its root entry"))?;
    Ok(entries
        .into_iter()
        .map(|entry| record(SearchEntry::construct(entry)))
        .any(|root| {
            root.values
                .get("supportedcontrol")
                .is_some_and(|oids| oids.iter().any(|oid| oid == OID_SYNC))
        }))
}
