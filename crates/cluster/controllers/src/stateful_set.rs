//! `StatefulSets`: Pods with a name, an order and storage of their own.

pub(crate) mod controller;
pub(crate) mod identity;
pub(crate) mod plan;
mod retention;

#[cfg(test)]
mod tests;
