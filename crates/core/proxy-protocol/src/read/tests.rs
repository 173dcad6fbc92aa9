//! Headers by the specification, and what must never happen whatever comes.

use proptest::prelude::*;

use crate::{Addresses, Header, HeaderError, LIMIT_BYTES, read, write_v1, write_v2};

fn proxied(source: &str, destination: &str) -> Header {
    Header::Proxied(Addresses {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    })
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}

const TCP4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb];

/// What is whole is read with its length, and no byte of what follows; what is cut anywhere waits for more.
fn is_read_as(header: &[u8], expected: Header) {
    let shown = header.escape_ascii();
    let followed = [header, b"GET / HTTP/1.1\r\n"].concat();
    assert_eq!(read(&followed), Ok(Some((expected, header.len()))), "{shown}");
    for end in 0..header.len() {
        assert_eq!(read(&header[..end]), Ok(None), "{shown} after {end} bytes");
    }
}

#[test]
fn reads_lines() {
    let longest = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    for (line, expected) in [
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            proxied("255.255.255.255:65535", "255.255.255.255:65535"),
        ),
        (
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
            proxied("192.0.2.1:56324", "198.51.100.2:443"),
        ),
        (
            "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n",
            proxied("0.0.0.0:0", "0.0.0.0:0"),
        ),
        (
            "PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 1 65535\r\n",
            proxied("[2001:db8::1]:1", "[2001:db8::2]:65535"),
        ),
        (
            "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n",
            proxied("[::ffff:192.0.2.1]:1", "[::1]:2"),
        ),
        ("PROXY UNKNOWN\r\n", Header::Own),
        ("PROXY UNKNOWN what ever 99999\r\n", Header::Own),
        (longest, Header::Own),
    ] {
        is_read_as(line.as_bytes(), expected);
    }
    assert_eq!(longest.len(), 107);
}

#[test]
fn refuses_lines_that_are_none() {
    for line in [
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 1\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 \r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
        "PROXY TCP4\t192.0.2.1 198.51.100.2 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n",
        "PROXY TCP4 192.0.2.01 198.51.100.2 56324 443\r\n",
        "PROXY TCP4 192.0.2 198.51.100.2 56324 443\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 56324 443\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 56324 443\r\n",
        "PROXY TCP6 [::1] ::1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 056324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 00 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2  443\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.2 1 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 1 443\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
    ] {
        assert!(
            matches!(read(line.as_bytes()), Err(HeaderError::Malformed(_))),
            "{line}"
        );
    }
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
    assert_eq!(read(&endless.as_bytes()[..106]), Ok(None));
    assert!(matches!(
        read(&endless.as_bytes()[..107]),
        Err(HeaderError::Malformed(_))
    ));
    assert!(matches!(
        read(b"PROXY UNKNOWN \xff\r\n"),
        Err(HeaderError::Malformed(_))
    ));
}

#[test]
fn reads_binary_headers_and_passes_over_what_follows_the_addresses() {
    let addresses = proxied("192.0.2.1:56324", "198.51.100.2:443");
    let mut tcp6 = Vec::new();
    tcp6.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    tcp6.extend("2001:db8::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    tcp6.extend([0, 1, 0, 2]);
    let tlvs = [&TCP4[..], &[0x02, 0, 1, b'a', 0x04, 0xff]].concat();
    for (header, expected) in [
        (v2(0x21, 0x11, &TCP4), addresses),
        (v2(0x21, 0x11, &tlvs), addresses),
        (
            v2(0x21, 0x21, &tcp6),
            proxied("[2001:db8::1]:1", "[2001:db8::2]:2"),
        ),
        // The proxy's own connections, whatever they bring along.
        (v2(0x20, 0x00, &[]), Header::Own),
        (v2(0x20, 0x11, &TCP4), Header::Own),
        (v2(0x20, 0x11, &[]), Header::Own),
        (v2(0x20, 0x00, &[1, 2, 3]), Header::Own),
        // Nothing that a TCP connection could have.
        (v2(0x21, 0x00, &[]), Header::Own),
        (v2(0x21, 0x00, &[4, 0, 0]), Header::Own),
        (v2(0x21, 0x12, &TCP4), Header::Own),
        (v2(0x21, 0x31, &[0; 216]), Header::Own),
        (v2(0x21, 0x00, &[0; LIMIT_BYTES - 16]), Header::Own),
    ] {
        is_read_as(&header, expected);
    }
}

#[test]
fn refuses_binary_headers_that_are_none() {
    for header in [
        v2(0x11, 0x11, &TCP4),
        v2(0x31, 0x11, &TCP4),
        v2(0x22, 0x11, &TCP4),
        v2(0x21, 0x13, &TCP4),
        v2(0x21, 0x41, &TCP4),
        v2(0x21, 0x11, &TCP4[..11]),
        v2(0x21, 0x21, &[0; 35]),
        v2(0x21, 0x31, &[0; 215]),
    ] {
        let read = read(&header);
        assert!(
            matches!(read, Err(HeaderError::Malformed(_))),
            "{}",
            header.escape_ascii()
        );
    }
    let too_long = v2(0x20, 0x00, &[0; LIMIT_BYTES - 15]);
    assert_eq!(read(&too_long[..15]), Ok(None));
    assert_eq!(read(&too_long[..16]), Err(HeaderError::TooLong));
}

#[test]
fn what_begins_like_no_header_is_refused_at_its_first_wrong_byte() {
    for bytes in [
        &b"G"[..],
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"PROXX",
        b"proxy ",
        b"PROXY\r\n",
        b"\r\n\r\n\0\r\nQUITX",
        b"PRI * HTTP/2.0\r\n",
    ] {
        assert_eq!(read(bytes), Err(HeaderError::Missing), "{}", bytes.escape_ascii());
    }
    assert_eq!(read(b""), Ok(None));
}

#[test]
fn families_that_differ_are_written_as_one() {
    let mixed = proxied("192.0.2.1:1", "[2001:db8::2]:2");
    let widened = proxied("[::ffff:192.0.2.1]:1", "[2001:db8::2]:2");
    for written in [write_v1(&mixed), write_v2(&mixed)] {
        is_read_as(&written, widened);
    }
}

fn any_header() -> impl Strategy<Value = Header> {
    let v4 = || any::<([u8; 4], u16)>().prop_map(std::net::SocketAddr::from);
    let v6 = || any::<([u8; 16], u16)>().prop_map(std::net::SocketAddr::from);
    prop_oneof![
        Just(Header::Own),
        (v4(), v4()).prop_map(|(source, destination)| Header::Proxied(Addresses { source, destination })),
        (v6(), v6()).prop_map(|(source, destination)| Header::Proxied(Addresses { source, destination })),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(header in any_header()) {
        for written in [write_v1(&header), write_v2(&header)] {
            is_read_as(&written, header);
        }
    }

    #[test]
    fn a_verdict_stands_whatever_follows(
        begin in prop_oneof![Just(&b"PROXY "[..]), Just(&b"\r\n\r\n\0\r\nQUIT\n"[..]), Just(&b""[..])],
        rest in proptest::collection::vec(any::<u8>(), 0..140),
    ) {
        let bytes = [begin, &rest].concat();
        let mut settled = Ok(None);
        for end in 0..=bytes.len() {
            let now = read(&bytes[..end]);
            if settled != Ok(None) {
                prop_assert_eq!(now, settled);
            }
            if let Ok(Some((_, length))) = now {
                prop_assert!(length <= end);
            }
            settled = now;
        }
    }
}
