use super::*;
use crate::config::RENEW_BEFORE;

const DAY: Duration = Duration::from_hours(24);

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn certificate(age: Duration, left: Duration) -> Certified {
    let now: SystemTime = now().into();
    Certified {
        common_name: "alpha".to_owned(),
        organizations: vec![],
        not_before: now - age,
        not_after: now + left,
    }
}

fn decision(marker: Option<Duration>, certificate: Option<&Certified>) -> Decision {
    decide(
        now(),
        marker.map(|left| now() + left),
        certificate,
        "alpha",
        RENEW_BEFORE,
    )
}

#[test]
fn without_marker_or_files_there_are_new_credentials() {
    let year = certificate(DAY, 364 * DAY);
    assert_eq!(decision(None, Some(&year)), Decision::Issue(Why::NoMarker));
    assert_eq!(decision(Some(364 * DAY), None), Decision::Issue(Why::NoFiles));
    let other = Certified {
        common_name: "beta".to_owned(),
        ..year
    };
    assert_eq!(
        decision(Some(364 * DAY), Some(&other)),
        Decision::Issue(Why::NoFiles)
    );
}

#[test]
fn a_marker_29_days_ahead_renews_and_one_31_days_ahead_does_not() {
    let year = certificate(DAY, 364 * DAY);
    assert_eq!(
        decision(Some(29 * DAY), Some(&year)),
        Decision::Issue(Why::Ending)
    );
    assert_eq!(
        decision(Some(30 * DAY), Some(&year)),
        Decision::Issue(Why::Ending)
    );
    assert_eq!(decision(Some(31 * DAY), Some(&year)), Decision::Keep(now() + DAY));
}

#[test]
fn short_lifetimes_are_renewed_at_two_thirds() {
    let minute = Duration::from_mins(1);
    let hour = certificate(39 * minute, 21 * minute);
    assert_eq!(
        decision(Some(21 * minute), Some(&hour)),
        Decision::Keep(now() + minute)
    );
    let later = certificate(41 * minute, 19 * minute);
    assert_eq!(
        decision(Some(19 * minute), Some(&later)),
        Decision::Issue(Why::Ending)
    );
}

#[test]
fn a_certificate_that_ends_before_its_marker_is_renewed_in_time() {
    let ending = certificate(360 * DAY, 5 * DAY);
    assert_eq!(
        decision(Some(300 * DAY), Some(&ending)),
        Decision::Issue(Why::Ending)
    );
}
