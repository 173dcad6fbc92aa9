//! `toolforge user`: creates, locks, lists and removes users in the directory.

use std::{path::PathBuf, process::ExitCode};

use toolforge_accounts::{Creation, LdapAccess, NewUser, User};

use crate::{
    cli::{ListFormat, UserAction, UserArgs},
    confirm,
    tool::access,
};

/// A user as they are shown.
#[derive(Debug, serde::Serialize)]
struct Shown {
    user: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    home: PathBuf,
    locked: bool,
    /// The tools that they maintain; shown of one user only.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<String>>,
}

impl From<User> for Shown {
    fn from(user: User) -> Self {
        Self {
            user: user.user,
            name: user.name,
            uid: user.uid,
            home: user.home,
            locked: user.locked,
            tools: None,
        }
    }
}

pub(crate) fn run(arguments: UserArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(act(arguments.action))?;
    Ok(ExitCode::SUCCESS)
}

async fn act(action: UserAction) -> anyhow::Result<()> {
    match action {
        UserAction::Create {
            user,
            name,
            home_root,
            place,
        } => {
            let new = NewUser { user, name };
            let creation = Creation::below(home_root);
            let created = toolforge_accounts::create_user(&access(&place)?, &creation, &new).await?;
            let uid = created.uid.unwrap_or_default();
            anstream::println!("{} is in the directory, with the user id {uid}", created.user);
        }
        UserAction::Delete { user, yes, place } => {
            let access = access(&place)?;
            let question =
                format!("Remove {user} from the directory, and from the tools that they maintain?");
            confirm::ask(&question, yes)?;
            toolforge_accounts::delete_user(&access, &user).await?;
            anstream::println!("{user} is removed from the directory; their home stays");
        }
        UserAction::Lock { user, place } => {
            let changed = toolforge_accounts::lock_user(&access(&place)?, &user).await?;
            anstream::println!("{user} {} locked", if changed { "is" } else { "was already" });
        }
        UserAction::Unlock { user, place } => {
            let changed = toolforge_accounts::unlock_user(&access(&place)?, &user).await?;
            anstream::println!(
                "{user} {}",
                if changed { "is unlocked" } else { "was not locked" }
            );
        }
        UserAction::List { output, place } => list(output, &access(&place)?).await?,
        UserAction::Show { user, output, place } => show(&user, output, &access(&place)?).await?,
    }
    Ok(())
}

async fn list(output: ListFormat, access: &LdapAccess) -> anyhow::Result<()> {
    let users = toolforge_accounts::list_users(access).await?;
    let rows: Vec<Shown> = users.into_iter().map(Shown::from).collect();
    if output == ListFormat::Json {
        anstream::println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let width = rows
        .iter()
        .map(|row| row.user.len())
        .chain([4])
        .max()
        .unwrap_or(4);
    anstream::println!("{:width$}  {:7}  NAME", "USER", "STATE");
    for row in rows {
        let state = if row.locked { "locked" } else { "active" };
        anstream::println!("{:width$}  {state:7}  {}", row.user, row.name);
    }
    Ok(())
}

async fn show(user: &str, output: ListFormat, access: &LdapAccess) -> anyhow::Result<()> {
    let found = toolforge_accounts::find_user(access, user).await?;
    let snapshot = toolforge_accounts::read_directory(access).await?;
    let maintains = |tool: &&toolforge_accounts::Tool| tool.maintainers.iter().any(|one| one.uid == user);
    let tools: Vec<String> = snapshot
        .tools
        .values()
        .flatten()
        .filter(maintains)
        .map(|tool| tool.name.to_string())
        .collect();
    if output == ListFormat::Json {
        let shown = Shown {
            tools: Some(tools),
            ..Shown::from(found)
        };
        anstream::println!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    anstream::println!("user   {}", found.user);
    anstream::println!("name   {}", found.name);
    anstream::println!("state  {}", if found.locked { "locked" } else { "active" });
    if let Some(uid) = found.uid {
        anstream::println!("uid    {uid}");
    }
    anstream::println!("home   {}", found.home.display());
    anstream::println!("tools  {}", tools.join(", "));
    Ok(())
}
