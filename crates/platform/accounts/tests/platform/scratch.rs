//! A directory, an API with its controllers, and the account service between them, in a scratch folder.

use std::{fmt::Debug, path::PathBuf, sync::Arc};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    runtime::wait::{Condition, await_condition, conditions::is_crd_established},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use toolforge_accounts::{Config, LdapAccess, MARKER, Summary};
use toolforge_apiserver::ApiServer;
use toolforge_pki::Authority;

use crate::servers::{DEADLINE, Homes, Server, Which, ldif};

/// Everything but the account service, which tests start and stop.
pub(crate) struct Platform {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) admin: Client,
    /// What kubeconfigs say of the API.
    pub(crate) url: String,
    pub(crate) authority: Arc<Authority>,
    api: Arc<ApiServer>,
    pub(crate) server: Server,
    shutdown: CancellationToken,
}

/// A running account service.
pub(crate) struct Service {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Service {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        within(self.task).await.unwrap();
    }

    /// As a kill does: nothing is brought to its end.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("this takes less than a minute")
}

impl Platform {
    /// With the embedded server.
    pub(crate) async fn start(tools: &[(&str, u32)]) -> Self {
        Self::start_on(Which::Embedded, tools).await
    }

    /// With a server of the test's choice.
    pub(crate) async fn start_on(which: Which, tools: &[(&str, u32)]) -> Self {
        Self::start_on_with(which, tools, |text| text).await
    }

    /// With the embedded server and a content that the test changes.
    pub(crate) async fn start_with(tools: &[(&str, u32)], change: impl FnOnce(String) -> String) -> Self {
        Self::start_on_with(Which::Embedded, tools, change).await
    }

