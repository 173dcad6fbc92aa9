//! The terminal that the command is called from, when there is one: raw while a command has it, and its size.

use std::io::{self, IsTerminal as _};

use futures::{SinkExt as _, channel::mpsc};
use kube::api::TerminalSize;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

/// What programs get to know of the terminal when it says nothing of itself.
const DEFAULT_TERM: &str = "xterm";

/// Whether there is one on both ends; when input or output goes elsewhere, every byte must stay as it is.
pub(crate) fn is_here() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The kind of terminal, as programs ask for it in `TERM`.
pub(crate) fn term() -> String {
    match std::env::var("TERM") {
        Ok(term) if !term.is_empty() => term,
        _ => DEFAULT_TERM.to_owned(),
    }
}

/// A terminal in raw mode; it is as it was when this is dropped.
#[derive(Debug)]
pub(super) struct Raw {
    before: Termios,
}

impl Raw {
    /// From now on every key goes to the command, Ctrl-C too.
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Tells the command the size of the terminal, now and whenever it changes.
pub(super) async fn pass_sizes(raw: Option<&Raw>, to: Option<mpsc::Sender<TerminalSize>>) {
    let (Some(_), Some(mut to)) = (raw, to) else {
        return;
    };
    let Ok(mut changes) = signal(SignalKind::window_change()) else {
        return;
    };
    loop {
        if let Ok(size) = tcgetwinsize(io::stdout()) {
            let size = TerminalSize {
                width: size.ws_col,
                height: size.ws_row,
            };
            if to.send(size).await.is_err() {
                return;
            }
        }
        if changes.recv().await.is_none() {
            return;
        }
    }
}
