//! A scratch platform for tests: the real program on a data folder and ports of its own, driven from
//! outside with real `kubectl` and a real HTTP client. Everything here fails the test that uses it, with
//! what it saw, when something is not as it should be; nothing waits without a deadline.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot be set up has failed the test"
)]

mod grid_engine;
mod network;
mod outcome;
mod platform;
mod ports;
mod running;
mod until;
mod visitor;
mod webservice;

pub use grid_engine::{GridEngine, GridUser};
pub use network::Network;
pub use outcome::Outcome;
pub use platform::{Platform, Scratch};
pub use ports::free_port;
pub use running::Running;
pub use until::{DEADLINE, eventually};
pub use visitor::{Answer, Visitor};
pub use webservice::webservice;
