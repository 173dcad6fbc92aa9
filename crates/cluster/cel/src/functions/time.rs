//! Moments and lengths of time.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::evaluate::{Evaluation, Found};
use crate::program::EvaluateError;
use crate::value::Value;

/// Calls a function of this library.
pub(super) fn call(_: &mut Evaluation, name: &str, _method: bool, values: &[Value]) -> Option<Found> {
    match values {
        [Value::Duration(length)] => of_duration(name, *length).map(|number| Ok(Value::Int(number))),
        [Value::Timestamp(at)] => {
            let at = at.to_zoned(TimeZone::UTC);
            of_moment(name, &at).map(|number| Ok(Value::Int(number)))
        }
        [Value::Timestamp(at), Value::Text(zone)] => match in_zone(*at, zone) {
            Some(at) => of_moment(name, &at).map(|number| Ok(Value::Int(number))),
            None => Some(Err(EvaluateError::Failed(format!("unknown time zone {zone}")))),
        },
        _ => None,
    }
}

/// Zones are offsets here; names of places would need a database that changes with the machine.
fn in_zone(at: Timestamp, zone: &str) -> Option<Zoned> {
    if zone == "UTC" {
        return Some(at.to_zoned(TimeZone::UTC));
    }
    let (sign, digits) = match zone.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, zone.strip_prefix('+').unwrap_or(zone)),
    };
    let (hours, minutes) = digits.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..24).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let offset = Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()?;
    Some(at.to_zoned(TimeZone::fixed(offset)))
}

fn of_moment(name: &str, at: &Zoned) -> Option<i64> {
    Some(match name {
        "getFullYear" => i64::from(at.year()),
        "getMonth" => i64::from(at.month()) - 1,
        "getDayOfYear" => i64::from(at.day_of_year()) - 1,
        "getDayOfMonth" => i64::from(at.day()) - 1,
        "getDate" => i64::from(at.day()),
        "getDayOfWeek" => i64::from(at.weekday().to_sunday_zero_offset()),
        "getHours" => i64::from(at.hour()),
        "getMinutes" => i64::from(at.minute()),
        "getSeconds" => i64::from(at.second()),
        "getMilliseconds" => i64::from(at.millisecond()),
        _ => return None,
    })
}

fn of_duration(name: &str, length: SignedDuration) -> Option<i64> {
    Some(match name {
        "getHours" => length.as_secs() / 3600,
        "getMinutes" => length.as_secs() / 60,
        "getSeconds" => length.as_secs(),
        "getMilliseconds" => i64::from(length.subsec_millis()),
        _ => return None,
    })
}

/// Reads `1h30m`, `1.5s`, `-10ms`, as Go's `time.ParseDuration` does.
pub(super) fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (digits, after) = rest.split_at(end);
        let (unit, after) = unit(after)?;
        rest = after;
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && part.is_empty() || whole.len() > 18 || part.len() > 18 || part.contains('.') {
            return None;
        }
        let number = |text: &str| {
            if text.is_empty() {
                Some(0)
            } else {
                text.parse::<i128>().ok()
            }
        };
        let scale = 10_i128.pow(u32::try_from(part.len()).ok()?);
        nanos = nanos.checked_add(number(whole)?.checked_mul(unit)?)?;
        nanos = nanos.checked_add(number(part)?.checked_mul(unit)? / scale)?;
    }
    let nanos = i64::try_from(if negative { -nanos } else { nanos }).ok()?;
    Some(SignedDuration::from_nanos(nanos))
}

fn unit(text: &str) -> Option<(i128, &str)> {
    const UNITS: &[(&str, i128)] = &[
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    UNITS
        .iter()
        .find_map(|(name, nanos)| Some((*nanos, text.strip_prefix(name)?)))
}
