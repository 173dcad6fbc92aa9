//! What becomes of a `bind`: from the bytes of an address to a verdict. Pure.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::address::{is_pod_address, is_service_address};

/// What to do with a `bind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Bind to this address in its place.
    Rebind(SocketAddr),
    /// Somebody else's address.
    Refuse,
    /// Not ours to decide.
    Continue,
}

/// Longest address that is looked at, in bytes: that of an IPv6 socket.
pub(super) const ADDRESS_BYTES: usize = 28;
/// Shortest addresses that the kernel takes, in bytes.
const V4_BYTES: usize = 16;
const V6_BYTES: usize = 24;

/// Judges the address that a Pod's process wants to bind to; `own` is the Pod's. "Everywhere" and "this machine"
/// mean the Pod's own address, other Pods' and Services' addresses are refused.
pub(super) fn judge(sockaddr: &[u8], own: Ipv4Addr) -> Verdict {
    let Some(family) = sockaddr
        .first_chunk::<2>()
        .map(|bytes| u16::from_ne_bytes(*bytes))
    else {
        return Verdict::Continue;
    };
    match i32::from(family) {
        libc::AF_INET if sockaddr.len() >= V4_BYTES => {
            let (address, port) = (ipv4_at(sockaddr, 4), port(sockaddr));
            judge_v4(address, own, SocketAddr::V4(SocketAddrV4::new(own, port)))
        }
        libc::AF_INET6 if sockaddr.len() >= V6_BYTES => judge_v6(sockaddr, own),
        // The kernel takes "everywhere" of no family for IPv4's (`inet_bind`).
        libc::AF_UNSPEC if sockaddr.len() >= V4_BYTES && ipv4_at(sockaddr, 4).is_unspecified() => {
            Verdict::Rebind(SocketAddr::V4(SocketAddrV4::new(own, port(sockaddr))))
        }
        _ => Verdict::Continue,
    }
}

fn judge_v4(address: Ipv4Addr, own: Ipv4Addr, redirected: SocketAddr) -> Verdict {
    if address.is_unspecified() || address == Ipv4Addr::LOCALHOST {
        return Verdict::Rebind(redirected);
    }
    let foreign = (is_pod_address(address) && address != own) || is_service_address(address);
    if foreign {
        Verdict::Refuse
    } else {
        Verdict::Continue
    }
}

fn judge_v6(sockaddr: &[u8], own: Ipv4Addr) -> Verdict {
    let mut octets = [0; 16];
    octets.copy_from_slice(&sockaddr[8..24]);
    let address = std::net::Ipv6Addr::from(octets);
    let mapped = SocketAddr::V6(SocketAddrV6::new(own.to_ipv6_mapped(), port(sockaddr), 0, 0));
    if address.is_unspecified() || address.is_loopback() {
        return Verdict::Rebind(mapped);
    }
    match address.to_ipv4_mapped() {
        Some(inner) => judge_v4(inner, own, mapped),
        None => Verdict::Continue,
    }
}

fn port(sockaddr: &[u8]) -> u16 {
    u16::from_be_bytes([sockaddr[2], sockaddr[3]])
}

fn ipv4_at(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv6Addr;

    const OWN: Ipv4Addr = Ipv4Addr::new(127, 64, 0, 2);

    fn v4(address: &str, port: u16) -> Vec<u8> {
        let address: Ipv4Addr = address.parse().expect("address");
        let mut bytes = u16::try_from(libc::AF_INET)
            .expect("family")
            .to_ne_bytes()
            .to_vec();
        bytes.extend(port.to_be_bytes());
        bytes.extend(address.octets());
        bytes.extend([0; 8]);
        bytes
    }

    fn v6(address: &str, port: u16) -> Vec<u8> {
        let address: Ipv6Addr = address.parse().expect("address");
        let mut bytes = u16::try_from(libc::AF_INET6)
            .expect("family")
            .to_ne_bytes()
            .to_vec();
        bytes.extend(port.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(address.octets());
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn everywhere_and_this_machine_mean_the_pods_own_address() {
        let own = Verdict::Rebind(SocketAddr::from((OWN, 8000)));
        assert_eq!(judge(&v4("0.0.0.0", 8000), OWN), own);
        assert_eq!(judge(&v4("127.0.0.1", 8000), OWN), own);
        let mut no_family = v4("0.0.0.0", 8000);
        no_family[..2].fill(0);
        assert_eq!(judge(&no_family, OWN), own);
        let mapped = Verdict::Rebind(SocketAddr::from((OWN.to_ipv6_mapped(), 0)));
        for address in ["::", "::1", "::ffff:0.0.0.0", "::ffff:127.0.0.1"] {
            assert_eq!(judge(&v6(address, 0), OWN), mapped, "{address}");
        }
    }

    #[test]
    fn addresses_of_other_pods_and_of_services_are_refused() {
        for address in ["127.64.0.3", "127.64.255.1", "127.96.0.1"] {
            assert_eq!(judge(&v4(address, 80), OWN), Verdict::Refuse, "{address}");
            assert_eq!(
                judge(&v6(&format!("::ffff:{address}"), 80), OWN),
                Verdict::Refuse,
                "{address}"
            );
        }
    }

    #[test]
    fn the_kernel_decides_about_everything_else() {
        assert_eq!(judge(&v4("127.64.0.2", 80), OWN), Verdict::Continue);
        assert_eq!(judge(&v4("10.0.0.1", 80), OWN), Verdict::Continue);
        assert_eq!(judge(&v6("2001:db8::1", 80), OWN), Verdict::Continue);
        assert_eq!(
            judge(&[1, 0, b'/', b'x'], OWN),
            Verdict::Continue,
            "a Unix socket"
        );
        assert_eq!(
            judge(&v4("0.0.0.0", 80)[..8], OWN),
            Verdict::Continue,
            "cut short"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            judge(&bytes, OWN);
        }
    }
}
