//! Listeners on Services' addresses, and the connections that come through them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::table::Table;

/// How long an endpoint has to take a connection: it is on this machine.
const CONNECT: Duration = Duration::from_secs(5);
/// The pause after the system refused a connection, as it does when out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
struct Listening {
    endpoints: watch::Sender<Arc<Vec<SocketAddr>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// All listeners.
#[derive(Debug)]
pub(super) struct Relays {
    open: BTreeMap<SocketAddrV4, Listening>,
    refused: BTreeSet<SocketAddrV4>,
    shutdown: CancellationToken,
}

impl Relays {
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self {
            open: BTreeMap::new(),
            refused: BTreeSet::new(),
            shutdown,
        }
    }

    /// Whether an address could not be listened on.
    pub(super) fn are_incomplete(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Listens on what is in the table, and on nothing else. Connections that are open stay.
    pub(super) async fn set(&mut self, wanted: Table) {
        for (_, listening) in self
            .open
            .extract_if(.., |address, _| !wanted.contains_key(address))
        {
            listening.stop.cancel();
            // Waited for, so that the address is free when it comes back.
            if let Err(error) = listening.task.await {
                tracing::error!(%error, "the listener of a Service failed");
            }
        }
        self.refused.retain(|address| wanted.contains_key(address));
        for (address, endpoints) in wanted {
            match self.open.get(&address) {
                Some(listening) => {
                    listening.endpoints.send_if_modified(|known| {
                        let changed = **known != endpoints;
                        if changed {
                            *known = Arc::new(endpoints);
                        }
                        changed
                    });
                }
                None => self.listen(address, endpoints).await,
            }
        }
    }

    async fn listen(&mut self, address: SocketAddrV4, endpoints: Vec<SocketAddr>) {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                self.refused.remove(&address);
                let (endpoints, receiver) = watch::channel(Arc::new(endpoints));
                let stop = self.shutdown.child_token();
                let task = tokio::spawn(accept(listener, receiver, stop.clone(), self.shutdown.clone()));
                self.open.insert(
                    address,
                    Listening {
                        endpoints,
                        stop,
                        task,
                    },
                );
            }
            Err(error) => {
                if self.refused.insert(address) {
                    tracing::warn!(%address, %error, "a Service's port cannot be listened on; ports below 1024 need root");
                }
            }
        }
    }
}

async fn accept(
    listener: TcpListener,
    endpoints: watch::Receiver<Arc<Vec<SocketAddr>>>,
    stop: CancellationToken,
    shutdown: CancellationToken,
) {
    let mut turn: usize = 0;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let targets = endpoints.borrow().clone();
                turn = turn.wrapping_add(1);
                let (first, shutdown) = (turn, shutdown.clone());
                tokio::spawn(
                    async move { shutdown.run_until_cancelled(relay(stream, &targets, first)).await },
                );
            }
            Err(error) => {
                tracing::debug!(%error, "a connection to a Service could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Connects to the endpoint whose turn it is, or to the next that answers; without one the connection is closed.
async fn relay(mut stream: TcpStream, targets: &[SocketAddr], first: usize) {
    for step in 0..targets.len() {
        let Some(target) = targets.get(first.wrapping_add(step) % targets.len()) else {
            return;
        };
        if let Ok(Ok(mut endpoint)) = timeout(CONNECT, TcpStream::connect(target)).await {
            // Small messages go out at once; failing to say so costs only time.
            let _ = (stream.set_nodelay(true), endpoint.set_nodelay(true));
            if let Err(error) = copy_bidirectional(&mut stream, &mut endpoint).await {
                tracing::debug!(%target, %error, "a relayed connection broke");
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// How long a condition may take on a loaded machine.
    const DEADLINE: Duration = Duration::from_mins(1);

    /// Says its letter to everybody who connects.
    async fn endpoint(letter: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
        let address = listener.local_addr().expect("address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(letter).await;
            }
        });
        address
    }

    /// A port that is free now.
    async fn free() -> SocketAddrV4 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
        SocketAddrV4::new(
            Ipv4Addr::LOCALHOST,
            listener.local_addr().expect("address").port(),
        )
    }

    async fn heard(address: SocketAddrV4) -> String {
        let asked = async {
            let mut text = String::new();
            let mut stream = TcpStream::connect(address).await.expect("connection");
            stream.read_to_string(&mut text).await.expect("text");
            text
        };
        timeout(DEADLINE, asked).await.expect("in time")
    }

    #[tokio::test]
    async fn endpoints_take_turns_and_dead_ones_are_skipped() {
        let (one, two, dead) = (
            endpoint(b"1").await,
            endpoint(b"2").await,
            SocketAddr::V4(free().await),
        );
        let address = free().await;
        let mut relays = Relays::new(CancellationToken::new());
        relays.set(Table::from([(address, vec![one, two])])).await;
        let mut both = [heard(address).await, heard(address).await];
        both.sort_unstable();
        assert_eq!(both, ["1", "2"]);
        relays.set(Table::from([(address, vec![dead, two])])).await;
        assert_eq!([heard(address).await, heard(address).await], ["2", "2"]);
        relays.set(Table::from([(address, Vec::new())])).await;
        assert_eq!(heard(address).await, "", "the connection is closed");
    }
}
