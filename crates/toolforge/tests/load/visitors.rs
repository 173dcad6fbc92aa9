//! Visitors who ask without a pause, and a tool that answers them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use toolforge_testkit::eventually;

/// How many requests are answered between two disturbances, at the least.
pub(crate) const REQUESTS: usize = 50;

/// A gateway as visitors of one tool know it.
pub(crate) struct Door {
    /// Who signed its certificate.
    pub(crate) authority: String,
    pub(crate) host: &'static str,
    pub(crate) address: SocketAddr,
}

impl Door {
    pub(crate) fn client(&self, protocol: &[u8]) -> reqwest::Client {
        let mut tls = toolforge_pki::client_config(&self.authority, None).unwrap();
        tls.alpn_protocols = vec![protocol.to_vec()];
        reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .no_proxy()
            .resolve(self.host, self.address)
            .timeout(Duration::from_mins(1))
            .build()
            .unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}:{}/", self.host, self.address.port())
    }
}

/// A tool that answers every request on kept connections with the length of its body and, in `x-tool`, its name, and becomes
/// an echo for who asks.
pub(crate) async fn tool(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(BufReader::new(stream), name));
        }
    });
    address
}

async fn converse(mut stream: BufReader<TcpStream>, name: &str) -> std::io::Result<()> {
    loop {
        let (mut length, mut upgrades) = (0, false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(said) = line.strip_prefix("content-length: ") {
                length = said.parse().unwrap();
            }
            upgrades |= line.starts_with("upgrade:");
            if line.is_empty() {
                break;
            }
        }
        if upgrades {
            let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
            stream.write_all(switch.as_bytes()).await?;
            let (mut from, mut to) = tokio::io::split(stream);
            return tokio::io::copy(&mut from, &mut to).await.map(drop);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let said = format!("{length}");
        let answer = format!(
            "HTTP/1.1 200 OK\r\nx-tool: {name}\r\ncontent-length: {}\r\n\r\n{said}",
            said.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// What asks without a pause, and what it has seen.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    visitors: Vec<JoinHandle<()>>,
    /// The connections of those visitors who keep theirs.
    kept: Arc<AtomicUsize>,
}

/// How many visitors keep their connections.
const KEEPING: usize = 4;

/// A way to the gateway on which connections are counted.
async fn counted(door: &Door) -> (Door, Arc<AtomicUsize>) {
    let (listener, count) = (
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
        Arc::<AtomicUsize>::default(),
    );
    let through = Door {
        authority: door.authority.clone(),
        host: door.host,
        address: listener.local_addr().unwrap(),
    };
    let (counter, to) = (count.clone(), door.address);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    (through, count)
}

impl Load {
    /// Visitors on kept connections of both versions, and such as make a new one for each request, all with bodies: so
    /// nothing is sent again by somebody who means well.
    pub(crate) async fn begin(door: &Arc<Door>) -> Self {
        let (is_over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (through, kept) = counted(door).await;
        let through = Arc::new(through);
        let visitors = (0..KEEPING + 2).map(|number| {
            let door = if number < KEEPING { &through } else { door };
            let (door, is_over, answered) = (door.clone(), is_over.clone(), answered.clone());
            let protocol: &[u8] = if number % 2 == 0 { b"http/1.1" } else { b"h2" };
            tokio::spawn(async move {
                let mut client = door.client(protocol);
                while !is_over.load(Ordering::Relaxed) {
                    if number >= KEEPING {
                        client = door.client(protocol);
                    }
                    let response = client.post(door.url()).body("hello").send().await;
                    let response = response.expect("every request is answered");
                    assert_eq!(response.status(), 200);
                    assert_eq!(response.text().await.unwrap(), "5");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let visitors = visitors.collect();
        Self {
            is_over,
            answered,
            visitors,
            kept,
        }
    }

    /// Visitors who keep their connections have made no more than so many each. A client may make another one while its last is
    /// on its way back to it, but does not so often.
    pub(crate) fn has_made_at_most(&self, each: usize) {
        let count = self.kept.load(Ordering::Relaxed);
        assert!(
            count <= each * KEEPING,
            "{KEEPING} visitors have made {count} connections"
        );
    }

    /// Waits until so many more requests are answered; a visitor that has ended was not answered.
    pub(crate) fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        eventually("more answers", || {
            assert!(!self.visitors.iter().any(JoinHandle::is_finished));
            let now = self.answered.load(Ordering::Relaxed);
            (now >= before + REQUESTS).then_some(()).ok_or(format!("{now}"))
        });
    }

    pub(crate) async fn end(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        for visitor in self.visitors {
            visitor.await.unwrap();
        }
        self.answered.load(Ordering::Relaxed)
    }
}

/// A connection that has become an echo.
pub(crate) async fn echo(door: &Door) -> reqwest::Upgraded {
    let asked = door
        .client(b"http/1.1")
        .get(door.url())
        .header("connection", "upgrade")
        .header("upgrade", "echo");
    let response = asked.send().await.unwrap();
    assert_eq!(response.status(), 101);
    response.upgrade().await.unwrap()
}
