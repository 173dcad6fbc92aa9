//! What a registration claims, and the routes that follow. Pure.
//!
//! There are two kinds of claims. Lines bring a *pattern*, as in the original: it is looked for in `/` on the tool's own
//! host, of which it then claims everything, and in what follows `/TOOL` on hosts that tools share. The API also takes a
//! *path* of a host, which is compared by whole segments, as Ingresses do it.

use std::fmt;

use serde::{Deserialize, Serialize};
use toolforge_model::{Domain, ToolName, host_name};
use toolforge_routing::{RegisteredRoute, check_pattern};

use crate::{
    fault::{Fault, quoted},
    limits::CLAIM_BYTES,
};

/// Patterns that find something in every path, so that none need be asked.
const EVERYTHING: [&str; 6] = [".*", "", "/", "^/", "^.*$", "^/.*$"];

/// What is claimed. It is what one registration of a tool differs in from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Claim {
    /// Paths in which a regular expression finds something.
    Pattern(String),
    /// A path of a host, with all below it.
    Path {
        /// A host of the tool's own, or one that tools share.
        host: String,
        /// Begins with a slash, and ends with none unless it is one.
        path: String,
    },
}

/// The hosts that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The domains under which tools have their own hosts, the main one first.
    pub domains: Vec<Domain>,
    /// Hosts that tools share, each with the path `/TOOL`.
    pub shared: Vec<Domain>,
}

impl Claim {
    /// A pattern.
    ///
    /// # Errors
    /// When it is too long, or no regular expression.
    pub fn pattern(pattern: &str) -> Result<Self, Fault> {
        let way_out = "write .* for everything";
        if pattern.len() > CLAIM_BYTES {
            let problem = format!(
                "it has {} bytes, and at most {CLAIM_BYTES} are allowed",
                pattern.len()
            );
            return Err(Fault::new("pattern", "pattern/length", problem, way_out));
        }
        if pattern.chars().any(char::is_control) {
            let problem = format!("{} has characters that cannot be seen", quoted(pattern));
            return Err(Fault::new("pattern", "pattern/syntax", problem, way_out));
        }
        match check_pattern(pattern, "/") {
            Ok(_) => Ok(Self::Pattern(pattern.to_owned())),
            Err(error) => {
                let problem = format!("{} {error}", quoted(pattern));
                Err(Fault::new("pattern", "pattern/syntax", problem, way_out))
            }
        }
    }

    /// A path of a host, which must be this tool's.
    ///
    /// # Errors
    /// When host or path are another's, or are not written as requests write them; all that is wrong.
    pub fn path(tool: &ToolName, names: &Names, host: &str, path: &str) -> Result<Self, Vec<Fault>> {
        let path = match path.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        let mut faults = Vec::new();
        faults.extend(path_fault(path));
        let host_name = host_name(host).unwrap_or_default();
        let is = |domain: &Domain| domain.as_str() == host_name;
        let is_own = names
            .domains
            .iter()
            .any(|domain| domain.host_of(tool) == host_name);
        if names.shared.iter().any(is) {
            let own = format!("/{tool}");
            let rest = path.strip_prefix(&own);
            if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                let problem = format!(
                    "{} on {host_name}, which tools share, is not this tool's",
                    quoted(path)
                );
                let way_out = format!("write a path that is {own}, or begins with {own}/");
                faults.push(Fault::new("path", "path/own", problem, way_out));
            }
        } else if !is_own {
            let own: Vec<_> = names.domains.iter().map(|domain| domain.host_of(tool)).collect();
            let problem = format!("{} is not a host of this tool", quoted(host));
            let way_out = format!("write {}", own.join(" or "));
            faults.push(Fault::new("host", "host/own", problem, way_out));
        }
        if faults.is_empty() {
            let (host, path) = (host_name, path.to_owned());
            Ok(Self::Path { host, path })
        } else {
            Err(faults)
        }
    }

    /// Whether the tool may claim it, by the hosts of now.
    pub(crate) fn judge(&self, tool: &ToolName, names: &Names) -> Result<(), Fault> {
        let faults = match self {
            Self::Path { host, path } => Self::path(tool, names, host, path).err(),
            Self::Pattern(_) => None,
        };
        match faults.into_iter().flatten().next() {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// The routes that follow; with `is_canonical` visitors of shared hosts are led to the tool's own.
    pub(crate) fn routes(&self, tool: &ToolName, names: &Names, is_canonical: bool) -> Vec<RegisteredRoute> {
        let route = |host: String, path: String| RegisteredRoute {
            host,
            path,
            rest: None,
            moved_to: None,
        };
        let mut routes = Vec::new();
        match self {
            Self::Path { host, path } => routes.push(route(host.clone(), path.clone())),
            Self::Pattern(pattern) => {
                let is_everything = EVERYTHING.contains(&pattern.as_str());
                if is_everything || check_pattern(pattern, "/").unwrap_or(false) {
                    let own = names.domains.iter().map(|domain| domain.host_of(tool));
                    routes.extend(own.map(|host| route(host, "/".to_owned())));
                }
                if !is_canonical {
                    let rest = Some(pattern).filter(|_| !is_everything);
                    routes.extend(names.shared.iter().map(|shared| RegisteredRoute {
                        rest: rest.cloned(),
                        ..route(shared.to_string(), format!("/{tool}"))
                    }));
                }
            }
        }
        if is_canonical && let Some(domain) = names.domains.first() {
            routes.extend(names.shared.iter().map(|shared| RegisteredRoute {
                moved_to: Some(domain.host_of(tool)),
                ..route(shared.to_string(), format!("/{tool}"))
            }));
        }
        routes
    }
}

/// As people and logs see it, and as the table knows it. No two claims are written the same.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => write!(f, "pattern {pattern}"),
            Self::Path { host, path } => write!(f, "{host}{path}"),
        }
    }
}

