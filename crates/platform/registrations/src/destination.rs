//! Where a registration leads, and whether it may: the gateway reaches places that tools do not, so that a tool must not
//! choose freely where the gateway goes on its behalf. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use toolforge_policy::IpNetwork;

use crate::fault::{Fault, quoted};

/// Ports below this one are the machine's, not a tool's: nobody but root listens there.
const FIRST_PORT: u16 = 1024;

const WAY_OUT: &str = "write http://ADDRESS:PORT, as http://192.0.2.1:8000";

/// Networks that destinations may be in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destinations {
    pub(crate) networks: Vec<IpNetwork>,
    /// Those of them that lie wholly in a part of the address space that is otherwise closed.
    pub(crate) opened: Vec<IpNetwork>,
}

/// Reads `http://ADDRESS:PORT`.
///
/// # Errors
/// When it is something else.
pub fn read(text: &str) -> Result<SocketAddr, Fault> {
    let fault = |rule, problem: &str| {
        Err(Fault::new(
            "destination",
            rule,
            format!("{} {problem}", quoted(text)),
            WAY_OUT,
        ))
    };
    if text.starts_with("https://") {
        return fault(
            "destination/scheme",
            "begins with https, and tools are asked over plain HTTP",
        );
    }
    let Some(rest) = text.strip_prefix("http://") else {
        return fault("destination/scheme", "does not begin with http://");
    };
    match rest.strip_suffix('/').unwrap_or(rest).parse::<SocketAddr>() {
        Ok(address) => Ok(SocketAddr::new(address.ip().to_canonical(), address.port())),
        // A name could lead elsewhere tomorrow.
        Err(_) => fault(
            "destination/address",
            "is no address with a port: names are not looked up, and paths not added",
        ),
    }
}

impl Destinations {
    /// Those that the operator names.
    pub(crate) fn new(networks: Vec<IpNetwork>) -> Self {
        let mut opened = networks.clone();
        opened.retain(is_closed_network);
        Self { networks, opened }
    }

    /// Whether what came from this address may lead there. `is_own` is whether the platform itself listens there.
    ///
    /// # Errors
    /// With the rule that it breaks.
    pub(crate) fn judge(&self, destination: SocketAddr, from: IpAddr, is_own: bool) -> Result<(), Fault> {
        let (address, port) = (destination.ip(), destination.port());
        let fault =
            |rule, problem: String, way_out: &str| Err(Fault::new("destination", rule, problem, way_out));
        if let Some(what) = closed(address)
            && !self.opened.iter().any(|network| network.holds(address))
        {
            let problem = format!("{address} is {what}");
            return fault(
                "destination/closed",
                problem,
                "write the address of the machine that the webservice runs on",
            );
        }
        if port < FIRST_PORT {
            let problem = format!("port {port} is one of the machine's own");
            return fault("destination/port", problem, "listen on a port from 1024 on");
        }
        if is_own {
            let problem = format!("{destination} is the platform's own");
            return fault("destination/own", problem, "write where the webservice listens");
        }
        if self.networks.is_empty() {
            if address == from.to_canonical() {
                return Ok(());
            }
            let problem = format!("{address} is not {from}, from which the registration came");
            return fault(
                "destination/peer",
                problem,
                "register from the machine that the webservice runs on",
            );
        }
        if !self.networks.iter().any(|network| network.holds(address)) {
            let problem = format!("{address} is in none of the networks that webservices may be in");
            return fault(
                "destination/network",
                problem,
                "ask the platform's operators for the networks",
            );
        }
        Ok(())
    }
}

/// Whether a network lies wholly in one closed part of the address space.
fn is_closed_network(network: &IpNetwork) -> bool {
    let (first, last) = (closed(network.first()), closed(network.last()));
    first.is_some() && first == last
}

