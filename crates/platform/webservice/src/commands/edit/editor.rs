//! A text that is edited in a file of its own until it is good.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    process::Command,
};

use tempfile::NamedTempFile;

use crate::error::WebserviceError;

/// What there is on every machine.
const LAST_RESORT: &str = "vi";

/// The text as it is being edited; its file goes unless it is kept.
pub(super) struct Draft {
    file: Option<NamedTempFile>,
}

impl Draft {
    pub(super) fn new(text: &str) -> Result<Self, WebserviceError> {
        let file = tempfile::Builder::new()
            .prefix("service.template.")
            .suffix(".yaml")
            .tempfile()
            .and_then(|mut file| file.write_all(text.as_bytes()).map(|()| file))
            .map_err(|source| WebserviceError::Output {
                doing: "writing a file to edit",
                source,
            })?;
        Ok(Self { file: Some(file) })
    }

    /// Lets the maintainer edit it; what it is then.
    pub(super) fn edit(&mut self) -> Result<String, WebserviceError> {
        let Some(file) = &self.file else {
            return Ok(String::new());
        };
        let editor = editor();
        // An editor may have arguments of its own, as everywhere.
        let ended = Command::new("/bin/sh")
            .args(["-c", &format!("{editor} \"$1\""), "sh"])
            .arg(file.path())
            .status();
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(self.keep(&format!("the editor ({editor}) ended with {status}"))),
            Err(error) => return Err(self.keep(&format!("the editor ({editor}) cannot be run: {error}"))),
        }
        // Editors put a new file into the place of the old one.
        fs::read_to_string(file.path()).map_err(|error| self.keep(&format!("it cannot be read: {error}")))
    }

    /// Says where the text is, for it stays there.
    pub(super) fn keep(&mut self, why: &str) -> WebserviceError {
        let kept = self
            .file
            .take()
            .and_then(|file| file.into_temp_path().keep().ok());
        WebserviceError::Failed(match kept {
            Some(path) => format!("{why}; your text is in {}", path.display()),
            None => why.to_owned(),
        })
    }
}

fn editor() -> String {
    ["VISUAL", "EDITOR"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|editor| !editor.trim().is_empty())
        .unwrap_or_else(|| LAST_RESORT.to_owned())
}

/// Asks a maintainer at a terminal; nobody else can correct anything.
pub(super) fn wants_another_try() -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    anstream::eprint!("Edit it again? [Y/n] ");
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer).unwrap_or_default();
    read > 0 && !answer.trim().to_lowercase().starts_with('n')
}
