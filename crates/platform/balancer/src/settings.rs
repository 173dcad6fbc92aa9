//! What the operator says: the settings file as data. Every key is told in docs/balancer.md. Pure.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use serde::Deserialize;
use toolforge_model::Problems;

/// The largest weight of a target.
const LARGEST_WEIGHT: u16 = 256;

/// The settings file. A key that is not known is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BalancerSettings {
    /// What is balanced.
    pub services: Vec<ServiceSettings>,
}

/// One address that is listened on, and the targets behind it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSettings {
    /// What the log calls it.
    pub name: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Who takes the connections.
    pub targets: Vec<TargetSettings>,
    /// Which target a connection gets.
    #[serde(default)]
    pub balance: Algorithm,
    /// How targets are asked how they are.
    #[serde(default)]
    pub check: CheckSettings,
    /// How long a target that came back gets fewer connections than its weight says, in seconds.
    #[serde(default = "slow_start")]
    pub slow_start_seconds: u32,
    /// The most connections of one target at a time.
    #[serde(default = "most_connections")]
    pub max_connections_per_target: usize,
    /// The most connections that wait until a target has room.
    #[serde(default = "most_waiting")]
    pub max_queue: usize,
    /// How long one waits, in seconds.
    #[serde(default = "queue_timeout")]
    pub queue_timeout_seconds: u32,
    /// How long a target may take to accept a connection, in milliseconds; then it is out.
    #[serde(default = "connect_timeout")]
    pub connect_timeout_milliseconds: u32,
    /// How long a connection may be silent in both directions, in seconds.
    #[serde(default = "idle_timeout")]
    pub idle_timeout_seconds: u32,
    /// What targets are told of who connected.
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetSettings {
    /// Its address and port.
    pub address: SocketAddr,
    /// How many connections it gets in proportion to others, 1 to 256.
    #[serde(default = "weight")]
    pub weight: u16,
    /// Whether it gets no new connections; those that it has go on.
    #[serde(default)]
    pub drain: bool,
}

/// Which target a connection gets, of those that are up and have room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Algorithm {
    /// Each in its turn, by weight.
    #[default]
    RoundRobin,
    /// The one with the fewest connections for its weight.
    LeastConnections,
}

/// How targets are asked how they are: haproxy's defaults, as the original had them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CheckSettings {
    /// What is done.
    pub kind: CheckKind,
    /// What is asked for over HTTP.
    pub path: String,
    /// The host that is named over HTTP and TLS; none names the address.
    pub host: Option<String>,
    /// The pause between two checks of a target that is up, in seconds.
    pub interval_seconds: u32,
    /// The same for one that is out.
    pub down_interval_seconds: u32,
    /// How long a check may take, in seconds.
    pub timeout_seconds: u32,
    /// Checks that must work, one after the other, until a target is up again.
    pub rise: u32,
    /// Checks that must fail, one after the other, until a target is out.
    pub fall: u32,
}

/// What a check does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckKind {
    /// Connects.
    #[default]
    Tcp,
    /// Connects and shakes hands, whatever the certificate.
    Tls,
    /// Asks for the path; an answer of 200 to 399 is a good one.
    Http,
    /// The same over TLS, whatever the certificate.
    Https,
}

/// What targets are told of who connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProxyProtocol {
    /// Nothing.
    #[default]
    None,
    /// A PROXY header of version 1.
    V1,
    /// A PROXY header of version 2.
    V2,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self {
            kind: CheckKind::Tcp,
            path: "/".to_owned(),
            host: None,
            interval_seconds: 10,
            down_interval_seconds: 5,
            timeout_seconds: 2,
            rise: 2,
            fall: 2,
        }
    }
}

fn slow_start() -> u32 {
    60
}

fn most_connections() -> usize {
    250
}

fn most_waiting() -> usize {
    256
}

fn queue_timeout() -> u32 {
    5
}

/// Less than a second, within which a dead target is out; in a network where a connection takes longer something is wrong.
fn connect_timeout() -> u32 {
    900
}

fn idle_timeout() -> u32 {
    3600
}

fn weight() -> u16 {
    100
}

/// Settings that work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub(crate) services: Vec<ServiceSettings>,
}

/// Why there is nothing to go by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BalancerSettingsError {
    /// The text is not a settings file.
    #[error("the settings cannot be read: {0}")]
    Unreadable(String),
    /// Values break rules; each is told.
    #[error("the settings do not work: {0}")]
    Values(Problems),
}

impl BalancerSettings {
    /// Reads a settings file in YAML.
    ///
    /// # Errors
    /// When it is no YAML, or has a key or a type of value that is not known. The values are checked by [`Self::resolve`].
    pub fn read(text: &str) -> Result<Self, BalancerSettingsError> {
        serde_saphyr::from_str::<Option<Self>>(text)
            .map(Option::unwrap_or_default)
            .map_err(|problem| BalancerSettingsError::Unreadable(problem.to_string()))
    }

