//! What a webservice can be told to be, as options.

use clap::{Args, ValueEnum};

/// The settings of a webservice; what is absent takes its default, or stays as it is.
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
    #[arg(short, long, value_name = "NUMBER")]
    pub(crate) replicas: Option<u16>,
    /// Where to run it; only kubernetes is left
    #[arg(long, value_enum, hide = true)]
    pub(crate) backend: Option<Backend>,
    /// Arguments for the webservice
    #[arg(last = true, value_name = "EXTRA")]
    pub(crate) extra: Vec<String>,
}

/// The original's other backend, gridengine, was shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Kubernetes,
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
