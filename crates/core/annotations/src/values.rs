//! The values of annotations, one kind at a time. What a kind does not take is `None`; whoever reads says so.

use http::{HeaderName, HeaderValue};

/// As Go reads booleans, and so every controller.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A number of seconds, at least one.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    number(text).filter(|seconds| *seconds > 0)
}

/// A number in decimal digits.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_digits = !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

/// A size as nginx writes it: bytes, or with `k`, `m` or `g`.
pub(crate) fn size_bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let units = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("b", 1)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| lower.strip_suffix(suffix).map(|digits| (digits, *unit)))
        .unwrap_or((&lower, 1_u64));
    number(digits)?.checked_mul(unit)
}

/// A list with commas; spaces around items do not count, and there is at least one.
pub(crate) fn list(text: &str) -> Option<Vec<&str>> {
    let items: Vec<&str> = text
        .split(',')
        .map(|item| item.trim_matches(' '))
        .filter(|item| !item.is_empty())
        .collect();
    (!items.is_empty()).then_some(items)
}

/// Names of headers with commas. Those that frame messages or belong to one connection are none of a tool's business.
pub(crate) fn header_names(text: &str) -> Option<Vec<HeaderName>> {
    let name = |item: &str| {
        let is_plain = item
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        HeaderName::try_from(item).ok().filter(|_| is_plain)
    };
    list(text)?.into_iter().map(name).collect()
}

/// A path: an absolute one, of characters that mean nothing else anywhere.
pub(crate) fn path(text: &str) -> Option<&str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!&*+,=:@?".contains(&b);
    let is_path = text.starts_with('/') && !text.starts_with("//") && text.len() <= 1024;
    (is_path && text.bytes().all(is_plain)).then_some(text)
}

/// A host, with a port or without.
pub(crate) fn host(text: &str) -> Option<&str> {
    let (name, port) = text.split_once(':').unwrap_or((text, "1"));
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let is_host = !name.is_empty() && name.len() <= 253 && name.bytes().all(is_name);
    (is_host && port_number(port).is_some()).then_some(text)
}

/// The number of a port.
pub(crate) fn port_number(text: &str) -> Option<u16> {
    let number = number(text)?;
    u16::try_from(number).ok().filter(|port| *port != 0)
}

/// A text of visible characters as a header's value.
pub(crate) fn header_value(text: &str) -> Option<HeaderValue> {
    let is_visible = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    HeaderValue::from_str(text).ok().filter(|_| is_visible)
}

/// A label of DNS, as names of Services are.
pub(crate) fn label(text: &str) -> Option<&str> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = !text.is_empty() && text.len() <= 63 && text.bytes().all(is_plain);
    (is_label && !text.starts_with('-') && !text.ends_with('-')).then_some(text)
}

/// A value that nobody could misunderstand, for annotations that do nothing here.
pub(crate) fn is_harmless(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_., ".contains(&b);
    text.len() <= 64 && text.bytes().all(is_plain)
}

/// The characters of a URL in which variables may stand, of which none ends a value or begins another one anywhere.
pub(crate) fn is_url_text(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#@!&*+,=%${}".contains(&b);
    text.len() <= 1024 && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::{boolean, header_names, host, label, path, seconds, size_bytes};

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1000", Some(1000)),
            ("8k", Some(8 << 10)),
            ("8M", Some(8 << 20)),
            ("2g", Some(2 << 30)),
            ("", None),
            ("m", None),
            ("8m; return 200", None),
            ("-1", None),
            ("8mm", None),
            ("99999999999999999999g", None),
        ] {
            assert_eq!(size_bytes(text), bytes, "{text}");
        }
    }

    #[test]
    fn what_could_mean_something_else_is_none() {
        assert_eq!((boolean("yes"), boolean("True")), (None, Some(true)));
        assert_eq!(
            (seconds("0"), seconds("1s"), seconds("+1"), seconds("60")),
            (None, None, None, Some(60))
        );
        for text in [
            "",
            "x",
            "//evil.example",
            "/a b",
            "/a\n",
            "/a;b",
            "/a\\b",
            "/\"",
            "/$uri",
        ] {
            assert_eq!(path(text), None, "{text:?}");
        }
        for text in ["", ":80", "a:", "a:0", "a:99999", "a b", "a\r\nb", "a/b", "[::1]"] {
            assert_eq!(host(text), None, "{text:?}");
        }
        for text in ["", "a b", "X-A; }", "x\n", ",", "a:b"] {
            assert_eq!(header_names(text), None, "{text:?}");
        }
        for text in ["", "A", "-a", "a-", "a.b", "a/b"] {
            assert_eq!(label(text), None, "{text:?}");
        }
    }
}
