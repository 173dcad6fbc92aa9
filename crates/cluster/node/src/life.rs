//! A Pod's life cycle, decided: values in, values out.
//!
//! `pod` feeds what happened into a [`PodLife`] with the time at which it happened, asks for the next [`Action`]s and
//! carries them out. Nothing in here reads a clock, starts a process or speaks to the API.

mod backoff;
mod container;
mod facts;
mod hook;
mod machine;
mod probe;
mod recover;
mod render;

pub(crate) use facts::{PodFacts, containers};
pub(crate) use hook::HookKind;
pub(crate) use machine::{Action, Happened, Note, PodLife};
pub(crate) use probe::ProbeKind;
pub(crate) use render::Surroundings;
