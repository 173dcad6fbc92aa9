//! The runner as a container runs it: a process with a home and a port, for each runtime.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "runner/languages.rs"]
mod languages;
#[path = "runner/php.rs"]
mod php;
#[path = "runner/processes.rs"]
mod processes;
#[path = "runner/python.rs"]
mod python;
#[path = "runner/tool.rs"]
mod tool;
