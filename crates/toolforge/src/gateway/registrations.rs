//! Webservices outside of Kubernetes: the flags of `toolforge gateway` that say where they register, and
//! `toolforge gateway registrations`, which lists them out of the file in which the gateway keeps them.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use toolforge_gateway::RegistrationDoors;
use toolforge_registrations::{Claim, Shown, read_file};

use super::{print_columns, print_json, succession::Sockets};
use crate::{
    cli::{DataArgs, ListFormat},
    up::layout::Layout,
};

/// Where webservices register. Without any of these flags none can.
#[derive(Debug, Args)]
pub(crate) struct RegistrationArgs {
    /// Where webservices outside of Kubernetes register by the lines of the original, port 8282 there [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    register_lines: Option<SocketAddr>,
    /// Where they register over HTTPS with the certificates of their tools [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT", requires = "register_client_ca")]
    register_api: Option<SocketAddr>,
    /// The authority of tools' certificates, PEM: the cluster's
    #[arg(long, value_name = "FILE", requires = "register_api")]
    register_client_ca: Option<PathBuf>,
    /// Where to answer /list, port 8081 of the original [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    register_list: Option<SocketAddr>,
    /// Where to keep registrations
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/lib/toolforge-gateway/registrations.json"
    )]
    registrations: PathBuf,
}

impl RegistrationArgs {
    /// Where they are.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        [self.register_lines, self.register_api, self.register_list]
            .into_iter()
            .flatten()
    }

    /// The doors that are asked for; none where there are no flags.
    ///
    /// # Errors
    /// When nobody can listen there, or the authority cannot be read.
    pub(super) async fn open(self, sockets: &mut Sockets) -> anyhow::Result<Option<RegistrationDoors>> {
        let api = match (self.register_api, &self.register_client_ca) {
            (Some(address), Some(path)) => {
                let authority = std::fs::read_to_string(path)
                    .with_context(|| format!("--register-client-ca: {} cannot be read", path.display()))?;
                Some((sockets.listen(address).await?, authority))
            }
            _ => None,
        };
        let lines = match self.register_lines {
            Some(address) => Some(sockets.listen(address).await?),
            None => None,
        };
        let list = match self.register_list {
            Some(address) => Some(sockets.listen(address).await?),
            None => None,
        };
        if api.is_none() && lines.is_none() && list.is_none() {
            return Ok(None);
        }
        Ok(Some(RegistrationDoors {
            file: self.registrations,
            lines,
            api,
            list,
            own: Vec::new(),
        }))
    }
}

/// Which registrations to list.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The file in which a gateway keeps them [default: that of the platform of this machine]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only those of this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
}

/// Lists what has registered. A file that is not there is an error, for nothing and nowhere are two things.
pub(super) fn list(arguments: &ListArgs, output: ListFormat) -> anyhow::Result<()> {
    let path = match &arguments.file {
        Some(path) => path.clone(),
        None => Layout::settle(arguments.data.data.as_deref())?.registrations(),
    };
    if !path.exists() {
        bail!(
            "there is no {}: nothing has registered there yet; name the file of your gateway with --file, or the data folder with --data",
            path.display()
        );
    }
    let book = read_file(&path)?;
    let wanted = |shown: &Shown| {
        arguments
            .tool
            .as_deref()
            .is_none_or(|tool| shown.tool.as_str() == tool)
    };
    let shown: Vec<Shown> = book
        .all()
        .map(|registration| Shown::new(registration, None))
        .filter(wanted)
        .collect();
    match output {
        ListFormat::Json => print_json(&shown)?,
        ListFormat::Table => print_table(&shown),
    }
    Ok(())
}

fn print_table(shown: &[Shown]) {
    let mut rows = vec![
        [
            "TOOL",
            "CLAIM",
            "DESTINATION",
            "STATE",
            "SINCE",
            "LAST SEEN",
            "LAST ERROR",
        ]
        .map(str::to_owned),
    ];
    for shown in shown {
        let claim = match &shown.claim {
            Claim::Pattern(_) if shown.redirect_shared_hosts => format!("{} (canonical)", shown.claim),
            claim => claim.to_string(),
        };
        rows.push([
            shown.tool.to_string(),
            claim,
            shown.destination.clone(),
            format!("{:?}", shown.state).to_lowercase(),
            shown.since.to_string(),
            shown
                .last_seen
                .map_or_else(|| "-".to_owned(), |time| time.to_string()),
            shown.last_error.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    print_columns(&rows);
}
