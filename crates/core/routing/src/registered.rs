//! Webservices outside of Kubernetes that have registered: what they claim, and how it is compared.
//!
//! Who may register what, and whether a webservice lives, is decided elsewhere; here it is taken as it comes. As in the
//! original, a registration goes before every Ingress, and what it claims of the paths of a shared host may be told by a
//! regular expression.

use std::{net::SocketAddr, sync::Arc};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, ToSmolStr as _};

use crate::{
    AppProtocol, Backend, ObjectKey, PathKind,
    hosts::Pattern,
    namespace::{Claim, Entry},
    path::normal_path,
};

/// The largest automaton of a pattern, in bytes: room for any path that a person would write, and for no list of words.
const PATTERN_LIMIT_BYTES: usize = 64 * 1024;

/// A webservice outside of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The namespace that the tool has, or would have, and what the registration is called.
    pub key: ObjectKey,
    /// When it was registered, in seconds since 1970: of two that claim the same, one that lives has it, then the newer.
    pub created_seconds: i64,
    /// What it claims.
    pub routes: Vec<RegisteredRoute>,
    /// Where it listens, over plain HTTP.
    pub address: SocketAddr,
    /// Whether it is asked; one that is not keeps its claims, and has no endpoints.
    pub is_alive: bool,
}

/// A claim of a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredRoute {
    /// The host.
    pub host: String,
    /// The path below which all is claimed, by whole segments.
    pub path: String,
    /// What the rest of the path, after `path` and beginning with a slash, must match as well: a regular expression that is
    /// looked for anywhere. None stands for every path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
    /// The host to which visitors are led instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
}

/// Why a text is no pattern of paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no regular expression, or one that is too large: {0}")]
pub struct PatternError(String);

/// Whether a pattern finds something in a path.
///
/// # Errors
/// When it is no regular expression, or too large a one.
pub fn check_pattern(pattern: &str, path: &str) -> Result<bool, PatternError> {
    Ok(compile(pattern)?.is_match(path))
}

fn compile(pattern: &str) -> Result<Regex, PatternError> {
    let built = RegexBuilder::new(pattern).size_limit(PATTERN_LIMIT_BYTES).build();
    built.map_err(|error| PatternError(error.to_string()))
}

/// What a claim of a registration says besides its path.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    rest: Option<Regex>,
    moved_to: Option<Box<str>>,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        let text = |condition: &Self| condition.rest.as_ref().map(|rest| rest.as_str().to_owned());
        self.moved_to == other.moved_to && text(self) == text(other)
    }
}

impl Eq for Condition {}

impl Registered {
    /// The routes that follow. A claim that nothing can match is left out.
    pub(crate) fn entries(&self) -> Vec<(Pattern, Entry)> {
        let backend = Arc::new(Backend {
            namespace: self.key.namespace.clone(),
            ingress: SmolStr::default(),
            service: SmolStr::default(),
            port: self.address.port().to_smolstr(),
            registration: self.key.name.as_str().into(),
            endpoints: Vec::from_iter(self.is_alive.then_some(self.address)),
            protocol: AppProtocol::Http1,
            extras: None,
        });
        let entries = (0..).zip(&self.routes);
        entries
            .filter_map(|(position, route)| {
                let rest = route.rest.as_deref().map(compile).transpose().ok()?;
                let entry = Entry {
                    path: normal_path(&route.path, PathKind::Prefix).into(),
                    kind: PathKind::Prefix,
                    claim: Claim {
                        is_fallback: !self.is_alive,
                        created_seconds: self.created_seconds.saturating_neg(),
                    },
                    position,
                    backend: backend.clone(),
                    registered: Some(Box::new(Condition {
                        rest,
                        moved_to: route.moved_to.as_deref().map(Box::from),
                    })),
                };
                Some((Pattern::read(&route.host)?, entry))
            })
            .collect()
    }
}

impl Entry {
    /// Whether every path below this one is claimed.
    pub(crate) fn covers_all(&self) -> bool {
        self.rest().is_none()
    }

    /// Whether a path that the entry covers is claimed.
    pub(crate) fn meets(&self, path: &str) -> bool {
        let Some(pattern) = self.rest() else { return true };
        let rest = path.get(self.path.len()..).filter(|rest| !rest.is_empty());
        pattern.is_match(rest.unwrap_or("/"))
    }

    /// Where visitors are led instead.
    pub(crate) fn moved_to(&self) -> Option<&str> {
        self.registered.as_ref()?.moved_to.as_deref()
    }

    /// What the rest of a path must match.
    pub(crate) fn rest(&self) -> Option<&Regex> {
        self.registered.as_ref()?.rest.as_ref()
    }
}

#[cfg(test)]
mod tests;
