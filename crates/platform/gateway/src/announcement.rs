//! The PROXY header with which connections to some tools begin: whose request comes over it. Only the operator has it
//! written, in the settings file, since it tells a tool its visitors' addresses.
//!
//! A header stands for a whole connection, so such a connection carries one request and is never kept for another visitor's.

use std::net::{IpAddr, SocketAddr};

use toolforge_proxy_protocol::{Addresses, Header, write_v1, write_v2};

/// How a header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderVersion {
    /// As a line of text.
    V1,
    /// As bytes.
    V2,
}

/// What a tool is told before a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) version: HeaderVersion,
    /// Whose request it is; nobody's where the gateway itself asks, as for a page.
    pub(crate) visitor: Option<IpAddr>,
}

impl Announcement {
    /// The bytes with which a connection to the endpoint begins. The visitor's port is not known behind other proxies, so it
    /// is 0 for all.
    pub(crate) fn header(self, endpoint: SocketAddr) -> Vec<u8> {
        let header = self.visitor.map_or(Header::Own, |visitor| {
            Header::Proxied(Addresses {
                source: SocketAddr::new(visitor, 0),
                destination: endpoint,
            })
        });
        match self.version {
            HeaderVersion::V1 => write_v1(&header),
            HeaderVersion::V2 => write_v2(&header),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Announcement, HeaderVersion};

    #[test]
    fn visitor_is_named_and_the_gateway_is_not() {
        let header = |visitor: Option<&str>| {
            let announcement = Announcement {
                version: HeaderVersion::V1,
                visitor: visitor.map(|visitor| visitor.parse().unwrap()),
            };
            String::from_utf8(announcement.header("192.0.2.8:8000".parse().unwrap())).unwrap()
        };
        assert_eq!(
            header(Some("192.0.2.7")),
            "PROXY TCP4 192.0.2.7 192.0.2.8 0 8000\r\n"
        );
        assert_eq!(
            header(Some("2001:db8::7")),
            "PROXY TCP6 2001:db8::7 ::ffff:192.0.2.8 0 8000\r\n"
        );
        assert_eq!(header(None), "PROXY UNKNOWN\r\n");
    }
}
