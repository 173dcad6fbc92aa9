//! All `unsafe` code of the platform: what happens between fork and exec, mount namespaces, and the kernel's seccomp
//! interface.
//!
//! The process runtime calls it. Everything above gets safe functions; every block says why it holds.

#![expect(
    unsafe_code,
    reason = "fork hooks, mount namespaces and seccomp have no safe interface in any library that we use"
)]

pub(crate) mod child;
pub(crate) mod mounts;
pub(crate) mod reactor;
pub(crate) mod seccomp;
