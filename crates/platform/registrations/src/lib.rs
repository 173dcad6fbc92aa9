//! Webservices outside of Kubernetes that register themselves, as those of a grid do, and are served before all else that
//! claims their hosts (facts 5.1 and 5.3).
//!
//! They come through two doors: the original's lines over TCP, where the machine that they come from says by ident whose
//! they are, and an HTTP API, where a tool shows the certificate that the cluster has issued to it. What they register is
//! kept on disk, checked for life, and expires when it is dead for long. The gateway calls [`Registrations`], and routes
//! what it tells. It must not know of Kubernetes' API, nor of visitors.

mod api;
mod ask;
mod book;
mod check;
mod claim;
mod clock;
mod destination;
mod door;
mod fault;
mod figures;
mod file;
mod ident;
mod limits;
mod line;
mod lines;
mod list;
mod lock;
mod owner;
mod registration;
mod run;
mod settings;
mod shown;
mod store;
mod tenants;

pub use book::{Book, Full};
pub use claim::{Claim, Names};
pub use clock::Clock;
pub use destination::read as read_destination;
pub use fault::Fault;
pub use figures::{Event, Figures};
pub use file::{FileError, read as read_file};
pub use ident::{IDENT_PORT, read_reply as read_ident_reply};
pub use line::{Line, read as read_line};
pub use registration::{Life, Registration, State};
pub use run::{Config, OpenError, Registrations, Seen};
pub use settings::{RegistrationRules, RegistrationSettings};
pub use shown::Shown;
pub use store::Followed;
pub use tenants::Tenants;