/// What an address is that nobody is led to; `None` for all others.
fn closed(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            match first {
                0 => Some("no address of a machine"),
                127 => Some("the gateway's own machine"),
                // The metadata of clouds is among them.
                169 if second == 254 => Some("link-local, where clouds keep what only the machine may know"),
                224..=239 => Some("a group of machines"),
                240.. => Some("reserved, or a broadcast"),
                _ => None,
            }
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            if v6 == Ipv6Addr::LOCALHOST {
                Some("the gateway's own machine")
            } else if v6.is_unspecified() || v6.to_ipv4().is_some() {
                Some("no address of a machine")
            } else if first & 0xffc0 == 0xfe80 {
                Some("link-local, where clouds keep what only the machine may know")
            } else if first == 0xfd00 && v6.segments()[1] == 0x0ec2 {
                Some("where a cloud keeps what only the machine may know")
            } else if first & 0xff00 == 0xff00 {
                Some("a group of machines")
            } else if first == 0x0064 || first == 0x2002 {
                // NAT64 and 6to4 carry an IPv4 address that nobody has looked at.
                Some("another address in disguise")
            } else {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Destinations, read};

    fn rule(networks: &[&str], from: &str, destination: &str) -> &'static str {
        let networks = networks.iter().map(|network| network.parse().unwrap());
        let destinations = Destinations::new(networks.collect());
        let judged = read(destination)
            .and_then(|address| destinations.judge(address, from.parse().unwrap(), address.port() == 4430));
        judged.err().map_or("", |fault| fault.rule)
    }

    #[test]
    fn without_networks_it_leads_only_back_to_where_it_came_from() {
        for (destination, expected) in [
            ("http://10.0.0.5:40000", ""),
            ("http://10.0.0.5:40000/", ""),
            ("http://[::ffff:10.0.0.5]:40000", ""),
            ("http://10.0.0.6:40000", "destination/peer"),
            ("http://10.0.0.5:22", "destination/port"),
            ("http://10.0.0.5:4430", "destination/own"),
            ("https://10.0.0.5:40000", "destination/scheme"),
            ("gopher://10.0.0.5:40000", "destination/scheme"),
            ("HTTP://10.0.0.5:40000", "destination/scheme"),
            ("10.0.0.5:40000", "destination/scheme"),
            ("http://10.0.0.5", "destination/address"),
            ("http://10.0.0.5:0", "destination/port"),
            ("http://10.0.0.5:70000", "destination/address"),
            ("http://10.0.0.5:40000/path", "destination/address"),
            ("http://user@10.0.0.5:40000", "destination/address"),
            ("http://localhost:40000", "destination/address"),
            ("http://0x7f.1:40000", "destination/address"),
            ("http://2130706433:40000", "destination/address"),
            ("", "destination/scheme"),
        ] {
            assert_eq!(rule(&[], "10.0.0.5", destination), expected, "{destination}");
        }
    }

    #[test]
    fn closed_addresses_stay_closed_unless_they_are_named() {
        let everything = &["0.0.0.0/0", "::/0"];
        for (destination, expected) in [
            ("http://10.0.0.5:8000", ""),
            ("http://[2001:db8::1]:8000", ""),
            ("http://127.0.0.1:8000", "destination/closed"),
            ("http://[::1]:8000", "destination/closed"),
            ("http://[::ffff:127.0.0.1]:8000", "destination/closed"),
            ("http://[::127.0.0.1]:8000", "destination/closed"),
            ("http://[64:ff9b::7f00:1]:8000", "destination/closed"),
            ("http://[2002:7f00:1::]:8000", "destination/closed"),
            ("http://0.0.0.0:8000", "destination/closed"),
            ("http://[::]:8000", "destination/closed"),
            ("http://169.254.169.254:8000", "destination/closed"),
            ("http://[fe80::1]:8000", "destination/closed"),
            ("http://[fd00:ec2::254]:8000", "destination/closed"),
            ("http://224.0.0.1:8000", "destination/closed"),
            ("http://255.255.255.255:8000", "destination/closed"),
        ] {
            assert_eq!(
                rule(everything, "10.0.0.5", destination),
                expected,
                "{destination}"
            );
        }
        let loopback = &["127.0.0.0/8", "10.0.0.0/8"];
        assert_eq!(rule(loopback, "10.0.0.5", "http://127.0.0.1:8000"), "");
        assert_eq!(
            rule(loopback, "10.0.0.5", "http://169.254.169.254:8000"),
            "destination/closed"
        );
        assert_eq!(
            rule(loopback, "192.0.2.1", "http://192.0.2.1:8000"),
            "destination/network"
        );
        // Where a tool registers from its own loopback, nothing is opened either.
        assert_eq!(
            rule(&[], "127.0.0.1", "http://127.0.0.1:8000"),
            "destination/closed"
        );
    }
}
