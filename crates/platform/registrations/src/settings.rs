//! What the operator says of registrations: the key `registrations` of the gateway's settings file as data, and what
//! follows from it. Every key is told in docs/gateway.md. Pure.

use std::{net::IpAddr, time::Duration};

use serde::Deserialize;
use toolforge_model::Problems;
use toolforge_policy::IpNetwork;

use crate::destination::Destinations;

/// The key `registrations`. What it leaves out allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RegistrationSettings {
    /// Networks (`ADDRESS/BITS`) whose machines may register by lines: what their ident says is believed.
    pub line_networks: Vec<String>,
    /// What the unix users of tools begin with.
    pub account_prefix: String,
    /// Networks whose machines may read the list.
    pub list_networks: Vec<String>,
    /// Networks that webservices may be in; none allows only the address that a registration comes from.
    pub destination_networks: Vec<String>,
    /// Groups of certificates that may see and remove the registrations of all tools.
    pub operator_groups: Vec<String>,
    /// The time between two checks of a webservice, in seconds.
    pub check_interval_seconds: u32,
    /// How long a check may take, in seconds.
    pub check_timeout_seconds: u32,
    /// After how many seconds a dead webservice is forgotten.
    pub expire_after_seconds: u32,
}

impl Default for RegistrationSettings {
    fn default() -> Self {
        Self {
            line_networks: Vec::new(),
            // As in the original, whose project is called `tools`.
            account_prefix: "tools.".to_owned(),
            list_networks: Vec::new(),
            destination_networks: Vec::new(),
            operator_groups: vec!["system:masters".to_owned()],
            // Three failed ones are half a minute, in which visitors see that nobody takes the connection.
            check_interval_seconds: 10,
            // The servers are in the same network.
            check_timeout_seconds: 5,
            // Longer than a machine takes to start again.
            expire_after_seconds: 3600,
        }
    }
}

/// What follows from the settings. The default lets nobody in by lines, and nobody read the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRules {
    pub(crate) line_networks: Vec<IpNetwork>,
    pub(crate) account_prefix: String,
    pub(crate) list_networks: Vec<IpNetwork>,
    pub(crate) destinations: Destinations,
    pub(crate) operator_groups: Vec<String>,
    pub(crate) check_interval: Duration,
    pub(crate) check_timeout: Duration,
    pub(crate) expire_after_seconds: i64,
}

impl Default for RegistrationRules {
    fn default() -> Self {
        RegistrationSettings::default().resolve(&mut Problems::default())
    }
}

impl RegistrationSettings {
    /// What follows; what is wrong is added to `problems`.
    pub fn resolve(&self, problems: &mut Problems) -> RegistrationRules {
        let mut networks = |key: &str, texts: &[String]| {
            problems.each(&format!("registrations.{key}"), texts, str::parse::<IpNetwork>)
        };
        let line_networks = networks("lineNetworks", &self.line_networks);
        let list_networks = networks("listNetworks", &self.list_networks);
        let destinations = networks("destinationNetworks", &self.destination_networks);
        if self.account_prefix.is_empty() || self.account_prefix.contains([':', ' ']) {
            let problem = "must begin the names of tools' users and of nobody else's, such as tools.";
            problems.add("registrations.accountPrefix", problem);
        }
        for (key, value) in [
            ("checkIntervalSeconds", self.check_interval_seconds),
            ("checkTimeoutSeconds", self.check_timeout_seconds),
            ("expireAfterSeconds", self.expire_after_seconds),
        ] {
            if value == 0 {
                problems.add(format!("registrations.{key}"), "0 is no time; write 1 or more");
            }
        }
        let seconds = |value: u32| Duration::from_secs(u64::from(value.max(1)));
        RegistrationRules {
            line_networks,
            account_prefix: self.account_prefix.clone(),
            list_networks,
            destinations: Destinations::new(destinations),
            operator_groups: self.operator_groups.clone(),
            check_interval: seconds(self.check_interval_seconds),
            check_timeout: seconds(self.check_timeout_seconds),
            expire_after_seconds: i64::from(self.expire_after_seconds.max(1)),
        }
    }
}

/// Whether one of the networks holds an address.
pub(crate) fn holds(networks: &[IpNetwork], address: IpAddr) -> bool {
    networks.iter().any(|network| network.holds(address))
}

#[cfg(test)]
mod tests {
    use toolforge_model::Problems;

    use super::{RegistrationRules, RegistrationSettings, holds};

    #[test]
    fn everything_that_is_wrong_is_told_with_its_key() {
        let settings = RegistrationSettings {
            line_networks: vec!["10.0.0.0/8".into(), "10.0.0.1/8".into()],
            account_prefix: String::new(),
            destination_networks: vec!["here".into()],
            check_interval_seconds: 0,
            ..RegistrationSettings::default()
        };
        let mut problems = Problems::default();
        settings.resolve(&mut problems);
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "registrations.lineNetworks[1]",
                "registrations.destinationNetworks[0]",
                "registrations.accountPrefix",
                "registrations.checkIntervalSeconds"
            ]
        );
    }

    #[test]
    fn what_nobody_has_said_lets_nobody_in() {
        let rules = RegistrationRules::default();
        for address in ["127.0.0.1", "10.0.0.1", "::1"] {
            let address = address.parse().unwrap();
            assert!(!holds(&rules.line_networks, address) && !holds(&rules.list_networks, address));
        }
    }
}
