//! The domain under which tools have their host names, and how a host name is read back.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ToolName;
use crate::text::{is_dns_label, text_newtype};

/// The longest domain in bytes: the longest host name (253) less the longest tool name (53) and the dot between.
const LONGEST: usize = 199;
/// The longest DNS label in bytes.
const LONGEST_LABEL: usize = 63;

/// A domain in lower case without a trailing dot, such as `toolforge.org`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// Why a text is no domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "domain is not allowed: use DNS labels (letters, digits, inner dashes) joined by dots, at most {LONGEST} \
     characters, without port or wildcard, such as toolforge.org"
)]
pub struct DomainError;

impl Domain {
    /// The host name of a tool: `NAME.DOMAIN`.
    pub fn host_of(&self, tool: &ToolName) -> String {
        format!("{tool}.{}", self.0)
    }

    /// The tool to which a Host header (or host name) belongs; `None` for other hosts and for the bare domain.
    ///
    /// Upper case, one trailing dot and a port are tolerated, because clients send them.
    pub fn tool_of(&self, host: &str) -> Option<ToolName> {
        host_name(host)?
            .strip_suffix(&self.0)?
            .strip_suffix('.')?
            .parse()
            .ok()
    }

    /// Whether a Host header (or host name) is this domain itself.
    pub fn is(&self, host: &str) -> bool {
        host_name(host).is_some_and(|host| host == self.0)
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let well_formed =
            name.len() <= LONGEST && name.split('.').all(|label| is_dns_label(label, LONGEST_LABEL));
        if well_formed {
            Ok(Self(name))
        } else {
            Err(DomainError)
        }
    }
}

text_newtype!(Domain, DomainError);

/// The host name in a Host header or URI authority, in lower case without port and trailing dot.
///
/// `None` for what is no DNS name, IP literals in brackets included.
pub fn host_name(authority: &str) -> Option<String> {
    let host = match authority.split_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) => return None,
        None => authority,
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let well_formed = host.len() <= 253 && host.split('.').all(|label| is_dns_label(label, LONGEST_LABEL));
    well_formed.then_some(host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Domain, host_name};
    use crate::ToolName;

    fn domain() -> Domain {
        "toolforge.org".parse().unwrap()
    }

    #[test]
    fn reads_the_tool_of_a_host_as_clients_write_it() {
        for host in [
            "alpha.toolforge.org",
            "ALPHA.Toolforge.ORG",
            "alpha.toolforge.org.",
            "alpha.toolforge.org:8443",
        ] {
            assert_eq!(domain().tool_of(host).unwrap().as_str(), "alpha", "{host}");
        }
    }

    #[test]
    fn gives_no_tool_for_hosts_that_only_look_alike() {
        for host in [
            "",
            ".",
            ":443",
            "toolforge.org",
            ".toolforge.org",
            "alphatoolforge.org",
            "alpha.toolforge.org.evil.com",
            "alpha.toolforgeXorg",
            "alpha.toolforge.org..",
            "a.b.toolforge.org",
            "*.toolforge.org",
            "alpha.toolforge.org:http",
            "alpha.toolforge.org:80:80",
            "[::1]:443",
            "älpha.toolforge.org",
        ] {
            assert_eq!(domain().tool_of(host), None, "{host}");
        }
    }

    #[test]
    fn knows_itself() {
        assert!(domain().is("Toolforge.org.:443"));
        assert!(!domain().is("alpha.toolforge.org"));
    }

    #[test]
    fn is_kept_in_lower_case_without_trailing_dot() {
        assert_eq!(
            "Toolforge.ORG.".parse::<Domain>().unwrap().as_str(),
            "toolforge.org"
        );
        for text in [
            "",
            ".",
            "a..b",
            "*.toolforge.org",
            "toolforge.org:443",
            "tool_forge.org",
            "-a.org",
        ] {
            assert!(text.parse::<Domain>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn host_and_tool_are_each_others_inverse(name in "[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?") {
            let tool: ToolName = name.parse().unwrap();
            prop_assert_eq!(domain().tool_of(&domain().host_of(&tool)), Some(tool));
        }

        #[test]
        fn a_host_name_is_its_own_normal_form(text in "[a-zA-Z0-9.:-]{0,40}") {
            if let Some(host) = host_name(&text) {
                prop_assert_eq!(host_name(&host), Some(host));
            }
        }
    }
}
