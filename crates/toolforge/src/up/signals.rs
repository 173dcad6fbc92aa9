//! Ctrl-C and its kin: the first asks everything to stop, the second does not wait.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a program that was interrupted, as shells know it: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Signals this close together are one wish: shells and supervisors signal a process and its group.
const ONE_WISH: Duration = Duration::from_millis(500);

/// Cancels `shutdown` at the first SIGINT, SIGTERM or SIGHUP.
pub(crate) fn stop_on_signals(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        let mut asked: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if asked.is_some_and(|first| first.elapsed() < ONE_WISH) {
                continue;
            }
            if asked.is_some() {
                anstream::eprintln!("stopped without waiting; the next start cleans up");
                #[expect(
                    clippy::exit,
                    reason = "the user asked twice; whatever hangs must not hold them"
                )]
                std::process::exit(INTERRUPTED);
            }
            asked = Some(Instant::now());
            shutdown.cancel();
        }
    });
    Ok(())
}
