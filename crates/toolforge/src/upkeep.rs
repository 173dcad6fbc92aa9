//! `toolforge cluster`: what an operator does to look after the built-in Kubernetes of this machine.

mod backup;
mod restore;

use std::process::ExitCode;

use crate::{
    cli::{UpkeepAction, UpkeepArgs},
    up::layout::Layout,
};

pub(crate) fn run(arguments: UpkeepArgs) -> anyhow::Result<ExitCode> {
    match arguments.action {
        UpkeepAction::Backup { file, data } => backup::run(&file, &Layout::settle(data.data.as_deref())?)?,
        UpkeepAction::Restore { file, force, data } => {
            restore::run(&file, force, &Layout::settle(data.data.as_deref())?)?;
        }
        UpkeepAction::RotateKey { data } => rotate_key(&Layout::settle(data.data.as_deref())?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn rotate_key(layout: &Layout) -> anyhow::Result<()> {
    let _lock = layout.lock()?;
    toolforge_apiserver::rotate_key(&layout.store())?;
    anstream::println!(
        "The store has a new key. The next start encrypts everything anew and forgets the old one."
    );
    anstream::println!(
        "Keep a copy of {} in a safe place when it is done.",
        layout.store_key().display()
    );
    Ok(())
}
