//! The `kube` crate's streams: terminals, sizes, exit codes, ports.

use futures::{SinkExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, AttachedProcess, TerminalSize};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Cluster, DEADLINE};

async fn pods(cluster: &Cluster) -> Api<Pod> {
    Api::namespaced(cluster.client("admin", &["system:masters"]).await, "default")
}

/// Reads until `wanted` has been said.
async fn read_until(from: &mut (impl tokio::io::AsyncRead + Unpin), wanted: &str) -> String {
    let mut said = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&said).contains(wanted) {
            assert_ne!(from.read_buf(&mut said).await.unwrap(), 0, "{said:?}");
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, read).await.is_ok();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(in_time, "{wanted:?} was not said, but {said:?}");
    said
}

async fn status(process: &mut AttachedProcess) -> serde_json::Value {
    let status = process.take_status().unwrap();
    let status = tokio::time::timeout(DEADLINE, status).await.expect("it ends");
    serde_json::to_value(status.expect("a status")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_a_size_and_hangs_up() {
    let cluster = Cluster::start().await;
    cluster.pod("p", "exec sleep 1000").await;
    let pods = pods(&cluster).await;
    let params = AttachParams::interactive_tty();
    let mut shell = pods.exec("p", ["sh"], &params).await.unwrap();
    let (mut stdin, mut stdout) = (shell.stdin().unwrap(), shell.stdout().unwrap());
    let mut sizes = shell.terminal_size().unwrap();
    let size = TerminalSize {
        width: 97,
        height: 31,
    };
    sizes.send(size).await.unwrap();
    stdin
        .write_all(b"until stty size | grep '31 97'; do :; done\n")
        .await
        .unwrap();
    // At the end of its line, which the echo of the command does not have. A prompt may stand before it.
    read_until(&mut stdout, "31 97\r\n").await;
    stdin.write_all(b"tty; echo $TERM pid=$$ e''nd\n").await.unwrap();
    let said = read_until(&mut stdout, " end").await;
    assert!(said.contains("/dev/pts/"), "{said}");
    let pid = said
        .split("xterm pid=")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_else(|| panic!("{said}"));
    let proc = format!("/proc/{pid}");
    assert!(std::path::Path::new(&proc).exists(), "{said}");
    shell.abort();
    drop((stdin, stdout, sizes, shell));
    let gone = async {
        while std::path::Path::new(&proc).exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, gone)
        .await
        .expect("the shell ends when its terminal hangs up");
}

#[tokio::test(flavor = "multi_thread")]
async fn input_ends_and_the_exit_code_comes_back() {
    let cluster = Cluster::start().await;
    cluster.pod("p", "exec sleep 1000").await;
    let pods = pods(&cluster).await;
    let params = AttachParams::default().stdin(true).stderr(false);
    let mut process = pods
        .exec("p", ["sh", "-c", "cat; exit 5"], &params)
        .await
        .unwrap();
    let (mut stdin, mut stdout) = (process.stdin().unwrap(), process.stdout().unwrap());
    stdin.write_all(b"to the end").await.unwrap();
    stdin.shutdown().await.unwrap();
    drop(stdin);
    let mut said = String::new();
    let read = stdout.read_to_string(&mut said);
    tokio::time::timeout(DEADLINE, read)
        .await
        .expect("in time")
        .unwrap();
    assert_eq!(said, "to the end");
    let status = status(&mut process).await;
    assert_eq!(status["reason"], "NonZeroExitCode");
    assert_eq!(
        status["details"]["causes"][0],
        json!({"reason": "ExitCode", "message": "5"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_with_a_terminal_reaches_the_container() {
    let cluster = Cluster::start().await;
    let container = json!({"command": ["sh", "-c", "read line; echo got $line; tty; sleep 1000"], "stdin": true, "tty": true});
    cluster.pod_of("p", container).await;
    let pods = pods(&cluster).await;
    let mut attached = pods.attach("p", &AttachParams::interactive_tty()).await.unwrap();
    let (mut stdin, mut stdout) = (attached.stdin().unwrap(), attached.stdout().unwrap());
    stdin.write_all(b"hello\n").await.unwrap();
    let said = read_until(&mut stdout, "/dev/pts/").await;
    assert!(said.contains("got hello"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_forwarded_through_channels() {
    let cluster = Cluster::start().await;
    let pod = cluster
        .pod(
            "p",
            "exec python3 -m http.server 8000 --directory /usr/share/common-licenses",
        )
        .await;
    let address = pod.status.unwrap().pod_ip.unwrap();
    let listens = async {
        while tokio::net::TcpStream::connect((address.as_str(), 8000))
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, listens).await.expect("it listens");
    let pods = pods(&cluster).await;
    let mut forward = pods.portforward("p", &[8000, 9]).await.unwrap();
    let mut stream = forward.take_stream(8000).unwrap();
    stream.write_all(b"GET /GPL-3 HTTP/1.0\r\n\r\n").await.unwrap();
    let said = read_until(&mut stream, "END OF TERMS AND CONDITIONS").await;
    assert!(said.starts_with("HTTP/1.0 200 OK"), "{said}");
    let error = forward.take_error(9).unwrap();
    let error = tokio::time::timeout(DEADLINE, error)
        .await
        .expect("in time")
        .unwrap();
    assert!(
        error.contains("error forwarding port 9 to pod default/p"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn output_without_input_ends_with_success() {
    let cluster = Cluster::start().await;
    cluster.pod("p", "exec sleep 1000").await;
    let pods = pods(&cluster).await;
    let mut process = pods
        .exec("p", ["echo", "hello"], &AttachParams::default())
        .await
        .unwrap();
    let mut lines = tokio_util::io::ReaderStream::new(process.stdout().unwrap());
    let said = tokio::time::timeout(DEADLINE, lines.next())
        .await
        .expect("in time");
    assert_eq!(said.unwrap().unwrap().as_ref(), b"hello\n");
    assert_eq!(status(&mut process).await["status"], "Success");
}
