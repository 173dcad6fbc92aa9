//! `toolforge tool list`: the tools of this machine's platform, or those of a directory.

use anyhow::Context as _;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Namespace};
use kube::{Api, ResourceExt as _, api::ListParams};
use toolforge_accounts::LdapAccess;
use toolforge_model::{Maintainer, labels};

use super::{admin_client, show::Shown};
use crate::{cli::ListFormat, settings::Settings, up::layout::Layout};

/// Lists the tools of a directory, without a platform.
pub(super) async fn of_directory(output: ListFormat, access: &LdapAccess) -> anyhow::Result<()> {
    let snapshot = toolforge_accounts::read_directory(access).await?;
    let rows: Vec<Shown> = snapshot
        .tools
        .iter()
        .map(|(name, tool)| Shown::new(name, tool, None))
        .collect();
    match output {
        ListFormat::Json => anstream::println!("{}", serde_json::to_string_pretty(&rows)?),
        ListFormat::Table => {
            let width = rows
                .iter()
                .map(|row| row.name.len())
                .chain([4])
                .max()
                .unwrap_or(4);
            anstream::println!("{:width$}  {:7}  MAINTAINERS", "NAME", "STATE");
            for row in &rows {
                anstream::println!("{:width$}  {:7}  {}", row.name, row.state(), row.maintainers());
            }
        }
    }
    Ok(())
}

/// Lists the tools of this machine's platform.
pub(super) async fn of_platform(output: ListFormat, layout: &Layout) -> anyhow::Result<()> {
    let client = admin_client(layout).await?;
    let settings = Settings::read(&layout.settings())?.context("the platform has not been started yet")?;
    let selector = format!("{}={}", labels::TENANCY, labels::TENANCY_TOOL);
    let web = format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_WEBSERVICE);
    let (namespaces, deployments) = (
        Api::<Namespace>::all(client.clone()),
        Api::<Deployment>::all(client.clone()),
    );
    let (tools, webservices) = (
        ListParams::default().labels(&selector),
        ListParams::default().labels(&web),
    );
    let (namespaces, deployments) = tokio::try_join!(namespaces.list(&tools), deployments.list(&webservices))
        .context("the API does not answer; is the platform running?")?;
    let rows: Vec<Row> = namespaces
        .iter()
        .map(|namespace| Row::new(namespace, deployments.items.as_slice(), &settings))
        .collect();
    match output {
        ListFormat::Json => anstream::println!("{}", serde_json::to_string_pretty(&rows)?),
        ListFormat::Table => print_table(&rows),
    }
    Ok(())
}

#[derive(Debug, serde::Serialize)]
struct Row {
    name: String,
    maintainers: Vec<Maintainer>,
    webservice: &'static str,
    url: String,
}

impl Row {
    fn new(namespace: &Namespace, deployments: &[Deployment], settings: &Settings) -> Self {
        let space = namespace.name_any();
        let name = namespace.labels().get(labels::NAME).unwrap_or(&space);
        let name = name.strip_prefix("tool-").unwrap_or(name).to_owned();
        let maintainers = namespace.annotations().get(labels::MAINTAINERS);
        let maintainers = maintainers
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let own = deployments
            .iter()
            .find(|deployment| deployment.namespace().as_deref() == Some(&space));
        let webservice = match own.map(|own| own.status.as_ref().and_then(|status| status.available_replicas))
        {
            None => "stopped",
            Some(Some(available)) if available > 0 => "running",
            Some(_) => "not ready",
        };
        Self {
            url: settings.url(&name),
            name,
            maintainers,
            webservice,
        }
    }
}

fn print_table(rows: &[Row]) {
    let width = rows
        .iter()
        .map(|row| row.name.len())
        .chain([4])
        .max()
        .unwrap_or(4);
    anstream::println!(
        "{:width$}  {:10}  {:30}  URL",
        "NAME",
        "WEBSERVICE",
        "MAINTAINERS"
    );
    for row in rows {
        let maintainers: Vec<&str> = row
            .maintainers
            .iter()
            .map(|maintainer| maintainer.uid.as_str())
            .collect();
        anstream::println!(
            "{:width$}  {:10}  {:30}  {}",
            row.name,
            row.webservice,
            maintainers.join(", "),
            row.url
        );
    }
}
