//! The words of the platform, as types that can only hold what is right.
//!
//! Every other crate builds on this one. It reads no clock, no file and no socket; a value of one of these types has
//! been checked when it exists, so nobody checks it again.

mod account;
mod chain;
mod domain;
mod image_ref;
pub mod labels;
pub mod names;
mod namespace;
mod problem;
mod quantity;
mod registry;
mod text;
mod tool_name;

pub use account::{AccountError, Maintainer, ToolAccount};
pub use chain::Chain;
pub use domain::{Domain, DomainError, host_name};
pub use image_ref::{ImageRef, ImageRefError};
pub use namespace::{Namespace, NamespaceError};
pub use problem::{Problem, Problems};
pub use quantity::{Quantity, QuantityError};
pub use registry::{Registry, RegistryError};
pub use tool_name::{ToolName, ToolNameError};
