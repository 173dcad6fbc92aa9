//! CGI/1.1 (RFC 3875): what a script is told of a request, and how the head of its answer is read. Pure.

use std::{net::IpAddr, os::unix::ffi::OsStrExt as _, path::Path};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};

use crate::runner::site::Script;

/// The head of an answer may be this long.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// The variables of a request, with the length of its body.
pub(super) fn variables(
    root: &Path,
    script: &Script,
    parts: &Parts,
    length: u64,
    peer: Option<IpAddr>,
) -> Vec<(String, Vec<u8>)> {
    let header = |name: HeaderName| parts.headers.get(name).map(HeaderValue::as_bytes);
    let https = header(HeaderName::from_static("x-forwarded-proto")) == Some(b"https");
    let host = header(header::HOST).unwrap_or(b"localhost");
    let mut host = host.splitn(2, |byte| *byte == b':');
    let name = host.next().unwrap_or_default();
    let default: &[u8] = if https { b"443" } else { b"80" };
    let port = host.next().unwrap_or(default);
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", axum::http::uri::PathAndQuery::as_str);
    let mut variables: Vec<(String, Vec<u8>)> = Vec::new();
    let mut tell = |name: &str, value: &[u8]| variables.push((name.to_owned(), value.to_vec()));
    tell("GATEWAY_INTERFACE", b"CGI/1.1");
    tell("SERVER_SOFTWARE", b"toolforge");
    tell("SERVER_PROTOCOL", format!("{:?}", parts.version).as_bytes());
    tell("SERVER_NAME", name);
    tell("SERVER_PORT", port);
    tell("REQUEST_METHOD", parts.method.as_str().as_bytes());
    tell("REQUEST_SCHEME", if https { b"https" } else { b"http" });
    tell("REQUEST_URI", target.as_bytes());
    tell("QUERY_STRING", parts.uri.query().unwrap_or_default().as_bytes());
    tell("DOCUMENT_ROOT", root.as_os_str().as_bytes());
    tell("SCRIPT_NAME", &script.name);
    tell("SCRIPT_FILENAME", script.path.as_os_str().as_bytes());
    // php-cgi runs nothing without it, for it would be meant for nobody but a web server.
    tell("REDIRECT_STATUS", b"200");
    if !script.info.is_empty() {
        tell("PATH_INFO", &script.info);
        tell(
            "PATH_TRANSLATED",
            &[root.as_os_str().as_bytes(), &script.info].concat(),
        );
    }
    if https {
        tell("HTTPS", b"on");
    }
    if let Some(peer) = peer {
        tell("REMOTE_ADDR", peer.to_string().as_bytes());
    }
    if length > 0 || parts.headers.contains_key(header::CONTENT_LENGTH) {
        tell("CONTENT_LENGTH", length.to_string().as_bytes());
    }
    if let Some(kind) = header(header::CONTENT_TYPE) {
        tell("CONTENT_TYPE", kind);
    }
    variables.extend(told_headers(&parts.headers));
    variables
}

/// The header fields as variables. With an underscore a name would pass for another one, and a `Proxy` is
/// no header but an attack (CVE-2016-5385).
fn told_headers(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    const TOLD_OTHERWISE: [HeaderName; 4] = [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        HeaderName::from_static("proxy"),
    ];
    headers
        .keys()
        .filter(|name| !name.as_str().contains('_') && !TOLD_OTHERWISE.contains(name))
        .map(|name| {
            let joint: &[u8] = if name == header::COOKIE { b"; " } else { b", " };
            let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            let variable = format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"));
            (variable, values.join(joint))
        })
        .collect()
}

/// The head of a script's answer.
#[derive(Debug, PartialEq)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// How many bytes it took.
    pub(super) length: usize,
}

