use super::*;

fn election() -> Election {
    Election::new(
        "toolforge-system".to_owned(),
        "toolforge-accounts".to_owned(),
        "one".to_owned(),
        Duration::from_secs(15),
    )
}

#[test]
fn a_free_lease_may_be_taken_at_once_and_a_held_one_when_its_holder_has_been_silent() {
    let (election, now) = (election(), Instant::now());
    let own = election.lease_duration;
    let mut observed = Observed::new(None, now);
    assert_eq!(observed.free_at(own), now);
    let mut held = next(&election, None, Some("two"), Timestamp::UNIX_EPOCH);
    let later = now + Duration::from_mins(1);
    observed.see(Some(held.clone()), later);
    assert_eq!(
        observed.free_at(own),
        later + own,
        "its clock does not count, ours does"
    );
    observed.see(Some(held.clone()), later + own);
    assert_eq!(observed.free_at(own), later + own, "seen again is not renewed");
    held.spec.as_mut().unwrap().lease_duration_seconds = Some(3);
    observed.see(Some(held.clone()), later);
    assert_eq!(observed.free_at(own), later + Duration::from_secs(3));
    observed.see(
        Some(next(&election, Some(&held), None, Timestamp::UNIX_EPOCH)),
        later,
    );
    assert_eq!(observed.free_at(own), later, "released");
}

#[test]
fn counts_changes_of_the_holder_and_keeps_the_time_of_acquisition() {
    let election = election();
    let at = |second| Timestamp::from_second(second).unwrap();
    let spec = |lease: &Lease| lease.spec.clone().unwrap();
    let first = next(&election, None, Some("one"), at(1));
    let renewed = next(&election, Some(&first), Some("one"), at(2));
    let released = next(&election, Some(&renewed), None, at(3));
    let other = next(&election, Some(&released), Some("two"), at(4));
    assert_eq!(spec(&renewed).acquire_time, Some(MicroTime(at(1))));
    assert_eq!(spec(&renewed).renew_time, Some(MicroTime(at(2))));
    assert_eq!(
        [&first, &renewed, &released, &other].map(|lease| spec(lease).lease_transitions),
        [Some(0), Some(0), Some(0), Some(1)]
    );
    assert_eq!(holder(&released), None);
}
