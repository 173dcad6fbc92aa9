//! Regular expressions as Go writes them (RE2), for schemas and for `matches`: put into the words of the `regex` crate.
//!
//! Nearly all is the same in both. What is not: `\d`, `\w`, `\s` and `\b` know ASCII alone, a brace that repeats nothing is
//! one, `\Q..\E` quotes, and brackets, ampersands and dashes in a class are only themselves.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// Characters that may stand in braces, or be the name of a class: what is longer is neither.
const LOOK_AHEAD: usize = 12;

/// What a word is made of.
const WORD: &str = "0-9A-Za-z_";
/// What a space is.
const SPACE: &str = r"\t\n\f\r ";

/// Compiles a pattern in Go's syntax, which must not become larger than `most_bytes`.
///
/// # Errors
/// What is no pattern, or too large.
pub fn pattern(text: &str, most_bytes: usize) -> Result<Regex, regex::Error> {
    let mut translation = Translation {
        rest: text.chars().peekable(),
        out: String::with_capacity(text.len()),
    };
    translation.all();
    RegexBuilder::new(&translation.out).size_limit(most_bytes).build()
}

struct Translation<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

impl Translation<'_> {
    fn all(&mut self) {
        while let Some(letter) = self.rest.next() {
            match letter {
                '\\' => self.escape(),
                '[' => self.class(),
                '{' => self.brace(),
                '}' => self.out.push_str(r"\}"),
                other => self.out.push(other),
            }
        }
    }

    fn literal(&mut self, letter: char) {
        self.out.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
    }

    /// What a backslash stands before, outside of classes.
    fn escape(&mut self) {
        match self.rest.next() {
            Some('Q') => self.quoted(),
            Some('b') => self.out.push_str(r"(?-u:\b)"),
            Some(letter @ ('<' | '>')) => self.out.push(letter),
            Some(letter) => match members(letter) {
                Some((negated, members)) => {
                    let sign = if negated { "^" } else { "" };
                    self.out.extend(["[", sign, members, "]"]);
                }
                None => self.passed(letter),
            },
            None => self.out.push('\\'),
        }
    }

    /// An escape that both know, with the name of its class or the number of its character.
    fn passed(&mut self, letter: char) {
        self.out.push('\\');
        self.out.push(letter);
        if matches!(letter, 'p' | 'P' | 'x') && self.rest.peek() == Some(&'{') {
            for letter in self.rest.by_ref() {
                self.out.push(letter);
                if letter == '}' {
                    break;
                }
            }
        }
    }

    /// All up to `\E` is only itself.
    fn quoted(&mut self) {
        while let Some(letter) = self.rest.next() {
            if letter == '\\' && self.rest.peek() == Some(&'E') {
                self.rest.next();
                return;
            }
            self.literal(letter);
        }
    }

    /// Braces repeat what is before them when there are numbers in them, and else are only braces.
    fn brace(&mut self) {
        let ahead: String = self.rest.clone().take(LOOK_AHEAD).collect();
        let (ahead, is_closed) = ahead
            .split_once('}')
            .map_or(("", false), |(ahead, _)| (ahead, true));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        let repeats = match ahead.split_once(',') {
            Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
            None => is_number(ahead),
        };
        if !(is_closed && repeats) {
            return self.out.push_str(r"\{");
        }
        self.out.push('{');
        for letter in self.rest.by_ref() {
            self.out.push(letter);
            if letter == '}' {
                break;
            }
        }
    }

    /// A class in brackets, whose opening one has been read.
    fn class(&mut self) {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        if let Some(first) = self.rest.next_if(|letter| matches!(letter, ']' | '-')) {
            self.literal(first);
        }
        while let Some(letter) = self.rest.next() {
            match letter {
                ']' => return self.out.push(']'),
                '[' if self.rest.peek() == Some(&':') => self.named_class(),
                '\\' => self.class_escape(),
                '-' if self.rest.peek() == Some(&'-') => {
                    self.rest.next();
                    self.out.push_str(r"-\-");
                }
                '[' | '&' | '~' => self.literal(letter),
                other => self.out.push(other),
            }
        }
    }

    /// `[:alpha:]` within a class; where it does not end as such, its bracket is only one.
    fn named_class(&mut self) {
        let ahead: String = self.rest.clone().take(LOOK_AHEAD).collect();
        let name = ahead[1..].split_once(":]").map_or("", |(name, _)| name);
        let letters = name.strip_prefix('^').unwrap_or(name);
        if letters.is_empty() || !letters.bytes().all(|letter| letter.is_ascii_lowercase()) {
            return self.literal('[');
        }
        self.out.extend(["[:", name, ":]"]);
        // The colon before the name, and colon and bracket behind it.
        self.rest.nth(name.len() + 2);
        self.no_range();
    }

    fn class_escape(&mut self) {
        let Some(letter) = self.rest.next() else {
            return self.out.push('\\');
        };
        match members(letter) {
            Some((true, members)) => self.out.extend(["[^", members, "]"]),
            Some((false, members)) => self.out.push_str(members),
            None if matches!(letter, '<' | '>') => return self.out.push(letter),
            None => {
                self.passed(letter);
                if !matches!(letter, 'p' | 'P') {
                    return;
                }
            }
        }
        self.no_range();
    }

    /// A dash behind several characters is no range from the last of them.
    fn no_range(&mut self) {
        if self.rest.next_if_eq(&'-').is_some() {
            self.literal('-');
        }
    }
}

