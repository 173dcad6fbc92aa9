//! Sets of addresses, as operators write them and as requests ask them: sorted ranges, so that a list of thousands
//! costs a few comparisons. Pure.

use std::net::IpAddr;

/// Addresses of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// First and last addresses, sorted, without overlaps.
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

/// Why a text is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an address or a network: write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32, with no bit of the address set after the length"
)]
pub struct NetworkError;

impl Networks {
    /// Addresses, and networks as `ADDRESS/BITS`. What is neither is left out and told, with its place.
    pub fn read<T: AsRef<str>>(texts: &[T], mut wrong: impl FnMut(usize, NetworkError)) -> Self {
        let mut networks = Self::default();
        for (index, text) in texts.iter().enumerate() {
            if let Err(error) = networks.add(text.as_ref()) {
                wrong(index, error);
            }
        }
        merge(&mut networks.v4);
        merge(&mut networks.v6);
        networks
    }

    fn add(&mut self, text: &str) -> Result<(), NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| NetworkError)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        // Visitors are known by their IPv4 addresses, in whatever clothes they come.
        if address.to_canonical() != address {
            return Err(NetworkError);
        }
        match address {
            IpAddr::V4(address) => {
                let free = 32_u32.checked_sub(bits.unwrap_or(32)).ok_or(NetworkError)?;
                let (first, hosts) = (u32::from(address), !u32::MAX.checked_shl(free).unwrap_or(0));
                if first & hosts != 0 {
                    return Err(NetworkError);
                }
                self.v4.push((first, first | hosts));
            }
            IpAddr::V6(address) => {
                let free = 128_u32.checked_sub(bits.unwrap_or(128)).ok_or(NetworkError)?;
                let (first, hosts) = (u128::from(address), !u128::MAX.checked_shl(free).unwrap_or(0));
                if first & hosts != 0 {
                    return Err(NetworkError);
                }
                self.v6.push((first, first | hosts));
            }
        }
        Ok(())
    }

    /// Whether an address is among them. It must be canonical: no IPv4 address inside of an IPv6 one.
    pub fn holds(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => within(&self.v4, u32::from(address)),
            IpAddr::V6(address) => within(&self.v6, u128::from(address)),
        }
    }
}

/// Sorts the ranges and swallows those that lie in others; networks never overlap otherwise.
fn merge<T: Ord + Copy>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
    ranges.dedup_by(|next, kept| next.1 <= kept.1);
}

fn within<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|range| range.0 <= address);
    after > 0 && address <= ranges[after - 1].1
}

#[cfg(test)]
mod tests {
    use super::Networks;

    fn networks(texts: &[&str]) -> Networks {
        Networks::read(texts, |index, error| panic!("{}: {error}", texts[index]))
    }

    #[test]
    fn holds_the_addresses_of_its_networks_and_no_others() {
        let networks = networks(&[
            "198.51.100.0/24",
            "192.0.2.7",
            "198.51.100.128/25",
            "2001:db8:1::/48",
            "10.0.0.0/8",
            "255.255.255.255",
        ]);
        for (address, is_held) in [
            ("198.51.100.0", true),
            ("198.51.100.255", true),
            ("198.51.101.0", false),
            ("198.51.99.255", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("10.255.0.1", true),
            ("255.255.255.255", true),
            ("0.0.0.0", false),
            ("2001:db8:1:ffff::1", true),
            ("2001:db8:2::", false),
            ("::", false),
        ] {
            assert_eq!(networks.holds(address.parse().unwrap()), is_held, "{address}");
        }
        assert!(!Networks::default().holds("192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn a_length_of_zero_is_every_address_of_its_family() {
        let networks = networks(&["0.0.0.0/0"]);
        assert!(networks.holds("203.0.113.9".parse().unwrap()));
        assert!(!networks.holds("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn refuses_what_is_no_network() {
        for text in [
            "",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "2001:db8::/129",
            "192.0.2.0/",
            "host",
            "::ffff:192.0.2.1",
            "192.0.2.0/-1",
        ] {
            let mut wrong = Vec::new();
            Networks::read(&["192.0.2.1", text], |index, _| wrong.push(index));
            assert_eq!(wrong, [1], "{text}");
        }
    }
}