/// What is wrong with a path. It is compared letter by letter with what requests ask for, so that one which no request
/// would write is a mistake.
fn path_fault(path: &str) -> Option<Fault> {
    let is_written = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    let has_dots = path.split('/').any(|segment| segment == "." || segment == "..");
    if path.len() <= CLAIM_BYTES
        && path.starts_with('/')
        && path.bytes().all(is_written)
        && !path.contains("//")
        && !has_dots
    {
        return None;
    }
    let way_out = format!(
        "write a path as it stands in a URL, of letters, digits and -._~!$&'()*+,;=:@, without empty segments, . and .., in at most {CLAIM_BYTES} bytes"
    );
    let problem = format!("{} is no path that requests would ask for", quoted(path));
    Some(Fault::new("path", "path/syntax", problem, way_out))
}

#[cfg(test)]
mod tests {
    use super::{Claim, Names};

    fn names() -> Names {
        Names {
            domains: vec!["toolforge.org".parse().unwrap(), "toolforge.net".parse().unwrap()],
            shared: vec!["tools.wmflabs.org".parse().unwrap()],
        }
    }

    fn rules_broken(host: &str, path: &str) -> Vec<&'static str> {
        match Claim::path(&"alpha".parse().unwrap(), &names(), host, path) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(|fault| fault.rule).collect(),
        }
    }

    #[test]
    fn a_tool_claims_its_own_hosts_and_its_part_of_shared_ones() {
        let none: [&str; 0] = [];
        for (host, path, expected) in [
            ("alpha.toolforge.org", "/", &none[..]),
            ("ALPHA.toolforge.org", "/api/", &none),
            ("alpha.toolforge.net", "/a/b", &none),
            ("tools.wmflabs.org", "/alpha", &none),
            ("tools.wmflabs.org", "/alpha/x", &none),
            ("tools.wmflabs.org", "/", &["path/own"]),
            ("tools.wmflabs.org", "/alphabet", &["path/own"]),
            ("tools.wmflabs.org", "/beta", &["path/own"]),
            ("beta.toolforge.org", "/", &["host/own"]),
            ("toolforge.org", "/", &["host/own"]),
            ("alpha.toolforge.org.evil.example", "/", &["host/own"]),
            ("*.toolforge.org", "/", &["host/own"]),
            ("", "/", &["host/own"]),
            ("alpha.toolforge.org", "/a//b", &["path/syntax"]),
            ("alpha.toolforge.org", "/a/../b", &["path/syntax"]),
            ("alpha.toolforge.org", "/a%2fb", &["path/syntax"]),
            ("alpha.toolforge.org", "/ä", &["path/syntax"]),
            ("tools.wmflabs.org", "/alpha/../beta", &["path/syntax"]),
            ("beta.toolforge.org", "x", &["path/syntax", "host/own"]),
        ] {
            assert_eq!(rules_broken(host, path), expected, "{host}{path}");
        }
    }

    fn routes(claim: &Claim, is_canonical: bool) -> Vec<String> {
        let routes = claim.routes(&"alpha".parse().unwrap(), &names(), is_canonical);
        let text = |route: &toolforge_routing::RegisteredRoute| {
            let rest = route.rest.as_deref().map(|rest| format!(" ~ {rest}"));
            let to = route.moved_to.as_deref().map(|to| format!(" -> {to}"));
            format!(
                "{}{}{}{}",
                route.host,
                route.path,
                rest.unwrap_or_default(),
                to.unwrap_or_default()
            )
        };
        routes.iter().map(text).collect()
    }

    /// Facts 5.1: on its own host a pattern is held against `/`, elsewhere against the rest of the path.
    #[test]
    fn patterns_claim_as_in_the_original() {
        let pattern = |text: &str| Claim::pattern(text).unwrap();
        assert_eq!(
            routes(&pattern(".*"), false),
            [
                "alpha.toolforge.org/",
                "alpha.toolforge.net/",
                "tools.wmflabs.org/alpha"
            ]
        );
        assert_eq!(
            routes(&pattern("^/api"), false),
            ["tools.wmflabs.org/alpha ~ ^/api"]
        );
        assert_eq!(
            routes(&pattern(".*"), true),
            [
                "alpha.toolforge.org/",
                "alpha.toolforge.net/",
                "tools.wmflabs.org/alpha -> alpha.toolforge.org"
            ]
        );
        for wrong in ["(", "(?<=a)b", "a\u{1b}[2J", &"a".repeat(257)] {
            assert!(Claim::pattern(wrong).is_err(), "{wrong}");
        }
    }
}
