//! `kubectl attach` and `kubectl run -i`.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::harness::{Cluster, DEADLINE, WAYS};

#[tokio::test(flavor = "multi_thread")]
async fn an_attached_client_talks_to_the_container_until_it_ends() {
    let cluster = Cluster::start().await;
    for (at, way) in WAYS.iter().enumerate() {
        let name = format!("p{at}");
        let script = "while read line; do echo got $line; echo err >&2; done; echo bye";
        let container = json!({"command": ["sh", "-c", script], "stdin": true, "stdinOnce": true});
        cluster.pod_of(&name, container).await;
        let input = b"one\ntwo\n".to_vec();
        let ended = cluster.run_with(way, &["attach", "-i", &name], input).await;
        assert!(ended.err.contains("err\nerr\n"), "{ended:?}");
        let out = ended.ok();
        assert!(out.starts_with("got one\ngot two\n"), "{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_is_not_for_once_stays_open_for_the_next_client() {
    let cluster = Cluster::start().await;
    let script = "while read line; do echo got $line; done";
    let container = json!({"command": ["sh", "-c", script], "stdin": true});
    cluster.pod_of("p", container).await;
    for (way, word) in WAYS.into_iter().zip(["one", "two"]) {
        let mut child = cluster
            .kubectl(way, &["attach", "-i", "p"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        stdin.write_all(format!("{word}\n").as_bytes()).await.unwrap();
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .expect("in time");
        assert_eq!(line.unwrap().as_deref(), Some(format!("got {word}").as_str()));
        child.kill().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_for_one_session_goes_with_it() {
    let cluster = Cluster::start().await;
    for way in WAYS {
        let overrides = json!({"spec": {"nodeName": "one"}}).to_string();
        let overrides = format!("--overrides={overrides}");
        let line = [
            "run",
            "-i",
            "--rm",
            "once",
            "--image=none",
            "--restart=Never",
            &overrides,
            "--command",
            "--",
            "sh",
            "-c",
            "read line; echo got $line; exit 3",
        ];
        let ended = cluster.run_with(way, &line, b"hello\n".to_vec()).await;
        assert!(ended.out.contains("got hello\n"), "{ended:?}");
        assert_eq!(ended.code, 3, "{ended:?}");
        let gone = cluster.run(way, &["get", "pod", "once"]).await;
        assert!(gone.err.contains("NotFound"), "{gone:?}");
    }
}
