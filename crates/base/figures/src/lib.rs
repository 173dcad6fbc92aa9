//! What every component does to tell its figures: registers what it declares, says what its process takes, and answers
//! `/metrics`.
//!
//! A component declares its families in one list (`toolforge_exposition::Declared`), which its registry and the reference
//! of metrics are made of. Here is no list of components, and nothing is counted here.

mod door;
mod process;
mod registry;

pub use door::{Door, answer};
pub use process::{PROCESS, Process};
pub use registry::{describe, register};
