//! All `unsafe` code of the platform: what happens between fork and exec, and the kernel's seccomp interface.
//!
//! The process runtime calls it. Everything above gets safe functions; every block says why it holds.

#![expect(
    unsafe_code,
    reason = "fork hooks and seccomp have no safe interface in any library that we use"
)]

pub(crate) mod child;
pub(crate) mod seccomp;
