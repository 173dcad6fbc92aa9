use std::{
    sync::mpsc::Receiver,
    thread::ThreadId,
    time::{Duration, Instant},
};

use super::*;

const LONGEST: Duration = Duration::from_secs(10);

/// Begins work that says which thread it is on, and ends when the second part of the answer is dropped.
fn begin(threads: &Threads) -> (ThreadId, Sender<()>) {
    let (say, heard) = channel();
    let (let_go, held): (Sender<()>, Receiver<()>) = channel();
    let work = move || {
        say.send(std::thread::current().id()).unwrap();
        let _ = held.recv();
    };
    threads.run(Box::new(work)).unwrap();
    (heard.recv_timeout(LONGEST).unwrap(), let_go)
}

/// Waits until so many threads wait for work.
fn until_idle(threads: &Threads, count: usize) {
    let ends = Instant::now() + LONGEST;
    while threads.idle.lock().len() != count {
        assert!(
            Instant::now() < ends,
            "{} threads wait",
            threads.idle.lock().len()
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_thread_that_is_done_takes_the_next_piece_and_one_that_is_stuck_is_replaced() {
    let threads = Threads::default();
    let (first, let_go) = begin(&threads);
    let (second, let_second_go) = begin(&threads);
    assert_ne!(first, second, "nothing waits behind work that is stuck");
    drop(let_second_go);
    until_idle(&threads, 1);
    assert_eq!(begin(&threads).0, second);
    drop(let_go);
    until_idle(&threads, 2);
}

#[test]
fn a_thread_survives_work_that_panics() {
    let threads = Threads::default();
    threads.run(Box::new(|| panic!("on purpose"))).unwrap();
    until_idle(&threads, 1);
    let (_, let_go) = begin(&threads);
    assert_eq!(threads.idle.lock().len(), 0);
    drop(let_go);
}

#[test]
fn no_more_wait_than_are_needed_and_none_when_nobody_has_work() {
    let threads = Threads::default();
    let held: Vec<_> = (0..MOST_IDLE + 3).map(|_| begin(&threads)).collect();
    drop(held);
    until_idle(&threads, MOST_IDLE);
    let idle = Arc::downgrade(&threads.idle);
    drop(threads);
    let ends = Instant::now() + LONGEST;
    while idle.strong_count() > 0 {
        assert!(Instant::now() < ends, "the threads hold on to each other");
        std::thread::yield_now();
    }
}
