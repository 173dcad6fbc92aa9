//! From the arguments of a runner that registers to those of the one that runs the tool: the same, without the
//! registration and the port, which it gets as `PORT`. Pure.

use std::ffi::{OsStr, OsString};

const FLAG: &str = "--register-proxy";
const PORT: &str = "--port";
/// Options with a value, which is no option itself.
const VALUED: [&str; 1] = ["--type"];

/// The port that was asked for; 0 where none was.
pub(super) fn port(arguments: &[OsString]) -> Result<u16, String> {
    let own = own(arguments);
    let behind = own
        .iter()
        .position(|argument| argument == PORT)
        .map(|at| own.get(at + 1));
    let value = match behind {
        Some(value) => value.and_then(|value| value.to_str()).unwrap_or_default(),
        None => match own.iter().find_map(|argument| port_of(argument)) {
            Some(value) => value,
            None => return Ok(0),
        },
    };
    value
        .parse()
        .map_err(|_| format!("{PORT} {value:?} is no port; 0 takes a free one"))
}

/// What the runner of the tool is told.
pub(super) fn of_child(arguments: &[OsString]) -> Vec<OsString> {
    let own = own(arguments).len();
    let mut kept = Vec::new();
    let mut skip = false;
    for argument in &arguments[..own] {
        let is_value = std::mem::take(&mut skip);
        skip = argument == PORT;
        if !(is_value || skip || argument == FLAG || port_of(argument).is_some()) {
            kept.push(argument.clone());
        }
    }
    kept.extend_from_slice(&arguments[own..]);
    kept
}

fn port_of(argument: &OsStr) -> Option<&str> {
    argument.to_str()?.strip_prefix("--port=")
}

/// The runner's own arguments.
fn own(arguments: &[OsString]) -> &[OsString] {
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        if argument == "--" || !argument.to_string_lossy().starts_with('-') {
            break;
        }
        let valued = argument == PORT || VALUED.iter().any(|valued| argument == valued);
        at += if valued { 2 } else { 1 };
    }
    &arguments[..at.min(arguments.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_tool_gets_what_is_its_own() {
        for (given, asked, child) in [
            ("--type static --port 8000", 8000, "--type static"),
            ("--register-proxy --type static --port 0", 0, "--type static"),
            (
                "--type=generic --register-proxy --port=81 -- ./serve --port 0",
                81,
                "--type=generic -- ./serve --port 0",
            ),
            (
                "--type generic --canonical ./serve --register-proxy",
                0,
                "--type generic --canonical ./serve --register-proxy",
            ),
        ] {
            let given = words(given);
            assert_eq!(port(&given), Ok(asked), "{given:?}");
            assert_eq!(of_child(&given), words(child), "{given:?}");
        }
        assert!(port(&words("--port many")).is_err());
    }
}
