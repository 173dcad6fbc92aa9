//! Headers as they are written. Both forms are short enough to leave in one packet.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::{
    Addresses, Header,
    read::{SIGNATURE, V1_BEGIN},
};

/// Version 1: one line of text.
pub fn write_v1(header: &Header) -> Vec<u8> {
    let begin = String::from_utf8_lossy(V1_BEGIN);
    let Header::Proxied(addresses) = header else {
        return format!("{begin}UNKNOWN\r\n").into_bytes();
    };
    let Addresses { source, destination } = of_one_family(addresses);
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    let (from_port, to_port) = (source.port(), destination.port());
    format!("{begin}{family} {from} {to} {from_port} {to_port}\r\n").into_bytes()
}

/// Version 2: binary, without TLVs.
pub fn write_v2(header: &Header) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    let Header::Proxied(addresses) = header else {
        bytes.extend([0x20, 0x00, 0, 0]);
        return bytes;
    };
    let Addresses { source, destination } = of_one_family(addresses);
    bytes.push(0x21);
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            bytes.extend([0x11, 0, 12]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
        }
        (from, to) => {
            bytes.extend([0x21, 0, 36]);
            bytes.extend(as_v6(from).octets());
            bytes.extend(as_v6(to).octets());
        }
    }
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(destination.port().to_be_bytes());
    bytes
}

/// A header has one family: where the two differ, IPv4 addresses are written in IPv6.
fn of_one_family(addresses: &Addresses) -> Addresses {
    if addresses.source.is_ipv4() == addresses.destination.is_ipv4() {
        return *addresses;
    }
    let widened = |address: SocketAddr| SocketAddrV6::new(as_v6(address.ip()), address.port(), 0, 0).into();
    Addresses {
        source: widened(addresses.source),
        destination: widened(addresses.destination),
    }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
