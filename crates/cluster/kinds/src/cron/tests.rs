use super::*;

fn starts(schedule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(schedule).expect("a schedule");
    let zone = time_zone(zone).expect("a zone");
    let mut now: Timestamp = after.parse().expect("a time");
    let mut starts = Vec::new();
    while let Some(next) = schedule.next_after(now, &zone).filter(|_| starts.len() < count) {
        starts.push(next.to_string());
        now = next;
    }
    starts
}

#[test]
fn reads_what_cron_reads() {
    for schedule in [
        "* * * * *",
        "*/5 0-23 1,15 jan-MAR mon",
        "@daily",
        "@every 1h",
        "@every 1h30m10s",
        "0 0 ? * 0",
        "5/10 * * * *",
    ] {
        assert!(Schedule::parse(schedule).is_ok(), "{schedule}");
    }
}

#[test]
fn says_what_is_wrong() {
    let cases = [
        ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        (
            "a * * * *",
            "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax",
        ),
        (
            "5-1 * * * *",
            "beginning of range (5) beyond end of range (1): 5-1",
        ),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("@often", "unrecognized descriptor: @often"),
        (
            "@every x",
            "failed to parse duration @every x: time: invalid duration \"x\"",
        ),
    ];
    for (schedule, expected) in cases {
        assert_eq!(Schedule::parse(schedule), Err(expected.to_owned()));
    }
}

#[test]
fn finds_the_next_starts() {
    let cases: [(&str, &[&str]); 7] = [
        ("*/15 * * * *", &["2026-01-31T10:15:00Z", "2026-01-31T10:30:00Z"]),
        (
            "0 9-17/4 * * *",
            &["2026-01-31T13:00:00Z", "2026-01-31T17:00:00Z"],
        ),
        // Both days given: either will do.
        ("0 0 13 * fri", &["2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z"]),
        ("0 0 29 2 *", &["2028-02-29T00:00:00Z"]),
        ("0 0 31 2 *", &[]),
        ("@monthly", &["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]),
        ("@every 90s", &["2026-01-31T10:02:00Z", "2026-01-31T10:03:30Z"]),
    ];
    for (schedule, expected) in cases {
        let found = starts(schedule, "UTC", "2026-01-31T10:00:30.5Z", 2);
        assert_eq!(found[..expected.len()], *expected, "{schedule}");
        assert_eq!(found.is_empty(), expected.is_empty());
    }
}

#[test]
fn hours_are_those_of_the_zone() {
    assert_eq!(
        starts("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        // 02:30 does not exist on the 29th.
        [
            "2026-03-28T01:30:00Z",
            "2026-03-30T00:30:00Z",
            "2026-03-31T00:30:00Z"
        ]
    );
    assert_eq!(
        starts("30 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]
    );
    assert!(time_zone("Mars/Olympus").is_none() && time_zone("europe/berlin").is_none());
}