    /// With a server and a content of the test's choice.
    pub(crate) async fn start_on_with(
        which: Which,
        tools: &[(&str, u32)],
        change: impl FnOnce(String) -> String,
    ) -> Self {
        toolforge_pki::install_provider();
        let folder = tempfile::tempdir().unwrap();
        for name in ["project", "home"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let authority = Arc::new(Authority::create("test authority").unwrap());
        let shutdown = CancellationToken::new();
        let homes = Homes {
            tools: folder.path().join("project"),
            users: folder.path().join("home"),
        };
        let server = Server::start_with(which, &change(ldif(&homes, tools)), "unlimited").await;
        let (api, url) = api(&folder, &authority, &shutdown).await;
        let admin = api.client("admin", &["system:masters"]);
        let controllers = api.client("system:kube-controller-manager", &["system:masters"]);
        tokio::spawn(toolforge_controllers::run(
            controllers,
            authority.clone(),
            shutdown.clone(),
        ));
        let platform = Self {
            folder,
            admin,
            url,
            authority,
            api,
            server,
            shutdown,
        };
        platform.grant().await;
        platform
    }

    /// What whoever sets up a cluster grants the service: the roles, and its own rights and no more.
    async fn grant(&self) {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "toolforge-accounts" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "toolforge-accounts" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "toolforge:accounts" }],
        });
        for role in [
            toolforge_accounts::tool_role(),
            toolforge_accounts::admin_role(),
            toolforge_accounts::service_role(),
        ] {
            self.apply::<k8s_openapi::api::rbac::v1::ClusterRole>(&role).await;
        }
        self.apply::<k8s_openapi::api::rbac::v1::ClusterRoleBinding>(&binding)
            .await;
        let definition = toolforge_policy::psp::definition();
        self.apply::<CustomResourceDefinition>(&definition).await;
        let name = definition["metadata"]["name"].as_str().unwrap();
        wait(Api::all(self.admin.clone()), name, is_crd_established()).await;
    }

    async fn apply<K>(&self, object: &Value)
    where
        K: kube::Resource<DynamicType = ()> + serde::de::DeserializeOwned + Clone + Debug,
    {
        let api: Api<K> = Api::all(self.admin.clone());
        let name = object["metadata"]["name"].as_str().unwrap();
        api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(object))
            .await
            .unwrap();
    }

    pub(crate) fn ldap(&self, who: &str) -> LdapAccess {
        self.server.access(who)
    }

    pub(crate) fn homes(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub(crate) fn home(&self, tool: &str) -> PathBuf {
        self.homes().join(tool)
    }

    /// Starts the account service and waits for its first pass.
    pub(crate) async fn serve(&self) -> (Service, Summary) {
        self.serve_through(self.service_client()).await
    }

    /// The client of the account service, with its rights.
    pub(crate) fn service_client(&self) -> Client {
        self.api.client("toolforge:accounts", &[])
    }

    /// The same over the network: nothing of a request is worked on by who sends it.
    pub(crate) async fn remote_service_client(&self) -> Client {
        let identity = self.authority.issue_client("toolforge:accounts", &[]).unwrap();
        let authority = self.authority.certificate_pem();
        let text = toolforge_serve::kubeconfig(&self.url, authority, &identity, "accounts", "default");
        client(kube::config::Kubeconfig::from_yaml(&text).unwrap()).await
    }

    /// As `serve`, with a client of the test's making.
    pub(crate) async fn serve_through(&self, client: Client) -> (Service, Summary) {
        let (service, first_pass) = self.begin(client);
        (service, within(first_pass).await.unwrap())
    }

    /// Starts the account service and waits for nothing.
    pub(crate) fn begin(&self, client: Client) -> (Service, oneshot::Receiver<Summary>) {
        self.begin_with(client, |_| ())
    }

    /// Starts the account service, configured as the test wants it, and waits for its first pass.
    pub(crate) async fn serve_with(&self, change: impl FnOnce(&mut Config)) -> (Service, Summary) {
        let (service, first_pass) = self.begin_with(self.service_client(), change);
        (service, within(first_pass).await.unwrap())
    }

    /// As `begin`, configured as the test wants it.
    pub(crate) fn begin_with(
        &self,
        client: Client,
        change: impl FnOnce(&mut Config),
    ) -> (Service, oneshot::Receiver<Summary>) {
        let (sender, first_pass) = oneshot::channel();
        let mut config = Config::new(self.ldap("reader"), self.homes(), self.folder.path().join("home"));
        config.on_first_pass = Some(sender);
        config.lifecycle.archive = self.archive();
        change(&mut config);
        let shutdown = self.shutdown.child_token();
        let token = shutdown.clone();
        let task = tokio::spawn(async move { toolforge_accounts::run(client, config, token).await.unwrap() });
        (Service { shutdown, task }, first_pass)
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    pub(crate) fn markers(&self, tool: &str) -> Api<ConfigMap> {
        Api::namespaced(self.admin.clone(), &format!("tool-{tool}"))
    }

    /// Waits until the marker satisfies a condition; returns it.
    pub(crate) async fn marker(&self, tool: &str, condition: impl Fn(&ConfigMap) -> bool) -> ConfigMap {
        let satisfied = move |found: Option<&ConfigMap>| found.is_some_and(&condition);
        wait(self.markers(tool), MARKER, satisfied).await.unwrap()
    }

    pub(crate) fn certificate(&self, tool: &str) -> String {
        std::fs::read_to_string(self.home(tool).join(".toolskube/client.crt")).unwrap()
    }

    /// A client with the kubeconfig of a home, over the network.
    pub(crate) async fn client_of(&self, home: &std::path::Path) -> Client {
        self.client_with(home, |_| ()).await
    }

    /// The same, in the name of somebody else: `kubectl --as USER --as-group GROUP`.
    pub(crate) async fn impersonating(&self, home: &std::path::Path, user: &str, group: &str) -> Client {
        self.client_with(home, |auth| {
            auth.impersonate = Some(user.to_owned());
            auth.impersonate_groups = Some(vec![group.to_owned()]);
        })
        .await
    }

    async fn client_with(
        &self,
        home: &std::path::Path,
        change: impl FnOnce(&mut kube::config::AuthInfo),
    ) -> Client {
        let mut config = kube::config::Kubeconfig::read_from(home.join(".kube/config")).unwrap();
        change(config.auth_infos[0].auth_info.as_mut().unwrap());
        client(config).await
    }

    pub(crate) async fn directory(&self) -> ldap3::Ldap {
        self.server.admin().await
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn client(config: kube::config::Kubeconfig) -> Client {
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(config, &options).await;
    Client::try_from(config.unwrap()).unwrap()
}

pub(crate) async fn wait<K>(api: Api<K>, name: &str, condition: impl Condition<K>) -> Option<K>
where
    K: kube::Resource + Clone + Debug + Send + serde::de::DeserializeOwned + 'static,
{
    // On the heap: the future holds several objects.
    within(Box::pin(await_condition(api, name, condition)))
        .await
        .unwrap()
}

async fn api(
    folder: &tempfile::TempDir,
    authority: &Authority,
    shutdown: &CancellationToken,
) -> (Arc<ApiServer>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let config = toolforge_apiserver::Config {
        store_dir: folder.path().join("store"),
        keys_dir: folder.path().join("keys"),
        advertise: url.clone(),
        server: authority.issue_server(&["127.0.0.1"]).unwrap(),
        client_ca_pem: authority.certificate_pem().to_owned(),
        node_client: authority
            .issue_client("kube-apiserver-kubelet-client", &[])
            .unwrap(),
        service_network: u32::from(std::net::Ipv4Addr::new(127, 96, 0, 0)),
    };
    let api = Arc::new(ApiServer::open(config).await.unwrap());
    let (serving, token) = (api.clone(), shutdown.clone());
    tokio::spawn(async move { serving.run(listener, token).await });
    (api, url)
}
