//! `toolforge gateway routes` and `toolforge gateway explain URL`: the table of a gateway, as it keeps it on disk.
//!
//! The file follows the gateway within a second, and needs neither the API nor the gateway to be read: it answers as well
//! when one of them is what is broken. `explain` asks the gateway itself first, where it can. The gateway starts in `serve`.

mod explain;
mod registrations;
mod serve;
mod succession;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use toolforge_routing::{AppProtocol, Chosen, Route, RouteTable, Snapshot};

use crate::{
    cli::{DataArgs, ListFormat},
    up::layout::Layout,
};

pub(crate) use registrations::RegistrationArgs;
pub(crate) use serve::serve;

#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// List what the gateway serves: hosts and paths, and where they lead
    Routes {
        /// Only this host
        #[arg(long, value_name = "HOST")]
        host: Option<String>,
        /// Only routes without an endpoint that takes requests
        #[arg(long)]
        failing: bool,
        /// Instead of routes the Ingresses that are not served, or not wholly, and why
        #[arg(long, conflicts_with_all = ["host", "failing"])]
        not_served: bool,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
        output: ListFormat,
        #[command(flatten)]
        table: TableArgs,
    },
    /// List the webservices outside of Kubernetes that have registered, and whether they live
    Registrations {
        #[command(flatten)]
        which: registrations::ListArgs,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
        output: ListFormat,
    },
    /// Say where a URL goes and why; exit code 3 when nothing serves it
    Explain {
        /// The URL, or a host with or without a path
        url: String,
        /// Ask the gateway with this status address [default: where the gateway says that it has it, beside its table]
        #[arg(long, value_name = "ADDRESS:PORT")]
        status: Option<SocketAddr>,
        /// How to print
        #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
        output: ListFormat,
        #[command(flatten)]
        table: TableArgs,
    },
}

/// Which table.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The file in which a gateway keeps its table [default: that of the platform of this machine]
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
}

pub(crate) fn run(command: &GatewayCommand) -> anyhow::Result<ExitCode> {
    match command {
        GatewayCommand::Routes {
            not_served: true,
            output,
            table,
            ..
        } => {
            print_not_served(&read(table)?, *output)?;
            Ok(ExitCode::SUCCESS)
        }
        GatewayCommand::Routes {
            host,
            failing,
            output,
            table,
            ..
        } => {
            let routes = read(table)?.routes();
            let wanted = |route: &&Route| {
                host.as_deref()
                    .is_none_or(|host| route.host.eq_ignore_ascii_case(host))
                    && (!*failing || route.backend.endpoints.is_empty())
            };
            let routes: Vec<&Route> = routes.iter().filter(wanted).collect();
            match output {
                ListFormat::Json => print_json(&routes.iter().copied().map(as_json).collect::<Vec<_>>())?,
                ListFormat::Table => print_routes(&routes),
            }
            Ok(ExitCode::SUCCESS)
        }
        GatewayCommand::Registrations { which, output } => {
            registrations::list(which, *output)?;
            Ok(ExitCode::SUCCESS)
        }
        GatewayCommand::Explain {
            url,
            status,
            output,
            table,
        } => explain::run(url, *status, *output, table),
    }
}

fn read(arguments: &TableArgs) -> anyhow::Result<RouteTable> {
    let path = arguments.path()?;
    let snapshot = read_snapshot(&path)?;
    snapshot
        .into_kept_table()
        .with_context(|| format!("{} cannot be used", path.display()))
}

impl TableArgs {
    fn path(&self) -> anyhow::Result<PathBuf> {
        Ok(match &self.table {
            Some(path) => path.clone(),
            None => Layout::settle(self.data.data.as_deref())?.table(),
        })
    }
}

fn read_snapshot(path: &Path) -> anyhow::Result<Snapshot> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "there is no {}: no gateway has kept a table there yet; name the file of yours with --table, or the data folder with --data",
            path.display()
        ),
        text => text.with_context(|| format!("{} cannot be read", path.display()))?,
    };
    serde_json::from_slice(&text).with_context(|| format!("{} is not the table of a gateway", path.display()))
}

fn as_json(route: &Route) -> serde_json::Value {
    let mut value = json!(Chosen::from(route));
    value["endpoints"] = json!(route.backend.endpoints);
    value
}

fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    anstream::println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

fn print_routes(routes: &[&Route]) {
    let mut rows = vec![["HOST", "PATH", "NAMESPACE", "INGRESS", "SERVICE", "ENDPOINTS"].map(str::to_owned)];
    for route in routes.iter().copied().map(|route| (Chosen::from(route), route)) {
        let (chosen, route) = route;
        rows.push([
            if chosen.host.is_empty() {
                "*".to_owned()
            } else {
                chosen.host
            },
            chosen.path,
            chosen.namespace,
            if chosen.registration.is_some() {
                "(registered)".to_owned()
            } else {
                chosen.ingress
            },
            match chosen.registration {
                Some(registration) => registration,
                None if route.backend.protocol == AppProtocol::H2c => {
                    format!("{}:{} (h2c)", chosen.service, chosen.port)
                }
                None => format!("{}:{}", chosen.service, chosen.port),
            },
            route.backend.endpoints.len().to_string(),
        ]);
    }
    print_columns(&rows);
}

fn print_not_served(table: &RouteTable, output: ListFormat) -> anyhow::Result<()> {
    let not_served = table.not_served();
    if output == ListFormat::Json {
        let as_json = not_served.iter().map(|(key, reason)| {
            json!({"namespace": key.namespace, "ingress": key.name, "reason": reason.word, "message": reason.text})
        });
        return print_json(&as_json.collect::<Vec<_>>());
    }
    let mut rows = vec![["NAMESPACE", "INGRESS", "REASON", "MESSAGE"].map(str::to_owned)];
    rows.extend(not_served.into_iter().map(|(key, reason)| {
        let (namespace, name) = (key.namespace.to_string(), key.name.to_string());
        [namespace, name, reason.word.to_owned(), reason.text]
    }));
    print_columns(&rows);
    Ok(())
}

fn print_columns<const N: usize>(rows: &[[String; N]]) {
    let widths: Vec<usize> = (0..N)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        anstream::println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
