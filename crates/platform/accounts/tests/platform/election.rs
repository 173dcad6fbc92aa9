//! Several replicas of the account service: one acts, and another takes over when it stops, dies or is paused.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, client::Body};
use parking_lot::Mutex;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};
use toolforge_accounts::{Config, Election, LEASE};
use tower::BoxError;

use crate::scratch::{Platform, wait, within};

const SHORT: Duration = Duration::from_secs(3);
const LONG: Duration = Duration::from_secs(15);

fn candidate(identity: &str, lease_duration: Duration) -> impl FnOnce(&mut Config) {
    let identity = identity.to_owned();
    move |config| {
        let (namespace, name) = ("default".to_owned(), LEASE.to_owned());
        config.election = Some(Election::new(namespace, name, identity, lease_duration));
    }
}

/// Waits until this replica holds the Lease.
async fn leads(platform: &Platform, identity: &'static str) {
    let api: Api<Lease> = Api::namespaced(platform.admin.clone(), "default");
    let holds = move |lease: Option<&Lease>| {
        let spec = lease.and_then(|lease| lease.spec.as_ref());
        spec.and_then(|spec| spec.holder_identity.as_deref()) == Some(identity)
    };
    wait(api, LEASE, holds).await;
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn fetch(address: SocketAddr, path: &str) -> String {
    let url = format!("http://{address}{path}");
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stops_gives_the_lease_away_at_once() {
    let platform = Platform::start(&[("alpha", 50001)]).await;
    let (first, summary) = platform.serve_with(candidate("one", LONG)).await;
    assert_eq!(summary.failing, vec![]);
    let (listener, address) = listener().await;
    let (_second, passed) = platform.begin_with(platform.service_client(), |config| {
        candidate("two", LONG)(config);
        config.listener = Some(listener);
    });
    within(async {
        while fetch(address, "/readyz").await != "ok: one leads, this replica stands by" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let figures = fetch(address, "/metrics").await;
    assert!(figures.contains("toolforge_accounts_leading 0\n"), "{figures}");

    let asked = Instant::now();
    first.stop().await;
    within(passed).await.unwrap();
    let took = asked.elapsed();
    println!("after a stop: {took:?} to the end of the other's first pass");
    assert!(took < LONG / 2, "{took:?}: nobody waited for the lease to end");
    assert_eq!(fetch(address, "/readyz").await, "ok");
    let figures = fetch(address, "/metrics").await;
    assert!(figures.contains("toolforge_accounts_leading 1\n"), "{figures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_takes_over_from_a_dead_leader_when_the_lease_has_ended() {
    let platform = Platform::start(&[("alpha", 50001)]).await;
    let (first, _) = platform.serve_with(candidate("one", SHORT)).await;
    let (second, passed) = platform.begin_with(platform.service_client(), candidate("two", SHORT));
    // Its retries are 0.4 seconds apart: it has seen the Lease renewed when that has happened twice.
    leads(&platform, "one").await;
    first.kill().await;
    let dead = Instant::now();
    within(passed).await.unwrap();
    println!(
        "after a kill: {:?} to the end of the other's first pass",
        dead.elapsed()
    );
    leads(&platform, "two").await;
    second.stop().await;
}

/// As many turns as the service has at once, each with one request.
const TURNS: usize = 8;

/// Lets through what a replica sends, until it has written so much. Then it holds everything but the Lease, and stops all threads of the
/// replica when each of its turns waits: so nothing is half-way between the replica and here. What was held comes to nothing.
struct Freezer {
    writes: AtomicUsize,
    held: AtomicUsize,
    frozen: Mutex<Option<oneshot::Sender<()>>>,
    thaw: Mutex<mpsc::Receiver<()>>,
    thawed: watch::Sender<bool>,
    late: AtomicUsize,
}

/// When it begins to hold.
const WRITES: usize = 40;

impl Freezer {
    async fn pass(&self, writes: bool) -> Result<(), BoxError> {
        if *self.thawed.borrow() {
            self.late.fetch_add(usize::from(writes), Ordering::SeqCst);
            return Ok(());
        }
        if self.writes.fetch_add(usize::from(writes), Ordering::SeqCst) < WRITES {
            return Ok(());
        }
        let mut thawed = self.thawed.subscribe();
        if self.held.fetch_add(1, Ordering::SeqCst) + 1 == TURNS {
            self.frozen.lock().take().unwrap().send(()).unwrap();
            // Blocks the only thread of the replica's runtime: no timer goes off, no task gets on.
            self.thaw.lock().recv().unwrap();
            self.thawed.send_replace(true);
        }
        thawed.wait_for(|thawed| *thawed).await?;
        Err("held".into())
    }
}

fn through(client: Client, freezer: Arc<Freezer>) -> Client {
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (client, freezer) = (client.clone(), freezer.clone());
        async move {
            if !request.uri().path().contains("/leases") {
                freezer.pass(!request.method().is_safe()).await?;
            }
            Ok::<_, BoxError>(client.send(request).await?)
        }
    });
    Client::new(service, "default")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_leader_writes_nothing_when_it_goes_on() {
    let tools: Vec<(String, u32)> = (0..30).map(|i| (format!("tool{i}"), 50001 + i)).collect();
    let tools: Vec<(&str, u32)> = tools.iter().map(|(name, uid)| (name.as_str(), *uid)).collect();
    let platform = Arc::new(Platform::start(&tools).await);
    let (frozen, is_frozen) = oneshot::channel();
    let (thaw, thawed) = mpsc::channel();
    let freezer = Arc::new(Freezer {
        writes: AtomicUsize::new(0),
        held: AtomicUsize::new(0),
        frozen: Mutex::new(Some(frozen)),
        thaw: Mutex::new(thawed),
        thawed: watch::Sender::new(false),
        late: AtomicUsize::new(0),
    });
    let (listener, address) = listener().await;
    let (inner, counted, std_listener) = (platform.clone(), freezer.clone(), listener.into_std().unwrap());
    let (end, ended) = oneshot::channel::<()>();
    let replica = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let client = through(inner.remote_service_client().await, counted);
            let (first, _) = inner.begin_with(client, |config| {
                candidate("one", SHORT)(config);
                config.listener = Some(TcpListener::from_std(std_listener).unwrap());
            });
            ended.await.unwrap();
            first.stop().await;
        });
    });
    within(is_frozen).await.unwrap();
    let (second, summary) = platform.serve_with(candidate("two", SHORT)).await;
    assert_eq!(summary.failing, vec![]);
    assert_eq!(summary.tools, 30);

    thaw.send(()).unwrap();
    within(async {
        while fetch(address, "/readyz").await != "ok: two leads, this replica stands by" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(freezer.late.load(Ordering::SeqCst), 0, "writes after the pause");
    leads(&platform, "two").await;
    end.send(()).unwrap();
    tokio::task::spawn_blocking(move || replica.join().unwrap())
        .await
        .unwrap();
    second.stop().await;
}
