//! The loopback addresses of one platform: two platforms on one machine must not give out the same ones.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
};

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

/// Values of the second byte of Pods' addresses; Services have those 32 above.
const NETWORKS: RangeInclusive<u8> = 64..=95;
/// From Pods' network to Services'.
const TO_SERVICES: u8 = 32;
/// Where a platform shows that a network is its own: the last address, which no Pod gets, and a port that
/// nothing else is known to use.
const CLAIM_PORT: u16 = 64_999;

/// A network that no other platform on this machine uses, for as long as this value lives.
#[derive(Debug)]
pub(super) struct Network {
    number: u8,
    _claim: TcpListener,
}

impl Network {
    /// Claims the network that was settled, or the first free one.
    pub(super) async fn claim(settled: Option<u8>) -> anyhow::Result<Self> {
        if let Some(number) = settled {
            return Self::try_claim(number).await.with_context(|| {
                format!(
                    "the addresses 127.{number}.0.0/16 are another platform's; choose others with --network N"
                )
            });
        }
        for number in NETWORKS {
            if let Ok(network) = Self::try_claim(number).await {
                return Ok(network);
            }
        }
        bail!("all addresses for Pods are taken by other platforms on this machine; stop one of them")
    }

    async fn try_claim(number: u8) -> std::io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::new(127, number, 255, 254), CLAIM_PORT));
        Ok(Self {
            number,
            _claim: TcpListener::bind(address).await?,
        })
    }

    /// The number to settle.
    pub(super) fn number(&self) -> u8 {
        self.number
    }

    /// The network of Pods, a /16.
    pub(super) fn pods(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.number, 0, 0)
    }

    /// The network of Services, a /16.
    pub(super) fn services(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.number + TO_SERVICES, 0, 0)
    }

    /// The address of the API's own Service, the first of its network.
    pub(super) fn api_service(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.number + TO_SERVICES, 0, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_platforms_never_share_a_network() {
        let first = Network::claim(None).await.unwrap();
        let second = Network::claim(None).await.unwrap();
        assert_ne!(first.number(), second.number());
        let error = Network::claim(Some(first.number())).await.unwrap_err();
        assert!(error.to_string().contains("--network"));
        let number = first.number();
        drop(first);
        assert_eq!(Network::claim(Some(number)).await.unwrap().number(), number);
    }
}
