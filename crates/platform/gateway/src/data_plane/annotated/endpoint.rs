//! Which endpoint a request is for where annotations say: that of the visitor's cookie, or that of a key. Pure but for
//! chance.
//!
//! A key leads to the endpoint for which the two together weigh most (rendezvous hashing): every gateway finds the same
//! one without being told, and an endpoint that comes or goes takes or leaves only its own share.

use std::{borrow::Cow, net::SocketAddr, time::SystemTime};

use http::{HeaderMap, HeaderValue, Response, header::SET_COOKIE};
use toolforge_annotations::{Affinity, Extras, Variable};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::words::cookie;
use crate::{body::ResponseBody, visit::Scheme};

/// How many keys are tried to find one that leads to a certain endpoint: with a hundred endpoints nine of ten are found.
const TRIES: usize = 256;

/// The endpoint for a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Its place among the endpoints.
    pub(super) index: usize,
    /// The cookie that the visitor is to come back with, where it has none.
    cookie: Option<String>,
}

/// The choice that annotations make; `None` where endpoints take turns.
pub(super) fn choose<'v>(
    extras: &Extras,
    endpoints: &[SocketAddr],
    headers: &HeaderMap,
    word: impl Fn(&Variable) -> Cow<'v, str>,
) -> Option<Choice> {
    if let Some(affinity) = &extras.affinity {
        let known = cookie(headers, &affinity.name);
        let index = known.and_then(|value| of_cookie(value, affinity.persistent, endpoints));
        return Some(match index {
            Some(index) => Choice { index, cookie: None },
            None => anew(affinity.persistent, endpoints),
        });
    }
    let key = extras.hash_by.as_ref()?.with(word);
    let index = of_key(&key, endpoints)?;
    Some(Choice { index, cookie: None })
}

impl Choice {
    /// Has the visitor come back to the same endpoint, or, where that is asked for, to the one that answered in its place.
    pub(super) fn keep(
        self,
        affinity: &Affinity,
        path: &str,
        scheme: Scheme,
        endpoints: &[SocketAddr],
        response: &mut Response<ResponseBody>,
    ) {
        let answered = response.body().endpoint();
        let has_failed = answered != endpoints.get(self.index).copied();
        let value = if has_failed && affinity.change_on_failure {
            Some(instead(affinity.persistent, self.index, answered, endpoints))
        } else {
            self.cookie
        };
        let Some(value) = value else { return };
        let text = written(affinity, &value, path, scheme, SystemTime::now());
        if let Ok(cookie) = HeaderValue::from_str(&text) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
}

/// The endpoint that a cookie stands for.
fn of_cookie(value: &str, is_persistent: bool, endpoints: &[SocketAddr]) -> Option<usize> {
    if value.is_empty() || value.len() > 64 {
        return None;
    }
    if is_persistent {
        endpoints.iter().position(|endpoint| name(endpoint) == value)
    } else {
        of_key(value, endpoints)
    }
}

fn of_key(key: &str, endpoints: &[SocketAddr]) -> Option<usize> {
    let seed = xxh3_64_with_seed(key.as_bytes(), 0);
    let weights = endpoints.iter().map(|endpoint| weight(endpoint, seed));
    let heaviest = weights.enumerate().max_by_key(|(_, weight)| *weight)?;
    Some(heaviest.0)
}

fn weight(endpoint: &SocketAddr, seed: u64) -> u64 {
    let port = endpoint.port().to_be_bytes();
    match endpoint {
        SocketAddr::V4(address) => xxh3_64_with_seed(&[&address.ip().octets()[..], &port].concat(), seed),
        SocketAddr::V6(address) => xxh3_64_with_seed(&[&address.ip().octets()[..], &port].concat(), seed),
    }
}

/// What a cookie calls an endpoint; an address would tell visitors about the inside.
fn name(endpoint: &SocketAddr) -> String {
    format!("{:016x}", weight(endpoint, 1))
}

/// A choice by chance, and the cookie that leads to it again.
fn anew(is_persistent: bool, endpoints: &[SocketAddr]) -> Choice {
    let key = format!("{:032x}", rand::random::<u128>());
    let index = of_key(&key, endpoints).unwrap_or_default();
    let cookie = match endpoints.get(index) {
        Some(endpoint) if is_persistent => name(endpoint),
        _ => key,
    };
    Choice {
        index,
        cookie: Some(cookie),
    }
}

/// A cookie that leads to the endpoint that answered, or, where none did, to any but the one that failed.
fn instead(
    is_persistent: bool,
    failed: usize,
    answered: Option<SocketAddr>,
    endpoints: &[SocketAddr],
) -> String {
    let place = |endpoint| endpoints.iter().position(|one| Some(*one) == endpoint);
    let wanted = place(answered);
    let mut choices = (0..TRIES).map(|_| anew(is_persistent, endpoints));
    let right = choices.find(|choice| match wanted {
        Some(wanted) => choice.index == wanted,
        None => choice.index != failed,
    });
    right
        .unwrap_or_else(|| anew(is_persistent, endpoints))
        .cookie
        .unwrap_or_default()
}

/// A cookie as it is set.
fn written(affinity: &Affinity, value: &str, path: &str, scheme: Scheme, now: SystemTime) -> String {
    let path = affinity.path.as_deref().unwrap_or(path);
    let mut text = format!("{}={value}; Path={path}", affinity.name);
    let date = |seconds: i64| {
        let span = std::time::Duration::from_secs(seconds.unsigned_abs());
        let then = if seconds < 0 {
            now.checked_sub(span)
        } else {
            now.checked_add(span)
        };
        then.map(httpdate::fmt_http_date)
    };
    if let Some(date) = affinity.expires_seconds.and_then(date) {
        text.push_str("; Expires=");
        text.push_str(&date);
    }
    if let Some(seconds) = affinity.max_age_seconds {
        text.push_str("; Max-Age=");
        text.push_str(&seconds.to_string());
    }
    if let Some(same_site) = affinity.same_site {
        text.push_str("; SameSite=");
        text.push_str(same_site.as_str());
    }
    if affinity.secure.unwrap_or(scheme == Scheme::Https) {
        text.push_str("; Secure");
    }
    text.push_str("; HttpOnly");
    text
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, time::SystemTime};

