//! By which rules `check` judges and which `policy explain` tells: those of a policy file, of the platform that a
//! kubeconfig reaches, or the defaults of `up`.

mod grants;
mod platform;
mod stand_in;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use toolforge_model::ToolName;
use toolforge_policy::{Policies, PolicySettings};

use crate::{
    policy,
    settings::{DEFAULT_DOMAIN, DEFAULT_REGISTRY},
};
pub(crate) use grants::Seen;
pub(crate) use platform::Platform;
pub(crate) use stand_in::{HOMES, UNKNOWN_UID, in_words, object_in_words};

#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    /// The rules of this policy file, as `up --policy` takes it [default: those of a platform without one]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The rules of the platform that the kubeconfig reaches, and the accounts of its tools
    #[arg(long, conflicts_with = "policy")]
    from_platform: bool,
    /// The kubeconfig for --from-platform [default: ~/.kube/config]
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// Rules, and whose they are.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) settings: PolicySettings,
    pub(crate) policies: Policies,
    pub(crate) origin: Origin,
    /// The platform that was asked.
    pub(crate) platform: Option<Platform>,
}

/// Where rules are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Defaults,
    File(PathBuf),
    Platform,
}

impl RulesArgs {
    /// Reads the rules.
    pub(crate) fn read(&self) -> anyhow::Result<Rules> {
        let (settings, origin, platform) = match &self.policy {
            Some(path) => (policy::read(path)?, Origin::File(path.clone()), None),
            None if self.from_platform => {
                let platform = Platform::reach(&self.kubeconfig()?)?;
                (platform.policy()?, Origin::Platform, Some(platform))
            }
            None => (PolicySettings::default(), Origin::Defaults, None),
        };
        let settings = filled(settings);
        Ok(Rules {
            policies: settings.resolve()?,
            settings,
            origin,
            platform,
        })
    }

    fn kubeconfig(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.kubeconfig {
            return Ok(path.clone());
        }
        let home =
            std::env::var_os("HOME").context("there is no HOME; name a kubeconfig with --kubeconfig FILE")?;
        Ok(Path::new(&home).join(".kube/config"))
    }
}

/// What a policy file leaves to flags has the defaults of `up`.
fn filled(mut settings: PolicySettings) -> PolicySettings {
    if settings.domains.is_empty() {
        settings.domains = vec![DEFAULT_DOMAIN.to_owned()];
    }
    if settings.registries.is_empty() {
        settings.registries = vec![DEFAULT_REGISTRY.to_owned()];
    }
    settings
}

/// A tool's name, as clap takes it.
pub(crate) fn tool_name(text: &str) -> Result<ToolName, String> {
    let name = text.strip_prefix("tool-").unwrap_or(text);
    name.parse::<ToolName>().map_err(|error| error.to_string())
}
