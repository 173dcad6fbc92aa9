//! Each component of the platform as a command of its own, for a cluster: a client from the kubeconfig or
//! from the cluster itself, the component, and a stop on SIGTERM. There is no other way in.

use std::{fs, future::Future, net::SocketAddr, path::Path, process::ExitCode, time::Duration};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_admission::{Reach, Registration, keep_configurations};
use toolforge_certificates::Authorities;
use toolforge_figures::{Door, Process};
use toolforge_model::Domain;
use toolforge_pki::Identity;
use toolforge_serve::Presented;

use crate::{
    cli::{
        AdmissionArgs, BalanceArgs, CertificateArgs, ClusterArgs, FourohfourArgs, IssuedArgs, K8sStatusArgs,
        MetricsArgs, StatusArgs,
    },
    client,
    followed::FollowedFile,
    logging, objects,
    policy::{self, PolicyArgs},
    settled,
    up::stop_on_signals,
};

pub(crate) fn admission(arguments: &AdmissionArgs) -> anyhow::Result<ExitCode> {
    let PolicyArgs { policy, domains } = &arguments.policy;
    let policies = policy::filled(policy.as_deref(), domains, &arguments.registries)?.resolve()?;
    let address = arguments.listen;
    run(&arguments.cluster, move |client, stop| async move {
        let listener = listen(address).await?;
        let authorities = authorities(arguments, &client, &stop)?;
        let (told, registered) = Authorities::told();
        let registers = authorities.is_some();
        if let Some(authorities) = authorities {
            let registration = Registration {
                base: webhook_service(),
                authorities,
                registered: told,
                retired_kept: Duration::from_secs(arguments.issued.tls_lifetime_seconds),
                reach: Reach::of(&policies),
            };
            tokio::spawn(keep_configurations(client.clone(), registration, stop.clone()));
        }
        let certificate = match (&arguments.tls_cert, &arguments.tls_key) {
            (Some(certificate), Some(key)) => Some(Presented::files(certificate, key, stop.clone())?),
            // Only once the API trusts an authority, a certificate of it takes the place of another.
            _ if registers => {
                let serving = serving(&arguments.issued);
                toolforge_certificates::present(client.clone(), serving, registered, stop.clone()).await
            }
            _ => None,
        };
        // None: it was told to stop before there was one.
        match certificate {
            Some(certificate) => {
                Ok(
                    toolforge_admission::run(client, listener, certificate, policies, Process::Own, stop)
                        .await?,
                )
            }
            None => Ok(()),
        }
    })
}

