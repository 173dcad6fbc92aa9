use std::time::Duration;

use super::{super::store::LogStore, *};
use crate::runtime::{ContainerPlace, OutputSink};

/// How long a condition may take on a loaded machine.
const DEADLINE: Duration = Duration::from_mins(1);

struct Open {
    store: LogStore,
    sink: std::sync::Arc<dyn OutputSink>,
    _state: tempfile::TempDir,
}

fn open() -> Open {
    let state = tempfile::tempdir().expect("folder");
    let store = LogStore::open(state.path()).expect("store");
    store.register("n", "p", "u", &["c"]);
    let text = |text: &str| text.to_owned();
    let place = ContainerPlace {
        namespace: text("n"),
        pod: text("p"),
        pod_uid: text("u"),
        container: text("c"),
        attempt: 0,
    };
    let sink = store.create(&place).expect("log");
    Open {
        store,
        sink,
        _state: state,
    }
}

impl Open {
    fn read(&self, query: Query) -> mpsc::Receiver<io::Result<Bytes>> {
        let log = self.store.find("n", "p", "c", false).expect("log");
        let (out, pieces) = mpsc::channel(4);
        tokio::spawn(follow(log, query, out));
        pieces
    }
}

async fn rest(mut pieces: mpsc::Receiver<io::Result<Bytes>>) -> String {
    let mut text = Vec::new();
    let all = async {
        while let Some(piece) = pieces.recv().await {
            text.extend(piece.expect("piece"));
        }
    };
    tokio::time::timeout(DEADLINE, all).await.expect("the log ends");
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn what_is_there_is_read_and_the_reading_ends() {
    let open = open();
    open.sink.write(false, b"one\ntwo\nthree\nunfinished");
    assert_eq!(rest(open.read(Query::default())).await, "one\ntwo\nthree\n");
    assert_eq!(
        rest(open.read(Query {
            tail_lines: Some(2),
            ..Query::default()
        }))
        .await,
        "two\nthree\n"
    );
    assert_eq!(
        rest(open.read(Query {
            tail_lines: Some(0),
            ..Query::default()
        }))
        .await,
        ""
    );
}

#[tokio::test]
async fn a_follower_gets_what_comes_until_the_container_ends() {
    let open = open();
    open.sink.write(false, b"one\ntwo\n");
    let mut pieces = open.read(Query {
        follow: true,
        tail_lines: Some(1),
        ..Query::default()
    });
    let first = tokio::time::timeout(DEADLINE, pieces.recv())
        .await
        .expect("in time")
        .expect("piece")
        .expect("read");
    assert_eq!(first, "two\n");
    open.sink.write(true, b"three\n");
    open.sink.close();
    assert_eq!(rest(pieces).await, "three\n");
}

#[tokio::test]
async fn a_follower_survives_the_change_of_files() {
    let open = open();
    let mut pieces = open.read(Query {
        follow: true,
        ..Query::default()
    });
    let line = vec![b'x'; 16_000];
    let mut expected = 0;
    let mut got = 0;
    // Enough for a bit more than one file of ten mebibytes; the reader keeps up after each line.
    for _ in 0..700 {
        open.sink.write(false, &line);
        open.sink.write(false, b"\n");
        expected += line.len() + 1;
        while got < expected {
            let piece = tokio::time::timeout(DEADLINE, pieces.recv())
                .await
                .expect("in time")
                .expect("piece");
            got += piece.expect("read").len();
        }
    }
    open.sink.close();
    assert_eq!(rest(pieces).await, "");
    assert_eq!(got, expected);
}
