//! What cannot be done to a job on a grid, and the way that there is instead.

use super::intent::Intent;
use crate::{cli::SettingsArgs, error::WebserviceError, session::Session, settings::Backend};

/// Refuses an action on a webservice that runs on a grid; `way` is what to do there.
pub(super) fn check(session: &Session, action: &str, way: &str) -> Result<(), WebserviceError> {
    if !is_on_grid(session)? {
        return Ok(());
    }
    Err(WebserviceError::Precondition(format!(
        "Your webservice runs on the grid, and {action} is only for --backend=kubernetes. {way}"
    )))
}

/// Whether its manifest says that it runs on a grid.
pub(super) fn is_on_grid(session: &Session) -> Result<bool, WebserviceError> {
    let there = Intent::of_what_is_there(session, &SettingsArgs::default());
    Ok(there.backend()? == Backend::Gridengine)
}
