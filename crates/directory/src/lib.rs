//! The LDAP server that `toolforge up` brings along.
//!
//! A small directory for one machine: all entries in memory, an LDIF file and a journal on disk, LDAP over TLS (`ldaps://`, and
//! `StartTLS` on the same port) for standard clients, with content synchronisation and persistent search so that the account service learns of changes at once. The program
//! opens and runs it; everybody else, the account service included, speaks LDAP to it like to any other server.

mod access;
mod answer;
mod change;
mod connection;
mod entry;
mod figures;
mod filter;
mod following;
#[cfg(fuzzing)]
pub mod fuzzing;
mod journal;
pub mod ldif;
mod name;
mod persist;
mod schema;
mod search;
mod server;
mod session;
mod starttls;
mod store;
mod subschema;
mod sync;
mod tree;

pub use entry::{Attribute, Entry};
pub use figures::FAMILIES;
pub use journal::Damaged;
pub use name::{Dn, NameError, escape_value};
pub use server::{Config, Directory, DirectoryError};
