//! The original's registration protocol over TCP (facts 5.3): ident says whose a connection is, then the lines are read,
//! answered with `ok`, `fail` or a sentence, and the connection ends.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use toolforge_model::ToolName;

use crate::{
    Claim, Event, Line, destination,
    door::Door,
    ident,
    limits::{
        ACCEPT_PAUSE, DIALOGUE_TIMEOUT, LINE_BYTES, LINE_CONNECTIONS, LINE_CONNECTIONS_OF_ONE,
        PARTING_TIMEOUT,
    },
    line,
    settings::holds,
    store::{Store, StoreError, Wanted},
};

const OK: &str = "ok";
const FAIL: &str = "fail";
const IDENT_FAILED: &str = "Identd authentication failed. Please contact an administrator";
const NO_TOOL: &str = "This service available only to tool accounts";
const NOT_KEPT: &str = "The registration could not be kept. Please contact an administrator";

/// Serves until `shutdown`. Those who are not let in are not answered.
pub(crate) async fn serve(
    listener: TcpListener,
    store: Arc<Store>,
    ident_port: u16,
    shutdown: CancellationToken,
) {
    let door = Door::new(LINE_CONNECTIONS, LINE_CONNECTIONS_OF_ONE);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        if !holds(&store.rules().line_networks, address) {
            tracing::debug!(%address, "turned away: it is in none of registrations.lineNetworks");
            store.figures.happened(Event::TurnedAway);
            continue;
        }
        let Some(guest) = door.enter(address) else {
            tracing::debug!(%address, "turned away: too many are registering");
            store.figures.happened(Event::TurnedAway);
            continue;
        };
        let store = store.clone();
        let serving = async move {
            if let Err(error) =
                answer(stream, SocketAddr::new(address, peer.port()), &store, ident_port).await
            {
                tracing::debug!(%address, %error, "a registering client has left");
            }
            drop(guest);
        };
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(serving));
    }
}

async fn answer(
    mut stream: TcpStream,
    peer: SocketAddr,
    store: &Arc<Store>,
    ident_port: u16,
) -> io::Result<()> {
    let local = stream.local_addr()?;
    let local = SocketAddr::new(local.ip().to_canonical(), local.port());
    let answer = match tool_of(peer, local, store, ident_port).await {
        Ok(tool) => match timeout(DIALOGUE_TIMEOUT, hear(&mut stream)).await {
            Ok(line) => obey(store, tool, peer, line?).await,
            Err(_) => FAIL.to_owned(),
        },
        Err(sentence) => sentence.to_owned(),
    };
    // A peer that takes nothing of so little is gone.
    let parting = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // What was sent beyond the lines is read, for what lies unread would turn the end into a reset, and the answer with
        // it into nothing.
        let mut rest = [0; LINE_BYTES];
        while stream.read(&mut rest).await? > 0 {}
        Ok(())
    };
    timeout(PARTING_TIMEOUT, parting).await.unwrap_or(Ok(()))
}

/// The tool at the other end; or what it is told.
async fn tool_of(
    peer: SocketAddr,
    local: SocketAddr,
    store: &Store,
    ident_port: u16,
) -> Result<ToolName, &'static str> {
    let user = ident::user_of(peer, local, ident_port).await.map_err(|error| {
        let reason = std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::warn!(%peer, %error, reason, "it is not known who wants to register");
        store.figures.happened(Event::IdentFailed);
        IDENT_FAILED
    })?;
    let rules = store.rules();
    let tool = user
        .strip_prefix(&rules.account_prefix)
        .and_then(|name| name.parse().ok());
    tool.ok_or_else(|| {
        tracing::info!(%peer, user, "not a tool's account");
        store.figures.happened(Event::Refused);
        NO_TOOL
    })
}

/// Reads until it is known what the client wants.
async fn hear(stream: &mut TcpStream) -> io::Result<Line> {
    let mut bytes = Vec::with_capacity(LINE_BYTES);
    loop {
        // Three lines at their longest are known before there is more.
        let is_all = stream.read_buf(&mut bytes).await? == 0;
        if let Some(line) = line::read(&bytes, is_all) {
            return Ok(line);
        }
    }
}

/// Does what is asked; the answer is what the client gets.
async fn obey(store: &Arc<Store>, tool: ToolName, peer: SocketAddr, line: Line) -> String {
    let wanted = match line {
        Line::Unknown => return FAIL.to_owned(),
        Line::Unregister { route } => {
            // What cannot have been registered need not be taken back.
            let Ok(claim) = Claim::pattern(&route) else {
                return OK.to_owned();
            };
            return match store.unregister(&tool, &claim).await {
                Ok(_) => OK.to_owned(),
                Err(error) => not_kept(&error),
            };
        }
        Line::Register {
            route,
            destination,
            is_canonical,
        } => {
            let claim = Claim::pattern(&route);
            let address = destination::read(&destination);
            match (claim, address) {
                (Ok(claim), Ok(destination)) => Wanted {
                    tool,
                    claim,
                    destination,
                    from: peer,
                    is_canonical: is_canonical.then_some(true),
                    check_path: None,
                },
                (Err(fault), _) | (_, Err(fault)) => {
                    store.figures.happened(Event::Refused);
                    return format!("Not registered: {fault}");
                }
            }
        }
    };
    match store.register(wanted).await {
        Ok(_) => OK.to_owned(),
        Err(StoreError::Disk(error)) => not_kept(&error),
        Err(StoreError::Fault(fault)) => {
            store.figures.happened(Event::Refused);
            format!("Not registered: {fault}")
        }
        Err(StoreError::Full(full)) => {
            store.figures.happened(Event::Refused);
            format!("Not registered: {full}")
        }
    }
}

fn not_kept(error: &io::Error) -> String {
    tracing::error!(%error, "a registration could not be kept on disk");
    NOT_KEPT.to_owned()
}
