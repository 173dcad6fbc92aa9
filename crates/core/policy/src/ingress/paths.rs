//! Which paths an Ingress may claim on a host that it may claim, and where they may lead.
//!
//! The gateway compares paths as they are sent, letter by letter and segment by segment. Others resolve dots, join
//! slashes, undo percent-encoding or take paths for patterns: a path that could mean something else to any of them is
//! refused.

use k8s_openapi::api::networking::v1::{HTTPIngressPath, IngressBackend};
use toolforge_model::ToolName;

use super::hosts::Hosts;
use crate::verdict::{Law, Offences, quoted};

const PATH: Law = Law::fixed(
    "ingress/path",
    "Ingress path must begin with / and have characters of a URL's path only, without empty segments, dot segments \
     and hidden slashes",
    "use \"/\" or percent-encode what is no letter or digit",
);
const PATH_TYPE: Law = Law::fixed(
    "ingress/path-type",
    "The pathType must say how a path is compared",
    "use Prefix or Exact",
);
const BACKEND: Law = Law::fixed(
    "ingress/backend",
    "Ingress backend must be a Service of the tool",
    "use backend.service with the name and the port of a Service",
);

/// Percent-encoded, these mean what they mean plain to whoever decodes before comparing: dot, slash, backslash, percent.
const HIDDEN: [&str; 4] = ["2e", "2f", "5c", "25"];
/// Characters that are part of a path, and that people write who mean a pattern.
const PATTERN: [char; 5] = ['*', '(', ')', '+', '|'];

/// On the tool's own host every path is the tool's.
pub(super) fn check_own(path: &HTTPIngressPath, field: &str, offences: &mut Offences) {
    let text = path.path.as_deref().unwrap_or("/");
    if !is_plain(text) {
        offences.value(&PATH, format!("{field}.path"), &quoted(text));
    } else if text.contains(PATTERN) {
        let text =
            "is compared letter by letter, it is no pattern; use pathType Prefix for all paths below one";
        offences.warn("ingress/path-literal", format!("{field}.path"), text);
    }
    if !matches!(
        path.path_type.as_str(),
        "Prefix" | "Exact" | "ImplementationSpecific"
    ) {
        offences.value(&PATH_TYPE, format!("{field}.pathType"), &quoted(&path.path_type));
    }
}

/// On a shared host the tool has the segment with its name, and what is below it. Which paths those are must not depend
/// on who reads them, so there is no encoding, no pattern and no comparison of somebody's own.
pub(super) fn check_shared(
    hosts: &Hosts<'_>,
    tool: &ToolName,
    path: &HTTPIngressPath,
    field: &str,
    offences: &mut Offences,
) {
    match path.path.as_deref() {
        None => offences.missing(&hosts.legacy_law(), format!("{field}.path")),
        Some(text) if is_below(tool, text) => {}
        Some(text) => offences.value(&hosts.legacy_law(), format!("{field}.path"), &quoted(text)),
    }
    if !matches!(path.path_type.as_str(), "Prefix" | "Exact") {
        offences.value(&PATH_TYPE, format!("{field}.pathType"), &quoted(&path.path_type));
    }
}

/// The backend is a Service, which an Ingress can name in its own namespace only.
pub(super) fn check_backend(backend: &IngressBackend, field: &str, offences: &mut Offences) {
    match (&backend.service, &backend.resource) {
        (Some(_), None) => {}
        (_, Some(resource)) => {
            let kind = format!("a {}", quoted(&resource.kind));
            offences.value(&BACKEND, format!("{field}.resource"), &kind);
        }
        (None, None) => offences.missing(&BACKEND, format!("{field}.service")),
    }
}

fn is_below(tool: &ToolName, path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let Some((first, below)) = path
        .strip_prefix('/')
        .map(|path| path.split_once('/').unwrap_or((path, "")))
    else {
        return false;
    };
    first == tool.as_str() && are_segments(below) && below.bytes().all(|b| b == b'/' || plain(b))
}

/// Characters with a meaning in a proxy's configuration never come into one through a path.
fn is_plain(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!&()*+,=:@|".contains(&b);
    let encoded = |code: &str| {
        let code = code.get(..2).unwrap_or_default();
        let number = u8::from_str_radix(code, 16).unwrap_or_default();
        number >= b' ' && number != 0x7f && !HIDDEN.contains(&code.to_ascii_lowercase().as_str())
    };
    path.strip_prefix('/').is_some_and(are_segments)
        && path.bytes().all(plain)
        && path.split('%').skip(1).all(encoded)
}

/// Whether no segment is empty, but the last, and none has only dots.
fn are_segments(below: &str) -> bool {
    let mut segments = below.strip_suffix('/').unwrap_or(below).split('/');
    below.is_empty() || segments.all(|segment| !matches!(segment, "" | "." | ".."))
}
