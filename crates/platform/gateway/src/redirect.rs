//! Where plain HTTP leads: to the same place over HTTPS, for hosts under the domain and shared ones. Pure.

use http::{HeaderValue, Method, Response, StatusCode, header::LOCATION};
use toolforge_model::{Domain, host_name};

use crate::{body::ResponseBody, headers::port_suffix, visit::Visit};

/// The redirect to HTTPS; `None` for hosts that are not ours, which get no redirect to anywhere.
pub(crate) fn redirect<'d>(
    visit: &Visit,
    mut domains: impl Iterator<Item = &'d Domain>,
    public_https_port: u16,
) -> Option<Response<ResponseBody>> {
    let host = host_name(visit.authority())?;
    let is_below = |domain: &Domain| {
        let below = host.strip_suffix(domain.as_str());
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    };
    if !domains.any(is_below) {
        return None;
    }
    let location = format!(
        "https://{host}{}{}",
        port_suffix(public_https_port),
        visit.path_and_query()
    );
    let mut response = Response::new(ResponseBody::own(""));
    *response.status_mut() = status(&visit.method);
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_str(&location).ok()?);
    Some(response)
}

/// 301 is what old clients know; other methods than these would turn into GET with it.
fn status(method: &Method) -> StatusCode {
    if matches!(*method, Method::GET | Method::HEAD) {
        StatusCode::MOVED_PERMANENTLY
    } else {
        StatusCode::PERMANENT_REDIRECT
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method, Request};

    use super::redirect;
    use crate::visit::{Scheme, Visit};

    fn redirected(method: Method, host: &str, target: &str, port: u16) -> Option<(u16, String)> {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", host)
            .body(())
            .unwrap();
        let visit = Visit::read(&request, Scheme::Https, || HeaderValue::from_static("new")).unwrap();
        let domains = ["toolforge.org", "tools.wmflabs.org"].map(|domain| domain.parse().unwrap());
        let response = redirect(&visit, domains.iter(), port)?;
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        Some((response.status().as_u16(), location))
    }

    #[test]
    fn keeps_host_and_query_and_names_the_public_port() {
        let to = |status, location: &str| Some((status, location.to_owned()));
        let get = |host, target, port| redirected(Method::GET, host, target, port);
        assert_eq!(
            get("a.toolforge.org", "/x?y=z", 443),
            to(301, "https://a.toolforge.org/x?y=z")
        );
        assert_eq!(
            get("A.toolforge.org:8080", "/", 8443),
            to(301, "https://a.toolforge.org:8443/")
        );
        assert_eq!(get("toolforge.org", "/", 443), to(301, "https://toolforge.org/"));
        assert_eq!(
            get("tools.wmflabs.org", "/a", 443),
            to(301, "https://tools.wmflabs.org/a")
        );
        assert_eq!(
            redirected(Method::POST, "a.toolforge.org", "/", 443),
            to(308, "https://a.toolforge.org/")
        );
    }

    #[test]
    fn leads_nowhere_for_other_hosts() {
        for host in [
            "evil.example",
            "wmflabs.org",
            "eviltoolforge.org",
            "a.toolforge.org.evil.example",
            "[::1]",
        ] {
            assert_eq!(redirected(Method::GET, host, "/", 443), None, "{host}");
        }
    }
}
