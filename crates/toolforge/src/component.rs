//! Each component of the platform as a command of its own, for a cluster: a client from the kubeconfig or
//! from the cluster itself, the component, and a stop on SIGTERM. There is no other way in.

use std::{fs, future::Future, net::SocketAddr, path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_model::{Domain, names};
use toolforge_pki::Identity;

use crate::{
    cli::{
        AccountsArgs, AdmissionArgs, CertificateArgs, ClusterArgs, FourohfourArgs, GatewayArgs, ManifestsArgs,
    },
    client, logging,
    objects::{self, Public},
    settings::PROJECT,
    up::stop_on_signals,
};

pub(crate) fn accounts(arguments: AccountsArgs) -> anyhow::Result<ExitCode> {
    let ldap = toolforge_accounts::LdapAccess {
        urls: arguments.ldap_urls,
        ca_pem: arguments.ldap_ca.as_deref().map(read).transpose()?,
        bind_dn: arguments.bind_dn,
        bind_password: read(&arguments.bind_password_file)?
            .trim_end_matches('\n')
            .to_owned(),
        base: arguments.base,
        project: arguments.project,
    };
    let config = toolforge_accounts::Config::new(ldap, arguments.home_root, arguments.admin_home_root);
    run(&arguments.cluster, |client, stop| async move {
        Ok(toolforge_accounts::run(client, config, stop).await?)
    })
}

pub(crate) fn admission(arguments: AdmissionArgs) -> anyhow::Result<ExitCode> {
    let domains = arguments
        .domains
        .iter()
        .map(|domain| domain_of(domain))
        .collect::<anyhow::Result<_>>()?;
    let tls = Arc::new(toolforge_pki::server_config(
        &identity(&arguments.certificate)?,
        None,
    )?);
    let guards = arguments.guards;
    let config = toolforge_admission::Config {
        domains,
        registries: arguments.registries,
        safe_namespaces: objects::SAFE_NAMESPACES.map(str::to_owned).to_vec(),
        legacy_hosts: guards.legacy_hosts,
        digests_required_in: guards.digests_required_in,
        mounts: guards
            .mounts
            .as_deref()
            .map(mounts)
            .transpose()?
            .unwrap_or_default(),
        mount_node_selector: guards.mount_node_selector.into_iter().collect(),
        service_types: guards.service_types,
        service_external_ips: guards.service_external_ips,
        endpoint_networks: guards.endpoint_networks,
        endpoint_writers: guards.endpoint_writers,
    };
    run(&arguments.cluster, move |client, stop| async move {
        let listener = listen(arguments.listen).await?;
        Ok(toolforge_admission::run(client, listener, tls, config, stop).await?)
    })
}

pub(crate) fn gateway(arguments: GatewayArgs) -> anyhow::Result<ExitCode> {
    let domain = domain_of(&arguments.domain)?;
    let identity = identity(&arguments.certificate)?;
    run(&arguments.cluster, move |client, stop| async move {
        let http = match arguments.http {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let config = toolforge_gateway::Config {
            domain,
            legacy_hosts: arguments.legacy_hosts,
            http,
            https: listen(arguments.https).await?,
            public_https_port: arguments.public_port,
            identity,
            default_backend: toolforge_gateway::default_backend(),
            ingress_class: names::INGRESS_CLASS.to_owned(),
            safe_namespaces: objects::safe_namespaces()?,
            published: None,
            content_security_policy_report_only: None,
            last_table: arguments.table,
        };
        Ok(toolforge_gateway::run(client, config, stop).await?)
    })
}

pub(crate) fn fourohfour(arguments: &FourohfourArgs) -> anyhow::Result<ExitCode> {
    let config = toolforge_status::Config {
        domain: domain_of(&arguments.domain)?,
    };
    let address = arguments.listen;
    run(&arguments.cluster, move |client, stop| async move {
        let listener = listen(address).await?;
        Ok(toolforge_status::run_fourohfour(client, listener, config, stop).await?)
    })
}

/// Prints what a cluster must hold, as a `List` that `kubectl apply -f -` takes.
pub(crate) fn manifests(arguments: &ManifestsArgs) -> anyhow::Result<ExitCode> {
    domain_of(&arguments.domain)?;
    let public = Public {
        domain: arguments.domain.clone(),
        project: PROJECT.to_owned(),
        registry: arguments.registry.clone(),
        url: format!("https://{{tool}}.{}/", arguments.domain),
        gateway_address: None,
        ca_pem: None,
    };
    let base = toolforge_admission::ClientConfigBase::Service {
        namespace: objects::SERVICE_NAMESPACE.to_owned(),
        name: "admission".to_owned(),
        port: 443,
    };
    let mut items = objects::foundation(&public);
    items.extend(toolforge_admission::webhook_configurations(
        &base,
        &read(&arguments.webhook_ca)?,
    ));
    let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": items });
    anstream::println!("{list:#}");
    Ok(ExitCode::SUCCESS)
}

fn run<F>(
    cluster: &ClusterArgs,
    component: impl FnOnce(kube::Client, CancellationToken) -> F,
) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<()>>,
{
    logging::start(false);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signals(stop.clone())?;
        let client = client::from_file(cluster.kubeconfig.as_deref()).await?;
        component(client, stop).await
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

fn domain_of(text: &str) -> anyhow::Result<Domain> {
    text.parse().with_context(|| format!("{text:?} is not a domain"))
}

fn mounts(path: &Path) -> anyhow::Result<Vec<toolforge_policy::Mount>> {
    let text = read(path)?;
    serde_saphyr::from_str(&text).with_context(|| format!("{} is no list of mounts", path.display()))
}

fn identity(arguments: &CertificateArgs) -> anyhow::Result<Identity> {
    Ok(Identity {
        certificate_pem: read(&arguments.tls_cert)?,
        key_pem: read(&arguments.tls_key)?,
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
