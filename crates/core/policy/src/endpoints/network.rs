//! A network of addresses, as `ADDRESS/BITS`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpNetwork {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "network is not allowed: write ADDRESS/BITS, such as 172.16.0.0/21, with no bit of the address set after BITS"
)]
pub struct IpNetworkError;

impl IpNetwork {
    /// Whether the address is in this network. IPv4 addresses in the clothes of IPv6 are what they are inside.
    pub fn holds(&self, address: IpAddr) -> bool {
        let (own, other) = (number(self.address), number(address.to_canonical()));
        own.1 == other.1 && (own.0 ^ other.0) & !host_bits(own.1, self.bits) == 0
    }

    /// The first address of it.
    pub fn first(&self) -> IpAddr {
        self.address
    }

    /// The last address of it.
    pub fn last(&self) -> IpAddr {
        let (value, all) = number(self.address);
        let last = value | host_bits(all, self.bits);
        match self.address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(last).unwrap_or(u32::MAX).into()),
            IpAddr::V6(_) => IpAddr::V6(last.into()),
        }
    }
}

/// The bits of an address, and how many there are.
fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

/// The bits after the first `bits` of `all`.
fn host_bits(all: u8, bits: u8) -> u128 {
    let free = u32::from(all - bits);
    u128::MAX.checked_shr(128 - free).unwrap_or_default()
}

impl FromStr for IpNetwork {
    type Err = IpNetworkError;

    fn from_str(text: &str) -> Result<Self, IpNetworkError> {
        let (address, bits) = text.split_once('/').ok_or(IpNetworkError)?;
        let address: IpAddr = address.parse().map_err(|_| IpNetworkError)?;
        let bits: u8 = bits.parse().map_err(|_| IpNetworkError)?;
        let (value, all) = number(address);
        if bits > all || value & host_bits(all, bits) != 0 || address.to_canonical() != address {
            return Err(IpNetworkError);
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::IpNetwork;

    fn holds(network: &str, address: &str) -> bool {
        network
            .parse::<IpNetwork>()
            .unwrap()
            .holds(address.parse().unwrap())
    }

    #[test]
    fn holds_what_begins_with_its_bits() {
        assert!(holds("172.16.0.0/21", "172.16.7.255"));
        assert!(!holds("172.16.0.0/21", "172.16.8.0"));
        assert!(holds("192.0.2.1/32", "192.0.2.1") && !holds("192.0.2.1/32", "192.0.2.2"));
        assert!(holds("0.0.0.0/0", "255.255.255.255") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("172.16.0.0/21", "::ffff:172.16.0.1") && !holds("::/0", "::ffff:10.0.0.1"));
    }

    #[test]
    fn goes_from_its_first_address_to_its_last() {
        for (network, first, last) in [
            ("172.16.0.0/21", "172.16.0.0", "172.16.7.255"),
            ("192.0.2.1/32", "192.0.2.1", "192.0.2.1"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            (
                "2001:db8::/32",
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            ),
        ] {
            let network: IpNetwork = network.parse().unwrap();
            let expected: [IpAddr; 2] = [first, last].map(|address| address.parse().unwrap());
            assert_eq!([network.first(), network.last()], expected, "{network}");
        }
    }

    #[test]
    fn refuses_what_is_no_network() {
        for text in [
            "",
            "172.16.0.0",
            "172.16.0.0/33",
            "172.16.0.1/21",
            "::/129",
            "::ffff:10.0.0.0/104",
            "x/8",
            "1/8",
        ] {
            assert!(text.parse::<IpNetwork>().is_err(), "{text}");
        }
    }
}
