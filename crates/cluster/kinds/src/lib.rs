//! What the built-in API knows of each kind: names, defaults, validation, columns, schemas.
//!
//! The API server and its admission chain call this crate for everything that depends on a kind. It is pure: it
//! works on `serde_json::Value` objects, and reads no clock, file, socket or environment. It never stores an object
//! and never decides who may do what.

mod convert;
pub mod cron;
mod custom;
mod defaults;
mod definitions;
mod field_error;
mod fields;
mod kind;
mod openapi;
mod prepare;
mod quantity;
mod registry;
pub mod scale;
mod schema;
pub mod status;
mod table;
mod validation;
mod value;
mod warnings;

pub use convert::{convert, storage_kind};
pub use custom::{CustomKind, Definition, conditions, custom_openapi, intern, interned, version_order};
pub use defaults::apply_defaults;
pub use field_error::{FieldError, FieldErrorKind};
pub use fields::field_value;
pub use kind::{Kind, Storage, Subresource, Verbs};
pub use openapi::{openapi_hash, openapi_v2, openapi_v3, openapi_v3_index};
pub use prepare::{prepare_for_create, prepare_for_update};
pub use registry::{all, by_kind, by_resource};
pub use schema::{Mistyped, check_types, decode, decode_through, prune, strict_error, unknown_fields};
pub use status::Status;
pub use table::{IncludeObject, scale_table, table};
pub use validation::{validate_annotations, validate_create, validate_labels, validate_update};
pub use warnings::warnings;
