//! Reads a value that nobody is to see: from a terminal without showing it, or from a pipe.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::error::WebserviceError;

/// The value of a variable. `whole`: all of a pipe is one value, else a line is.
pub(super) fn value_of(name: &str, whole: bool) -> Result<String, WebserviceError> {
    let broken = |source| WebserviceError::Output {
        doing: "reading a value",
        source,
    };
    let mut value = String::new();
    if io::stdin().is_terminal() {
        anstream::eprint!("Value of {name} (it is not shown): ");
        let hidden = Hidden::begin().map_err(broken)?;
        let length = io::stdin().lock().read_line(&mut value);
        drop(hidden);
        anstream::eprintln!();
        length.map_err(broken)?;
    } else if whole {
        io::stdin().lock().read_to_string(&mut value).map_err(broken)?;
    } else {
        let length = io::stdin().lock().read_line(&mut value).map_err(broken)?;
        if length == 0 {
            return Err(WebserviceError::Usage(format!(
                "standard input ends before the value of {name}; give it a line for each variable"
            )));
        }
    }
    if value.ends_with('\n') {
        value.pop();
    }
    Ok(value)
}

/// A terminal that does not show what is typed; it is as it was when this is dropped.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}
