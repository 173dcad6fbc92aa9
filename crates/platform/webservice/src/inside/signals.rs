//! Signals that end the program: heard, so that what must be taken away is taken away first.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Those signals. Without a terminal in raw mode Ctrl-C is one of them.
#[derive(Debug)]
pub(crate) struct Signals {
    by_number: [(u8, Signal); 4],
}

impl Signals {
    /// From here on they end nothing by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        let heard = |number: u8| -> io::Result<(u8, Signal)> {
            Ok((number, signal(SignalKind::from_raw(i32::from(number)))?))
        };
        // SIGHUP, SIGINT, SIGQUIT, SIGTERM.
        Ok(Self {
            by_number: [heard(1)?, heard(2)?, heard(3)?, heard(15)?],
        })
    }

    /// What to end with after the next of them: 128 and its number, as shells have it.
    pub(crate) async fn next(&mut self) -> u8 {
        let [first, second, third, fourth] = &mut self.by_number;
        let number = tokio::select! {
            _ = first.1.recv() => first.0,
            _ = second.1.recv() => second.0,
            _ = third.1.recv() => third.0,
            _ = fourth.1.recv() => fourth.0,
        };
        128 + number
    }
}
