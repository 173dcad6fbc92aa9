//! What the variables of annotations stand for in a request. Pure.

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderMap, header::COOKIE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use toolforge_annotations::Variable;
use toolforge_routing::host_name;

use crate::visit::{Scheme, Visit};

/// What stands as it is within the query of a URL (RFC 3986 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The value of a variable; empty where the request has none.
pub(super) fn word<'v>(
    variable: &Variable,
    visit: &'v Visit,
    visitor: IpAddr,
    headers: &'v HeaderMap,
    groups: &[&'v str],
) -> Cow<'v, str> {
    let query = || visit.target.query().unwrap_or_default();
    match variable {
        Variable::Group(number) => groups.get(*number).copied().unwrap_or_default().into(),
        Variable::Host => host_name(visit.authority()).unwrap_or_default(),
        Variable::HttpHost => visit.authority().into(),
        Variable::Scheme => match visit.scheme {
            Scheme::Https => "https".into(),
            Scheme::Http => "http".into(),
        },
        Variable::RequestUri => visit.path_and_query().into(),
        Variable::EscapedRequestUri => utf8_percent_encode(visit.path_and_query(), ESCAPED).into(),
        Variable::Uri => visit.path().into(),
        Variable::Args => query().into(),
        Variable::IsArgs => if query().is_empty() { "" } else { "?" }.into(),
        Variable::Method => visit.method.as_str().to_owned().into(),
        Variable::RemoteAddr => visitor.to_string().into(),
        Variable::Arg(name) => field(query().split('&'), name).into(),
        Variable::Cookie(name) => cookie(headers, name).unwrap_or_default().into(),
        Variable::Header(name) => {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().into()
        }
    }
}

/// The value of a cookie, the first of its name.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let fields = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = fields.flat_map(|field| field.split(';').map(str::trim));
    pairs.find_map(|pair| {
        pair.split_once('=')
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
    })
}

fn field<'q>(mut pairs: impl Iterator<Item = &'q str>, name: &str) -> &'q str {
    let found = pairs.find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
    found.map(|(_, value)| value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};
    use toolforge_annotations::Template;

    use super::{cookie, word};
    use crate::visit::{Scheme, Visit};

    #[test]
    fn variables_are_of_the_request() {
        let request = Request::get("/a%20b?x=1&y=%22")
            .header("host", "Alpha.Example.org:8443")
            .header("cookie", "one=1; route=abc")
            .header("x-one", "two")
            .body(())
            .unwrap();
        let visit = Visit::read(&request, Scheme::Https, || HeaderValue::from_static("new")).unwrap();
        let told = |text: &str| {
            let template = Template::parse(text, |_| true).unwrap();
            let visitor = "192.0.2.1".parse().unwrap();
            template.with(|variable| word(variable, &visit, visitor, request.headers(), &["whole", "one"]))
        };
        for (text, expected) in [
            (
                "$scheme://$host$request_uri",
                "https://alpha.example.org/a%20b?x=1&y=%22",
            ),
            (
                "$http_host|$uri|$is_args$args",
                "Alpha.Example.org:8443|/a%20b|?x=1&y=%22",
            ),
            ("$escaped_request_uri", "%2Fa%2520b%3Fx%3D1%26y%3D%2522"),
            ("$remote_addr $request_method $1$2", "192.0.2.1 GET one"),
            (
                "$arg_y|$arg_z|$cookie_route|$cookie_rout|$http_x_one",
                "%22||abc||two",
            ),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        assert_eq!(cookie(request.headers(), "one"), Some("1"));
    }
}
