//! The balancer over real sockets, before targets that say who they are.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use toolforge_balancer::{Balance, Balancer, BalancerSettings};

/// How long a test waits for what must happen: long enough for a loaded machine.
const DEADLINE: Duration = Duration::from_mins(1);
/// The pause between two looks at something that is about to happen.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A target that greets with its name and then gives back what it gets.
struct Target {
    address: SocketAddr,
    served: JoinHandle<()>,
    connections: Arc<AtomicUsize>,
}

impl Target {
    fn new(name: &'static str) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), name)
    }

    fn at(address: SocketAddr, name: &'static str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let served = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    stream
                        .write_all(format!("{name}\n").as_bytes())
                        .await
                        .unwrap_or_default();
                    let (mut from, mut to) = stream.split();
                    // A client that is gone is no matter.
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Self {
            address,
            served,
            connections,
        }
    }

    async fn stop(self) -> SocketAddr {
        self.served.abort();
        let _ = self.served.await;
        self.address
    }
}

struct Scene {
    address: SocketAddr,
    settings: watch::Sender<Arc<Balance>>,
    shutdown: CancellationToken,
    ran: JoinHandle<()>,
}

/// One service with these keys beside its name and address.
fn balance(targets: &[SocketAddr], keys: &str) -> Arc<Balance> {
    let targets: Vec<String> = targets
        .iter()
        .map(|address| format!("{{ address: '{address}' }}"))
        .collect();
    let text = format!(
        "services: [{{ name: a, listen: '127.0.0.1:0', targets: [{}], {keys} }}]",
        targets.join(", ")
    );
    Arc::new(BalancerSettings::read(&text).unwrap().resolve().unwrap())
}

impl Scene {
    async fn new(targets: &[SocketAddr], keys: &str) -> Self {
        Self::that_drains_for(DEADLINE, targets, keys).await
    }

    async fn that_drains_for(drain: Duration, targets: &[SocketAddr], keys: &str) -> Self {
        let (settings, followed) = watch::channel(balance(targets, keys));
        let balancer = Balancer::bind(followed).await.unwrap();
        let address = balancer.address("a").unwrap();
        let shutdown = CancellationToken::new();
        let ran = tokio::spawn(balancer.run(drain, shutdown.clone()));
        Self {
            address,
            settings,
            shutdown,
            ran,
        }
    }

    /// A connection, and who took it; nobody where it was closed.
    async fn connect(&self) -> (BufReader<TcpStream>, String) {
        let mut stream = BufReader::new(TcpStream::connect(self.address).await.unwrap());
        let mut name = String::new();
        let reading = timeout(DEADLINE, stream.read_line(&mut name)).await;
        // A reset is as good an end as any.
        let _ = reading.expect("nobody answered in time");
        (stream, name.trim_end().to_owned())
    }

    async fn turn(&self) -> String {
        self.connect().await.1
    }

    async fn until_turn(&self, name: &str) {
        let looking = async {
            while self.turn().await != name {
                sleep(LOOK_AGAIN).await;
            }
        };
        timeout(DEADLINE, looking)
            .await
            .expect("it got no connection in time");
    }

    async fn until_never(&self, name: &str) {
        let looking = async {
            let mut others = 0;
            while others < 4 {
                others = if self.turn().await == name { 0 } else { others + 1 };
            }
        };
        timeout(DEADLINE, looking)
            .await
            .expect("it got connections on and on");
    }
}

