//! `webservice rollback [REVISION]`: back to a configuration of the history, without downtime.

use super::{intent::Intent, only_kubernetes, start};
use crate::{
    cli::RollbackArgs,
    error::WebserviceError,
    history::{self, Entry, changes, to_the_second},
    platform::Platform,
    session::Session,
    settings::Settings,
};

const WORDS: &str = "Rolling back";

pub(super) async fn run(session: &Session, arguments: &RollbackArgs) -> Result<(), WebserviceError> {
    only_kubernetes::check(
        session,
        "rollback",
        "The history has no jobs in it; `webservice restart` with the settings from before does it, and \
         `webservice migrate` moves it to Kubernetes.",
    )?;
    let entries = history::read(session).await?;
    let running = running(session).await?;
    let current = running
        .as_ref()
        .or_else(|| entries.last().map(|entry| &entry.settings));
    let target = target(&entries, current, arguments.revision)?;
    let changes = current
        .map(|current| changes(current, &target.settings))
        .unwrap_or_default();
    if running.is_some() && changes.is_empty() {
        anstream::println!(
            "Your webservice runs with the configuration of revision {} already",
            target.revision
        );
        return Ok(());
    }
    anstream::eprintln!(
        "Going back to revision {} of {}:",
        target.revision,
        to_the_second(&target.at)
    );
    for change in &changes {
        anstream::eprintln!("  {change}");
    }
    let platform = Platform::read(&session.client).await?;
    let resolved = Intent::exactly(target.settings.clone()).resolve(session, &platform)?;
    start::bring(session, &platform, &resolved, WORDS, arguments.follow).await
}

/// The settings of what runs.
pub(super) async fn running(session: &Session) -> Result<Option<Settings>, WebserviceError> {
    let deployment = session.running().await?;
    Ok(deployment.map(|running| Settings::of(&running)))
}

fn target<'a>(
    entries: &'a [Entry],
    current: Option<&Settings>,
    asked: Option<u64>,
) -> Result<&'a Entry, WebserviceError> {
    let Some(revision) = asked else {
        let before = current.and_then(|current| history::before(entries, current));
        return before.ok_or_else(|| {
            WebserviceError::Failed(
                "there is no other configuration to go back to; `webservice history` shows what there is"
                    .to_owned(),
            )
        });
    };
    entries
        .iter()
        .find(|entry| entry.revision == revision)
        .ok_or_else(|| {
            let known: Vec<String> = entries.iter().map(|entry| entry.revision.to_string()).collect();
            WebserviceError::Failed(format!(
                "there is no revision {revision} in the history; there is: {}",
                if known.is_empty() {
                    "none yet".to_owned()
                } else {
                    known.join(", ")
                }
            ))
        })
}
