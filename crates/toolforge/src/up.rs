//! `toolforge up`: the whole platform in one process. It settles the settings, takes the data folder and
//! the ports, starts the parts in order, says what is running where, and stops everything on Ctrl-C.

pub(crate) mod layout;
mod listeners;
mod machine;
mod network;
mod parts;
mod program;
mod progress;
mod report;
mod sample;
pub(crate) mod secrets;
mod signals;
mod start;

use std::{process::ExitCode, time::Instant};

use anyhow::Context as _;

use crate::{cli::UpArgs, followed::FollowedFile, image_config, logging, policy, settings};
use layout::Layout;
pub(crate) use signals::stop_on_signals;

pub(crate) fn run(arguments: &UpArgs) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    logging::start(true);
    let layout = Layout::settle(arguments.data.data.as_deref())?;
    layout.create()?;
    let _lock = layout.lock()?;
    let earlier = settings::Settings::read(&layout.settings())?;
    let ldif = arguments.ldif.as_deref().map(read_ldif).transpose()?;
    let audit_policy = arguments.audit_policy.as_deref().map(read_policy).transpose()?;
    let policy_file = settings::policy_path(arguments, earlier.as_ref())?;
    let rules = policy_file
        .as_deref()
        .map(policy::read)
        .transpose()?
        .unwrap_or_default();
    let settings = settings::resolve(
        arguments,
        ldif.as_deref(),
        (policy_file, &rules),
        earlier.as_ref(),
        &layout.tool_homes(),
    )?;
    let rules = settings.fill(rules);
    let policies = rules.resolve()?;
    let overrides = settings.overrides.clone().map(FollowedFile::overrides);
    // What is wrong with it is said before anything begins.
    overrides.as_ref().map(FollowedFile::read).transpose()?;
    let gateway = settings
        .gateway
        .clone()
        .map(|path| FollowedFile::gateway("--gateway-settings", path));
    gateway.as_ref().map(FollowedFile::read).transpose()?;
    let images = settings.images.as_deref().map(image_config::read).transpose()?;
    if earlier.is_none() {
        // Only for a new platform: later, a folder that is not there is a file system that is not mounted.
        std::fs::create_dir_all(&settings.homes)
            .with_context(|| format!("--homes: {} cannot be made", settings.homes.display()))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(start::everything(start::Request {
        layout,
        settings,
        rules,
        policies,
        overrides,
        gateway,
        images,
        register_port: arguments.register_port,
        gateway_status_port: arguments.gateway_status_port,
        links: arguments.links.status_links.clone(),
        metrics_port: arguments.metrics_port,
        ldif,
        audit: arguments.audit_log.clone().map(|path| (path, audit_policy)),
        began,
    }));
    // What is still in a blocking call must not hold up the end.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

fn read_policy(path: &std::path::Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path)
        .with_context(|| format!("--audit-policy: {} cannot be read", path.display()))
}

fn read_ldif(path: &std::path::Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("--ldif: {} cannot be read", path.display()))
}
