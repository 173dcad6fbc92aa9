//! What the annotations of an Ingress ask of the gateway, in the language of ingress-nginx.
//!
//! [`read()`] turns texts into an [`Extras`] of ready values, and says what it does not take and why. The admission policy
//! makes its refusals and warnings of that; the routing table makes it part of its routes; so one is never laxer than
//! the other. Nothing here becomes configuration of anything: a text that has no meaning here has none at all.
//! Pure: no sockets, no clock, no names of tools.

mod affinity;
mod auth;
mod catalogue;
mod cors;
mod extras;
mod limits;
mod networks;
mod pattern;
mod read;
mod redirect;
mod template;
mod values;

pub use affinity::{Affinity, SameSite};
pub use auth::{Auth, AuthServer, Signin};
pub use catalogue::{FAMILY, Known, known, nearest, obeyed};
pub use cors::{Cors, Origins};
pub use extras::{Extras, Timeouts};
pub use limits::{Rate, Rates};
pub use networks::{NetworkError, Networks};
pub use pattern::{Pattern, PatternError};
pub use read::{AskedPath, Note, Place, Problem, ProblemKind, Reading, Source, has_patterns, read};
pub use redirect::Redirect;
pub use template::{Template, TemplateError, Variable};
