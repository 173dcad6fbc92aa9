//! `auth-url`: who is asked whether a visitor may come in.
//!
//! Only the tool's own: a host of the same Ingress, or a Service of its namespace. Whatever else a URL could name - other
//! tools, the operator's network, addresses of the cloud - would be asked by the gateway, which reaches more than tools do.

use http::{HeaderName, Method};

use crate::{Template, Variable, redirect, values};

/// The parameter of the sign-in page that says where the visitor came from, where none is given.
pub(crate) const SIGNIN_PARAMETER: &str = "rd";

/// Who is asked, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Who.
    pub server: AuthServer,
    /// What it is asked for: path and query.
    pub target: String,
    /// How.
    pub method: Method,
    /// The headers of its answer that the tool is told, and nobody else may say.
    pub response_headers: Vec<HeaderName>,
    /// Where those are led whom it does not know.
    pub signin: Option<Signin>,
    /// Whether its cookies reach the visitor whatever the tool answers.
    pub always_set_cookie: bool,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthServer {
    /// Whatever the gateway serves at a host of the Ingress; `None` is the host that the visitor came to.
    Host(Option<String>),
    /// A port of a Service of the namespace.
    Service {
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
}

/// The page at which visitors sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signin {
    /// Its URL, with what it needs to lead back.
    pub to: Template,
}

/// The server and the target of a URL; `None` for one that leads anywhere else.
pub(crate) fn server(url: &str, namespace: &str, hosts: &[&str]) -> Option<(AuthServer, String)> {
    let (is_secure, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://")?),
    };
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let target = match target {
        "" => "/".to_owned(),
        query if query.starts_with('?') => format!("/{query}"),
        path => path.to_owned(),
    };
    values::path(&target)?;
    if matches!(authority, "$host" | "$http_host" | "${host}") {
        return Some((AuthServer::Host(None), target));
    }
    values::host(authority)?;
    let (host, port) = authority
        .split_once(':')
        .unwrap_or((authority, if is_secure { "443" } else { "80" }));
    let port = values::port_number(port)?;
    if hosts.contains(&host) {
        return matches!(port, 80 | 443).then(|| (AuthServer::Host(Some(host.to_owned())), target));
    }
    // Services are asked in plain HTTP, as everything in the namespace is.
    let name = service(host, namespace).filter(|_| !is_secure)?;
    let name = name.to_owned();
    Some((AuthServer::Service { name, port }, target))
}

/// The Service that a name of the cluster's DNS stands for, if it is one of this namespace.
fn service<'h>(host: &'h str, namespace: &str) -> Option<&'h str> {
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let host = host.strip_suffix(".svc")?;
    let (name, of) = host.split_once('.')?;
    values::label(name).filter(|_| of == namespace)
}

/// A method that can be asked with nothing to send.
pub(crate) fn method(text: &str) -> Option<Method> {
    let method = Method::from_bytes(text.as_bytes()).ok()?;
    let all = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    all.contains(&method).then_some(method)
}

/// A sign-in page: a URL, to which is added where the visitor came from unless it says so itself.
pub(crate) fn signin(text: &str, parameter: &str) -> Option<Signin> {
    let query = text.split_once('?').map(|(_, query)| query);
    let says_so = query.is_some_and(|query| {
        let mut fields = query.split('&');
        fields.any(|field| field.split('=').next() == Some(parameter))
    });
    let whole = if says_so {
        text.to_owned()
    } else {
        let joint = if query.is_some() { '&' } else { '?' };
        format!("{text}{joint}{parameter}=$scheme://$http_host$escaped_request_uri")
    };
    let allows =
        |variable: &Variable| redirect::is_of_redirect(variable) || *variable == Variable::EscapedRequestUri;
    redirect::target(&whole, allows).map(|to| Signin { to })
}

/// The name of a parameter.
pub(crate) fn parameter(text: &str) -> Option<&str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(is_plain)).then_some(text)
}

/// Headers that a server may have told to the tool: none that frames a message, or says how the visitor came.
pub(crate) fn response_headers(text: &str) -> Option<Vec<HeaderName>> {
    const NEVER: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let names = values::header_names(text)?;
    (!names.iter().any(|name| NEVER.contains(&name.as_str()))).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::{AuthServer, response_headers, server, signin};

    fn asked(url: &str) -> Option<(AuthServer, String)> {
        server(url, "tool-alpha", &["alpha.toolforge.org"])
    }

    #[test]
    fn only_the_tools_own_are_asked() {
        let service = |port| AuthServer::Service {
            name: "auth".into(),
            port,
        };
        for (url, expected, target) in [
            (
                "https://alpha.toolforge.org/oauth2/auth",
                AuthServer::Host(Some("alpha.toolforge.org".into())),
                "/oauth2/auth",
            ),
            (
                "https://$host/oauth2/auth",
                AuthServer::Host(None),
                "/oauth2/auth",
            ),
            (
                "http://auth.tool-alpha.svc.cluster.local/check?a=b",
                service(80),
                "/check?a=b",
            ),
            ("http://auth.tool-alpha.svc:8000", service(8000), "/"),
        ] {
            assert_eq!(asked(url), Some((expected, target.to_owned())), "{url}");
        }
        for url in [
            "",
            "/check",
            "https://beta.toolforge.org/",
            "https://alpha.toolforge.org:8443/",
            "https://alpha.toolforge.org.evil.com/",
            "https://alpha.toolforge.org@evil.com/",
            "https://ALPHA.toolforge.org/",
            "http://auth.tool-beta.svc.cluster.local/",
            "http://auth.tool-alpha.svc.evil.com/",
            "http://auth.tool-alpha/",
            "http://auth/",
            "https://auth.tool-alpha.svc/",
            "http://x.auth.tool-alpha.svc/",
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:8080/",
            "http://[::1]/",
            "http://localhost/",
            "http://auth.tool-alpha.svc/$request_uri",
            "http://evil.example/#;load_module x;",
            "http://x/#;\n}}ssl_engine /proc/1/fd/1;",
        ] {
            assert_eq!(asked(url), None, "{url}");
        }
    }

    #[test]
    fn sign_in_page_is_told_the_way_back() {
        let text =
            |url| signin(url, "rd").map(|signin| signin.to.with(|variable| format!("<{variable:?}>").into()));
        assert_eq!(
            text("https://$host/start").unwrap(),
            "https://<Host>/start?rd=<Scheme>://<HttpHost><EscapedRequestUri>"
        );
        assert_eq!(
            text("https://a.org/s?x=y&rd=z").unwrap(),
            "https://a.org/s?x=y&rd=z"
        );
        assert_eq!(
            text("https://a.org/s?x=y").unwrap(),
            "https://a.org/s?x=y&rd=<Scheme>://<HttpHost><EscapedRequestUri>"
        );
        assert_eq!(text("javascript:x"), None);
    }

    #[test]
    fn a_server_does_not_frame_messages() {
        assert!(response_headers("X-User, X-Email").is_some());
        for text in ["Host", "X-User, Transfer-Encoding", "X-A; }", "content-length"] {
            assert_eq!(response_headers(text), None, "{text}");
        }
    }
}
