//! Type generic: the process becomes the program that the maintainer named.

use std::{os::unix::process::CommandExt as _, path::Path, process::Command};

/// Becomes the program; returns only why it could not.
pub(super) fn become_it(home: &Path, port: u16, command: &[String]) -> String {
    let Some((program, arguments)) = command.split_first() else {
        return "no program was named; say webservice generic start -- COMMAND".to_owned();
    };
    let error = with_port(Command::new(program).args(arguments).current_dir(home), port).exec();
    format!("{program} cannot be run: {error}")
}

/// The two names under which tools look for their port.
pub(super) fn with_port(command: &mut Command, port: u16) -> &mut Command {
    command
        .env("PORT", port.to_string())
        .env("TOOL_WEB_PORT", port.to_string())
}
