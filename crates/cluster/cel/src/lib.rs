//! Expressions in the Common Expression Language, with the functions that Kubernetes adds to it.
//!
//! The rules of custom resources (`x-kubernetes-validations`) and the match conditions of webhooks are compiled once
//! and evaluated often. Pure: no clock, no socket, no file; values in, a value or an error out.
//!
//! **Invariant:** the work of an evaluation is bounded, whatever the expression and the values are: every step and
//! every byte that is made costs, and a budget that is spent ends the evaluation with an error. So callers can
//! evaluate where they stand, and fail closed.
//!
//! Written here rather than taken from a crate because none of them can be bounded. It has no message types (struct
//! literals are refused), and leaves types unchecked until evaluation.
//!
//! Regular expressions in Go's syntax ([`pattern()`]) are here because expressions have them; schemas take them from here.

mod authorizer;
mod budget;
mod evaluate;
mod functions;
mod macros;
mod operators;
mod parser;
mod pattern;
mod program;
mod syntax;
mod token;
mod value;

pub use authorizer::{Asking, Authorizer, Decision, Question};
pub use pattern::pattern;
pub use program::{CompileError, EvaluateError, Program};
pub use value::{Key, Value};
