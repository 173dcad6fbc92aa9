//! `toolforge tool`: creates, locks, lists and removes tools in the directory: that of the running platform of this
//! machine, or any other.

mod list;
mod maintainers;
mod show;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{WatchEvent, WatchParams},
};
use toolforge_accounts::{Creation, LdapAccess};
use toolforge_model::ToolName;

use crate::{
    cli::{ToolAction, ToolArgs, WhereArgs},
    client, confirm, directory,
    up::layout::Layout,
};

/// How long the account service may take to make a new tool's place: it takes well under a second on a
/// machine that is not in trouble.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// The marker that the account service writes when a tool has everything (facts section 4).
const MARKER: &str = "maintain-kubeusers";

/// Homes of tools on a directory that is not this machine's, as in the original.
const HOME_ROOT: &str = "/data/project";

pub(crate) fn run(arguments: ToolArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(act(arguments.action))?;
    Ok(ExitCode::SUCCESS)
}

async fn act(action: ToolAction) -> anyhow::Result<()> {
    match action {
        ToolAction::Create {
            name,
            maintainers,
            home_root,
            place,
        } => create(&tool_name(&name)?, &maintainers, home_root, &place).await,
        ToolAction::Delete { name, yes, place } => {
            let name = tool_name(&name)?;
            let access = access(&place)?;
            let consequence = "its namespace and its access go; its home stays";
            confirm::ask(
                &format!("Remove the tool {name} from the directory? {consequence}"),
                yes,
            )?;
            toolforge_accounts::delete_tool(&access, &name).await?;
            anstream::println!("{name} is removed from the directory; {consequence}");
            Ok(())
        }
        ToolAction::Lock { name, place } => {
            let (name, access) = (tool_name(&name)?, access(&place)?);
            let changed = toolforge_accounts::lock_tool(&access, &name).await?;
            anstream::println!("{name} {} locked", if changed { "is" } else { "was already" });
            Ok(())
        }
        ToolAction::Unlock { name, place } => {
            let (name, access) = (tool_name(&name)?, access(&place)?);
            let changed = toolforge_accounts::unlock_tool(&access, &name).await?;
            anstream::println!(
                "{name} {}",
                if changed { "is unlocked" } else { "was not locked" }
            );
            Ok(())
        }
        ToolAction::Maintainers { action } => maintainers::act(action).await,
        ToolAction::List { output, place } => {
            if place.directory.is_named() {
                list::of_directory(output, &place.directory.access()?).await
            } else {
                list::of_platform(output, &Layout::settle(place.data.data.as_deref())?).await
            }
        }
        ToolAction::Show { name, output, place } => show::show(&tool_name(&name)?, output, &place).await,
    }
}

/// The directory that a command is about, as somebody who may write where it is this machine's.
pub(crate) fn access(place: &WhereArgs) -> anyhow::Result<LdapAccess> {
    if place.directory.is_named() {
        return place.directory.access();
    }
    let layout = Layout::settle(place.data.data.as_deref())?;
    Ok(directory::local_admin(&layout)?.0)
}

fn tool_name(name: &str) -> anyhow::Result<ToolName> {
    name.parse()
        .with_context(|| format!("{name:?} cannot be a tool's name"))
}

/// A client with the operator's rights on the platform that runs on this data folder.
pub(crate) async fn admin_client(layout: &Layout) -> anyhow::Result<Client> {
    let path = layout.admin_kubeconfig();
    if let Err(error) = std::fs::File::open(&path) {
        let hint = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "it belongs to whoever runs the platform; use sudo",
            _ => "is the platform running? `toolforge up` starts it; --data names another data folder",
        };
        return Err(error).with_context(|| format!("{} cannot be read; {hint}", path.display()));
    }
    client::from_file(Some(&path)).await
}

async fn create(
    name: &ToolName,
    maintainers: &[String],
    home_root: Option<PathBuf>,
    place: &WhereArgs,
) -> anyhow::Result<()> {
    if place.directory.is_named() {
        let access = place.directory.access()?;
        let creation = Creation::below(home_root.unwrap_or_else(|| HOME_ROOT.into()));
        let created = toolforge_accounts::create_tool(&access, &creation, name, maintainers).await?;
        anstream::println!("{name} is in the directory, with the user id {}", created.uid);
        return Ok(());
    }
    let layout = Layout::settle(place.data.data.as_deref())?;
    let client = admin_client(&layout).await?;
    let (access, settings) = directory::local_admin(&layout)?;
    let creation = Creation::below(home_root.unwrap_or_else(|| settings.homes.clone()));
    toolforge_accounts::create_tool(&access, &creation, name, maintainers).await?;
    wait_until_ready(&client, name).await?;
    let text = name.as_str();
    anstream::println!("{text} is ready. It will be served at {}", settings.url(text));
    anstream::println!("Next: {} become {text}", layout.bin().join("toolforge").display());
    Ok(())
}

/// Waits for the marker in the tool's namespace.
async fn wait_until_ready(client: &Client, name: &ToolName) -> anyhow::Result<()> {
    let markers: Api<ConfigMap> = Api::namespaced(client.clone(), name.namespace().as_str());
    let parameters = WatchParams::default().fields(&format!("metadata.name={MARKER}"));
    let waiting = async {
        let mut events = markers.watch(&parameters, "0").await?.boxed();
        while let Some(event) = events.next().await {
            if let WatchEvent::Added(_) | WatchEvent::Modified(_) = event? {
                return anyhow::Ok(());
            }
        }
        bail!("the API ended the watch")
    };
    match tokio::time::timeout(READY_DEADLINE, waiting).await {
        Ok(outcome) => outcome.context("the tool is in the directory, but its place cannot be watched"),
        Err(_) => bail!(
            "the tool is in the directory, but its place is not ready after {} s; the log of `toolforge up` says why",
            READY_DEADLINE.as_secs()
        ),
    }
}
