//! The Kubernetes that the gateway hears of changes from: the built-in API alone, on threads of its own, with a namespace,
//! an Ingress, a Service and an `EndpointSlice` for every host.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use http::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;
use toolforge_apiserver::ApiServer;

use super::{
    ours::SERVICE_PORT,
    stage::{DOMAIN, Stage},
};
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
        load::run(&self.target, WRITERS, all, |number| namespace(index(number))).await?;
        let ports = stage.upstream.ports().to_vec();
        let object = move |number| {
            let host = index(number / OBJECTS);
            match number % OBJECTS {
                0 => ingress(host),
                1 => service(host),
                _ => slice(host, ports[host % ports.len()]),
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

fn namespace_of(number: usize) -> String {
    format!("tool-{}", Stage::tool(number))
}

fn namespace(number: usize) -> Call {
    let object = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace_of(number), "labels": {"tenancy": "tool"}},
    });
    Call::post("/api/v1/namespaces", object.to_string())
}

fn ingress(number: usize) -> Call {
    let tool = Stage::tool(number);
    let service = json!({"name": tool, "port": {"number": SERVICE_PORT}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": {"service": service}}]);
    let object = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": tool},
        "spec": {
            "ingressClassName": "toolforge",
            "rules": [{"host": format!("{tool}.{DOMAIN}"), "http": {"paths": paths}}],
        },
    });
    created(number, "networking.k8s.io/v1", "ingresses", &object)
}

fn service(number: usize) -> Call {
    let object = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": Stage::tool(number)},
        "spec": {"ports": [{"name": "http", "port": SERVICE_PORT, "protocol": "TCP"}]},
    });
    let path = format!("/api/v1/namespaces/{}/services", namespace_of(number));
    Call::post(path, object.to_string())
}

fn slice(number: usize, port: u16) -> Call {
    created(
        number,
        "discovery.k8s.io/v1",
        "endpointslices",
        &slice_object(number, port),
    )
}

fn slice_object(number: usize, port: u16) -> Value {
    let tool = Stage::tool(number);
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": tool, "labels": {"kubernetes.io/service-name": tool}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": port}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true, "serving": true}}],
    })
}

fn created(number: usize, group: &str, plural: &str, object: &Value) -> Call {
    let path = format!("/apis/{group}/namespaces/{}/{plural}", namespace_of(number));
    Call::post(path, object.to_string())
}

/// Has the host of this number answered by the server at this port from now on.
pub(super) fn change(number: usize, port: u16) -> Call {
    let path = format!(
        "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices/{}",
        namespace_of(number),
        Stage::tool(number)
    );
    Call {
        method: Method::PUT,
        ..Call::post(path, slice_object(number, port).to_string())
    }
}
