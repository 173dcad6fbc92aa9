//! Where the log goes: standard error, one line an event, as much of it as `RUST_LOG` asks for.

use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging. `quiet` is for `up`, whose terminal belongs to its report: warnings only.
pub(crate) fn start(quiet: bool) {
    let default = if quiet { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // A second start, as in tests, changes nothing.
    let _ = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
