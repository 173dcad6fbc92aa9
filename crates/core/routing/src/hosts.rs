//! Host names as requests and Ingresses write them, in the one form under which tables know them.

use std::borrow::Cow;

use smol_str::{SmolStr, ToSmolStr as _};

/// The host of a `Host` header or URI authority: lower case, without port and without trailing dot.
///
/// `None` when there is no host in it. It is borrowed where the text is in normal form already, as nearly always.
pub fn host_name(authority: &str) -> Option<Cow<'_, str>> {
    let host = without_port(authority)?;
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Some(Cow::Owned(host.to_ascii_lowercase()))
    } else {
        Some(Cow::Borrowed(host))
    }
}

fn without_port(authority: &str) -> Option<&str> {
    if authority.starts_with('[') {
        // An IPv6 literal: its colons are not the port's.
        let end = authority.find(']')? + 1;
        let rest = &authority[end..];
        return (rest.is_empty() || is_port(rest.strip_prefix(':')?)).then(|| &authority[..end]);
    }
    match authority.split_once(':') {
        None => Some(authority),
        Some((host, port)) => is_port(port).then_some(host),
    }
}

fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where the rules of a host are kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pattern {
    /// One host.
    Exact(SmolStr),
    /// Every host with exactly one label before this one: what follows `*.`.
    Wildcard(SmolStr),
    /// Every host that nothing else names.
    Any,
}

impl Pattern {
    /// The pattern that the host of a rule writes; `None` when it can match nothing.
    pub(crate) fn read(host: &str) -> Option<Self> {
        if host.is_empty() {
            return Some(Self::Any);
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        match host.strip_prefix("*.") {
            Some(rest) if rest.is_empty() || rest.contains('*') => None,
            Some(rest) => Some(Self::Wildcard(rest.to_smolstr())),
            None if host.is_empty() || host.contains(['*', ':', '/']) => None,
            None => Some(Self::Exact(host.into())),
        }
    }

    /// The pattern of a text that is kept: where it is in normal form already, they share one.
    pub(crate) fn of(host: &SmolStr) -> Option<Self> {
        match Self::read(host)? {
            Self::Exact(read) if read == *host => Some(Self::Exact(host.clone())),
            read => Some(read),
        }
    }

    /// As an Ingress would write it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Exact(host) => host.to_string(),
            Self::Wildcard(rest) => format!("*.{rest}"),
            Self::Any => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Pattern, host_name};

    #[test]
    fn host_is_read_without_port_case_and_trailing_dot() {
        for (authority, host) in [
            ("alpha.example.org", Some("alpha.example.org")),
            ("ALPHA.Example.org", Some("alpha.example.org")),
            ("alpha.example.org.", Some("alpha.example.org")),
            ("alpha.example.org:8443", Some("alpha.example.org")),
            ("alpha.example.org.:8443", Some("alpha.example.org")),
            ("[::1]:8443", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("", None),
            (".", None),
            (":443", None),
            ("a:b", None),
            ("a:1:2", None),
            ("[::1", None),
            ("[::1]x", None),
        ] {
            assert_eq!(host_name(authority).as_deref(), host, "{authority:?}");
        }
    }

    #[test]
    fn normal_form_is_borrowed() {
        assert!(matches!(
            host_name("alpha.example.org:1"),
            Some(std::borrow::Cow::Borrowed(_))
        ));
    }

    #[test]
    fn patterns_that_can_match_nothing_are_none() {
        for host in ["*", "*.", "a.*.b", "*.*.b", "a:80", "."] {
            assert_eq!(Pattern::read(host), None, "{host:?}");
        }
        assert_eq!(Pattern::read(""), Some(Pattern::Any));
        assert_eq!(
            Pattern::read("*.Example.org."),
            Some(Pattern::Wildcard("example.org".into()))
        );
    }

    proptest! {
        #[test]
        fn no_authority_panics_and_hosts_stay_as_they_are(text in ".{0,40}") {
            if let Some(host) = host_name(&text) {
                // A second trailing dot is part of the name: there is no such host, and none is found.
                if !host.ends_with('.') {
                    let again = host_name(&host);
                    prop_assert_eq!(again.as_deref(), Some(&*host));
                }
            }
        }
    }
}