/// Reads the head once it is complete: fields, then an empty line; nothing where it is not, an error where it
/// is none.
pub(super) fn head(text: &[u8]) -> Result<Option<Head>, String> {
    let mut status = None;
    let mut headers = HeaderMap::new();
    let mut at = 0;
    loop {
        let Some(end) = text[at..].iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let line = text[at..at + end].trim_ascii_end();
        at += end + 1;
        if line.is_empty() {
            break;
        }
        let shown = || String::from_utf8_lossy(line).into_owned();
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .ok_or_else(|| format!("{:?} is no header field", shown()))?;
        let value = line[colon + 1..].trim_ascii();
        if line[..colon].eq_ignore_ascii_case(b"status") {
            let code = value.split(|byte| *byte == b' ').next().unwrap_or_default();
            let code = StatusCode::from_bytes(code)
                .ok()
                .filter(|code| code.as_u16() >= 200);
            status = Some(code.ok_or_else(|| format!("{:?} is no status", shown()))?);
            continue;
        }
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(&line[..colon]),
            HeaderValue::from_bytes(value),
        ) else {
            return Err(format!("{:?} is no header field", shown()));
        };
        // How it is sent is not the script's to say.
        if ![header::CONNECTION, header::TRANSFER_ENCODING].contains(&name) {
            headers.append(name, value);
        }
    }
    let default = if headers.contains_key(header::LOCATION) {
        StatusCode::FOUND
    } else {
        StatusCode::OK
    };
    Ok(Some(Head {
        status: status.unwrap_or(default),
        headers,
        length: at,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_are_read_with_their_status() {
        for (text, code, length) in [
            ("Content-type: text/html\r\n\r\nbody", 200, 27),
            ("Status: 404 Not Found\nA: b\n\n", 404, 28),
            ("Location: /x\n\n", 302, 14),
            ("Status: 301\nLocation: /x\n\n", 301, 26),
            ("\n", 200, 1),
        ] {
            let head = head(text.as_bytes()).unwrap().unwrap();
            assert_eq!((head.status.as_u16(), head.length), (code, length), "{text}");
            assert!(!head.headers.contains_key("status"));
        }
        assert_eq!(head(b"Content-type: text/html\r\n").unwrap(), None);
        for text in [
            "no field\n\n",
            "Status: many\n\n",
            "Status: 100\n\n",
            "a b: c\n\n",
            ": x\n\n",
        ] {
            assert!(head(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn scripts_are_told_what_they_need_and_nothing_forged() {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri("/a%20b/x.php/more?q=1")
            .header("Host", "alpha.example:8443")
            .header("X-Forwarded-Proto", "https")
            .header("X_Forwarded_Proto", "forged")
            .header("Proxy", "evil:80")
            .header("Cookie", "a=1")
            .header("Cookie", "b=2")
            .body(())
            .unwrap();
        let script = Script {
            path: "/home/alpha/public_html/a b/x.php".into(),
            name: b"/a b/x.php".to_vec(),
            info: b"/more".to_vec(),
        };
        let peer = Some([10, 0, 0, 1].into());
        let parts = request.into_parts().0;
        let variables = variables(Path::new("/home/alpha/public_html"), &script, &parts, 7, peer);
        let value = |name: &str| {
            let mut found = variables.iter().filter(|(other, _)| other == name);
            let value = found
                .next()
                .map(|(_, value)| String::from_utf8_lossy(value).into_owned());
            assert!(found.next().is_none(), "{name} twice");
            value
        };
        for (name, expected) in [
            ("SCRIPT_FILENAME", Some("/home/alpha/public_html/a b/x.php")),
            ("SCRIPT_NAME", Some("/a b/x.php")),
            ("PATH_INFO", Some("/more")),
            ("REQUEST_URI", Some("/a%20b/x.php/more?q=1")),
            ("QUERY_STRING", Some("q=1")),
            ("SERVER_NAME", Some("alpha.example")),
            ("SERVER_PORT", Some("8443")),
            ("SERVER_PROTOCOL", Some("HTTP/1.1")),
            ("HTTPS", Some("on")),
            ("HTTP_X_FORWARDED_PROTO", Some("https")),
            ("HTTP_COOKIE", Some("a=1; b=2")),
            ("HTTP_PROXY", None),
            ("CONTENT_LENGTH", Some("7")),
            ("REMOTE_ADDR", Some("10.0.0.1")),
        ] {
            assert_eq!(value(name).as_deref(), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_head_is_read_without_a_fall(text in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Some(head)) = head(&text) {
                prop_assert!(head.length <= text.len());
            }
        }
    }
}
