//! `toolforge tool`: creates and lists tools on the running platform of this machine.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Namespace},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, WatchEvent, WatchParams},
};
use toolforge_accounts::LdapAccess;
use toolforge_model::{Maintainer, ToolName, labels};

use crate::{
    cli::{ListFormat, ToolAction, ToolArgs},
    client,
    settings::{PROJECT, Settings},
    up::{layout::Layout, secrets},
};

/// How long the account service may take to make a new tool's place: it takes well under a second on a
/// machine that is not in trouble.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// The marker that the account service writes when a tool has everything (facts section 4).
const MARKER: &str = "maintain-kubeusers";

pub(crate) fn run(arguments: ToolArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match arguments.action {
            ToolAction::Create {
                name,
                maintainers,
                data,
            } => create(&name, &maintainers, &Layout::settle(data.data.as_deref())?).await,
            ToolAction::List { output, data } => list(output, &Layout::settle(data.data.as_deref())?).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// How to reach the directory of this machine's platform, with one of its two passwords.
pub(crate) fn directory_access(
    layout: &Layout,
    settings: &Settings,
    ca_pem: &str,
    password: &str,
) -> anyhow::Result<LdapAccess> {
    let user = if password == secrets::DIRECTORY_ADMIN {
        "admin"
    } else {
        "reader"
    };
    Ok(LdapAccess {
        urls: vec![format!("ldaps://127.0.0.1:{}", settings.ports.ldap)],
        ca_pem: Some(ca_pem.to_owned()),
        bind_dn: format!("cn={user},{}", settings.base),
        bind_password: secrets::password(&layout.directory(), password)?,
        base: settings.base.clone(),
        project: PROJECT.to_owned(),
    })
}

/// A client with the operator's rights on the platform that runs on this data folder.
pub(crate) async fn admin_client(layout: &Layout) -> anyhow::Result<Client> {
    let path = layout.admin_kubeconfig();
    if let Err(error) = std::fs::File::open(&path) {
        let hint = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "it belongs to whoever runs the platform; use sudo",
            _ => "is the platform running? `toolforge up` starts it; --data names another data folder",
        };
        return Err(error).with_context(|| format!("{} cannot be read; {hint}", path.display()));
    }
    client::from_file(Some(&path)).await
}

async fn create(name: &str, maintainers: &[String], layout: &Layout) -> anyhow::Result<()> {
    let name: ToolName = name
        .parse()
        .with_context(|| format!("{name:?} cannot be a tool's name"))?;
    let client = admin_client(layout).await?;
    let settings = Settings::read(&layout.settings())?.context("the platform has not been started yet")?;
    let authority = layout.pki().join("cluster-ca.crt");
    let ca_pem = std::fs::read_to_string(&authority)
        .with_context(|| format!("{} cannot be read", authority.display()))?;
    let access = directory_access(layout, &settings, &ca_pem, secrets::DIRECTORY_ADMIN)?;
    let creation = toolforge_accounts::Creation::below(&settings.homes);
    toolforge_accounts::create_tool(&access, &creation, &name, maintainers).await?;
    wait_until_ready(&client, &name).await?;
    let text = name.as_str();
    anstream::println!("{text} is ready. It will be served at {}", settings.url(text));
    anstream::println!("Next: {} become {text}", layout.bin().join("toolforge").display());
    Ok(())
}

/// Waits for the marker in the tool's namespace.
async fn wait_until_ready(client: &Client, name: &ToolName) -> anyhow::Result<()> {
    let markers: Api<ConfigMap> = Api::namespaced(client.clone(), name.namespace().as_str());
    let parameters = WatchParams::default().fields(&format!("metadata.name={MARKER}"));
    let waiting = async {
        let mut events = markers.watch(&parameters, "0").await?.boxed();
        while let Some(event) = events.next().await {
            if let WatchEvent::Added(_) | WatchEvent::Modified(_) = event? {
                return anyhow::Ok(());
            }
        }
        bail!("the API ended the watch")
    };
    match tokio::time::timeout(READY_DEADLINE, waiting).await {
        Ok(outcome) => outcome.context("the tool is in the directory, but its place cannot be watched"),
        Err(_) => bail!(
            "the tool is in the directory, but its place is not ready after {} s; the log of `toolforge up` says why",
            READY_DEADLINE.as_secs()
        ),
    }
}

async fn list(output: ListFormat, layout: &Layout) -> anyhow::Result<()> {
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
