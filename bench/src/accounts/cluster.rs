//! The Kubernetes of the bench: the built-in API with its controllers, without a node, and with what
//! `toolforge manifests` says that a cluster must hold.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
    runtime::wait::{await_condition, conditions::is_crd_established},
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_apiserver::ApiServer;
use toolforge_pki::Authority;

/// How long nothing may be written until the controllers count as done.
const STILL: Duration = Duration::from_secs(2);
/// How long that may take.
const SETTLING: Duration = Duration::from_mins(5);

/// A cluster that runs until it is dropped.
pub(super) struct Cluster {
    admin: Client,
    kubeconfig: PathBuf,
    _running: DropGuard,
}

impl Cluster {
    /// An empty cluster in this folder.
    pub(super) async fn start(folder: &Path, program: &Path) -> anyhow::Result<Self> {
        let authority = Arc::new(Authority::create("bench cluster")?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
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
        let api = Arc::new(ApiServer::open(config).await?);
        let shutdown = CancellationToken::new();
        let (serving, token) = (api.clone(), shutdown.clone());
        tokio::spawn(async move { serving.run(listener, token).await });
        let controllers = api.client("system:kube-controller-manager", &["system:masters"]);
        tokio::spawn(toolforge_controllers::run(
            controllers,
            authority.clone(),
            shutdown.clone(),
        ));
        let identity = authority.issue_client("toolforge:accounts", &[])?;
        let text = toolforge_serve::kubeconfig(
            &url,
            authority.certificate_pem(),
            &identity,
            "accounts",
            "default",
        );
        let kubeconfig = folder.join("accounts.kubeconfig");
        toolforge_pki::write_private(&kubeconfig, text.as_bytes())?;
        let cluster = Self {
            admin: api.client("admin", &["system:masters"]),
            kubeconfig,
            _running: shutdown.drop_guard(),
        };
        cluster.prepare(program).await?;
        Ok(cluster)
    }

    /// What the account service knows it by.
    pub(super) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The revision of the last write.
    pub(super) async fn revision(&self) -> anyhow::Result<u64> {
        let request = http::Request::get("/api/v1/namespaces?limit=1").body(Vec::new())?;
        let list: Value = self.admin.request(request).await?;
        let revision = list["metadata"]["resourceVersion"].as_str();
        Ok(revision.context("a list without a revision")?.parse()?)
    }

    /// Waits until nothing is written any more; gives the revision.
    pub(super) async fn settled(&self) -> anyhow::Result<u64> {
        let ends = Instant::now() + SETTLING;
        let mut revision = self.revision().await?;
        loop {
            tokio::time::sleep(STILL).await;
            let now = self.revision().await?;
            if now == revision {
                return Ok(now);
            }
            ensure!(Instant::now() < ends, "the cluster goes on writing");
            revision = now;
        }
    }

    async fn prepare(&self, program: &Path) -> anyhow::Result<()> {
        let printed = Command::new(program)
            .args(["manifests", "--domain", "toolforge.example"])
            .output()
            .with_context(|| format!("{} cannot be run", program.display()))?;
        ensure!(
            printed.status.success(),
            "toolforge manifests fails: {}",
            String::from_utf8_lossy(&printed.stderr)
        );
        let list: Value = serde_json::from_slice(&printed.stdout)?;
        let items = list["items"].as_array().context("the manifests are no list")?;
        let kind = |object: &Value| object["kind"].as_str().unwrap_or_default().to_owned();
        let (definitions, rest): (Vec<&Value>, Vec<&Value>) = items
            .iter()
            // Nobody is there to answer.
            .filter(|object| !kind(object).ends_with("WebhookConfiguration"))
            .partition(|object| kind(object) == "CustomResourceDefinition");
        for definition in definitions {
            let name = self.apply(definition).await?;
            let api: Api<CustomResourceDefinition> = Api::all(self.admin.clone());
            await_condition(api, &name, is_crd_established()).await?;
        }
        for object in rest {
            self.apply(object).await?;
        }
        Ok(())
    }

    /// Gives the name of what it applies.
    async fn apply(&self, object: &Value) -> anyhow::Result<String> {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let version = text("/apiVersion").context("a manifest without a version")?;
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let kind = text("/kind").context("a manifest without a kind")?;
        let name = text("/metadata/name").context("a manifest without a name")?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = match text("/metadata/namespace") {
            Some(namespace) => Api::namespaced_with(self.admin.clone(), namespace, &resource),
            None => Api::all_with(self.admin.clone(), &resource),
        };
        let parameters = PatchParams::apply("bench").force();
        api.patch(name, &parameters, &Patch::Apply(object))
            .await
            .with_context(|| format!("{kind} {name}"))?;
        Ok(name.to_owned())
    }
}