#[tokio::test]
async fn connections_go_to_each_in_turn_and_bytes_both_ways() {
    let (one, other) = (Target::new("one"), Target::new("other"));
    let scene = Scene::new(&[one.address, other.address], "").await;
    let turns = [scene.turn().await, scene.turn().await, scene.turn().await];
    assert_eq!(turns[0], turns[2]);
    assert_ne!(turns[0], turns[1]);
    let (mut stream, _) = scene.connect().await;
    let sent: Vec<u8> = (0..300_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let (mut from, mut to) = stream.get_mut().split();
    let mut received = Vec::new();
    let writing = async {
        to.write_all(&sent).await.unwrap();
        // The end of one direction is passed on, and the other goes on.
        to.shutdown().await.unwrap();
    };
    let both = async { tokio::join!(writing, from.read_to_end(&mut received)) };
    timeout(DEADLINE, both).await.unwrap().1.unwrap();
    assert_eq!(received, sent);
}

#[tokio::test]
async fn the_least_busy_gets_the_connection() {
    let (one, other) = (Target::new("one"), Target::new("other"));
    let scene = Scene::new(&[one.address, other.address], "balance: leastConnections").await;
    let (first, name) = scene.connect().await;
    let (_second, other_name) = scene.connect().await;
    assert_ne!(name, other_name);
    drop(first);
    scene.until_turn(&name).await;
}

#[tokio::test]
async fn a_dead_target_is_out_with_its_first_failed_connection_and_nobody_notices() {
    let (one, other) = (Target::new("one"), Target::new("other"));
    // Checks come too rarely to find it out.
    let keys = "check: { intervalSeconds: 3600, downIntervalSeconds: 3600 }";
    let scene = Scene::new(&[one.address, other.address], keys).await;
    let (_, first) = scene.connect().await;
    assert_eq!(first, "one");
    assert_eq!(scene.turn().await, "other");
    let address = one.stop().await;
    let began = Instant::now();
    assert_eq!(scene.turn().await, "other", "it was the dead one's turn");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    // It is out, even when it is there again: only checks bring it back.
    let back = Target::at(address, "one");
    for _ in 0..4 {
        assert_eq!(scene.turn().await, "other");
    }
    // The check that looked at it at once.
    assert!(back.connections.load(Ordering::Relaxed) <= 1);
}

#[tokio::test]
async fn a_target_that_does_not_answer_is_out_within_a_second() {
    let other = Target::new("other");
    // A listener whose queue is full: what comes is neither taken nor refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let silent = socket.listen(1).unwrap();
    let address = silent.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        filling.push(stream);
    }
    let keys = "check: { intervalSeconds: 3600, downIntervalSeconds: 3600, timeoutSeconds: 60 }";
    let scene = Scene::new(&[address, other.address], keys).await;
    let began = Instant::now();
    assert_eq!(scene.turn().await, "other");
    let first = began.elapsed();
    for _ in 0..4 {
        assert_eq!(scene.turn().await, "other");
    }
    assert!(
        began.elapsed() < first + Duration::from_millis(900),
        "it is asked no more"
    );
    assert!(first >= Duration::from_millis(900), "it was asked: {first:?}");
    // The original waits for five.
    assert!(first < Duration::from_secs(3), "it was waited for: {first:?}");
}

#[tokio::test]
async fn a_connection_that_nobody_takes_ends_at_once() {
    let dead = [Target::new("one").stop().await, Target::new("other").stop().await];
    let scene = Scene::new(&dead, "queueTimeoutSeconds: 3600").await;
    assert_eq!(scene.turn().await, "");
}

#[tokio::test]
async fn other_settings_have_their_targets_checked_and_a_service_that_is_gone_listens_no_more() {
    let (one, _) = checked_target("one").await;
    let silent = Target::new("no http");
    let keys = "check: { kind: http, path: /healthz, host: api.test, intervalSeconds: 1, fall: 2 }";
    let scene = Scene::new(&[one], keys).await;
    assert_eq!(scene.turn().await, "one");
    scene.settings.send_replace(balance(&[one, silent.address], keys));
    scene.until_turn("no http").await;
    scene.until_never("no http").await;
    let elsewhere =
        format!("services: [{{ name: a, listen: '127.0.0.2:0', targets: [{{ address: '{one}' }}] }}]");
    let elsewhere = BalancerSettings::read(&elsewhere).unwrap().resolve().unwrap();
    scene.settings.send_replace(Arc::new(elsewhere));
    let refused = async { while TcpStream::connect(scene.address).await.is_ok() {} };
    timeout(DEADLINE, refused).await.unwrap();
}

/// A target that greets like any other, and answers checks over HTTP with a status that the test changes.
async fn checked_target(name: &'static str) -> (SocketAddr, Arc<AtomicU16>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, status) = (listener.local_addr().unwrap(), Arc::new(AtomicU16::new(200)));
    let said = status.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let status = said.load(Ordering::Relaxed);
            tokio::spawn(async move {
                let mut head = [0; 1024];
                // What asks nothing for a while is no check.
                let reading = timeout(Duration::from_millis(100), stream.read(&mut head)).await;
                let answer = match reading {
                    Ok(Ok(count)) => {
                        let is_right =
                            head[..count].starts_with(b"GET /healthz HTTP/1.1\r\nHost: api.test\r\n");
                        format!("HTTP/1.1 {} x\r\n\r\n", if is_right { status } else { 400 })
                    }
                    _ => format!("{name}\n"),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (address, status)
}

#[tokio::test]
async fn checks_take_targets_out_and_bring_them_back() {
    let ((one, status), (other, _)) = (checked_target("one").await, checked_target("other").await);
    let silent = Target::new("no http");
    let keys = "slowStartSeconds: 0, check: { kind: http, path: /healthz, host: api.test, intervalSeconds: 1, \
                downIntervalSeconds: 1, rise: 1, fall: 1 }";
    let scene = Scene::new(&[one, other, silent.address], keys).await;
    scene.until_never("no http").await;
    status.store(503, Ordering::Relaxed);
    scene.until_never("one").await;
    status.store(302, Ordering::Relaxed);
    scene.until_turn("one").await;
    scene.until_turn("other").await;
}

#[tokio::test]
async fn a_tls_check_wants_a_handshake() {
    toolforge_pki::install_provider();
    let authority = toolforge_pki::Authority::create("test").unwrap();
    let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
    let tls = Arc::new(toolforge_pki::server_config(&identity, None).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(tls);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(stream).await.map(drop) });
        }
    });
    let plain = Target::new("plain");
    let keys = "check: { kind: tls, fall: 1, intervalSeconds: 1 }";
    let scene = Scene::new(&[plain.address, address], keys).await;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(toolforge_pki::unverified_client_config()));
    let looking = async {
        let mut shaken = 0;
        while shaken < 4 {
            let stream = TcpStream::connect(scene.address).await.unwrap();
            let name = rustls::pki_types::ServerName::try_from("api.test").unwrap();
            let is_tls = connector.connect(name, stream).await.is_ok();
            shaken = if is_tls { shaken + 1 } else { 0 };
        }
    };
    timeout(DEADLINE, looking)
        .await
        .expect("what speaks no TLS got connections on and on");
}

