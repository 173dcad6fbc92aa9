//! `toolforge policy explain`: what a tool may do, in words and as the policy file that says it.

use std::{fmt::Write as _, io::Write as _, process::ExitCode};

use anstyle::Style;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use toolforge_model::{ToolAccount, ToolName};
use toolforge_policy::{Chapter, Reader, explain, psp::tool_policy};

use crate::rules::{self, HOMES, Rules, RulesArgs, UNKNOWN_UID, object_in_words};

#[derive(Debug, Args)]
pub(crate) struct PolicyCommand {
    #[command(subcommand)]
    action: PolicyAction,
}

#[derive(Debug, Subcommand)]
enum PolicyAction {
    /// Print what a tool may do: hosts, images, Services, Pods, and which kinds it may write
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// Put this tool's names into the words
    #[arg(long, value_name = "NAME", value_parser = rules::tool_name)]
    as_tool: Option<ToolName>,
    #[command(flatten)]
    rules: RulesArgs,
    /// How to print: text, yaml (the policy file with its defaults), or json (both)
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Yaml,
    Json,
}

pub(crate) fn run(command: &PolicyCommand) -> anyhow::Result<ExitCode> {
    let PolicyAction::Explain(arguments) = &command.action;
    let rules = arguments.rules.read()?;
    let tool = arguments.as_tool.as_ref();
    let account = account(&rules, tool)?;
    let reader = Reader {
        tool,
        uid: account.as_ref().map(|account| account.uid),
        home: account.as_ref().map(|account| account.home.as_str()),
    };
    let mut chapters = explain(&rules.settings, &rules.policies, reader);
    chapters.push(kinds());
    let policy = tool.map(|tool| pod_security_policy(&rules, tool, account.as_ref()));
    let printed = match arguments.output {
        Format::Text => text(&chapters)?,
        Format::Yaml => yaml(&rules, policy.as_ref())?,
        Format::Json => {
            let mut whole = json!({"chapters": chapters, "policy": rules.settings});
            if let Some(policy) = policy {
                whole["podSecurityPolicy"] = policy;
            }
            format!("{}\n", serde_json::to_string_pretty(&whole)?)
        }
    };
    anstream::stdout().lock().write_all(printed.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The account of the tool, when there is a platform to ask.
fn account(rules: &Rules, tool: Option<&ToolName>) -> anyhow::Result<Option<ToolAccount>> {
    let (Some(platform), Some(tool)) = (&rules.platform, tool) else {
        return Ok(None);
    };
    Ok(platform.accounts([tool])?.remove(tool))
}

/// The policy that the platform has for the Pods of the tool; an id that nobody knows is told in words.
fn pod_security_policy(rules: &Rules, tool: &ToolName, account: Option<&ToolAccount>) -> Value {
    let anybody = ToolAccount {
        uid: UNKNOWN_UID,
        home: format!("{HOMES}/{tool}"),
    };
    let policy = tool_policy(tool, account.unwrap_or(&anybody), &rules.policies.pod);
    let mut object = policy.to_object();
    object_in_words(&mut object);
    object
}

fn text(chapters: &[Chapter]) -> Result<String, std::fmt::Error> {
    let bold = Style::new().bold();
    let mut text = String::new();
    for chapter in chapters {
        writeln!(text, "{bold}{}{bold:#}", chapter.title)?;
        for line in &chapter.lines {
            writeln!(text, "  - {line}")?;
        }
    }
    Ok(text)
}

/// The policy file, and the object that follows from it for the tool.
fn yaml(rules: &Rules, policy: Option<&Value>) -> anyhow::Result<String> {
    let mut text = format!(
        "# The policy file, with everything that it leaves out.\n{}",
        serde_saphyr::to_string(&rules.settings)?
    );
    if let Some(policy) = policy {
        let policy = serde_saphyr::to_string(policy)?;
        write!(
            text,
            "---\n# What follows from it for the Pods of the tool.\n{policy}"
        )?;
    }
    Ok(text)
}

/// Which kinds tools may write and read, by the role that they share.
fn kinds() -> Chapter {
    let role = toolforge_accounts::tool_role();
    let with = |verb: &str| -> Vec<String> {
        let rules = role["rules"].as_array().into_iter().flatten();
        let allowing = rules.filter(|rule| texts(&rule["verbs"]).any(|found| found == verb));
        allowing
            .flat_map(|rule| texts(&rule["resources"]))
            .filter(|resource| !resource.contains('/'))
            .map(str::to_owned)
            .collect()
    };
    let written = with("create");
    let mut read = with("get");
    read.retain(|resource| !written.contains(resource));
    Chapter {
        title: "Kinds (role tools-user)",
        lines: vec![
            format!("Read and written: {}", written.join(", ")),
            format!("Read only: {}", read.join(", ")),
        ],
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
