//! One registration: what is kept of it, and how it lives. Pure.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use toolforge_model::ToolName;
use toolforge_routing::{ObjectKey, Registered};

use crate::{Claim, Names, limits::FAILURES_OF_THE_DEAD};

/// A webservice that has registered. All times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    /// Whose it is.
    pub tool: ToolName,
    /// What it claims.
    pub claim: Claim,
    /// Where it listens, over plain HTTP.
    pub destination: SocketAddr,
    /// Who registered it.
    pub from: IpAddr,
    /// Whether the tool's URLs on shared hosts lead to its own.
    #[serde(default)]
    pub is_canonical: bool,
    /// The path that is asked whether it lives; none has only a connection opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_path: Option<String>,
    /// When it was registered, the last time.
    pub registered_seconds: i64,
    /// How it lives.
    pub life: Life,
}

/// What the checks have found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Life {
    /// How it is.
    pub state: State,
    /// Since when.
    pub since_seconds: i64,
    /// When a check last succeeded; on disk as it was when the state last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_seconds: Option<i64>,
    /// Why the last check failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Whether nothing at all came back from there: it may as well be our network that is broken.
    #[serde(default)]
    pub is_silent: bool,
    /// Failed checks in a row.
    #[serde(skip)]
    pub failures: u32,
}

/// How a webservice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// No check has told yet; it is served.
    Unchecked,
    /// It answers.
    Alive,
    /// It does not, and is not asked for visitors.
    Dead,
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// See [`Life::is_silent`].
    pub(crate) is_silent: bool,
}

impl Life {
    /// That of something which is new.
    pub(crate) fn new(now_seconds: i64) -> Self {
        Self {
            state: State::Unchecked,
            since_seconds: now_seconds,
            last_seen_seconds: None,
            last_error: None,
            is_silent: false,
            failures: 0,
        }
    }

    /// After a check. The answer is whether the state is another.
    pub(crate) fn checked(&mut self, found: Result<(), Failure>, now_seconds: i64) -> bool {
        let next = match found {
            Ok(()) => {
                (self.failures, self.last_error, self.is_silent) = (0, None, false);
                self.last_seen_seconds = Some(now_seconds);
                State::Alive
            }
            Err(failure) => {
                self.failures = self.failures.saturating_add(1);
                (self.last_error, self.is_silent) = (Some(failure.reason), failure.is_silent);
                if self.failures < FAILURES_OF_THE_DEAD {
                    return false;
                }
                State::Dead
            }
        };
        if next == self.state {
            return false;
        }
        (self.state, self.since_seconds) = (next, now_seconds);
        true
    }
}

impl Registration {
    /// Whether what is known of the life of one is true of the other.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        self.destination == other.destination && self.check_path == other.check_path
    }

    /// As the table has it.
    pub(crate) fn routed(&self, names: &Names) -> Registered {
        Registered {
            key: ObjectKey::new(self.tool.namespace().to_string(), self.claim.to_string()),
            created_seconds: self.registered_seconds,
            routes: self.claim.routes(&self.tool, names, self.is_canonical),
            address: self.destination,
            is_alive: self.life.state != State::Dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Life, State};

    fn refused() -> Result<(), Failure> {
        Err(Failure {
            reason: "refused".into(),
            is_silent: false,
        })
    }

    #[test]
    fn dies_of_three_failures_in_a_row_and_lives_again_with_one_answer() {
        let mut life = Life::new(10);
        assert!(!life.checked(refused(), 11) && !life.checked(refused(), 12));
        assert_eq!(life.state, State::Unchecked);
        assert!(life.checked(Ok(()), 13));
        assert!(!life.checked(Ok(()), 14));
        assert_eq!(
            (life.state, life.since_seconds, life.last_seen_seconds),
            (State::Alive, 13, Some(14))
        );
        assert!(!life.checked(refused(), 15) && !life.checked(refused(), 16));
        assert_eq!(
            (life.state, life.last_error.as_deref()),
            (State::Alive, Some("refused"))
        );
        assert!(life.checked(refused(), 17));
        assert!(!life.checked(refused(), 18));
        assert_eq!(
            (life.state, life.since_seconds, life.last_seen_seconds),
            (State::Dead, 17, Some(14))
        );
        assert!(life.checked(Ok(()), 19));
        assert_eq!(
            (life.state, life.last_error, life.failures),
            (State::Alive, None, 0)
        );
    }
}
