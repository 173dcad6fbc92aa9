//! Sockets go from one to the other, and stay where they are when the other does not serve.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::timeout;
use toolforge_serve::Handover;

const DEADLINE: Duration = Duration::from_mins(1);

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

#[tokio::test]
async fn sockets_and_what_is_in_their_queues_go_to_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/handover");
    let handover = Handover::at(&path);
    assert!(handover.take_over().await.unwrap().is_none(), "nobody is there");
    let (first, second) = (listener(), listener());
    let (of_first, of_second) = (first.local_addr().unwrap(), second.local_addr().unwrap());
    let mut waiting = TcpStream::connect(of_second).unwrap();
    let offer = handover.offer(vec![first, second]).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let is_stopped = Arc::new(AtomicBool::new(false));
    let offering = tokio::spawn({
        let is_stopped = is_stopped.clone();
        async move { offer.taken(|| is_stopped.store(true, Ordering::SeqCst)).await }
    });

    // One that takes them and ends changes nothing.
    let (sockets, predecessor) = handover.take_over().await.unwrap().unwrap();
    drop((sockets, predecessor));
    assert!(!is_stopped.load(Ordering::SeqCst));

    let (sockets, predecessor) = handover.take_over().await.unwrap().unwrap();
    let addresses: Vec<_> = sockets
        .iter()
        .map(|socket| socket.local_addr().unwrap())
        .collect();
    assert_eq!(addresses, [of_first, of_second]);
    let next = handover.offer(Vec::new()).unwrap();
    predecessor.relieve().await.unwrap();
    assert!(is_stopped.load(Ordering::SeqCst), "it stops before it says so");
    timeout(DEADLINE, offering).await.unwrap().unwrap();
    sockets[1].set_nonblocking(false).unwrap();
    let (mut accepted, _) = sockets[1].accept().unwrap();
    accepted.write_all(b"here").unwrap();
    drop(accepted);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "here");

    // The place is now that of the second.
    let ending = tokio::spawn(next.taken(|| ()));
    let (sockets, predecessor) = handover.take_over().await.unwrap().unwrap();
    assert!(sockets.is_empty());
    predecessor.relieve().await.unwrap();
    timeout(DEADLINE, ending).await.unwrap().unwrap();
    assert!(
        handover.take_over().await.unwrap().is_none(),
        "what is left is nobody"
    );
}