    /// The settings, when they work.
    ///
    /// # Errors
    /// When values break rules, all of which are told.
    pub fn resolve(self) -> Result<Balance, BalancerSettingsError> {
        let mut problems = Problems::default();
        if self.services.is_empty() {
            problems.add("services", "there are none; write at least one");
        }
        let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
        for (index, service) in self.services.iter().enumerate() {
            let field = format!("services[{index}]");
            if !names.insert(&service.name) {
                problems.add(
                    format!("{field}.name"),
                    format!("{:?} is there twice", service.name),
                );
            }
            if !addresses.insert(service.listen) {
                let problem = format!(
                    "another service listens on {}; write another port",
                    service.listen
                );
                problems.add(format!("{field}.listen"), problem);
            }
            check_service(service, &field, &mut problems);
        }
        if problems.is_empty() {
            Ok(Balance {
                services: self.services,
            })
        } else {
            Err(BalancerSettingsError::Values(problems))
        }
    }
}

fn check_service(service: &ServiceSettings, field: &str, problems: &mut Problems) {
    if service.targets.is_empty() {
        problems.add(format!("{field}.targets"), "there are none; write at least one");
    }
    let mut addresses = HashSet::new();
    for (index, target) in service.targets.iter().enumerate() {
        let field = format!("{field}.targets[{index}]");
        if !addresses.insert(target.address) {
            problems.add(
                format!("{field}.address"),
                format!("{} is there twice", target.address),
            );
        }
        if target.weight == 0 || target.weight > LARGEST_WEIGHT {
            let problem = format!(
                "{} is not 1 to {LARGEST_WEIGHT}; for no connections write drain: true",
                target.weight
            );
            problems.add(format!("{field}.weight"), problem);
        }
    }
    let check = &service.check;
    for (name, is_zero) in [
        ("check.intervalSeconds", check.interval_seconds == 0),
        ("check.downIntervalSeconds", check.down_interval_seconds == 0),
        ("check.timeoutSeconds", check.timeout_seconds == 0),
        ("check.rise", check.rise == 0),
        ("check.fall", check.fall == 0),
        ("maxConnectionsPerTarget", service.max_connections_per_target == 0),
        (
            "connectTimeoutMilliseconds",
            service.connect_timeout_milliseconds == 0,
        ),
        ("idleTimeoutSeconds", service.idle_timeout_seconds == 0),
    ] {
        if is_zero {
            problems.add(
                format!("{field}.{name}"),
                "0 would let nothing work; write 1 or more",
            );
        }
    }
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !check.path.starts_with('/') || !is_plain(&check.path) {
        let problem = format!("{:?} is no path; write one that begins with a slash", check.path);
        problems.add(format!("{field}.check.path"), problem);
    }
    if let Some(host) = check
        .host
        .as_ref()
        .filter(|host| host.is_empty() || !is_plain(host))
    {
        problems.add(format!("{field}.check.host"), format!("{host:?} is no host"));
    }
}

impl ServiceSettings {
    pub(crate) fn slow_start(&self) -> Duration {
        Duration::from_secs(self.slow_start_seconds.into())
    }

    pub(crate) fn queue_timeout(&self) -> Duration {
        Duration::from_secs(self.queue_timeout_seconds.into())
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_milliseconds.into())
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds.into())
    }
}

impl CheckSettings {
    pub(crate) fn interval(&self, is_up: bool) -> Duration {
        let seconds = if is_up {
            self.interval_seconds
        } else {
            self.down_interval_seconds
        };
        Duration::from_secs(seconds.into())
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, BalancerSettings, BalancerSettingsError, CheckKind, ProxyProtocol};

    #[test]
    fn what_is_left_out_is_as_in_the_original() {
        let text =
            "services: [{ name: api, listen: '0.0.0.0:6443', targets: [{ address: '10.0.0.1:6443' }] }]";
        let balance = BalancerSettings::read(text).unwrap().resolve().unwrap();
        let service = &balance.services[0];
        assert_eq!(service.balance, Algorithm::RoundRobin);
        assert_eq!(
            (service.check.kind, service.check.rise, service.check.fall),
            (CheckKind::Tcp, 2, 2)
        );
        assert_eq!(service.max_connections_per_target, 250);
        assert_eq!(service.proxy_protocol, ProxyProtocol::None);
        assert_eq!(
            (service.targets[0].weight, service.targets[0].drain),
            (100, false)
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let text = "services:\n\
            - { name: a, listen: '127.0.0.1:1', targets: [], check: { path: x, rise: 0 } }\n\
            - { name: a, listen: '127.0.0.1:1', maxConnectionsPerTarget: 0, targets: [\
                { address: '10.0.0.1:1', weight: 0 }, { address: '10.0.0.1:1', weight: 257 }] }\n";
        let Err(BalancerSettingsError::Values(problems)) = BalancerSettings::read(text).unwrap().resolve()
        else {
            panic!("it works");
        };
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        let expected = [
            "services[0].targets",
            "services[0].check.rise",
            "services[0].check.path",
            "services[1].name",
            "services[1].listen",
            "services[1].targets[0].weight",
            "services[1].targets[1].address",
            "services[1].targets[1].weight",
            "services[1].maxConnectionsPerTarget",
        ];
        assert_eq!(fields, expected);
        for text in [
            "services: [{ nam: a }]",
            "service: []",
            "services: [{ name: a, listen: here, targets: [] }]",
        ] {
            assert!(BalancerSettings::read(text).is_err(), "{text}");
        }
        assert!(BalancerSettings::read("").unwrap().resolve().is_err());
    }
}
