//! The start of the platform: each part with its own identity, in an order in which nobody waits for long.
//!
//! **Invariant:** a part reaches the cluster with a client certificate of its own over the API's port, as it
//! would on any cluster. Only what belongs to the built-in cluster (its controllers, and the objects that it
//! must hold first) uses the in-process transport.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;
use toolforge_accounts::Overrides;
use toolforge_figures::Door;
use toolforge_gateway::Rules;
use toolforge_pki::Authority;
use toolforge_policy::{Policies, PolicySettings};

use super::{
    layout::Layout, listeners, machine::Machine, network::Network, parts::Parts, program, progress::Progress,
    report, signals,
};
use crate::{
    followed::FollowedFile,
    objects,
    prometheus::targets::{self, Target},
    settings::Settings,
    settled,
};

/// What `up` was asked for.
pub(super) struct Request {
    pub(super) layout: Layout,
    pub(super) settings: Settings,
    /// What the guards go by, as it is published.
    pub(super) rules: PolicySettings,
    /// What the guards go by, as they ask it.
    pub(super) policies: Policies,
    /// What single tools have more or less of.
    pub(super) overrides: Option<FollowedFile<Overrides>>,
    /// What the gateway is told of visitors.
    pub(super) gateway: Option<FollowedFile<Rules>>,
    /// The types of webservice, where they are not those that are built in.
    pub(super) images: Option<String>,
    /// Where webservices outside of Kubernetes register, if anywhere.
    pub(super) register_port: Option<u16>,
    /// Where the gateway shows how it goes, if anywhere.
    pub(super) gateway_status_port: Option<u16>,
    /// Links out of the status pages.
    pub(super) links: Vec<toolforge_status::Link>,
    /// Where the metrics are, if anybody is to know beforehand.
    pub(super) metrics_port: Option<u16>,
    /// The directory to begin with, on a new data folder.
    pub(super) ldif: Option<String>,
    /// Where requests to the API are written, and by which policy.
    pub(super) audit: Option<(PathBuf, Option<String>)>,
    pub(super) began: Instant,
}

/// Starts everything, says so, and runs until it is told to stop or a part fails.
pub(super) async fn everything(request: Request) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    signals::stop_on_signals(stop.clone())?;
    let mut parts = Parts::new();
    let starting = start(&mut parts, &request);
    // The network stays claimed until everything has stopped.
    let started = tokio::select! {
        () = stop.cancelled() => Ok(None),
        started = starting => started.map(Some),
    };
    let outcome = match &started {
        Err(_) => Ok(()),
        Ok(_) if stop.is_cancelled() => Ok(()),
        Ok(_) => {
            tokio::spawn(settled::give_back(stop.clone()));
            tokio::select! {
                () = stop.cancelled() => Ok(()),
                error = parts.failed() => Err(error),
            }
        }
    };
    report::stopping();
    let stopped = parts.stop().await;
    started.and(outcome).and(stopped)?;
    report::stopped();
    Ok(())
}

/// Where the figures are told of components that have no other door.
struct Doors {
    directory: Door,
    controllers: Door,
    pages: Door,
    board: Door,
}

impl Doors {
    /// Their addresses, by what Prometheus calls the job.
    fn addresses(&self) -> std::io::Result<[(&'static str, SocketAddr); 4]> {
        Ok([
            ("directory", self.directory.listener.local_addr()?),
            ("controllers", self.controllers.listener.local_addr()?),
            ("fourohfour", self.pages.listener.local_addr()?),
            ("k8s-status", self.board.listener.local_addr()?),
        ])
    }
}

async fn start(parts: &mut Parts, request: &Request) -> anyhow::Result<Network> {
    let Request { layout, settings, .. } = request;
    let progress = Progress::start();
    progress.step("taking the ports");
    let listeners = listeners::take(&settings.ports).await?;
    let network = Network::claim(settings.network).await?;
    Settings {
        network: Some(network.number()),
        ..settings.clone()
    }
    .write(&layout.settings())?;
    progress.step("installing the program for tools");
    program::install(&layout.bin())?;
    let cluster = Authority::load_or_create(&layout.pki(), "cluster-ca", "toolforge cluster")?;
    let web = Authority::load_or_create(&layout.pki(), "web-ca", "toolforge local authority")?;
    let machine = Machine {
        request,
        cluster: Arc::new(cluster),
        web,
        network,
    };

    progress.step("opening the cluster's store and the directory");
    let pages_address = listeners.fourohfour.local_addr()?;
    let (api_address, node_address) = (listeners.api.local_addr()?, listeners.node.local_addr()?);
    let guards_address = listeners.admission.local_addr()?;
    let api = machine.start_api(parts, listeners.api).await?;
    let doors = Doors {
        directory: machine.inner_door().await?,
        controllers: machine.inner_door().await?,
        pages: machine.inner_door().await?,
        board: machine.inner_door().await?,
    };
    let door_addresses = doors.addresses()?;
    machine.start_directory(parts, listeners.ldap, doors.directory)?;
    progress.step("settling roles and configuration");
    let admin = api.client("admin", &["system:masters"]);
    let public = machine.public();
    objects::apply(&admin, &objects::foundation(&public)).await?;
    objects::retire_other_classes(&admin, &public.policy.ingress_class).await?;
    let status = machine.gateway_status().await?;
    let board = machine.inner_listener().await?;
    let addresses = [
        objects::default_backend_address(pages_address),
        objects::k8s_status_address(board.local_addr()?),
    ];
    objects::apply(&admin, &addresses).await?;
    progress.step("starting the webhooks");
    machine.start_webhooks(parts, listeners.admission, &admin).await?;
    let board_ingress = objects::k8s_status_ingress(&public.domain, &public.policy.ingress_class);
    objects::apply(&admin, &[board_ingress]).await?;
    progress.step("starting controllers and node");
    machine.start_controllers(parts, &api, doors.controllers);
    let missing = machine.start_node(parts, listeners.node).await?;
    let metrics = machine.metrics_listener().await?;
    let metrics_address = metrics.local_addr()?;
    let accounts = machine.inner_listener().await?;
    let mut inner = vec![
        status.local_addr()?,
        board.local_addr()?,
        metrics_address,
        accounts.local_addr()?,
    ];
    inner.extend(door_addresses.map(|(_, address)| address));
    let mut told = vec![
        Target::secure("apiserver", api_address),
        Target::secure("nodes", node_address),
        Target::secure("cadvisor", node_address).at("/metrics/cadvisor"),
        Target::secure("metrics", metrics_address),
        Target::secure("admission", guards_address),
        Target::plain("gateway", status.local_addr()?),
        Target::plain("accounts", accounts.local_addr()?),
    ];
    told.extend(door_addresses.map(|(job, address)| Target::plain(job, address)));
    targets::write(&layout.targets(), &told)?;
    progress.step("starting gateway and pages");
    machine
        .start_pages(parts, listeners.fourohfour, doors.pages)
        .await?;
    let gateway = status.local_addr()?;
    machine
        .start_gateway(parts, listeners.https, listeners.http, (status, &inner))
        .await?;
    let summary = machine.start_accounts(parts, accounts, &progress).await?;
    // These read every object and nobody waits for them: before, they would take the processor from those above.
    progress.step("starting metrics and status pages");
    machine.start_metrics(parts, metrics, &admin).await?;
    machine.start_board(parts, (board, doors.board), gateway).await?;
    progress.done();
    report::ready(&report::Running {
        layout,
        settings,
        summary: &summary,
        missing: &missing,
        began: request.began,
    });
    Ok(machine.network)
}