/// What the classes of one letter are made of, and whether they are all but that.
fn members(letter: char) -> Option<(bool, &'static str)> {
    let members = match letter.to_ascii_lowercase() {
        'd' => "0-9",
        'w' => WORD,
        's' => SPACE,
        _ => return None,
    };
    Some((letter.is_ascii_uppercase(), members))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(text: &str) -> Result<Regex, regex::Error> {
        pattern(text, 4 << 20)
    }

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (text, matching, other) in [
            (r"^\d+$", "12", "\u{0661}"),
            (r"^\w$", "a", "\u{e4}"),
            (r"^\W$", "\u{e4}", "a"),
            (r"^[\w-.]+$", "a-b.c", "a b"),
            (r"^[\D]$", "x", "1"),
            (r"^[^[\]]+$", "a", "["),
            (r"^[]a]$", "]", "b"),
            (r"^[a-z&&b]+$", "a&b", "B"),
            (r"^[+--]$", ",", "."),
            (r"^[--/]$", ".", ","),
            (r"^[[:alpha:]-]+$", "a-b", "1"),
            (r"^[[:^digit:]]$", "a", "1"),
            (r"^[[:x]$", "[", "y"),
            (r"^{a}$", "{a}", "a"),
            (r"^a{,2}$", "a{,2}", "aa"),
            (r"^a{2}$", "aa", "a"),
            (r"^a{1,}$", "aa", ""),
            (r"^\Qa.b{\E$", "a.b{", "axb{"),
            (r"^\<a\>$", "<a>", "a"),
            (r"^[\<\>]$", "<", "a"),
            (r"^\p{Greek}\x{41}$", "\u{3b1}A", "aA"),
            (r"^[\p{Lu}-]+$", "A-", "a"),
            (r"^(?i)AB$", "ab", "b"),
            (r"\bfoo\b", "a foo.", "afoo"),
            (r"^\s$", "\t", "\u{b}"),
            (r"^[^\s]+$", "a", " "),
            (r"^\$\{[a-z]+\}$", "${a}", "$a"),
        ] {
            let found = compiled(text).unwrap();
            assert!(found.is_match(matching), "{text} and {matching:?}");
            assert!(!found.is_match(other), "{text} and {other:?}");
        }
    }

    #[test]
    fn what_go_counts_to_a_thousand_is_not_too_large() {
        for text in [r"^\w{1,1000}$", r"^.{0,1000}$", r"^[^\s]{1,1000}$"] {
            assert!(compiled(text).is_ok(), "{text}");
        }
        assert!(compiled(r"^((\p{L}{1000}){1000}){1000}$").is_err());
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["(", "[", r"\", r"[\", "*"] {
            assert!(compiled(text).is_err(), "{text}");
        }
    }
}
