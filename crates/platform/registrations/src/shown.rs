//! A registration as the API and the command line show it. Pure.

use std::net::IpAddr;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use toolforge_model::ToolName;

use crate::{Claim, Fault, Registration, State};

/// What stands for itself in a segment of a URL.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A registration, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Whose it is.
    pub tool: ToolName,
    /// What it claims.
    pub claim: Claim,
    /// Where it is in the API.
    pub url: String,
    /// Where it leads.
    pub destination: String,
    /// Who registered it.
    pub registered_from: IpAddr,
    /// When.
    pub registered_at: Timestamp,
    /// Whether visitors of shared hosts are led to the tool's own.
    pub redirect_shared_hosts: bool,
    /// The path that is asked whether it lives.
    pub check_path: Option<String>,
    /// How it is.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// When it last answered a check.
    pub last_seen: Option<Timestamp>,
    /// Why the last check failed, if it did.
    pub last_error: Option<String>,
    /// Why it is not served although it is registered, where the rules have changed.
    pub not_served: Option<Fault>,
}

impl Shown {
    /// Of a registration, and what is wrong with it by now.
    pub fn new(registration: &Registration, not_served: Option<Fault>) -> Self {
        let life = &registration.life;
        Self {
            tool: registration.tool.clone(),
            claim: registration.claim.clone(),
            url: url(&registration.tool, &registration.claim),
            destination: format!("http://{}", registration.destination),
            registered_from: registration.from,
            registered_at: moment(registration.registered_seconds),
            redirect_shared_hosts: registration.is_canonical,
            check_path: registration.check_path.clone(),
            state: life.state,
            since: moment(life.since_seconds),
            last_seen: life.last_seen_seconds.map(moment),
            last_error: life.last_error.clone(),
            not_served,
        }
    }
}

/// Where the API has a registration.
pub(crate) fn url(tool: &ToolName, claim: &Claim) -> String {
    match claim {
        Claim::Pattern(pattern) => {
            let pattern = utf8_percent_encode(pattern, SEGMENT);
            format!("/v1/tools/{tool}/patterns/{pattern}")
        }
        // Paths are of characters that stand for themselves in URLs.
        Claim::Path { host, path } => format!("/v1/tools/{tool}/hosts/{host}{path}"),
    }
}

/// Any number of seconds is a time; those that no calendar has are its end.
fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
