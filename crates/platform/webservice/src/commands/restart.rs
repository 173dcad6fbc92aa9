//! `webservice restart`: a new Pod, answering before the old one goes.

use super::{env, intent::Intent, on_grid, start};
use crate::{
    cli::StartArgs, error::WebserviceError, platform::Platform, session::Session, settings::Backend,
};

/// As the original said it.
pub(super) const WORDS: &str = "Restarting";

pub(super) async fn run(session: &Session, arguments: &StartArgs) -> Result<(), WebserviceError> {
    let intent = Intent::read(session, &arguments.settings)?;
    if intent.backend()? == Backend::Gridengine {
        return on_grid::restart(session, &intent, arguments).await;
    }
    let platform = Platform::read(&session.client).await?;
    let Some(running) = session.running().await? else {
        anstream::eprintln!("Your job is not running, starting");
        return start::run(session, arguments).await;
    };
    let resolved = intent.over(&running).resolve(session, &platform)?;
    env::set(session, &arguments.env).await?;
    start::bring(session, &platform, &resolved, WORDS, arguments.follow).await
}
