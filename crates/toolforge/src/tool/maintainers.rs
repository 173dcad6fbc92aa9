//! `toolforge tool maintainers`: who looks after a tool.

use crate::cli::{ListFormat, MaintainersAction};

use super::{access, show, tool_name};

pub(super) async fn act(action: MaintainersAction) -> anyhow::Result<()> {
    match action {
        MaintainersAction::Add { name, user, place } => {
            let (name, access) = (tool_name(&name)?, access(&place)?);
            let changed = toolforge_accounts::add_maintainer(&access, &name, &user).await?;
            let said = if changed { "is now" } else { "was already" };
            anstream::println!("{user} {said} a maintainer of {name}");
        }
        MaintainersAction::Remove { name, user, place } => {
            let (name, access) = (tool_name(&name)?, access(&place)?);
            let changed = toolforge_accounts::remove_maintainer(&access, &name, &user).await?;
            let said = if changed { "is no longer" } else { "was not" };
            anstream::println!("{user} {said} a maintainer of {name}");
        }
        MaintainersAction::List { name, output, place } => {
            let found = show::find(&tool_name(&name)?, &access(&place)?, None).await?;
            match output {
                ListFormat::Json => {
                    anstream::println!("{}", serde_json::to_string_pretty(&found.maintainers)?);
                }
                ListFormat::Table => {
                    for maintainer in &found.maintainers {
                        anstream::println!("{}  {}", maintainer.uid, maintainer.name);
                    }
                }
            }
        }
    }
    Ok(())
}
