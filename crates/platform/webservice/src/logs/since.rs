//! `--since`: how long ago, or a moment.

use jiff::{Span, SpanRelativeTo, Timestamp};

/// The moment that is meant at `now`.
///
/// # Errors
///
/// What may be said, where this is none of it.
pub(crate) fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let rule = || {
        format!(
            "--since: {text} is neither how long ago, such as 10m, 1h30m or 2d, nor a moment, such as \
             2026-01-31T12:00:00Z"
        )
    };
    let span: Span = text.parse().map_err(|_| rule())?;
    let ago = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| rule())?;
    now.checked_sub(ago.abs()).map_err(|_| rule())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_and_moments_are_understood() {
        let now: Timestamp = "2026-03-03T12:00:00Z".parse().unwrap();
        for (text, moment) in [
            ("10m", "2026-03-03T11:50:00Z"),
            ("1h30m", "2026-03-03T10:30:00Z"),
            ("90s", "2026-03-03T11:58:30Z"),
            ("2d", "2026-03-01T12:00:00Z"),
            ("2026-03-01T00:00:00+01:00", "2026-02-28T23:00:00Z"),
        ] {
            assert_eq!(since(text, now), Ok(moment.parse().unwrap()), "{text}");
        }
        for text in ["", "yesterday", "10", "999999999h", "2026-03-01"] {
            let refused = since(text, now).unwrap_err();
            assert!(
                refused.contains("--since: ") && refused.contains("10m"),
                "{refused}"
            );
        }
    }
}
