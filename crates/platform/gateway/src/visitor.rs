//! Whose request it is: the address at the other end of the connection, or the one that a trusted proxy names. Pure.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use toolforge_annotations::Networks;

use crate::names::X_FORWARDED_FOR;

/// The visitor's address: the rightmost one that is no trusted proxy.
///
/// Each proxy writes at the right end whom it was asked by, so whatever stands further left was written by somebody
/// whom nobody vouches for. Where a proxy says something that is no address, it is the visitor itself.
pub(crate) fn visitor(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let mut visitor = peer;
    if !trusted.holds(visitor) {
        return visitor;
    }
    for value in headers.get_all(X_FORWARDED_FOR).iter().rev() {
        for item in value.as_bytes().rsplit(|byte| *byte == b',') {
            let Some(named) = address(item.trim_ascii()) else {
                return visitor;
            };
            visitor = named;
            if !trusted.holds(visitor) {
                return visitor;
            }
        }
    }
    visitor
}

/// An address, with a port or without, as proxies write it.
fn address(item: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(item).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let parsed = bare.parse::<IpAddr>().ok();
    let parsed = parsed.or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()));
    parsed.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use toolforge_annotations::Networks;

    use super::visitor;

    #[test]
    fn is_the_rightmost_address_that_is_not_trusted() {
        let trusted = Networks::read(&["10.0.0.0/8"], |_, error| panic!("{error}"));
        for (peer, fields, expected) in [
            // Nobody else may say who asks.
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["203.0.113.5, 198.51.100.1, 10.0.0.2"],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &["203.0.113.5,198.51.100.1", "10.0.0.2"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append("x-forwarded-for", HeaderValue::from_static(field));
            }
            let found = visitor(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {fields:?}");
        }
    }
}
