//! SPDY/3.1, the server's side, as far as Kubernetes' clients use it
//! (<https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/>).
//!
//! `frame` and `headers` are pure; `window` counts; `session` runs a connection. Bytes of a client can end its own
//! connection and nothing else.

mod frame;
mod headers;
mod session;
pub(crate) mod table;
pub(crate) mod window;

pub(crate) use frame::reason;
pub(crate) use headers::Headers;
pub(crate) use session::{Opened, Session, lingered};
