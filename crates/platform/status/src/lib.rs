//! What can be seen of the platform by everybody: the pages that answer for what is not there.

mod accept;
mod fourohfour;

pub use fourohfour::{Config, FourohfourError, Page, Subject, Tools, Visit, page, run_fourohfour};