    use toolforge_annotations::{Affinity, SameSite};

    use super::{anew, instead, of_cookie, of_key, written};
    use crate::visit::Scheme;

    fn endpoints(count: u8) -> Vec<SocketAddr> {
        (0..count)
            .map(|last| SocketAddr::from(([127, 64, 0, last], 8000)))
            .collect()
    }

    #[test]
    fn a_cookie_leads_to_the_same_endpoint_again() {
        let endpoints = endpoints(7);
        for is_persistent in [false, true] {
            let choice = anew(is_persistent, &endpoints);
            let cookie = choice.cookie.unwrap();
            assert_eq!(of_cookie(&cookie, is_persistent, &endpoints), Some(choice.index));
            assert!(!cookie.contains('.'), "no address is told: {cookie}");
        }
        assert_eq!(of_cookie("", false, &endpoints), None);
        assert_eq!(of_cookie("0000000000000000", true, &endpoints), None);
    }

    #[test]
    fn an_endpoint_that_goes_takes_its_own_share_along() {
        let (before, after) = (endpoints(8), endpoints(7));
        let mut shares = [0; 8];
        for key in 0..8000 {
            let key = key.to_string();
            let (was, is) = (of_key(&key, &before).unwrap(), of_key(&key, &after).unwrap());
            shares[was] += 1;
            assert!(was == is || was == 7, "{key} went from {was} to {is}");
        }
        assert!(
            shares.iter().all(|share| (800..1200).contains(share)),
            "{shares:?}"
        );
    }

    #[test]
    fn who_stays_for_good_is_not_moved_by_a_new_endpoint() {
        let (few, many) = (endpoints(2), endpoints(50));
        let choice = anew(true, &few);
        assert_eq!(
            of_cookie(&choice.cookie.unwrap(), true, &many),
            Some(choice.index)
        );
    }

    #[test]
    fn after_a_failure_the_cookie_leads_to_who_answered() {
        let endpoints = endpoints(3);
        for is_persistent in [false, true] {
            let cookie = instead(is_persistent, 0, Some(endpoints[2]), &endpoints);
            assert_eq!(of_cookie(&cookie, is_persistent, &endpoints), Some(2));
            let cookie = instead(is_persistent, 0, None, &endpoints);
            assert_ne!(of_cookie(&cookie, is_persistent, &endpoints), Some(0));
        }
    }

    #[test]
    fn cookie_has_the_attributes_that_are_asked_for() {
        let affinity = Affinity {
            name: "route".into(),
            path: None,
            max_age_seconds: Some(60),
            expires_seconds: Some(60),
            same_site: Some(SameSite::Lax),
            secure: None,
            change_on_failure: false,
            persistent: false,
        };
        let text = |scheme| written(&affinity, "abc", "/x", scheme, SystemTime::UNIX_EPOCH);
        assert_eq!(
            text(Scheme::Https),
            "route=abc; Path=/x; Expires=Thu, 01 Jan 1970 00:01:00 GMT; Max-Age=60; SameSite=Lax; Secure; HttpOnly"
        );
        assert!(!text(Scheme::Http).contains("Secure"));
    }
}
