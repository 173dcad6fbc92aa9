use proptest::prelude::*;

use super::*;

#[test]
fn a_mark_while_an_account_is_being_done_leads_to_another_turn() {
    let (mut queue, now) = (Queue::new(), Instant::now());
    queue.mark("alpha");
    assert_eq!(queue.take(now), Some("alpha"));
    queue.mark("alpha");
    assert_eq!(queue.take(now), None, "not twice at once");
    queue.finish(&"alpha", Turn::Done(Some(now + Duration::from_hours(1))), now);
    assert_eq!(
        queue.take(now),
        Some("alpha"),
        "the mark is not lost, nor put off"
    );
    queue.finish(&"alpha", Turn::Done(None), now);
    assert_eq!(queue.take(now), None);
}

#[test]
fn a_mark_while_a_failing_turn_runs_is_not_put_off_either() {
    let (mut queue, now) = (Queue::new(), Instant::now());
    queue.mark("alpha");
    queue.take(now);
    queue.mark("alpha");
    queue.finish(&"alpha", Turn::Failed, now);
    assert_eq!(queue.take(now), Some("alpha"));
}

#[test]
fn failures_wait_longer_and_longer_and_a_change_ends_the_wait() {
    let (mut queue, now) = (Queue::new(), Instant::now());
    let mut waits = Vec::new();
    queue.mark("alpha");
    for _ in 0..12 {
        queue.take(now + LONGEST_RETRY).unwrap();
        queue.finish(&"alpha", Turn::Failed, now);
        waits.push(queue.next_due().unwrap() - now);
    }
    assert!(waits.is_sorted());
    assert_eq!((waits[0], waits[11]), (FIRST_RETRY, LONGEST_RETRY));
    assert_eq!(queue.take(now), None);
    queue.mark("alpha");
    assert_eq!(queue.take(now), Some("alpha"));
    queue.finish(&"alpha", Turn::Done(None), now);
    queue.mark("alpha");
    queue.take(now);
    queue.finish(&"alpha", Turn::Failed, now);
    assert_eq!(
        queue.next_due(),
        Some(now + FIRST_RETRY),
        "success starts the count anew"
    );
}

#[test]
fn one_failing_account_does_not_hold_up_another() {
    let (mut queue, now) = (Queue::new(), Instant::now());
    queue.mark("alpha");
    queue.mark("beta");
    assert_eq!((queue.take(now), queue.take(now)), (Some("alpha"), Some("beta")));
    queue.finish(&"alpha", Turn::Failed, now);
    queue.finish(&"beta", Turn::Done(None), now);
    assert_eq!(queue.take(now), None);
    assert_eq!(queue.take(now + FIRST_RETRY), Some("alpha"));
}

#[test]
fn who_waits_comes_in_the_order_of_time_and_a_mark_or_the_end_takes_the_place_of_the_wait() {
    let (mut queue, now) = (Queue::new(), Instant::now());
    let at = |seconds| now + Duration::from_secs(seconds);
    for (key, seconds) in [("alpha", 30), ("beta", 10), ("gamma", 20), ("delta", 5)] {
        queue.mark(key);
        assert_eq!(queue.take(now), Some(key));
        queue.finish(&key, Turn::Done(Some(at(seconds))), now);
    }
    queue.forget(&"delta");
    assert_eq!(queue.next_due(), Some(at(10)));
    queue.mark("beta");
    assert_eq!((queue.next_due(), queue.lengths()), (Some(at(20)), (1, 0, 2)));
    assert_eq!(queue.take(at(19)), Some("beta"));
    assert_eq!(queue.take(at(19)), None);
    assert_eq!(
        (queue.take(at(20)), queue.next_due()),
        (Some("gamma"), Some(at(30)))
    );
}

#[derive(Clone, Debug)]
enum Step {
    Mark(u8),
    Take,
    Finish(u8, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4_u8).prop_map(Step::Mark),
        Just(Step::Take),
        ((0..4_u8), any::<bool>()).prop_map(|(key, well)| Step::Finish(key, well)),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    /// Whatever happens in whatever order: every mark is followed by a turn that began after it.
    #[test]
    fn no_mark_is_ever_lost(steps in steps()) {
        let (mut queue, now) = (Queue::new(), Instant::now());
        let (mut unserved, mut running) = (BTreeSet::new(), BTreeSet::new());
        for step in steps {
            match step {
                Step::Mark(key) => {
                    queue.mark(key);
                    unserved.insert(key);
                }
                Step::Take => {
                    if let Some(key) = queue.take(now) {
                        prop_assert!(running.insert(key), "twice at once");
                        unserved.remove(&key);
                    }
                }
                Step::Finish(key, well) => {
                    if running.remove(&key) {
                        queue.finish(&key, if well { Turn::Done(None) } else { Turn::Failed }, now);
                    }
                }
            }
        }
        for key in running {
            queue.finish(&key, Turn::Done(None), now);
        }
        while let Some(key) = queue.take(now) {
            unserved.remove(&key);
            queue.finish(&key, Turn::Done(None), now);
        }
        prop_assert!(unserved.is_empty(), "never served: {unserved:?}");
    }
}
