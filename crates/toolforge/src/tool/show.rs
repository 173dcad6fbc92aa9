//! `toolforge tool show`: what the directory says of one tool.

use std::path::PathBuf;

use toolforge_accounts::{LdapAccess, Tool, Unusable};
use toolforge_model::{Maintainer, ToolName};

use crate::{
    cli::{ListFormat, WhereArgs},
    directory,
    up::layout::Layout,
};

/// A tool as it is shown.
#[derive(Debug, serde::Serialize)]
pub(super) struct Shown {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    home: Option<PathBuf>,
    locked: bool,
    pub(super) maintainers: Vec<Maintainer>,
    /// Why its entry cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl Shown {
    pub(super) fn new(name: &ToolName, tool: &Result<Tool, Unusable>, url: Option<String>) -> Self {
        let name = name.to_string();
        match tool {
            Ok(tool) => Self {
                name,
                uid: Some(tool.uid),
                home: Some(tool.home.clone()),
                locked: tool.locked,
                maintainers: tool.maintainers.clone(),
                problem: None,
                url,
            },
            Err(problem) => Self {
                name,
                uid: None,
                home: None,
                locked: false,
                maintainers: Vec::new(),
                problem: Some(problem.to_string()),
                url,
            },
        }
    }

    pub(super) fn state(&self) -> &'static str {
        match (&self.problem, self.locked) {
            (Some(_), _) => "failing",
            (None, true) => "locked",
            (None, false) => "active",
        }
    }

    pub(super) fn maintainers(&self) -> String {
        let names: Vec<&str> = self
            .maintainers
            .iter()
            .map(|maintainer| maintainer.uid.as_str())
            .collect();
        names.join(", ")
    }
}

pub(super) async fn show(name: &ToolName, output: ListFormat, place: &WhereArgs) -> anyhow::Result<()> {
    let (access, url) = if place.directory.is_named() {
        (place.directory.access()?, None)
    } else {
        let layout = Layout::settle(place.data.data.as_deref())?;
        let (access, settings) = directory::local_admin(&layout)?;
        (access, Some(settings.url(name.as_str())))
    };
    let found = find(name, &access, url).await?;
    if output == ListFormat::Json {
        anstream::println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    anstream::println!("name         {}", found.name);
    anstream::println!("state        {}", found.state());
    if let Some(problem) = &found.problem {
        anstream::println!("problem      {problem}");
    }
    if let Some(uid) = found.uid {
        anstream::println!("uid          {uid}");
    }
    if let Some(home) = &found.home {
        anstream::println!("home         {}", home.display());
    }
    anstream::println!("maintainers  {}", found.maintainers());
    if let Some(url) = &found.url {
        anstream::println!("url          {url}");
    }
    Ok(())
}

/// The tool of this name.
pub(super) async fn find(name: &ToolName, access: &LdapAccess, url: Option<String>) -> anyhow::Result<Shown> {
    let snapshot = toolforge_accounts::read_directory(access).await?;
    let found = snapshot.tools.get(name);
    let tool = found.ok_or_else(|| toolforge_accounts::unknown_tool(name, &snapshot))?;
    Ok(Shown::new(name, tool, url))
}
