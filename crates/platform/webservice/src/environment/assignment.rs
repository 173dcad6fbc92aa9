//! `KEY=VALUE` as a maintainer says it.

/// Names that the platform sets, with what they are for.
const RESERVED: [(&str, &str); 3] = [
    ("PORT", "the port to listen on"),
    ("HOME", "the tool's home"),
    ("NO_HOME", "whether there is a home"),
];
/// All of these are the platform's.
const RESERVED_PREFIX: &str = "TOOL_";
/// The value that stands for: read it from standard input.
const FROM_INPUT: &str = "-";

/// A variable, and its value where that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    /// None: it is read from standard input, and so gets into no history of a shell.
    pub(crate) value: Option<String>,
}

impl Assignment {
    /// # Errors
    ///
    /// What is wrong with it, without its value.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, FROM_INPUT)) => (name, None),
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        check_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

/// Whether a tool may set a variable of this name.
///
/// # Errors
///
/// Why it may not.
fn check_name(name: &str) -> Result<(), String> {
    let first = name.bytes().next();
    let is_name = first.is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(format!(
            "{name:?} is not the name of a variable: letters, digits and underscores, and no digit in front; say for \
             example API_KEY=VALUE"
        ));
    }
    if let Some((_, what)) = RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        return Err(format!(
            "{name} is set by the platform ({what}); choose another name"
        ));
    }
    if name.starts_with(RESERVED_PREFIX) {
        return Err(format!(
            "{name} is reserved: names that begin with {RESERVED_PREFIX} are set by the platform; choose another name"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_said_or_read() {
        for (text, name, value) in [
            ("A=b", "A", Some("b")),
            ("A=b=c d", "A", Some("b=c d")),
            ("_a1=", "_a1", Some("")),
            ("A=-", "A", None),
            ("A", "A", None),
        ] {
            let expected = Assignment {
                name: name.to_owned(),
                value: value.map(ToOwned::to_owned),
            };
            assert_eq!(Assignment::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn names_that_nobody_can_set_are_refused_without_their_value() {
        for (text, words) in [
            ("1A=secret", "no digit in front"),
            ("=secret", "not the name"),
            ("A-B=secret", "not the name"),
            ("Ä=secret", "not the name"),
            ("PORT=secret", "set by the platform"),
            ("HOME=secret", "set by the platform"),
            ("TOOL_DATA_DIR=secret", "reserved"),
        ] {
            let refused = Assignment::parse(text).unwrap_err();
            assert!(
                refused.contains(words) && !refused.contains("secret"),
                "{text}: {refused}"
            );
        }
        check_name("TOOLS").unwrap();
    }
}
