//! What can be seen of the platform by everybody: the pages that answer for what is not there, and those of k8s-status,
//! which show the cluster and every tool in it.

mod accept;
mod board;
mod fourohfour;

pub use board::{
    BOARD_FAMILIES, BoardConfig, BoardError, FiguresUrl, FiguresUrlError, Link, LinkError, run_board,
};
pub use fourohfour::{
    Config, FOUROHFOUR_FAMILIES, FourohfourError, Page, Subject, Tools, Visit, page, run_fourohfour,
};
