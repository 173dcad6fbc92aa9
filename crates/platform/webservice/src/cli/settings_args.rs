//! What a webservice can be told to be, as options.

use std::path::PathBuf;

use clap::Args;

use crate::settings::{Backend, Mount};

/// The settings of a webservice; what is absent is looked for in the template, then stays as it is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SettingsArgs {
    /// The type of webservice, such as static or python
    #[arg(value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// Memory limit, such as 512Mi or 1Gi
    #[arg(short, long, value_name = "QUANTITY")]
    pub(crate) mem: Option<String>,
    /// CPU limit, such as 500m or 1
    #[arg(short, long, value_name = "QUANTITY")]
    pub(crate) cpu: Option<String>,
    /// How many copies are to run
    #[arg(short, long, value_name = "NUMBER", value_parser = copies)]
    pub(crate) replicas: Option<u16>,
    /// Ask this path of the webservice whether it is well, such as /healthz
    #[arg(long, value_name = "PATH")]
    pub(crate) health_check_path: Option<String>,
    /// What of the tool's storage is mounted; none only where nothing is read from the home
    #[arg(long, value_enum)]
    pub(crate) mount: Option<Mount>,
    /// The image of type buildservice, without its registry
    #[arg(long, value_name = "IMAGE")]
    pub(crate) buildservice_image: Option<String>,
    /// Where it runs
    #[arg(long, value_enum)]
    pub(crate) backend: Option<Backend>,
    /// gridengine: the release of the machine's operating system
    #[arg(long, value_name = "RELEASE")]
    pub(crate) release: Option<String>,
    /// Read the settings that are not given here from this file [default: the one service.template of the home]
    #[arg(long, value_name = "FILE")]
    pub(crate) template: Option<PathBuf>,
    /// Has no effect any more; old scripts may say it
    #[arg(long, hide = true)]
    pub(crate) canonical: bool,
    /// Arguments for the webservice
    #[arg(last = true, value_name = "EXTRA")]
    pub(crate) extra: Vec<String>,
}

/// A number of copies.
pub(super) fn copies(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|copies| *copies > 0)
        .ok_or_else(|| "it is a whole number from 1; `webservice stop` stops all".to_owned())
}

/// Leaves out what a shell does not have, and says what it is that comes last.
pub(super) fn for_a_shell(action: clap::Command) -> clap::Command {
    action.mut_args(|argument| match argument.get_id().as_str() {
        "replicas" | "health_check_path" | "backend" | "release" => argument.hide(true),
        "extra" => argument
            .help("The command [default: a shell]")
            .value_name("COMMAND"),
        _ => argument,
    })
}

/// Leaves the settings out of an action's help.
pub(super) fn hide(action: clap::Command) -> clap::Command {
    let settings: Vec<_> = SettingsArgs::augment_args(clap::Command::new("settings"))
        .get_arguments()
        .map(|argument| argument.get_id().clone())
        .collect();
    action.mut_args(|argument| {
        let hidden = settings.contains(argument.get_id());
        if hidden { argument.hide(true) } else { argument }
    })
}
