//! A path as a regular expression: of the regex crate's syntax, in bounded time and memory, without case, compared from
//! the beginning of the path, as ingress-nginx compares it (`location ~* "^PATH"`).

use regex::bytes::{Regex, RegexBuilder};

/// The longest pattern in bytes.
const LONGEST: usize = 256;
/// What a compiled pattern may take, in bytes: tools have many of them.
const SIZE_LIMIT_BYTES: usize = 128 * 1024;
/// What a thread may keep of its work with one, in bytes.
const CACHE_LIMIT_BYTES: usize = 64 * 1024;
/// How deep groups may lie in each other.
const NEST_LIMIT: u32 = 16;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// Why a path is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Only some characters are taken, none of which means anything to a proxy's configuration.
    #[error("must begin with / and have letters, digits and -._~:/^$[](){{}}*+?|&=\\ only, 256 at most")]
    Characters,
    /// It is no regular expression, or too large a one.
    #[error("is no regular expression that can be used: {0}")]
    Expression(String),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Compiles a path.
    ///
    /// # Errors
    /// When it has other characters, is no regular expression, or would grow too large.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let is_taken = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/^$[](){}*+?|&=\\,".contains(&b);
        if !text.starts_with('/') || text.len() > LONGEST || !text.bytes().all(is_taken) {
            return Err(PatternError::Characters);
        }
        let regex = RegexBuilder::new(&format!("^(?:{text})"))
            .case_insensitive(true)
            .unicode(false)
            .size_limit(SIZE_LIMIT_BYTES)
            .dfa_size_limit(CACHE_LIMIT_BYTES)
            .nest_limit(NEST_LIMIT)
            .build()
            .map_err(|error| PatternError::Expression(last_line(&error)))?;
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many groups it has, besides all of it.
    pub fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// Whether it is found at the beginning of this path.
    pub fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path.as_bytes())
    }

    /// What its groups hold of a path, all of it first; empty where a group took no part.
    pub fn captures<'p>(&self, path: &'p str) -> Vec<&'p str> {
        let Some(captures) = self.regex.captures(path.as_bytes()) else {
            return Vec::new();
        };
        let text = |range: std::ops::Range<usize>| path.get(range).unwrap_or_default();
        let groups = captures.iter().map(|group| group.map(|group| group.range()));
        groups.map(|range| range.map(text).unwrap_or_default()).collect()
    }
}

/// Of the several lines that show where an error is, the one that says what it is.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Pattern, PatternError};

    #[test]
    fn is_compared_from_the_beginning_and_without_case() {
        for (pattern, path, matches) in [
            ("/foo/.*", "/foo/x", true),
            ("/foo/.*", "/FOO/x", true),
            ("/foo/.*", "/foo", false),
            ("/foo/.*", "/x/foo/x", false),
            // As in the documentation: a pattern without an end covers whatever follows.
            ("/foo/bar/[A-Z0-9]{3}", "/foo/bar/bar", true),
            ("/foo", "/foobar", true),
            ("/a|/b", "/x/b", false),
            ("/a|/b", "/b/x", true),
            ("/something(/|$)(.*)", "/something", true),
            ("/something(/|$)(.*)", "/somethings", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap().matches(path),
                matches,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn groups_hold_what_they_took() {
        let pattern = Pattern::new("/something(/|$)(.*)").unwrap();
        assert_eq!(pattern.groups(), 2);
        assert_eq!(pattern.captures("/something"), ["/something", "", ""]);
        assert_eq!(pattern.captures("/something/a/b"), ["/something/a/b", "/", "a/b"]);
        let either = Pattern::new("/(a)|(b)").unwrap();
        assert_eq!(either.captures("/a"), ["/a", "a", ""]);
    }

    #[test]
    fn what_is_hostile_is_refused() {
        for text in [
            "foo",
            "",
            "/a b",
            "/a\n",
            "/a;",
            "/a\"",
            "/a#",
            "/$uri\u{430}",
            "/'",
        ] {
            assert_eq!(Pattern::new(text), Err(PatternError::Characters), "{text:?}");
        }
        let deep = format!("/{}a{}", "(".repeat(40), ")".repeat(40));
        for text in [
            "/(",
            "/[",
            "/a{9999}{9999}",
            "/(a{1000}){1000}",
            "/(?=a)",
            "/\\1",
            &deep,
        ] {
            let refused = Pattern::new(text);
            assert!(
                matches!(refused, Err(PatternError::Expression(_))),
                "{text:?}: {refused:?}"
            );
        }
        assert_eq!(
            Pattern::new(&format!("/{}", "a".repeat(300))),
            Err(PatternError::Characters)
        );
    }

    proptest! {
        #[test]
        fn no_pattern_and_no_path_panics(pattern in "/[a-z(|)*+.$^{}0-9\\[\\]?]{0,12}", path in "/\\PC{0,12}") {
            if let Ok(pattern) = Pattern::new(&pattern) {
                prop_assert_eq!(pattern.matches(&path), !pattern.captures(&path).is_empty());
            }
        }
    }
}
