//! `kubectl port-forward`.

use std::net::Ipv4Addr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;

use crate::harness::{Cluster, DEADLINE, WAYS};

/// Echoes what comes, on port 8000 of the Pod: `bind` is redirected to the Pod's own address.
const ECHO: &str = r#"exec python3 -c '
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
Server(("0.0.0.0", 8000), Echo).serve_forever()'"#;

/// A port-forward that listens, and where.
async fn forward(cluster: &Cluster, way: &str, line: &[&str]) -> (Child, u16) {
    let mut child = cluster.kubectl(way, line).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(DEADLINE, lines.next_line())
        .await
        .expect("in time")
        .unwrap()
        .expect("it listens");
    let port = line
        .strip_prefix("Forwarding from 127.0.0.1:")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|port| port.parse().ok());
    // What it says of each connection is read, lest it stands still.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, port.unwrap_or_else(|| panic!("{line}")))
}

async fn echoed(port: u16, text: &[u8]) -> std::io::Result<Vec<u8>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let (mut reader, mut writer) = stream.into_split();
    let text = text.to_vec();
    let writing = tokio::spawn(async move {
        writer.write_all(&text).await?;
        writer.shutdown().await
    });
    let mut back = Vec::new();
    tokio::time::timeout(DEADLINE, reader.read_to_end(&mut back))
        .await
        .expect("in time")?;
    writing.await.unwrap()?;
    Ok(back)
}

/// Nothing tells from outside when the program listens: asking is the only way to find out.
async fn until_it_listens(port: u16) {
    let wait = async {
        while echoed(port, b"?").await.ok().as_deref() != Some(b"?".as_slice()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("it listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_share_one_forward() {
    let cluster = Cluster::start().await;
    let address = cluster.pod("p", ECHO).await.status.unwrap().pod_ip.unwrap();
    let wait = async {
        while TcpStream::connect((address.as_str(), 8000)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("it listens");
    for way in WAYS {
        let (_child, port) = forward(&cluster, way, &["port-forward", "pod/p", ":8000"]).await;
        until_it_listens(port).await;
        let big: Vec<u8> = (0..2_000_000u32)
            .map(|at| u8::try_from(at % 249).unwrap())
            .collect();
        let all = (0..8).map(|number: u8| {
            let mut text = big.clone();
            text[0] = number;
            async move { echoed(port, &text).await.unwrap() == text }
        });
        assert!(futures::future::join_all(all).await.into_iter().all(|same| same));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_on_which_nobody_listens_fails_alone() {
    let cluster = Cluster::start().await;
    cluster.pod("p", "exec sleep 1000").await;
    for way in WAYS {
        let (mut child, port) = forward(&cluster, way, &["port-forward", "p", ":9"]).await;
        // The connection may end before or after it has taken what is written.
        let _ = echoed(port, b"x").await;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .expect("in time");
        let line = line.unwrap().unwrap_or_default();
        assert!(
            line.contains("error forwarding port 9 to pod default/p: Connection refused"),
            "{line}"
        );
    }
}
