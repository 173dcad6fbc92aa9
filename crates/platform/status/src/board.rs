//! The pages of k8s-status: the cluster and every tool in it, for everybody.
//!
//! Watches keep what is shown (`follow`, `world`); what they bring is cut down to what may be shown before it is kept
//! (`seen`). Pages are values computed from that (`pages`), written as HTML or JSON. When the API is gone the pages go on
//! with what was last known, and say so (`pulse`).
//!
//! **Invariant:** nothing here reads Secrets, and no value of an environment variable is ever kept.

mod chart;
mod config;
mod copies;
mod figures;
mod follow;
mod glance;
mod load;
mod pages;
mod pulse;
mod route;
mod seen;
mod server;
mod text;
mod traffic;
mod usage;
mod verdict;
mod world;

#[cfg(test)]
mod example;

pub use config::{BoardConfig, FiguresUrl, FiguresUrlError, Link, LinkError};
pub use figures::BOARD_FAMILIES;
pub use server::{BoardError, run_board};
