//! The gateway's own pages, for when nobody else can answer or may be asked. Pure.

use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY},
};

use crate::{body::ResponseBody, rules::Refused, visit::Visit};

/// Errors pass; nobody should see one after it has.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// In the colours of the fourohfour pages, whose place these take.
const STYLE: &str = ":root{color-scheme:light dark;--page:#f6f7f9;--ink:#1c2430;--accent:#1f5fbf}\
    @media(prefers-color-scheme:dark){:root{--page:#12161c;--ink:#e8ecf2;--accent:#86b4ff}}\
    body{margin:0;background:var(--page);color:var(--ink);font:1.125rem/1.6 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',sans-serif}\
    main{box-sizing:border-box;max-width:44rem;margin:0 auto;padding:clamp(2rem,14vh,8rem) 1.25rem 3rem}\
    h1{margin:.25rem 0 1rem;font-size:clamp(1.75rem,6vw,2.5rem);line-height:1.2;overflow-wrap:anywhere}\
    p{margin:0}b{color:var(--accent)}";

/// A wrench, for tools without an icon of their own.
const ICON: &str = concat!(
    r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#36c"/>"##,
    r##"<path d="M21 6a6 6 0 0 0-5.600 8.200L7 22.600 9.400 25l8.400-8.400A6 6 0 0 0 25.700 9.500L22 13l-3-3 3.500-3.700A6 6 0 0 0 21 6z" fill="#fff"/></svg>"##
);

/// A small page with this status: HTML for those who ask for it, plain text for everybody else.
pub(crate) fn own_page(
    status: StatusCode,
    accept: Option<&HeaderValue>,
    reason: Option<&str>,
) -> Response<ResponseBody> {
    page(
        status,
        title(status),
        reason.unwrap_or_else(|| explanation(status)),
        accept,
    )
}

/// The page for those who are refused.
pub(crate) fn refusal(refused: &Refused, accept: Option<&HeaderValue>) -> Response<ResponseBody> {
    let mut response = page(refused.status(), refused.title(), refused.reason(), accept);
    if let Some(seconds) = refused.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, seconds.clone());
    }
    response
}

fn page(
    status: StatusCode,
    title: &str,
    reason: &str,
    accept: Option<&HeaderValue>,
) -> Response<ResponseBody> {
    let (kind, text) = if accept.is_some_and(wants_html) {
        ("text/html; charset=utf-8", html(status, title, reason))
    } else {
        (
            "text/plain; charset=utf-8",
            format!("{} {title}\n{reason}\n", status.as_u16()),
        )
    };
    let mut response = Response::new(ResponseBody::own(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(
            ALLOW,
            HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        );
    }
    response
}

/// The answer to those who look whether the gateway lives.
pub(crate) fn health() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::own("proxy ok!"));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// What crawlers and browsers get that look for a file which a tool does not have (as the original, since 2020-08): no
/// crawling, and an icon. `None` for all other visits.
pub(crate) fn default_file(visit: &Visit) -> Option<Response<ResponseBody>> {
    if !matches!(visit.method, Method::GET | Method::HEAD) {
        return None;
    }
    let (kind, text) = match visit.path() {
        "/robots.txt" => ("text/plain; charset=utf-8", "User-agent: *\nDisallow: /\n"),
        "/favicon.ico" => ("image/svg+xml", ICON),
        _ => return None,
    };
    let mut response = Response::new(ResponseBody::own(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // The tool may have one of its own an hour later.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    Some(response)
}

fn wants_html(accept: &HeaderValue) -> bool {
    let accept = accept.as_bytes().to_ascii_lowercase();
    accept
        .windows(b"text/html".len())
        .any(|part| part == b"text/html")
}

fn html(status: StatusCode, title: &str, reason: &str) -> String {
    let code = status.as_u16();
    let reason = reason
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{code} {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <p><b>{code}</b></p>\n<h1>{title}</h1>\n<p>{reason}</p>\n</main>\n</body>\n</html>\n"
    )
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_GATEWAY => "The tool is not reachable",
        StatusCode::SERVICE_UNAVAILABLE => "The tool is not running",
        StatusCode::GATEWAY_TIMEOUT => "The tool takes too long",
        StatusCode::PAYLOAD_TOO_LARGE => "The request is too large",
        StatusCode::REQUEST_TIMEOUT => "The request did not come in time",
        StatusCode::NOT_FOUND => "Not found",
        other => other.canonical_reason().unwrap_or("Error"),
    }
}

fn explanation(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_GATEWAY => {
            "The tool has a web service, but it broke off or took no connection. Try again in a moment."
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            "The tool has a web service, but nothing of it is ready. Try again in a moment."
        }
        StatusCode::GATEWAY_TIMEOUT => "The tool did not answer in time. Try again later.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body of the request is larger than the platform takes.",
        StatusCode::REQUEST_TIMEOUT => "Nothing of the body of the request came for a minute.",
        StatusCode::NOT_FOUND => "The URL you have requested is not served here.",
        _ => "The request could not be served.",
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::own_page;

    #[test]
    fn page_is_html_for_browsers_and_text_for_others_and_never_kept() {
        let browser = HeaderValue::from_static("Text/HTML,application/xhtml+xml;q=0.9");
        let page = own_page(StatusCode::BAD_GATEWAY, Some(&browser), None);
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        let program = HeaderValue::from_static("application/json");
        for accept in [Some(&program), None] {
            let page = own_page(StatusCode::BAD_GATEWAY, accept, None);
            assert_eq!(page.status(), 502);
            assert_eq!(page.headers()["content-type"], "text/plain; charset=utf-8");
            assert_eq!(page.headers()["cache-control"], "no-store");
        }
    }
}