#[tokio::test]
async fn beyond_the_limit_connections_wait_and_beyond_the_queue_they_end() {
    let target = Target::new("one");
    let keys = "maxConnectionsPerTarget: 1, maxQueue: 1, queueTimeoutSeconds: 60";
    let scene = Scene::new(&[target.address], keys).await;
    let (first, name) = scene.connect().await;
    assert_eq!(name, "one");
    let mut second = BufReader::new(TcpStream::connect(scene.address).await.unwrap());
    // The third finds the queue full, once the second is in it.
    let refused = async {
        loop {
            let mut third = TcpStream::connect(scene.address).await.unwrap();
            if matches!(
                timeout(Duration::from_millis(500), third.read_u8()).await,
                Ok(Err(_))
            ) {
                break;
            }
        }
    };
    timeout(DEADLINE, refused).await.unwrap();
    drop(first);
    let mut greeting = String::new();
    timeout(DEADLINE, second.read_line(&mut greeting))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(greeting, "one\n");
}

#[tokio::test]
async fn targets_are_told_who_connected() {
    for (version, begin) in [
        ("v1", &b"PROXY TCP4 127.0.0.1 127.0.0.1 "[..]),
        ("v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keys = format!("proxyProtocol: {version}, check: {{ intervalSeconds: 3600 }}");
        let scene = Scene::new(&[listener.local_addr().unwrap()], &keys).await;
        let mut client = TcpStream::connect(scene.address).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        client.shutdown().await.unwrap();
        let expected = toolforge_proxy_protocol::Header::Proxied(toolforge_proxy_protocol::Addresses {
            source: client.local_addr().unwrap(),
            destination: scene.address,
        });
        let looking = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).await.unwrap();
                let (header, length) = toolforge_proxy_protocol::read(&bytes).unwrap().unwrap();
                if header == toolforge_proxy_protocol::Header::Own {
                    // The check.
                    continue;
                }
                assert!(bytes.starts_with(begin), "{}", bytes.escape_ascii());
                return (header, bytes[length..].to_vec());
            }
        };
        let (header, rest) = timeout(DEADLINE, looking).await.unwrap();
        assert_eq!((header, &rest[..]), (expected, &b"hello"[..]));
    }
}

#[tokio::test]
async fn what_is_drained_or_stopped_keeps_the_connections_that_it_has() {
    let (one, other) = (Target::new("one"), Target::new("other"));
    let scene = Scene::new(&[one.address], "").await;
    let (mut stream, name) = scene.connect().await;
    assert_eq!(name, "one");
    scene.settings.send_replace(balance(&[other.address], ""));
    scene.until_never("one").await;
    echo(&mut stream).await;
    scene.shutdown.cancel();
    let refused = async { while TcpStream::connect(scene.address).await.is_ok() {} };
    timeout(DEADLINE, refused).await.unwrap();
    echo(&mut stream).await;
    drop(stream);
    timeout(DEADLINE, scene.ran).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_goes_on_for_longer_than_it_may_is_cut_off() {
    let one = Target::new("one");
    let scene = Scene::that_drains_for(Duration::from_millis(100), &[one.address], "").await;
    let (mut stream, _) = scene.connect().await;
    scene.shutdown.cancel();
    timeout(DEADLINE, scene.ran).await.unwrap().unwrap();
    let ended = timeout(DEADLINE, stream.read_u8()).await.unwrap();
    assert!(ended.is_err(), "it was cut off");
}

async fn echo(stream: &mut BufReader<TcpStream>) {
    stream.write_all(b"still there?\n").await.unwrap();
    let mut line = String::new();
    timeout(DEADLINE, stream.read_line(&mut line))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(line, "still there?\n");
}

#[tokio::test]
async fn a_silent_connection_ends() {
    let target = Target::new("one");
    let scene = Scene::new(&[target.address], "idleTimeoutSeconds: 1").await;
    let (mut stream, _) = scene.connect().await;
    let ended = timeout(DEADLINE, stream.read_u8()).await.unwrap();
    assert!(ended.is_err(), "it was closed");
}
