//! Which loopback address each Pod has.
//!
//! The agent takes one per Pod and gives it back when the Pod is gone. After a restart of the node the addresses in
//! the Pods' status are taken again first, so that Pods keep theirs.

use std::{collections::BTreeSet, net::Ipv4Addr, ops::RangeInclusive};

/// The second octet of all Pod networks, of every platform of this machine: 127.64.0.0/16 to 127.95.0.0/16.
const POD_NETWORKS: RangeInclusive<u8> = 64..=95;
/// The second octet of all Service networks: 127.96.0.0/16 to 127.127.0.0/16.
const SERVICE_NETWORKS: RangeInclusive<u8> = 96..=127;

/// The /16 of one platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network([u8; 2]);

impl Network {
    /// The /16 that an address lies in.
    pub(crate) fn of(base: Ipv4Addr) -> Self {
        let [a, b, _, _] = base.octets();
        Self([a, b])
    }

    /// Whether an address lies in it.
    pub(crate) fn holds(self, address: Ipv4Addr) -> bool {
        address.octets()[..2] == self.0
    }
}

/// Hands out addresses, the longest unused first, so that a client of a Pod that is gone meets nobody else soon.
#[derive(Debug)]
pub(crate) struct Addresses {
    network: Network,
    taken: BTreeSet<u16>,
    last: u16,
}

impl Addresses {
    /// All addresses of a network, none of them taken.
    pub(crate) fn new(network: Network) -> Self {
        Self {
            network,
            taken: BTreeSet::new(),
            last: 0,
        }
    }

    /// Takes this address for a Pod that had it before. False when it is not one of ours or somebody has it.
    pub(crate) fn retake(&mut self, address: Ipv4Addr) -> bool {
        let Some(number) = self.number_of(address) else {
            return false;
        };
        if !self.taken.insert(number) {
            return false;
        }
        self.last = self.last.max(number);
        true
    }

    /// A free address; none when all 65,000 are taken.
    pub(crate) fn take(&mut self) -> Option<Ipv4Addr> {
        let free = (1..=u16::MAX)
            .map(|step| self.last.wrapping_add(step))
            .find(|number| usable(*number) && !self.taken.contains(number))?;
        self.taken.insert(free);
        self.last = free;
        let ([a, b], [c, d]) = (self.network.0, free.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    }

    /// Gives an address back.
    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        if let Some(number) = self.number_of(address) {
            self.taken.remove(&number);
        }
    }

    fn number_of(&self, address: Ipv4Addr) -> Option<u16> {
        let [_, _, c, d] = address.octets();
        let number = u16::from_be_bytes([c, d]);
        (self.network.holds(address) && usable(number)).then_some(number)
    }
}

/// Whether an address is some Pod's, of this platform or another one of this machine.
pub(crate) fn is_pod_address(address: Ipv4Addr) -> bool {
    let [a, b, _, _] = address.octets();
    a == 127 && POD_NETWORKS.contains(&b)
}

/// Whether an address is some Service's, of this platform or another one of this machine.
pub(crate) fn is_service_address(address: Ipv4Addr) -> bool {
    let [a, b, _, _] = address.octets();
    a == 127 && SERVICE_NETWORKS.contains(&b)
}

/// What looks like a network's own or broadcast address surprises people; the first looks like a gateway.
fn usable(number: u16) -> bool {
    let [_, last] = number.to_be_bytes();
    number > 1 && last != 0 && last != 255
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses::new(Network::of(Ipv4Addr::new(127, 70, 0, 0)))
    }

    #[test]
    fn two_pods_never_share_an_address() {
        let mut addresses = addresses();
        let mut seen = BTreeSet::new();
        for _ in 0..1_000 {
            let address = addresses.take().expect("free");
            assert!(is_pod_address(address) && !is_service_address(address));
            assert!(seen.insert(address), "{address} was given twice");
        }
    }

    #[test]
    fn an_address_given_back_is_not_the_next_to_be_given() {
        let mut addresses = addresses();
        let first = addresses.take().expect("free");
        addresses.release(first);
        assert_ne!(addresses.take(), Some(first));
    }

    #[test]
    fn a_pod_keeps_its_address_over_a_restart() {
        let mut addresses = addresses();
        let kept = Ipv4Addr::new(127, 70, 0, 2);
        assert!(addresses.retake(kept));
        assert!(!addresses.retake(kept), "nobody else may have it");
        assert_ne!(addresses.take(), Some(kept));
    }

    #[test]
    fn addresses_of_other_networks_are_not_taken() {
        let mut addresses = addresses();
        for text in ["10.0.0.7", "127.0.0.1", "127.70.0.0", "127.64.0.2", "127.96.0.1"] {
            assert!(!addresses.retake(text.parse().expect("address")), "{text}");
        }
    }
}
