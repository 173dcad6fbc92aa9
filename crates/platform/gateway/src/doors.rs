//! The data path of one gateway: its listeners, shared among its threads.
//!
//! Each thread has sockets of its own that lead to the same queues, so that none of them holds a connection back; with
//! the last of them a queue is closed.

use std::{io, num::NonZeroUsize, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{DataPlane, DataPlaneSettings, PlainHttp, Shared, seen::tally::Tally, workers::run_in_threads};

/// What every thread of the data path begins with.
#[derive(Clone, Debug)]
pub(crate) struct Indoors {
    pub(crate) settings: DataPlaneSettings,
    pub(crate) shared: Shared,
    pub(crate) tls: Arc<rustls::ServerConfig>,
    /// Whoever is the last to drop it has every listener served.
    pub(crate) serving: Arc<Serving>,
}

/// Cancelled when it is dropped: when all threads that had it serve.
#[derive(Debug, Default)]
pub(crate) struct Serving(pub(crate) CancellationToken);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The listeners of the data path.
#[derive(Debug)]
pub(crate) struct Listeners {
    http: Option<(std::net::TcpListener, PlainHttp)>,
    https: std::net::TcpListener,
}

impl Listeners {
    /// Takes the listeners out of the runtime that they were made in.
    pub(crate) fn new(http: Option<(TcpListener, PlainHttp)>, https: TcpListener) -> io::Result<Self> {
        let http = http.map(|(listener, plain)| Ok::<_, io::Error>((listener.into_std()?, plain)));
        Ok(Self {
            http: http.transpose()?,
            https: https.into_std()?,
        })
    }

    fn again(&self) -> io::Result<Self> {
        let http = self.http.as_ref();
        let http = http.map(|(listener, plain)| Ok::<_, io::Error>((listener.try_clone()?, *plain)));
        Ok(Self {
            http: http.transpose()?,
            https: self.https.try_clone()?,
        })
    }

    /// Serves in a thread for each of the tallies until `shutdown`, and until what was under way has ended.
    pub(crate) async fn serve(
        self,
        indoors: Indoors,
        tallies: Arc<[Arc<Tally>]>,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let mut works = Vec::new();
        for tally in tallies.iter() {
            let (here, indoors) = (self.again()?, indoors.clone());
            let (tally, shutdown) = (tally.clone(), shutdown.clone());
            works.push(async move || {
                if let Err(error) = here.serve_here(indoors, tally, shutdown).await {
                    tracing::error!(%error, "a thread of the gateway cannot listen");
                }
            });
        }
        drop((self, indoors));
        run_in_threads(works).await
    }

    async fn serve_here(
        self,
        indoors: Indoors,
        tally: Arc<Tally>,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let Indoors {
            settings,
            shared,
            tls,
            serving,
        } = indoors;
        let plane = DataPlane::counting(settings, shared, tally);
        let https = TcpListener::from_std(self.https)?;
        let secure = plane.clone().serve_tls(https, tls, shutdown.clone());
        let Some((listener, plain)) = self.http else {
            drop(serving);
            secure.await;
            return Ok(());
        };
        let plain = plane.serve_plain(TcpListener::from_std(listener)?, plain, shutdown);
        drop(serving);
        tokio::join!(secure, plain);
        Ok(())
    }
}

/// A tally for each thread.
pub(crate) fn tallies(workers: NonZeroUsize) -> Arc<[Arc<Tally>]> {
    (0..workers.get()).map(|_| Arc::default()).collect()
}
