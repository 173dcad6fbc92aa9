//! Amounts and times in words.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

/// How long ago, as `3d 4h 5m`: the three largest units that are not zero, from `y w d h m s` (facts section 10).
pub(crate) fn age(then: Option<Timestamp>, now: Timestamp) -> String {
    let Some(then) = then else {
        return "unknown".to_owned();
    };
    duration(Duration::from_secs(
        u64::try_from(now.as_second() - then.as_second()).unwrap_or(0),
    ))
}

/// A duration in at most three units.
pub(crate) fn duration(duration: Duration) -> String {
    const UNITS: [(&str, u64); 6] = [
        ("y", 31_536_000),
        ("w", 604_800),
        ("d", 86_400),
        ("h", 3600),
        ("m", 60),
        ("s", 1),
    ];
    const MOST: usize = 3;
    let mut left = duration.as_secs();
    let mut text = String::with_capacity(16);
    let mut said = 0;
    for (unit, seconds) in UNITS {
        let count = left / seconds;
        left %= seconds;
        if count > 0 && said < MOST {
            let gap = if said == 0 { "" } else { " " };
            // Writing to memory cannot fail.
            let _ = write!(text, "{gap}{count}{unit}");
            said += 1;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// Bytes with a binary unit, such as `1.5 GiB`.
pub(crate) fn bytes(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut whole = bytes.max(0);
    let mut tenths = 0;
    let mut unit = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    match tenths {
        0 => format!("{whole} {}", UNITS[unit]),
        tenths => format!("{whole}.{tenths} {}", UNITS[unit]),
    }
}

/// CPUs from thousandths, such as `0.25` or `3`.
pub(crate) fn cpus(millis: i64) -> String {
    let (whole, rest) = (millis.max(0) / 1000, millis.max(0) % 1000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:03}").trim_end_matches('0').to_owned()
}

/// A count with separated thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_three_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (3600, "1h"),
            (90_061, "1d 1h 1m"),
            (31_536_000 + 604_800 + 1, "1y 1w 1s"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn amounts_are_short() {
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1536), bytes(8 << 30)],
            ["0 B", "1023 B", "1.5 KiB", "8 GiB"]
        );
        assert_eq!([cpus(250), cpus(3000), cpus(7)], ["0.25", "3", "0.007"]);
        assert_eq!(
            [count(7), count(1234), count(1_234_567)],
            ["7", "1,234", "1,234,567"]
        );
    }
}
