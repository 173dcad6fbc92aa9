//! The node as a whole: what runs beside each other, and which Pods are here.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
};

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    runtime::watcher::{self, Event},
};
use tokio::{
    sync::watch,
    task::{JoinSet, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

use crate::{
    address::{Addresses, Network},
    config::Config,
    error::NodeError,
    events::Recorder,
    life::containers,
    logs::LogStore,
    machine::{self, Machine},
    pod::{Seen, Shared, live},
    process::{Namespaces, ProcessRuntime},
    protection::Protection,
    proxy,
    runtime::Runtime,
    server::{self, Door, Meter, Server},
    volumes::{Objects, VolumeFolders},
};

/// Runs the node until `shutdown`: then containers are asked to end and forced after five seconds, and the Pods'
/// objects stay, so that the next life of the node starts them again.
///
/// # Errors
/// When the state folder, the certificates or the process runtime cannot be used, or the node's API fails.
pub async fn run(client: Client, config: Config, shutdown: CancellationToken) -> Result<(), NodeError> {
    let Config {
        state_dir,
        bin_dir,
        api_host_port,
        protect,
        ..
    } = &config;
    let namespaces = namespaces(state_dir, protect);
    let runtime = ProcessRuntime::new(
        bin_dir.clone(),
        state_dir.clone(),
        api_host_port.clone(),
        protect,
        namespaces.clone(),
    )?;
    let folders = VolumeFolders::new(state_dir, namespaces);
    let runtime = Arc::new(runtime);
    let leftovers = runtime.clone();
    // Before anything starts; blocks for as long as old processes take to end.
    if let Err(error) = spawn_blocking(move || leftovers.end_leftovers()).await {
        tracing::warn!(%error, "processes of an earlier life could not all be ended");
    }
    run_on(runtime, folders, client, config, shutdown).await
}

/// What makes mount namespaces, where the node may.
fn namespaces(state_dir: &Path, protect: &Protection) -> Option<Arc<Namespaces>> {
    if !protect.own_uid {
        return None;
    }
    match Namespaces::create(&state_dir.join("volumes")) {
        Ok(namespaces) => Some(Arc::new(namespaces)),
        Err(error) => {
            tracing::warn!(%error, "this machine lets nobody mount anything: Pods have no volumes");
            None
        }
    }
}

/// Runs the node on any runtime.
pub(crate) async fn run_on<R: Runtime>(
    runtime: Arc<R>,
    folders: VolumeFolders,
    client: Client,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), NodeError> {
    let Config {
        name,
        listener,
        advertise_port,
        identity,
        client_ca_pem,
        state_dir,
        protect,
        ..
    } = config;
    let logs = LogStore::open(&state_dir).map_err(|source| NodeError::State {
        folder: state_dir,
        source,
    })?;
    let logs = Arc::new(logs);
    let machine = Machine::detect();
    let version = runtime.version();
    // Events and logs of the last moments are still wanted while containers end.
    let recorder = Recorder::start(client.clone(), &name, shutdown.clone());
    let shared = Arc::new(Shared {
        runtime: runtime.clone(),
        client: client.clone(),
        recorder,
        logs: logs.clone(),
        folders: Arc::new(folders),
        objects: Arc::new(Objects::new(client.clone())),
        machine: machine.amounts(),
        runtime_name: version
            .split_once("://")
            .map_or("process", |(name, _)| name)
            .to_owned(),
    });
    let meter = Meter {
        node: name.clone(),
        machine: machine.clone(),
        controllers: protect.controllers,
    };
    let pods = Pods::new(shared, Network::of(config.pod_network), shutdown.clone());
    let (served, (), (), (), ()) = tokio::join!(
        server::serve(
            listener,
            &identity,
            &client_ca_pem,
            Server::new(
                runtime,
                logs,
                meter,
                Door::new(client.clone(), name.clone()),
                config.session_silence,
                shutdown.clone()
            )
        ),
        machine::keep_registered(
            client.clone(),
            &name,
            &machine,
            &version,
            advertise_port,
            shutdown.clone()
        ),
        machine::renew(client.clone(), &name, shutdown.clone()),
        proxy::run(
            client.clone(),
            Network::of(config.service_network),
            shutdown.clone()
        ),
        pods.follow(watch_pods(client, &name)),
    );
    served
}

fn watch_pods(client: Client, node: &str) -> impl Stream<Item = watcher::Result<Event<Pod>>> + use<> {
    let mine = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    toolforge_watch::watch(Api::<Pod>::all(client), mine)
}

/// A Pod's task.
#[derive(Debug)]
struct Life {
    namespace: String,
    name: String,
    address: Ipv4Addr,
    seen: watch::Sender<Seen>,
}

/// The Pods of this node, by uid.
struct Pods<R> {
    shared: Arc<Shared<R>>,
    addresses: Addresses,
    lives: HashMap<String, Life>,
    tasks: JoinSet<String>,
    /// What a list that is under way has brought so far.
    listed: Vec<Pod>,
    started: bool,
    shutdown: CancellationToken,
}

impl<R: Runtime> Pods<R> {
    fn new(shared: Arc<Shared<R>>, network: Network, shutdown: CancellationToken) -> Self {
        let (lives, tasks) = (HashMap::new(), JoinSet::new());
        let addresses = Addresses::new(network);
        Self {
            shared,
            addresses,
            lives,
            tasks,
            listed: Vec::new(),
            started: false,
            shutdown,
        }
    }

    /// Lives all Pods until shutdown, then waits for their ends.
    async fn follow(mut self, events: impl Stream<Item = watcher::Result<Event<Pod>>>) {
        let mut events = std::pin::pin!(events);
        let shutdown = self.shutdown.clone();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(event) = events.next() => match event {
                    Ok(event) => self.take(event),
                    Err(error) => tracing::debug!(%error, "the watch for Pods is interrupted"),
                },
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(uid) => self.forget(&uid),
                    Err(error) => tracing::error!(%error, "the task of a Pod failed"),
                },
            }
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn take(&mut self, event: Event<Pod>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(pod) => self.listed.push(pod),
            Event::InitDone => self.take_list(),
            Event::Apply(pod) => self.see(pod),
            Event::Delete(pod) => self.gone(&pod.metadata.uid.unwrap_or_default()),
        }
    }

    /// Everything there is: what is not in the list has gone while nobody watched.
    fn take_list(&mut self) {
        let mut listed = std::mem::take(&mut self.listed);
        let there: HashSet<String> = listed.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
        let missing: Vec<String> = self
            .lives
            .keys()
            .filter(|uid| !there.contains(*uid))
            .cloned()
            .collect();
        for uid in &missing {
            self.gone(uid);
        }
        // Those that have an address take it again before others are given one.
        listed.sort_by_key(|pod| address_of(pod).is_none());
        for pod in listed {
            self.see(pod);
        }
        if !std::mem::replace(&mut self.started, true) {
            self.shared.logs.keep_only_registered();
            let folders = self.shared.folders.clone();
            // Beside everything else: whose volumes these were is gone.
            spawn_blocking(move || folders.keep_only(&there));
        }
    }

    fn see(&mut self, pod: Pod) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        if let Some(life) = self.lives.get(&uid) {
            life.seen.send_replace(Seen::There(Arc::new(pod)));
        } else {
            self.begin(uid, pod);
        }
    }

    fn begin(&mut self, uid: String, pod: Pod) {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let (namespace, name) = (text(&pod.metadata.namespace), text(&pod.metadata.name));
        let kept = address_of(&pod).filter(|address| self.addresses.retake(*address));
        let Some(address) = kept.or_else(|| self.addresses.take()) else {
            tracing::error!(
                namespace,
                name,
                "all addresses of the Pod network are taken; the Pod waits"
            );
            return;
        };
        let containers = containers(&pod);
        let names: Vec<&str> = containers
            .iter()
            .map(|container| container.name.as_str())
            .collect();
        self.shared.logs.register(&namespace, &name, &uid, &names);
        let pod = Arc::new(pod);
        let (seen, changes) = watch::channel(Seen::There(pod.clone()));
        self.lives.insert(
            uid.clone(),
            Life {
                namespace,
                name,
                address,
                seen,
            },
        );
        let life = live(self.shared.clone(), pod, address, changes, self.shutdown.clone());
        self.tasks.spawn(async move {
            life.await;
            uid
        });
    }

    fn gone(&mut self, uid: &str) {
        if let Some(life) = self.lives.get(uid) {
            life.seen.send_replace(Seen::Gone);
        }
    }

    fn forget(&mut self, uid: &str) {
        if let Some(life) = self.lives.remove(uid) {
            self.addresses.release(life.address);
            self.shared.logs.forget(&life.namespace, &life.name, uid);
        }
    }
}

fn address_of(pod: &Pod) -> Option<Ipv4Addr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests;
