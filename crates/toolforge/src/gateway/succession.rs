//! How one process of the gateway comes after another: it takes the sockets of the one that serves, relieves it when it
//! serves itself, and then waits for the next. Nothing is lost, since the sockets and their queues stay.

use std::{
    future::pending,
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
};

use anyhow::Context as _;
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use toolforge_gateway::Succession;
use toolforge_serve::{Handover, Predecessor};

use crate::{component, supervisor};

/// The sockets of this process: those that were there, and those that it makes.
pub(super) struct Sockets {
    handover: Option<Handover>,
    predecessor: Option<Predecessor>,
    found: Vec<TcpListener>,
    /// Copies, for the next process.
    own: Vec<TcpListener>,
}

impl Sockets {
    /// Looks for the process that serves at these addresses, and for sockets that this one was started with.
    pub(super) async fn find(place: PathBuf, addresses: Vec<SocketAddr>) -> anyhow::Result<Self> {
        let mut found = toolforge_serve::inherited().context("LISTEN_FDS")?;
        let handover = Handover::at(&place);
        let (mut is_other, mut predecessor) = (false, None);
        if let Some((sockets, serving)) = handover.take_over().await? {
            is_other = !sockets.iter().any(|socket| is_one_of(socket, &addresses));
            if !is_other {
                found.extend(sockets);
                predecessor = Some(serving);
            }
        }
        if is_other {
            tracing::warn!(
                place = %place.display(),
                "a gateway for other addresses is there, so that this one cannot be replaced; name another place with --handover"
            );
        }
        Ok(Self {
            handover: (!is_other).then_some(handover),
            predecessor,
            found,
            own: Vec::new(),
        })
    }

    /// The socket for this address: one that is there, or a new one.
    pub(super) async fn listen(&mut self, address: SocketAddr) -> anyhow::Result<tokio::net::TcpListener> {
        let found = self.found.iter().position(|socket| is_one_of(socket, &[address]));
        let socket = match found {
            Some(place) => self.found.swap_remove(place),
            None => component::listen(address).await?.into_std()?,
        };
        self.own.push(socket.try_clone()?);
        Ok(tokio::net::TcpListener::from_std(socket)?)
    }

    /// Relieves the process that serves once this one does, and leaves when another one takes the sockets; ends with
    /// `stop`, which it cancels then.
    pub(super) fn succeed(mut self, succession: &mut Succession, stop: CancellationToken) -> JoinHandle<()> {
        // What nobody wants closes.
        self.found.clear();
        let (tell, serving) = oneshot::channel();
        *succession = Succession {
            has_predecessor: self.predecessor.is_some(),
            serving: Some(tell),
            relieved: CancellationToken::new(),
        };
        let relieved = succession.relieved.clone();
        tokio::spawn(async move {
            let leaving = async {
                if serving.await.is_ok() {
                    self.serve_and_leave(&relieved, &stop).await;
                }
            };
            stop.run_until_cancelled(leaving).await;
            if stop.is_cancelled() && !relieved.is_cancelled() {
                supervisor::tell("STOPPING=1");
            }
        })
    }

    async fn serve_and_leave(self, relieved: &CancellationToken, stop: &CancellationToken) {
        let offer = self.handover.map(|place| place.offer(self.own));
        if let Some(predecessor) = self.predecessor {
            match predecessor.relieve().await {
                Ok(()) => tracing::info!("this gateway has taken the place of another"),
                Err(error) => {
                    tracing::warn!(%error, "the gateway before this one has not said that it leaves");
                }
            }
        }
        supervisor::tell(&format!("READY=1\nMAINPID={}", std::process::id()));
        match offer {
            Some(Ok(offer)) => {
                let leave = || {
                    tracing::info!(
                        "another gateway has taken the place of this one, which answers what is under way"
                    );
                    relieved.cancel();
                    stop.cancel();
                };
                offer.taken(leave).await;
            }
            Some(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "this gateway cannot be replaced"
                );
                pending::<()>().await;
            }
            None => pending::<()>().await,
        }
    }
}

fn is_one_of(socket: &TcpListener, addresses: &[SocketAddr]) -> bool {
    socket
        .local_addr()
        .is_ok_and(|address| addresses.contains(&address))
}

/// Starts the program anew at every SIGUSR2, with the arguments that this process has; what then is at its path takes
/// the place of this one.
pub(super) fn replace_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut asked = signal(SignalKind::user_defined2())?;
    tokio::spawn(async move {
        while stop.run_until_cancelled(asked.recv()).await.flatten().is_some() {
            match start().await {
                // Relieved, this process hears nothing any more.
                Ok(status) => {
                    tracing::error!(%status, "the gateway that was started in place of this one has ended");
                }
                Err(error) => tracing::error!(%error, "no gateway can be started in place of this one"),
            }
        }
    });
    Ok(())
}

/// Returns when the process that was started has ended; more signals meanwhile are one.
async fn start() -> io::Result<std::process::ExitStatus> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let (program, arguments) = arguments.split_first().ok_or(io::ErrorKind::NotFound)?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .await
}
