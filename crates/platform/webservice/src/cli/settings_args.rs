//! What a webservice can be told to be, as options.

use std::path::PathBuf;

use clap::{Args, value_parser};

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
    #[arg(short, long, value_name = "NUMBER", value_parser = value_parser!(u16).range(1..))]
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
