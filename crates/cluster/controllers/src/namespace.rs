//! The end of a namespace: everything in it is deleted, Pods first, and then the namespace lets go of its finalizer.

mod conditions;
pub(crate) mod controller;
