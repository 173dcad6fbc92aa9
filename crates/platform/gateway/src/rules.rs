//! Which requests are answered with a refusal, whatever they are for. Asked once for each request, so it allocates
//! nothing, and what is not configured is not looked at. Pure.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{FORWARDED, REFERER, USER_AGENT},
};
use regex::bytes::RegexSet;
use toolforge_annotations::Networks;
use toolforge_registrations::RegistrationRules;

use crate::{
    announcement::{Announcement, HeaderVersion},
    certificates::files::Place,
    compression::Offer,
    exchange::FailingRule,
    legacy::Legacy,
    names::X_FORWARDED_FOR,
    rate::RateLimit,
    rooms::RoomSizes,
    seen::access_log::LogRule,
    settings::GatewaySettings,
    visit::Scheme,
    visitor::visitor,
};

/// What follows from the settings file. The default refuses nothing.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// What all of this was made from.
    pub(crate) settings: GatewaySettings,
    pub(crate) banned: Networks,
    pub(crate) user_agents: Option<RegexSet>,
    pub(crate) referers: Option<RegexSet>,
    pub(crate) needs_user_agent: bool,
    pub(crate) trusted: Networks,
    /// The proxies whose connections to the plain listener begin with a PROXY header.
    pub(crate) proxies_http: Networks,
    /// The same for the listener for HTTPS.
    pub(crate) proxies_https: Networks,
    /// The namespaces whose tools are told visitors' addresses.
    pub(crate) told: HashSet<String>,
    /// The namespaces to whose tools connections begin with a PROXY header.
    pub(crate) announced: HashMap<String, HeaderVersion>,
    pub(crate) rate: Option<Arc<RateLimit>>,
    pub(crate) body_limit_bytes: Option<u64>,
    /// Where certificates are.
    pub(crate) certificates: Vec<Place>,
    /// A policy on content that only reports, for every answer.
    pub(crate) report_only: Option<HeaderValue>,
    /// Where URLs of the legacy domain lead.
    pub(crate) legacy: Option<Legacy>,
    /// What each tool may have at once.
    pub(crate) rooms: RoomSizes,
    /// What is done about endpoints that fail.
    pub(crate) failing: FailingRule,
    /// How answers may be compressed.
    pub(crate) compression: Offer,
    /// What is written down, and where.
    pub(crate) access_log: Option<LogRule>,
    /// What is asked of webservices that register.
    pub(crate) registrations: Arc<RegistrationRules>,
    /// The message, and the seconds after which programs may come back.
    pub(crate) maintenance: Option<(Arc<str>, HeaderValue)>,
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

/// An answer to a request that goes nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The address is banned.
    Banned,
    /// There is no `User-Agent`, or an empty one.
    NoUserAgent,
    /// The `User-Agent` is blocked.
    UserAgent,
    /// The `Referer` is blocked.
    Referer,
    /// The address asks too often; the seconds after which it may again.
    TooFast(HeaderValue),
    /// The platform is being worked on.
    Maintenance(Arc<str>, HeaderValue),
}

impl Refused {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Maintenance(..) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooFast(_) => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::FORBIDDEN,
        }
    }

    /// The heading of the page.
    pub(crate) fn title(&self) -> &'static str {
        match self {
            Self::Banned => "Banned",
            Self::TooFast(_) => "Too Many Requests",
            Self::Maintenance(..) => "Maintenance",
            _ => "Forbidden",
        }
    }

    /// What the visitor is told: the original's words where it had some.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Banned => "You have been banned from accessing Toolforge.",
            Self::NoUserAgent => "Requests must have a user agent",
            Self::UserAgent => "Blocked user agent",
            Self::Referer => "Blocked referer",
            Self::TooFast(_) => "You are trying to access this service too fast.",
            Self::Maintenance(message, _) => message,
        }
    }

    /// The seconds after which it is worth asking again.
    pub(crate) fn retry_after(&self) -> Option<&HeaderValue> {
        match self {
            Self::Maintenance(_, seconds) | Self::TooFast(seconds) => Some(seconds),
            _ => None,
        }
    }
}

impl Rules {
    /// Whether this peer is believed what it says of its own visitor.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.holds(peer)
    }

    /// Whose request this is, who is connected to the gateway being `peer`.
    pub(crate) fn visitor(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        visitor(peer, headers, &self.trusted)
    }

    /// Why a request is refused, if it is. `since` is the clock, which is asked only where there is a limit.
    pub(crate) fn refuse(
        &self,
        visitor: IpAddr,
        headers: &HeaderMap,
        since: impl FnOnce() -> Duration,
    ) -> Option<Refused> {
        if self.banned.holds(visitor) {
            return Some(Refused::Banned);
        }
        if let Some((message, retry_after)) = &self.maintenance {
            return Some(Refused::Maintenance(message.clone(), retry_after.clone()));
        }
        if self.needs_user_agent && headers.get(USER_AGENT).is_none_or(HeaderValue::is_empty) {
            return Some(Refused::NoUserAgent);
        }
        let finds = |patterns: &Option<RegexSet>, name| {
            patterns.as_ref().is_some_and(|patterns| {
                let mut values = headers.get_all(name).iter();
                values.any(|value| patterns.is_match(value.as_bytes()))
            })
        };
        if finds(&self.user_agents, USER_AGENT) {
            return Some(Refused::UserAgent);
        }
        if finds(&self.referers, REFERER) {
            return Some(Refused::Referer);
        }
        let wait = self.rate.as_ref()?.take(visitor, since()).err()?;
        Some(Refused::TooFast(HeaderValue::from(
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
        )))
    }

    /// With what a connection to the tool of this namespace begins, if with anything.
    pub(crate) fn announcement(&self, namespace: &str, visitor: Option<IpAddr>) -> Option<Announcement> {
        if self.announced.is_empty() {
            return None;
        }
        let version = *self.announced.get(namespace)?;
        Some(Announcement { version, visitor })
    }

    /// Tells a tool whose request it gets, where the operator wants it told. `headers` must hold nothing that the
    /// visitor said about it.
    pub(crate) fn tell(&self, namespace: &str, visitor: IpAddr, scheme: Scheme, headers: &mut HeaderMap) {
        if self.told.is_empty() || !self.told.contains(namespace) {
            return;
        }
        let scheme = scheme.name();
        let forwarded = match visitor {
            IpAddr::V4(address) => format!("for={address};proto={scheme}"),
            IpAddr::V6(address) => format!("for=\"[{address}]\";proto={scheme}"),
        };
        for (name, text) in [(X_FORWARDED_FOR, visitor.to_string()), (FORWARDED, forwarded)] {
            // Addresses are made of visible characters.
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }
}
