//! Registers a webservice outside of Kubernetes with the gateway, over HTTPS with the tool's own certificate, or by the
//! lines of the original where only they are offered (`docs/gateway.md`). The runner calls it for as long as its tool
//! runs, and `webservice migrate` when the URL is to lead elsewhere.

mod https;
mod lines;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use toolforge_model::ToolName;
use toolforge_pki::Identity;

use crate::platform::Platform;

/// A gateway that does not answer within this time is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the gateway does not do as it is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegistrarError {
    /// Nobody answered; it may be tried again.
    #[error("{place} cannot be reached: {reason}")]
    Away {
        /// Where.
        place: String,
        /// Why not.
        reason: String,
    },
    /// It answered, and said no; trying again does not help.
    #[error("the gateway says: {0}")]
    Refused(String),
}

/// Somebody who registers for one tool.
#[derive(Debug)]
pub(crate) struct Registrar {
    door: Door,
}

#[derive(Debug)]
enum Door {
    Https(https::Client),
    Lines(lines::Client),
}

impl Registrar {
    /// What the platform offers; `None` where it offers nothing.
    ///
    /// # Errors
    /// When what it offers cannot be used: a sentence.
    pub(crate) fn of(
        platform: &Platform,
        tool: &ToolName,
        identity: Option<&Identity>,
    ) -> Result<Option<Self>, String> {
        let door = match (&platform.register_url, &platform.register_lines) {
            (Some(base), _) => Door::Https(https::Client::new(base, platform, tool, identity)?),
            (None, Some(place)) => Door::Lines(lines::Client::new(place.clone())),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { door }))
    }

    /// The address of this machine that the gateway sees.
    pub(crate) async fn own_address(&self) -> Result<IpAddr, RegistrarError> {
        let place = match &self.door {
            Door::Https(client) => client.place(),
            Door::Lines(client) => client.place().to_owned(),
        };
        let connection = within(&place, tokio::net::TcpStream::connect(place.as_str())).await?;
        let own = connection.local_addr().map_err(|error| away(&place, &error))?;
        Ok(own.ip())
    }

    /// Has the tool's host lead here.
    pub(crate) async fn register(&self, destination: SocketAddr) -> Result<(), RegistrarError> {
        match &self.door {
            Door::Https(client) => client.register(&format!("http://{destination}")).await,
            Door::Lines(client) => client.register(destination).await,
        }
    }

    /// Has it lead here again if nothing is registered any more; what somebody else has registered since stays.
    pub(crate) async fn renew(&self, destination: SocketAddr) -> Result<(), RegistrarError> {
        match &self.door {
            Door::Https(client) => match client.destination().await? {
                Some(_) => Ok(()),
                None => client.register(&format!("http://{destination}")).await,
            },
            Door::Lines(client) => client.register(destination).await,
        }
    }

    /// Takes back what leads there, and nothing that was registered since.
    pub(crate) async fn unregister(&self, destination: SocketAddr) -> Result<(), RegistrarError> {
        match &self.door {
            Door::Https(client) => {
                let own = format!("http://{destination}");
                match client.destination().await? {
                    Some(registered) if registered == own => client.unregister().await,
                    _ => Ok(()),
                }
            }
            Door::Lines(client) => client.unregister().await,
        }
    }

    /// Takes back whatever is registered; where it led, to register it again. `None` where nothing is, or the gateway
    /// does not tell.
    pub(crate) async fn take_back(&self) -> Result<Option<SocketAddr>, RegistrarError> {
        let Door::Https(client) = &self.door else {
            return Ok(None);
        };
        let Some(registered) = client.destination().await? else {
            return Ok(None);
        };
        client.unregister().await?;
        Ok(registered
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok()))
    }
}

/// Does something over the network, for so long at most.
async fn within<T, E: std::error::Error>(
    place: &str,
    doing: impl Future<Output = Result<T, E>>,
) -> Result<T, RegistrarError> {
    match tokio::time::timeout(PATIENCE, doing).await {
        Ok(done) => done.map_err(|error| away(place, &error)),
        Err(_) => Err(RegistrarError::Away {
            place: place.to_owned(),
            reason: format!("no answer within {} s", PATIENCE.as_secs()),
        }),
    }
}

fn away(place: &str, error: &dyn std::error::Error) -> RegistrarError {
    RegistrarError::Away {
        place: place.to_owned(),
        reason: toolforge_model::Chain(error).to_string(),
    }
}
