//! `enable-cors` and `cors-*`: what scripts of other sites may do, as the gateway tells browsers.

use http::{HeaderName, HeaderValue, Method};

use crate::values;

/// The methods where none are given.
pub(crate) const METHODS: HeaderValue = HeaderValue::from_static("GET, PUT, POST, DELETE, PATCH, OPTIONS");
/// The headers where none are given.
pub(crate) const HEADERS: HeaderValue = HeaderValue::from_static(
    "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization",
);
/// How long browsers keep an answer where it is not given, in seconds.
pub(crate) const MAX_AGE_SECONDS: u64 = 1_728_000;

/// What browsers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Whose scripts it is about.
    pub origins: Origins,
    /// `Access-Control-Allow-Methods`.
    pub methods: HeaderValue,
    /// `Access-Control-Allow-Headers`.
    pub headers: HeaderValue,
    /// `Access-Control-Expose-Headers`.
    pub expose: Option<HeaderValue>,
    /// Whether requests come with cookies.
    pub credentials: bool,
    /// `Access-Control-Max-Age`.
    pub max_age: HeaderValue,
}

/// Sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All of them.
    Any,
    /// These.
    Listed(Vec<Origin>),
}

/// A site, or all with one more label before its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `https://` or `http://`.
    scheme: &'static str,
    /// Host and port in lower case; behind `*.` in a wildcard.
    host: String,
    is_wildcard: bool,
}

impl Origins {
    /// Whether an `Origin` header names one of them.
    pub fn hold(&self, origin: &HeaderValue) -> bool {
        let Self::Listed(listed) = self else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        listed.iter().any(|one| one.is(origin))
    }
}

impl Origin {
    fn is(&self, origin: &str) -> bool {
        let Some(host) = origin.strip_prefix(self.scheme) else {
            return false;
        };
        if !self.is_wildcard {
            return host.eq_ignore_ascii_case(&self.host);
        }
        host.split_once('.').is_some_and(|(label, rest)| {
            values::label(&label.to_ascii_lowercase()).is_some() && rest.eq_ignore_ascii_case(&self.host)
        })
    }
}

/// `*`, or origins with commas.
pub(crate) fn origins(text: &str) -> Option<Origins> {
    let items = values::list(text)?;
    if items == ["*"] {
        return Some(Origins::Any);
    }
    let all: Option<Vec<Origin>> = items.into_iter().map(origin).collect();
    all.map(Origins::Listed)
}

fn origin(text: &str) -> Option<Origin> {
    let mut schemes = ["https://", "http://"].into_iter();
    let (scheme, host) = schemes.find_map(|scheme| text.strip_prefix(scheme).map(|host| (scheme, host)))?;
    let (is_wildcard, host) = host.strip_prefix("*.").map_or((false, host), |host| (true, host));
    Some(Origin {
        scheme,
        host: values::host(host)?.to_ascii_lowercase(),
        is_wildcard,
    })
}

/// Methods with commas.
pub(crate) fn methods(text: &str) -> Option<HeaderValue> {
    let items = values::list(text)?;
    let is_method = |item: &&str| {
        item.bytes().all(|b| b.is_ascii_alphabetic()) && Method::from_bytes(item.as_bytes()).is_ok()
    };
    items.iter().all(is_method).then(|| joined(&items))?
}

/// Names of headers with commas.
pub(crate) fn headers(text: &str) -> Option<HeaderValue> {
    values::header_names(text)?;
    joined(&values::list(text)?)
}

/// The same, where `*` stands for all.
pub(crate) fn exposed(text: &str) -> Option<HeaderValue> {
    let items = values::list(text)?;
    let is_name = |item: &&str| *item == "*" || is_header_name(item);
    items.iter().all(is_name).then(|| joined(&items))?
}

fn is_header_name(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && HeaderName::try_from(text).is_ok()
}

fn joined(items: &[&str]) -> Option<HeaderValue> {
    HeaderValue::from_str(&items.join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{exposed, headers, methods, origins};

    fn hold(list: &str, origin: &'static str) -> bool {
        origins(list).unwrap().hold(&HeaderValue::from_static(origin))
    }

    #[test]
    fn origins_are_compared_whole() {
        let list = "https://origin-site.com:4443, http://origin-site.com, https://*.example.org:1199";
        for (origin, is_held) in [
            ("https://origin-site.com:4443", true),
            ("http://origin-site.com", true),
            ("HTTP://origin-site.com", false),
            ("http://Origin-Site.com", true),
            ("https://origin-site.com", false),
            ("https://a.example.org:1199", true),
            ("https://a.b.example.org:1199", false),
            ("https://example.org:1199", false),
            ("https://evil.com/.example.org:1199", false),
            ("https://.example.org:1199", false),
            ("null", false),
            ("http://origin-site.com.evil.com", false),
        ] {
            assert_eq!(hold(list, origin), is_held, "{origin}");
        }
        assert!(hold("*", "null"));
    }

    #[test]
    fn nothing_but_names_gets_into_headers() {
        assert_eq!(methods("put,GET").unwrap(), "put, GET");
        assert_eq!(
            headers("X-Forwarded-For, X-app123-XPTO").unwrap(),
            "X-Forwarded-For, X-app123-XPTO"
        );
        assert_eq!(
            exposed("*, X-CustomResponseHeader").unwrap(),
            "*, X-CustomResponseHeader"
        );
        for text in ["", "GET; x", "GET\r\nX: y", "X-A: b", "a b"] {
            assert!(
                methods(text).is_none() && headers(text).is_none() && exposed(text).is_none(),
                "{text:?}"
            );
        }
        for text in [
            "",
            "*, https://a.org",
            "a.org",
            "https://",
            "https://a.org/",
            "https://a b",
            "https://*",
        ] {
            assert!(origins(text).is_none(), "{text:?}");
        }
    }
}
