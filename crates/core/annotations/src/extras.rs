//! What the annotations of one Ingress come to: ready values, which requests are served by.

use std::{collections::BTreeMap, time::Duration};

use http::HeaderValue;

use crate::{Affinity, Auth, Cors, Networks, Pattern, Rates, Redirect, Template};

/// Everything that an Ingress asks for beyond its rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Each annotation that is done, with its value, in order.
    pub(crate) obeyed: Vec<(&'static str, String)>,
    pub(crate) patterns: BTreeMap<String, Pattern>,
    /// The path that a tool is asked for in place of the visitor's; it may name groups of the path's pattern.
    pub rewrite: Option<Template>,
    /// Where those are led who ask for `/`.
    pub app_root: Option<HeaderValue>,
    /// Where everybody is led.
    pub redirect: Option<Redirect>,
    /// Whether visitors without TLS are led to HTTPS, where the gateway does not do so anyway.
    pub https_only: bool,
    /// Whether the tool is asked over HTTP/2, as gRPC has it.
    pub http2: bool,
    /// The largest body of a request in bytes, within what the platform takes.
    pub body_limit_bytes: Option<u64>,
    /// How long tools may take.
    pub timeouts: Timeouts,
    /// Whether a visitor stays with one endpoint.
    pub affinity: Option<Affinity>,
    /// What chooses the endpoint.
    pub hash_by: Option<Template>,
    /// What scripts of other sites may do.
    pub cors: Option<Cors>,
    /// Who is asked whether a visitor may come in.
    pub auth: Option<Auth>,
    /// The only addresses from which requests are taken.
    pub allowed: Option<Networks>,
    /// Addresses from which none are taken.
    pub denied: Option<Networks>,
    /// How often one address may ask.
    pub rates: Option<Rates>,
    /// The `Host` that the tool is told.
    pub host: Option<HeaderValue>,
    /// The `X-Forwarded-Prefix` that the tool is told.
    pub forwarded_prefix: Option<HeaderValue>,
    /// The statuses of the tool in whose place a page is shown, sorted.
    pub error_codes: Vec<u16>,
    /// The Service of the tool that has those pages, and answers where there is no endpoint.
    pub default_backend: Option<String>,
}

/// How long a tool may take; `None` is what the gateway has for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// To take a connection.
    pub connect: Option<Duration>,
    /// Between two pieces of a request that it takes.
    pub send: Option<Duration>,
    /// Between two pieces of its answer.
    pub read: Option<Duration>,
}

impl Extras {
    /// The pattern of a path of the Ingress, as it is written there; `None` for paths that are compared as Kubernetes says.
    pub fn pattern(&self, path: &str) -> Option<&Pattern> {
        self.patterns.get(path)
    }

    /// What is done, for people: `NAME: VALUE`.
    pub fn obeyed(&self) -> impl Iterator<Item = String> {
        self.obeyed.iter().map(|(name, value)| format!("{name}: {value}"))
    }
}
