//! `webservice env set|unset|list`: the environment of the tool's programs, which is kept as a Secret.

mod prompt;

use std::collections::BTreeMap;

use super::{intent::Intent, only_kubernetes, restart::WORDS, start};
use crate::{
    cli::{ApplyArgs, EnvAction, EnvArgs},
    environment::{self, Assignment},
    error::WebserviceError,
    platform::Platform,
    session::Session,
    settings::Settings,
};

pub(super) async fn run(session: &Session, arguments: &EnvArgs) -> Result<(), WebserviceError> {
    match &arguments.action {
        EnvAction::Set { assignments, apply } => {
            set(session, assignments).await?;
            roll(session, *apply).await
        }
        EnvAction::Unset { names, apply } => {
            unset(session, names).await?;
            roll(session, *apply).await
        }
        EnvAction::List { show_values } => list(session, *show_values).await,
    }
}

/// Sets what was said as `KEY=VALUE`; asks for values that were not said.
pub(super) async fn set(session: &Session, assignments: &[String]) -> Result<(), WebserviceError> {
    if assignments.is_empty() {
        return Ok(());
    }
    let read: Result<Vec<Assignment>, String> =
        assignments.iter().map(|text| Assignment::parse(text)).collect();
    let read = read.map_err(WebserviceError::Usage)?;
    let missing = read
        .iter()
        .filter(|assignment| assignment.value.is_none())
        .count();
    let mut changes = BTreeMap::new();
    for Assignment { name, value } in read {
        let value = match value {
            Some(value) => value,
            None => prompt::value_of(&name, missing == 1)?,
        };
        if value.contains('\0') {
            return Err(WebserviceError::Usage(format!(
                "the value of {name} has a NUL character, which no environment can hold"
            )));
        }
        changes.insert(name, Some(value));
    }
    environment::change(session, &changes).await
}

async fn unset(session: &Session, names: &[String]) -> Result<(), WebserviceError> {
    let known = environment::read(session).await?;
    let unknown: Vec<&str> = names
        .iter()
        .filter(|name| !known.contains_key(*name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(WebserviceError::Failed(format!(
            "not set: {}; `webservice env list` shows what is",
            unknown.join(", ")
        )));
    }
    let changes = names.iter().map(|name| (name.clone(), None)).collect();
    environment::change(session, &changes).await
}

async fn list(session: &Session, show_values: bool) -> Result<(), WebserviceError> {
    let variables = environment::read(session).await?;
    if variables.is_empty() {
        anstream::eprintln!("Nothing is set; `webservice env set KEY=VALUE` does it.");
    }
    for (name, value) in variables {
        if show_values {
            anstream::println!("{name}={}", String::from_utf8_lossy(&value));
        } else {
            anstream::println!("{name}");
        }
    }
    Ok(())
}

/// Gives what runs the environment as it is now.
async fn roll(session: &Session, apply: ApplyArgs) -> Result<(), WebserviceError> {
    if only_kubernetes::is_on_grid(session)? {
        anstream::println!("The environment is changed.");
        anstream::eprintln!(
            "Your webservice runs on the grid, where jobs do not get it; `webservice migrate` moves it to Kubernetes, which \
             takes it in. On the grid, have your program read a file of its home that only your tool can read."
        );
        return Ok(());
    }
    let Some(running) = session.running().await? else {
        anstream::println!("The environment is changed; the next start takes it in.");
        return Ok(());
    };
    if apply.no_restart {
        anstream::println!("The environment is changed; the next restart takes it in.");
        return Ok(());
    }
    let platform = Platform::read(&session.client).await?;
    let resolved = Intent::exactly(Settings::of(&running)).resolve(session, &platform)?;
    start::bring(session, &platform, &resolved, WORDS, apply.follow).await
}
