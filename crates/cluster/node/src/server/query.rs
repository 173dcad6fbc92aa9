//! Queries of commands: which streams, which words. Pure.

use percent_encoding::percent_decode_str;
use toolforge_streams::Wanted;

/// The names and values of a query string, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(super) fn parse(query: &str) -> Self {
        let decode = |part: &str| {
            percent_decode_str(&part.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let found = self.0.iter().filter(|(found, _)| found == name);
        found.map(|(_, value)| value.clone()).collect()
    }

    /// Which streams are asked for; an error where there is none.
    pub(super) fn wanted(&self) -> Result<Wanted, &'static str> {
        let is_on = |name: &str| self.all(name).first().is_some_and(|value| value == "1");
        let tty = is_on("tty");
        let wanted = Wanted {
            stdin: is_on("input"),
            stdout: is_on("output"),
            // A terminal has one output.
            stderr: is_on("error") && !tty,
            tty,
        };
        if wanted.stdin || wanted.stdout || wanted.stderr {
            Ok(wanted)
        } else {
            Err("you must specify at least 1 of stdin, stdout, stderr")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_order_and_their_blanks() {
        let pairs = Pairs::parse("command=sh&command=-c&command=echo%20a+b%26&output=1");
        assert_eq!(pairs.all("command"), ["sh", "-c", "echo a b&"]);
        let stdout_only = Wanted {
            stdout: true,
            ..Wanted::default()
        };
        assert_eq!(pairs.wanted(), Ok(stdout_only));
    }

    #[test]
    fn a_terminal_has_no_errors_of_its_own() {
        let wanted = Pairs::parse("tty=1&error=1&output=1").wanted().expect("streams");
        assert!(wanted.tty && !wanted.stderr);
        assert!(Pairs::parse("tty=1&error=1").wanted().is_err());
        assert!(Pairs::parse("").wanted().is_err());
    }
}
