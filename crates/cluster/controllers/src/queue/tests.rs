use super::*;

#[tokio::test]
async fn a_key_added_twice_is_worked_on_once() {
    let queue = Queue::new();
    queue.add("a");
    queue.add("a");
    queue.add("b");
    assert_eq!(queue.next().await, "a");
    assert_eq!(queue.next().await, "b");
}

#[tokio::test]
async fn a_key_added_during_its_work_comes_back_afterwards_only() {
    let queue = Queue::new();
    queue.add("a");
    let key = queue.next().await;
    queue.add("a");
    queue.add("b");
    assert_eq!(queue.next().await, "b");
    queue.done(&key);
    assert_eq!(queue.next().await, "a");
}

#[test]
fn a_delayed_key_waits_and_the_earliest_wish_wins() {
    let queue = Queue::new();
    let start = Instant::now();
    let mut inner = queue.inner.lock();
    for seconds in [60, 5, 30] {
        inner.add_at("a", start + Duration::from_secs(seconds));
    }
    inner.promote(start + Duration::from_secs(4));
    assert!(inner.ready.is_empty());
    inner.promote(start + Duration::from_secs(5));
    assert_eq!(inner.ready, ["a"]);
    assert!(inner.later.is_empty());
}

#[tokio::test]
async fn a_delayed_key_comes_by_itself() {
    let queue = Queue::new();
    queue.add_after("a", Duration::from_millis(1));
    assert_eq!(queue.next().await, "a");
}

#[tokio::test]
async fn a_failing_key_pauses_longer_each_time_until_it_succeeds() {
    let queue = Queue::new();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        queue.add("a");
        let key = queue.next().await;
        pauses.push(queue.failed(&key).as_millis());
    }
    assert_eq!(
        pauses,
        [
            20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_000, 10_000, 10_000
        ]
    );
    queue.add("a");
    let key = queue.next().await;
    queue.done(&key);
    queue.add("a");
    let key = queue.next().await;
    assert_eq!(queue.failed(&key).as_millis(), 20);
}
