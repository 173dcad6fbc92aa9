//! What was asked for: from the path of a request to names below a folder. Pure.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// What is not written as it is in a path that we make.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b'@')
    .remove(b'+');
/// The one folder with a dot that is for visitors (RFC 8615).
pub(super) const WELL_KNOWN: &[u8] = b".well-known";

/// Names below the folder of the site, none of which leads out of it or is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    names: Vec<Vec<u8>>,
    /// Whether it ended with a slash, as folders do.
    folder: bool,
}

impl Asked {
    /// Reads the path of a request; nothing for what no site of ours has: names that lead upwards, that are
    /// hidden, or that no file can have.
    pub(super) fn read(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let mut names = Vec::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let name: Vec<u8> = percent_decode(name.as_bytes()).collect();
            let hidden = name.starts_with(b".") && !(names.is_empty() && name == WELL_KNOWN);
            if hidden || name.contains(&0) || name.contains(&b'/') {
                return None;
            }
            names.push(name);
        }
        Some(Self {
            names,
            folder: path.is_empty() || path.ends_with('/'),
        })
    }

    /// The names, one after the other.
    pub(super) fn names(&self) -> &[Vec<u8>] {
        &self.names
    }

    /// Whether it was asked for as a folder.
    pub(super) fn is_folder(&self) -> bool {
        self.folder
    }

    /// Below this folder.
    pub(super) fn below(&self, root: &std::path::Path) -> PathBuf {
        let mut path = root.to_owned();
        path.extend(self.names.iter().map(|name| OsStr::from_bytes(name)));
        path
    }

    /// The path of the site for it as a folder. It has one slash at its beginning, for with two it would name
    /// another host.
    pub(super) fn folder_path(&self) -> String {
        let mut path = String::from("/");
        for name in &self.names {
            path.push_str(&encoded(name));
            path.push('/');
        }
        path
    }
}

/// A name as a part of a path.
pub(super) fn encoded(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) => utf8_percent_encode(name, IN_PATH).to_string(),
        Err(_) => percent_encoding::percent_encode(name, IN_PATH).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    fn names(path: &str) -> Option<Vec<String>> {
        Asked::read(path).map(|asked| {
            asked
                .names()
                .iter()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect()
        })
    }

    #[test]
    fn paths_are_read_as_they_are_meant() {
        assert_eq!(names("/"), Some(vec![]));
        assert_eq!(names("/a//b%20c/"), Some(vec!["a".to_owned(), "b c".to_owned()]));
        assert_eq!(names("/.well-known/x").unwrap()[0], ".well-known");
        assert!(Asked::read("/a/").unwrap().is_folder());
        assert!(!Asked::read("/a").unwrap().is_folder());
    }

    #[test]
    fn hidden_names_and_ways_out_are_nothing() {
        for path in [
            "/..",
            "/../x",
            "/%2e%2e/x",
            "/a/.%2e/x",
            "/a%2f..%2fx",
            "/.git/config",
            "/.htaccess",
            "/a/.env",
            "/a/.well-known",
            "/a%00",
            "*",
            "",
        ] {
            assert_eq!(names(path), None, "{path}");
        }
    }

    #[test]
    fn a_folder_is_never_another_host() {
        assert_eq!(
            Asked::read("//evil.example").unwrap().folder_path(),
            "/evil.example/"
        );
        assert_eq!(Asked::read("/a%3Fb%0d").unwrap().folder_path(), "/a%3Fb%0D/");
    }

    proptest! {
        #[test]
        fn nothing_leads_out_of_the_folder(path in "(/|\\.|%2e|%2f|%5c|\\\\|%00|a|%c3%a4|[ -~]){0,12}") {
            if let Some(asked) = Asked::read(&path) {
                let root = Path::new("/root/site");
                let below = asked.below(root);
                prop_assert!(below.starts_with(root));
                let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
                prop_assert!(below.components().all(plain));
                prop_assert_eq!(below.components().count(), 3 + asked.names().len());
            }
        }
    }
}
