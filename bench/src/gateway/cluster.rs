//! The Kubernetes that the gateway hears of changes from: the built-in API alone, on threads of its own, with a namespace,
//! an Ingress, a Service and an `EndpointSlice` for every host.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use http::Method;
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;
use toolforge_apiserver::ApiServer;

use super::{objects, stage::Stage};
use crate::{
    api::load::{self, Until},
    client::{Call, Target},
};

/// Writers at a time, each waiting for the disk.
const WRITERS: usize = 16;
/// Threads of the API.
const THREADS: usize = 2;
/// Ingress, Service and slice.
const OBJECTS: u64 = 3;

/// A cluster that runs until it is dropped.
pub(super) struct Cluster {
    kubeconfig: PathBuf,
    target: Target,
    stop: CancellationToken,
    runtime: Option<Runtime>,
}

impl Cluster {
    /// An API that knows all hosts.
    pub(super) async fn start(stage: &Stage) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("api")
            .enable_all()
            .build()?;
        let authority = stage.authority();
        let folder = stage.folder().join("cluster");
        std::fs::create_dir(&folder)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?.into_std()?;
        let url = format!("https://{}", listener.local_addr()?);
        let config = toolforge_apiserver::Config {
            store_dir: folder.join("store"),
            keys_dir: folder.join("keys"),
            advertise: url.clone(),
            server: authority.issue_server(&["127.0.0.1"])?,
            client_ca_pem: authority.certificate_pem().to_owned(),
            node_client: authority.issue_client("kube-apiserver-kubelet-client", &[])?,
            service_network: u32::from(Ipv4Addr::new(127, 96, 0, 0)),
        };
        let stop = CancellationToken::new();
        let token = stop.clone();
        let opened = runtime.spawn(async move {
            let api = ApiServer::open(config).await?;
            let listener = TcpListener::from_std(listener)?;
            tokio::spawn(async move { api.run(listener, token).await });
            anyhow::Ok(())
        });
        // From here on it is stopped whatever happens.
        let identity = authority.issue_client("admin", &["system:masters"])?;
        let text =
            toolforge_serve::kubeconfig(&url, authority.certificate_pem(), &identity, "bench", "default");
        let kubeconfig = folder.join("kubeconfig");
        toolforge_pki::write_private(&kubeconfig, text.as_bytes())?;
        let cluster = Self {
            target: Target::of_kubeconfig(&kubeconfig)?,
            kubeconfig,
            stop,
            runtime: Some(runtime),
        };
        opened.await??;
        cluster.fill(stage).await?;
        Ok(cluster)
    }

    /// What a client knows it by.
    pub(super) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The same for a client of our own.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// The revision of the last write.
    pub(super) async fn revision(&self) -> anyhow::Result<String> {
        let call = Call::get("/api/v1/namespaces?limit=1");
        let list = self.target.connect().await?.json(&call).await?;
        let revision = list["metadata"]["resourceVersion"].as_str();
        Ok(revision.context("a list without a revision")?.to_owned())
    }

    async fn fill(&self, stage: &Stage) -> anyhow::Result<()> {
        let hosts = stage.hosts as u64;
        let all = Until::Sent(hosts);
        let namespace = |number| {
            let object = objects::namespace(index(number));
            Call::post("/api/v1/namespaces", object.to_string())
        };
        load::run(&self.target, WRITERS, all, namespace).await?;
        let ports = stage.upstream.ports().to_vec();
        let object = move |number| {
            let host = index(number / OBJECTS);
            match number % OBJECTS {
                0 => create(host, objects::INGRESSES, &objects::ingress(host)),
                1 => create(host, objects::SERVICES, &objects::service(host)),
                _ => {
                    let port = ports[host % ports.len()];
                    create(host, objects::SLICES, &objects::slice(host, port))
                }
            }
        };
        load::run(&self.target, WRITERS, Until::Sent(hosts * OBJECTS), object).await?;
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(runtime) = self.runtime.take() {
            // Nobody needs what it has stored.
            runtime.shutdown_background();
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn create(number: usize, resource: &str, object: &Value) -> Call {
    Call::post(objects::path(number, resource), object.to_string())
}

/// Has the host of this number answered by the server at this port from now on.
pub(super) fn change(number: usize, port: u16) -> Call {
    let path = format!(
        "{}/{}",
        objects::path(number, objects::SLICES),
        Stage::tool(number)
    );
    Call {
        method: Method::PUT,
        ..Call::post(path, objects::slice(number, port).to_string())
    }
}