/// The authorities of the webhooks' certificate; none, where somebody else looks after the configurations.
fn authorities(
    arguments: &AdmissionArgs,
    client: &kube::Client,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Authorities>> {
    if let Some(path) = &arguments.webhook_ca {
        return Ok(Some(Authorities::file(path, stop.clone())?));
    }
    Ok(arguments.tls_cert.is_none().then(|| {
        Authorities::config_map(
            client.clone(),
            &arguments.issued.ca_namespace,
            toolforge_admission::AUTHORITIES,
            toolforge_admission::AUTHORITY_KEY,
            stop.clone(),
        )
    }))
}

/// What this replica asks the cluster for. In a Pod the machine's name is the Pod's.
fn serving(arguments: &IssuedArgs) -> toolforge_certificates::Serving {
    let names = if arguments.names.is_empty() {
        let service = format!("{WEBHOOK_SERVICE}.{}.svc", objects::SERVICE_NAMESPACE);
        vec![service.clone(), service + ".cluster.local"]
    } else {
        arguments.names.clone()
    };
    let machine = rustix::system::uname();
    toolforge_admission::serving(
        &machine.nodename().to_string_lossy(),
        &arguments.signer,
        names,
        Duration::from_secs(arguments.tls_lifetime_seconds),
    )
}

/// The balancer, which needs no cluster.
pub(crate) fn balance(arguments: BalanceArgs) -> anyhow::Result<ExitCode> {
    let settings = FollowedFile::balancer(arguments.settings);
    // What is wrong with it is said before anything begins.
    settings.read()?;
    let status = arguments.status;
    let drain = Duration::from_secs(arguments.drain_seconds.into());
    until_signal(|stop| async move {
        let door = door(status).await?;
        Ok(toolforge_balancer::run(settings.follow()?, door, drain, stop).await?)
    })
}

pub(crate) fn fourohfour(arguments: &FourohfourArgs) -> anyhow::Result<ExitCode> {
    let config = toolforge_status::Config {
        domain: domain_of(&arguments.domain)?,
    };
    let (address, status) = (arguments.listen, arguments.status);
    run(&arguments.cluster, move |client, stop| async move {
        let (listener, door) = (listen(address).await?, door(status).await?);
        Ok(toolforge_status::run_fourohfour(client, listener, config, door, stop).await?)
    })
}

pub(crate) fn k8s_status(arguments: K8sStatusArgs) -> anyhow::Result<ExitCode> {
    let config = toolforge_status::BoardConfig {
        domain: domain_of(&arguments.domain)?,
        https_port: arguments.https_port,
        project: arguments.project,
        links: arguments.links.status_links,
        gateways: arguments.gateways,
        traffic_file: arguments.traffic_file,
    };
    let (address, status) = (arguments.listen, arguments.status);
    run(&arguments.cluster, move |client, stop| async move {
        let (listener, door) = (listen(address).await?, door(status).await?);
        Ok(toolforge_status::run_board(client, listener, config, door, stop).await?)
    })
}

pub(crate) fn metrics(arguments: &MetricsArgs) -> anyhow::Result<ExitCode> {
    let (address, files) = (arguments.listen, &arguments.certificate);
    run(&arguments.cluster, move |client, stop| async move {
        let config = toolforge_metrics::Config {
            listener: listen(address).await?,
            certificate: Presented::files(&files.tls_cert, &files.tls_key, stop.clone())?,
            process: Process::Own,
        };
        Ok(toolforge_metrics::run(client, config, stop).await?)
    })
}

/// The Service of the webhooks on a cluster.
const WEBHOOK_SERVICE: &str = "admission";

/// Where a cluster's API reaches the webhooks.
pub(crate) fn webhook_service() -> toolforge_admission::ClientConfigBase {
    toolforge_admission::ClientConfigBase::Service {
        namespace: objects::SERVICE_NAMESPACE.to_owned(),
        name: WEBHOOK_SERVICE.to_owned(),
        port: 443,
    }
}

/// Runs a component until a signal.
pub(crate) fn run<F>(
    cluster: &ClusterArgs,
    component: impl FnOnce(kube::Client, CancellationToken) -> F,
) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let kubeconfig = cluster.kubeconfig.as_deref();
    until_signal(|stop| async move { component(client::from_file(kubeconfig).await?, stop).await })
}

/// Runs something until a signal.
fn until_signal<F>(run: impl FnOnce(CancellationToken) -> F) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<()>>,
{
    logging::start(false);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signals(stop.clone())?;
        tokio::spawn(settled::give_back(stop.clone()));
        run(stop).await
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

/// Where figures are told of a component and of its process.
async fn door(StatusArgs { status }: StatusArgs) -> anyhow::Result<Option<Door>> {
    let Some(address) = status else {
        return Ok(None);
    };
    Ok(Some(Door {
        listener: listen(address).await?,
        process: Process::Own,
    }))
}

fn domain_of(text: &str) -> anyhow::Result<Domain> {
    text.parse().with_context(|| format!("{text:?} is not a domain"))
}

pub(crate) fn identity(arguments: &CertificateArgs) -> anyhow::Result<Identity> {
    Ok(Identity {
        certificate_pem: read(&arguments.tls_cert)?,
        key_pem: read(&arguments.tls_key)?,
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
