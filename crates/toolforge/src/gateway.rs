//! `toolforge gateway routes` and `toolforge gateway explain URL`: the table of a gateway, as it keeps it on disk.
//!
//! The file follows the gateway within a second, and needs neither the API nor the gateway to be read: it answers as well
//! when one of them is what is broken. The gateway itself starts in `serve`.

mod registrations;
mod serve;
mod succession;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use http::Uri;
use serde_json::json;
use toolforge_routing::{Chosen, EndpointState, Explanation, Outcome, Route, RouteTable, Snapshot};

use crate::{
    cli::{DataArgs, ListFormat},
    up::layout::Layout,
};

pub(crate) use registrations::RegistrationArgs;
pub(crate) use serve::serve;

/// The request that was asked about is not served.
const NOT_SERVED: u8 = 3;

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
            host,
            failing,
            output,
            table,
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
        GatewayCommand::Explain { url, output, table } => {
            let address = Address::read(url)?;
            let explained = read(table)?.explain(&address.authority, &address.path);
            match output {
                ListFormat::Json => print_json(&explained)?,
                ListFormat::Table => print_explanation(&address, &explained),
            }
            Ok(match explained.outcome {
                Outcome::Served | Outcome::Redirected | Outcome::Moved => ExitCode::SUCCESS,
                Outcome::NoEndpoints | Outcome::NotFound => ExitCode::from(NOT_SERVED),
            })
        }
    }
}

fn read(arguments: &TableArgs) -> anyhow::Result<RouteTable> {
    let path = match &arguments.table {
        Some(path) => path.clone(),
        None => Layout::settle(arguments.data.data.as_deref())?.table(),
    };
    let snapshot = read_snapshot(&path)?;
    snapshot
        .into_kept_table()
        .with_context(|| format!("{} cannot be used", path.display()))
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

/// What a URL asks a gateway for.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    authority: String,
    path: String,
    is_plain: bool,
}

impl Address {
    fn read(text: &str) -> anyhow::Result<Self> {
        let whole = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let uri: Uri = whole
            .split('#')
            .next()
            .unwrap_or_default()
            .parse()
            .with_context(|| format!("{text} is no URL; one looks like https://TOOL.DOMAIN/PATH"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        if !matches!(scheme, "http" | "https") {
            bail!("{text}: a gateway serves https and http, not {scheme}");
        }
        Ok(Self {
            authority: uri.authority().map(ToString::to_string).unwrap_or_default(),
            path: uri.path().to_owned(),
            is_plain: scheme == "http",
        })
    }
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
                None => format!("{}:{}", chosen.service, chosen.port),
            },
            route.backend.endpoints.len().to_string(),
        ]);
    }
    print_columns(&rows);
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

fn print_explanation(address: &Address, explained: &Explanation) {
    let host = explained.host.as_deref().unwrap_or_default();
    anstream::println!("https://{host}{}", explained.path);
    anstream::println!("{}", outcome_sentence(explained.outcome));
    for sentence in &explained.because {
        anstream::println!("  {sentence}");
    }
    if address.is_plain {
        anstream::println!(
            "  Over plain HTTP the gateway redirects to HTTPS first, for hosts of its domains."
        );
    }
    if !explained.endpoints.is_empty() {
        anstream::println!("\nEndpoints:");
        let rows: Vec<[String; 2]> = explained
            .endpoints
            .iter()
            .map(|endpoint| [format!("  {}", endpoint.address), state(endpoint).to_owned()])
            .collect();
        print_columns(&rows);
    }
    if !explained.others.is_empty() {
        anstream::println!("\nOther Ingresses that name this host:");
        for other in &explained.others {
            anstream::println!("  {}/{}: {}", other.namespace, other.ingress, other.why);
        }
    }
}

fn outcome_sentence(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Served => "is served.",
        Outcome::Redirected => "is led elsewhere.",
        Outcome::NoEndpoints => "is answered with 503, because nothing takes the request.",
        Outcome::NotFound => "is answered with 404, because nothing claims it.",
        Outcome::Moved => "is answered with 307, to the tool's own host.",
    }
}

fn state(endpoint: &EndpointState) -> &'static str {
    match (endpoint.used, endpoint.terminating, endpoint.ready) {
        (true, true, _) => "takes requests, though it is being stopped, because no other does",
        (true, false, _) => "takes requests",
        (false, true, _) => "is being stopped",
        (false, false, true) => "is ready",
        (false, false, false) => "is not ready",
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn url_is_read_with_and_without_scheme() {
        for (text, authority, path, is_plain) in [
            ("https://a.example.org/x?y#z", "a.example.org", "/x", false),
            ("http://a.example.org:8080", "a.example.org:8080", "/", true),
            ("a.example.org/deep/er", "a.example.org", "/deep/er", false),
            ("a.example.org:8443", "a.example.org:8443", "/", false),
        ] {
            let expected = Address {
                authority: authority.into(),
                path: path.into(),
                is_plain,
            };
            assert_eq!(Address::read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_the_way_out() {
        let error = Address::read("https://a b/").unwrap_err();
        assert!(
            format!("{error}").contains("one looks like https://TOOL.DOMAIN/PATH"),
            "{error}"
        );
        assert!(
            Address::read("ftp://a.example.org/")
                .unwrap_err()
                .to_string()
                .contains("not ftp")
        );
    }
}
