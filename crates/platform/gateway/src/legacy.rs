//! Where URLs of the legacy domain lead: `/TOOL/rest` to the tool's own host, with path and query kept (facts 5.1 and 5.4).
//! Pure.

use std::collections::HashSet;

use http::{HeaderValue, Response, StatusCode, header::LOCATION};
use toolforge_model::{Domain, ToolName, host_name};

use crate::{body::ResponseBody, headers::port_suffix, page::own_page, visit::Visit};

/// What follows from `legacyRedirect` in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Legacy {
    /// The hosts that it is about.
    pub(crate) hosts: Vec<Domain>,
    /// 307 or 308: both keep the method.
    pub(crate) status: StatusCode,
    /// The tools that had a legacy URL; `None` stands for all that are served.
    pub(crate) tools: Option<HashSet<ToolName>>,
    /// Where everybody else is sent; `None` has them routed like anybody.
    pub(crate) otherwise: Option<HeaderValue>,
}

impl Legacy {
    /// The redirect for a visit; `None` where it is to be routed. `serves` says whether something is served at a host.
    pub(crate) fn redirect(
        &self,
        visit: &Visit,
        domain: &Domain,
        public_https_port: u16,
        serves: impl FnOnce(&str) -> bool,
    ) -> Option<Response<ResponseBody>> {
        let host = host_name(visit.authority())?;
        if !self.hosts.iter().any(|legacy| legacy.as_str() == host) {
            return None;
        }
        let (name, rest) = split(visit.path_and_query());
        let has_moved = |tool: &ToolName| match &self.tools {
            Some(tools) => tools.contains(tool),
            None => serves(&format!("{tool}.{domain}")),
        };
        if let Some(tool) = name.parse().ok().filter(has_moved) {
            let location = format!("https://{tool}.{domain}{}{rest}", port_suffix(public_https_port));
            return Some(led(self.status, HeaderValue::from_str(&location).ok()?));
        }
        self.otherwise
            .clone()
            .map(|otherwise| led(StatusCode::FOUND, otherwise))
    }
}

/// The redirect of a visit of a shared host to the host of a tool that has registered as canonical: 307, as in the
/// original.
pub(crate) fn moved(visit: &Visit, host: &str, public_https_port: u16) -> Response<ResponseBody> {
    let (_, rest) = split(visit.path_and_query());
    let location = format!("https://{host}{}{rest}", port_suffix(public_https_port));
    match HeaderValue::from_str(&location) {
        Ok(location) => led(StatusCode::TEMPORARY_REDIRECT, location),
        Err(_) => own_page(StatusCode::BAD_REQUEST, None, None),
    }
}

/// The first segment, and what follows it, beginning with a slash.
fn split(path_and_query: &str) -> (&str, String) {
    let path = path_and_query.trim_start_matches('/');
    let end = path.find(['/', '?']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    // Two slashes would begin an authority in a careless reader's eyes.
    let rest = rest.trim_start_matches('/');
    (name, format!("/{rest}"))
}

fn led(status: StatusCode, location: HeaderValue) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::own(""));
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, location);
    response
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request, StatusCode};

    use super::Legacy;
    use crate::visit::{Scheme, Visit};

    fn led(legacy: &Legacy, url: &str) -> Option<(u16, String)> {
        let (host, path) = url.split_once('/').unwrap();
        let request = Request::get(format!("/{path}"))
            .header("host", host)
            .body(())
            .unwrap();
        let visit = Visit::read(&request, Scheme::Https, || HeaderValue::from_static("new")).unwrap();
        let domain = "toolforge.org".parse().unwrap();
        let response = legacy.redirect(&visit, &domain, 443, |host| host == "served.toolforge.org")?;
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        Some((response.status().as_u16(), location))
    }

    /// The probes of facts 5.4, and what else there is.
    #[test]
    fn urls_of_tools_that_moved_lead_to_their_own_hosts() {
        let to = |status, location: &str| Some((status, location.to_owned()));
        let redirector = Legacy {
            hosts: vec!["tools.wmflabs.org".parse().unwrap()],
            status: StatusCode::PERMANENT_REDIRECT,
            tools: Some(["sal".parse().unwrap()].into()),
            otherwise: Some(HeaderValue::from_static("https://toolforge.org/")),
        };
        for (url, expected) in [
            ("tools.wmflabs.org/", to(302, "https://toolforge.org/")),
            (
                "tools.wmflabs.org/sal/aaa",
                to(308, "https://sal.toolforge.org/aaa"),
            ),
            (
                "tools.wmflabs.org/sal/aaa?b=c/d",
                to(308, "https://sal.toolforge.org/aaa?b=c/d"),
            ),
            (
                "Tools.Wmflabs.Org:8443/sal",
                to(308, "https://sal.toolforge.org/"),
            ),
            ("tools.wmflabs.org/sal?x", to(308, "https://sal.toolforge.org/?x")),
            (
                "tools.wmflabs.org/sal//evil.example/x",
                to(308, "https://sal.toolforge.org/evil.example/x"),
            ),
            ("tools.wmflabs.org/served/", to(302, "https://toolforge.org/")),
            (
                "tools.wmflabs.org/sal.evil.example/",
                to(302, "https://toolforge.org/"),
            ),
            ("tools.wmflabs.org/%73al/", to(302, "https://toolforge.org/")),
            ("sal.toolforge.org/sal/", None),
            ("x.tools.wmflabs.org/sal/", None),
        ] {
            assert_eq!(led(&redirector, url), expected, "{url}");
        }
        let era_of_two_domains = Legacy {
            status: StatusCode::TEMPORARY_REDIRECT,
            tools: None,
            otherwise: None,
            ..redirector
        };
        assert_eq!(
            led(&era_of_two_domains, "tools.wmflabs.org/served/a?b"),
            to(307, "https://served.toolforge.org/a?b")
        );
        assert_eq!(led(&era_of_two_domains, "tools.wmflabs.org/sal/"), None);
    }
}
