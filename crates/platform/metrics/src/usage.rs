//! What nodes and containers use: scraped from each node, and made into figures over a window of time.

mod figures;
mod follow;
mod page;
mod scrape;

pub(crate) use figures::{Figures, NodeUsage};
pub(crate) use follow::{each, follow};
