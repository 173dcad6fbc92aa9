//! Named formats of texts. Formats that are not known here hold for everything, as in Kubernetes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;

use crate::validation::is_subdomain;

/// Whether a text is of a format.
pub(crate) fn holds(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10,
        "duration" => duration(text).is_some(),
        "byte" => base64::engine::general_purpose::STANDARD.decode(text).is_ok(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => cidr(text),
        "mac" => mac(text),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => uuid(text, format),
        "hostname" => is_subdomain(&text.to_ascii_lowercase()),
        "email" => text.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && !domain.is_empty() && !domain.contains(['@', ' '])
        }),
        "uri" => uri(text),
        _ => true,
    }
}

fn cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse::<u8>()) else {
        return false;
    };
    bits <= if address.is_ipv4() { 32 } else { 128 }
}

fn mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    matches!(parts.len(), 6 | 8 | 20)
        && parts
            .iter()
            .all(|part| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn uuid(text: &str, format: &str) -> bool {
    let digits: String = text.chars().filter(|letter| *letter != '-').collect();
    let well_formed = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let version = format.strip_prefix("uuid").unwrap_or_default();
    well_formed && (version.is_empty() || digits[12..13] == *version)
}

/// A scheme and something behind it, or an absolute path.
fn uri(text: &str) -> bool {
    let scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    });
    (scheme || text.starts_with('/')) && !text.contains(' ')
}

/// Go's durations: `1h30m`, `1.5s`.
pub(crate) fn duration(text: &str) -> Option<jiff::SignedDuration> {
    let program = toolforge_cel::Program::compile("duration(text)").ok()?;
    match program.evaluate_values(&[("text", toolforge_cel::Value::text(text))]) {
        Ok(toolforge_cel::Value::Duration(length)) => Some(length),
        _ => None,
    }
}
