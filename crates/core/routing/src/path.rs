//! How the path of an Ingress is compared with that of a request.

use crate::PathKind;

/// The form under which a path is kept: prefixes without their trailing slashes, so that `/` is empty.
pub(crate) fn normal_path(path: &str, kind: PathKind) -> &str {
    match kind {
        PathKind::Exact if path.is_empty() => "/",
        PathKind::Exact | PathKind::Pattern => path,
        PathKind::Prefix => path.trim_end_matches('/'),
    }
}

/// Whether the kept prefix covers the path of a request, by whole segments.
pub(crate) fn covers(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix) {
        None => false,
        Some(rest) => rest.is_empty() || rest.starts_with('/') || prefix.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::{covers, normal_path};
    use crate::PathKind::{Exact, Prefix};

    /// The table of the Kubernetes documentation on Ingress paths.
    #[test]
    fn prefixes_cover_whole_segments() {
        for (prefix, path, covered) in [
            ("/", "/anything", true),
            ("/", "/", true),
            ("", "/x", true),
            ("/foo", "/foo", true),
            ("/foo", "/foo/", true),
            ("/foo/", "/foo", true),
            ("/foo/", "/foo/", true),
            ("/aaa/bb", "/aaa/bbb", false),
            ("/aaa/bbb", "/aaa/bbb", true),
            ("/aaa/bbb/", "/aaa/bbb", true),
            ("/aaa/bbb", "/aaa/bbb/ccc", true),
            ("/aaa/bbb", "/aaa/bbbxyz", false),
        ] {
            assert_eq!(
                covers(normal_path(prefix, Prefix), path),
                covered,
                "{prefix} {path}"
            );
        }
    }

    #[test]
    fn exact_paths_keep_their_slash() {
        assert_eq!(normal_path("/foo/", Exact), "/foo/");
        assert_eq!(normal_path("", Exact), "/");
    }
}
