//! The LDAP server that `toolforge up` brings along.
//!
//! A small directory for one machine: all entries in memory, one LDIF file on disk, LDAP over TLS for standard
//! clients, with content synchronisation so that the account service learns of changes at once. The program
//! opens and runs it; everybody else, the account service included, speaks LDAP to it like to any other server.

mod access;
mod answer;
mod change;
mod connection;
mod entry;
mod filter;
pub mod ldif;
mod name;
mod schema;
mod search;
mod server;
mod session;
mod store;
mod sync;
mod tree;

pub use entry::{Attribute, Entry};
pub use name::{Dn, NameError, escape_value};
pub use server::{Config, Directory, DirectoryError};
