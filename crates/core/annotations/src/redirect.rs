//! `permanent-redirect` and `temporal-redirect`: where everybody is led who comes to a path.

use crate::{Template, Variable, values};

/// A redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 301 to 308.
    pub status: u16,
    /// Where to: an absolute URL.
    pub to: Template,
}

/// The variables that mean something in a redirect.
pub(crate) fn is_of_redirect(variable: &Variable) -> bool {
    matches!(
        variable,
        Variable::Group(_)
            | Variable::Host
            | Variable::HttpHost
            | Variable::Scheme
            | Variable::RequestUri
            | Variable::Uri
            | Variable::Args
            | Variable::IsArgs
    )
}

/// An absolute URL in which variables may stand.
pub(crate) fn target(text: &str, allows: impl Fn(&Variable) -> bool) -> Option<Template> {
    let mut schemes = ["https://", "http://", "$scheme://"].iter();
    let rest = schemes.find_map(|scheme| text.strip_prefix(scheme))?;
    if rest.is_empty() || rest.starts_with('/') || !values::is_url_text(text) {
        return None;
    }
    Template::parse(text, allows).ok()
}

/// A status that redirects.
pub(crate) fn status(text: &str) -> Option<u16> {
    match text {
        "301" => Some(301),
        "302" => Some(302),
        "303" => Some(303),
        "307" => Some(307),
        "308" => Some(308),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_of_redirect, target};

    #[test]
    fn only_absolute_urls_without_surprises_lead_anywhere() {
        let leads = |text| target(text, is_of_redirect).is_some();
        for text in [
            "https://example.org",
            "https://example.org/x?y=z",
            "https://new.example$request_uri",
            "$scheme://$host/x",
            "https://alpha.toolforge.org/$2$is_args$args",
        ] {
            assert!(leads(text), "{text}");
        }
        for text in [
            "",
            "/x",
            "//example.org",
            "https://",
            "https:///x",
            "javascript:alert(1)",
            "https://x; }",
            "https://x\r\nSet-Cookie: a=b",
            "https://x\"",
            "https://$pid",
            "https://$remote_addr/",
            "ftp://example.org",
        ] {
            assert!(!leads(text), "{text:?}");
        }
    }
}
