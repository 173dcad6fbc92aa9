//! Which page a visit gets. Pure: from what is asked and what is known to what is said.

use toolforge_model::{Domain, Maintainer, ToolName, host_name};

use super::tools::Tools;

/// Codes with which the gateway sends the visits of tools that do not answer.
const DEAD_BACKEND: [u16; 3] = [502, 503, 504];
/// How many characters of a requested URL a page repeats.
const SHOWN_URL: usize = 200;

/// What is known about a request.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// The Host header, with port if it has one.
    pub host: &'a str,
    /// The path and query that the visitor asked for.
    pub uri: &'a str,
    /// The status with which the gateway gave up on a tool, if it did.
    pub code: Option<u16>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Status of the answer.
    pub status: u16,
    /// The URL that was asked for, shortened.
    pub url: String,
    /// The platform's domain, with the port under which the visitor reached it.
    pub site: String,
    /// What the answer is about.
    pub subject: Subject,
}

/// What there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The platform itself.
    Platform,
    /// There is no such tool; these have similar names.
    UnknownTool {
        /// The name that was asked for.
        name: String,
        /// Names of tools that may have been meant, nearest first.
        near: Vec<ToolName>,
    },
    /// The tool has no webservice.
    NoWebservice {
        /// The tool.
        tool: ToolName,
        /// Who looks after it.
        maintainers: Vec<Maintainer>,
    },
    /// There is something, but it does not answer.
    DeadBackend {
        /// The tool that should answer, if it is one.
        tool: Option<ToolName>,
        /// Who looks after it.
        maintainers: Vec<Maintainer>,
    },
    /// The host or path does not exist here.
    NotHere,
    /// The tools are not known yet, so nothing can be said about one.
    NotKnownYet,
}

/// The page for a visit; `tools` is nothing before they have been read once.
pub fn page(visit: Visit<'_>, domain: &Domain, tools: Option<&Tools>) -> Page {
    let dead = visit.code.filter(|code| DEAD_BACKEND.contains(code));
    let (status, subject) = match (domain.tool_of(visit.host), dead) {
        (tool, Some(code)) => (code, dead_backend(tool, tools)),
        (Some(tool), None) => about_tool(tool, tools),
        (None, None) => about_host(visit, domain, tools),
    };
    let port = port_of(visit.host);
    let url: String = format!("https://{}{}", visit.host, visit.uri);
    Page {
        status,
        url: shortened(&url),
        site: format!("{domain}{port}"),
        subject,
    }
}

fn dead_backend(tool: Option<ToolName>, tools: Option<&Tools>) -> Subject {
    let maintainers = tool
        .as_ref()
        .and_then(|tool| tools?.maintainers(tool))
        .map(<[Maintainer]>::to_vec)
        .unwrap_or_default();
    Subject::DeadBackend { tool, maintainers }
}

fn about_tool(tool: ToolName, tools: Option<&Tools>) -> (u16, Subject) {
    let Some(tools) = tools else {
        return (503, Subject::NotKnownYet);
    };
    if let Some(maintainers) = tools.maintainers(&tool) {
        let maintainers = maintainers.to_vec();
        return (503, Subject::NoWebservice { tool, maintainers });
    }
    let near = tools.near(tool.as_str()).into_iter().cloned().collect();
    (
        404,
        Subject::UnknownTool {
            name: tool.into(),
            near,
        },
    )
}

/// Hosts that are no tool's: the bare domain, names below a tool's, and everything else.
fn about_host(visit: Visit<'_>, domain: &Domain, tools: Option<&Tools>) -> (u16, Subject) {
    if domain.is(visit.host) {
        let path = visit.uri.split('?').next().unwrap_or_default();
        return if path == "/" || path.is_empty() {
            (200, Subject::Platform)
        } else {
            (404, Subject::NotHere)
        };
    }
    // www.alpha.DOMAIN is not served, but it is clear what was meant.
    let below = host_name(visit.host)
        .and_then(|host| Some(host.strip_suffix(domain.as_str())?.strip_suffix('.')?.to_owned()));
    let Some(name) = below else {
        return (404, Subject::NotHere);
    };
    let meant = name.rsplit('.').next().and_then(|label| tools?.named(label));
    let near = meant.cloned().into_iter().collect();
    (404, Subject::UnknownTool { name, near })
}

/// The port of a Host header with its colon, or nothing.
fn port_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit()) => {
            &host[host.len() - port.len() - 1..]
        }
        _ => "",
    }
}

fn shortened(url: &str) -> String {
    match url.char_indices().nth(SHOWN_URL) {
        Some((end, _)) => format!("{}…", &url[..end]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
