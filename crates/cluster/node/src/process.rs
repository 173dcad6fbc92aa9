//! The process runtime: each container is a process group of this machine.
//!
//! There are no images here: a container sees the machine's file system, with its volumes in their places (`mounts`),
//! and runs what `PATH` finds. What stands between containers is the user id, the cgroup and the address (see the
//! modules below); what cannot be had is refused with a sentence, never pretended.
//!
//! `runtime` keeps the containers, `container` is one of them, and `launch` starts its program; a `guest` is a command
//! that is run inside of it, and its `console` is what others are attached to. What a container may be and have is decided without touching anything: `account`, `command`, `limits`, `verdict` and `volumes`.

mod account;
mod cgroup;
mod command;
mod console;
mod container;
mod controllers;
mod descriptor;
mod ending;
mod ends;
mod expansion;
mod guest;
mod launch;
mod leftovers;
mod limits;
mod mounts;
mod probe;
mod redirect;
mod runtime;
mod spawner;
mod streams;
mod table;
mod tap;
mod terminal;
mod verdict;
mod view;
mod volumes;

#[cfg(test)]
mod tests;

pub(crate) use controllers::Controllers;
pub(crate) use expansion::expand;
pub(crate) use mounts::{Namespaces, open_safely, real_path};
pub(crate) use runtime::ProcessRuntime;
