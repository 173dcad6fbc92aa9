//! A directory and an API with its controllers in this process, and `toolforge accounts` as processes of their own.

use std::{
    fmt::{Debug, Write as _},
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::wait::{await_condition, conditions::is_crd_established},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_apiserver::ApiServer;
use toolforge_directory::Directory;
use toolforge_pki::Authority;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const BASE: &str = "dc=toolforge,dc=org";
/// Far longer than anything here takes, also with a hundred accounts under ptrace on a busy machine.
const DEADLINE: Duration = Duration::from_mins(3);
/// Between two looks at what another process says.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("this takes less than three minutes")
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(DEADLINE, async {
        while !is_so().await {
            tokio::time::sleep(PAUSE).await;
        }
    });
    assert!(waited.await.is_ok(), "not within three minutes: {what}");
}

/// A tool, as the directory has it.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) uid: u32,
}

/// Everything but the account service.
pub(crate) struct Stage {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) admin: Client,
    authority: Arc<Authority>,
    url: String,
    directory: Option<Served>,
    _running: DropGuard,
}

/// A directory that is served.
struct Served {
    port: u16,
    _running: DropGuard,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        toolforge_pki::install_provider();
        let folder = tempfile::tempdir().unwrap();
        for name in ["project", "home", "archive"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let authority = Arc::new(Authority::create("cluster").unwrap());
        let shutdown = CancellationToken::new();
        let (api, url) = serve_api(folder.path(), &authority, &shutdown).await;
        let controllers = api.client("system:kube-controller-manager", &["system:masters"]);
        tokio::spawn(toolforge_controllers::run(
            controllers,
            authority.clone(),
            shutdown.clone(),
        ));
        let stage = Self {
            admin: api.client("admin", &["system:masters"]),
            folder,
            authority,
            url,
            directory: None,
            _running: shutdown.drop_guard(),
        };
        stage.grant().await;
        stage
    }

    /// What whoever sets up a cluster grants the service, and its kubeconfig.
    async fn grant(&self) {
        let (group, user) = ("rbac.authorization.k8s.io", "toolforge:accounts");
        let binding = json!({
            "apiVersion": format!("{group}/v1"),
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "toolforge-accounts" },
            "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": "toolforge-accounts" },
            "subjects": [{ "apiGroup": group, "kind": "User", "name": user }],
        });
        for role in [
            toolforge_accounts::tool_role(),
            toolforge_accounts::admin_role(),
            toolforge_accounts::service_role(),
        ] {
            self.apply::<ClusterRole>(&role).await;
        }
        self.apply::<ClusterRoleBinding>(&binding).await;
        let definition = toolforge_policy::psp::definition();
        self.apply::<CustomResourceDefinition>(&definition).await;
        let name = definition["metadata"]["name"].as_str().unwrap();
        let definitions: Api<CustomResourceDefinition> = Api::all(self.admin.clone());
        // On the heap: the future holds several objects.
        let is_there = Box::pin(await_condition(definitions, name, is_crd_established()));
        within(is_there).await.unwrap();
        let identity = self.authority.issue_client(user, &[]).unwrap();
        let ca = self.authority.certificate_pem();
        let text = toolforge_serve::kubeconfig(&self.url, ca, &identity, "accounts", "default");
        std::fs::write(self.path("kubeconfig"), text).unwrap();
        std::fs::write(self.path("ca.pem"), ca).unwrap();
        std::fs::write(self.path("password"), "reader-secret").unwrap();
    }

    async fn apply<K>(&self, object: &Value)
    where
        K: kube::Resource<DynamicType = ()> + serde::de::DeserializeOwned + Clone + Debug,
    {
        let api: Api<K> = Api::all(self.admin.clone());
        let name = object["metadata"]["name"].as_str().unwrap();
        let parameters = PatchParams::apply("test").force();
        api.patch(name, &parameters, &Patch::Apply(object)).await.unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self, tool: &str) -> PathBuf {
        self.path("project").join(tool)
    }

    /// From now on the directory has these tools and no others. No service may be running.
    pub(crate) async fn has(&mut self, tools: &[Tool]) {
        let port = toolforge_testkit::free_port();
        let identity = self.authority.issue_server(&["127.0.0.1"]).unwrap();
        let config = toolforge_directory::Config {
            path: self.path(&format!("directory-{port}.ldif")),
            base: BASE.to_owned(),
            admin_password: "admin-secret".to_owned(),
            reader_password: "reader-secret".to_owned(),
            tls: toolforge_pki::server_config(&identity, None).unwrap(),
        };
        let directory = Directory::open(config, Some(&ldif(&self.path("project"), tools))).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        tokio::spawn(async move { directory.run(listener, token).await });
        self.directory = Some(Served {
            port,
            _running: shutdown.drop_guard(),
        });
    }

    /// `toolforge accounts`, which answers for itself on this port.
    pub(crate) fn command(&self, port: u16, options: &[&str]) -> Command {
        let ldap = self.directory.as_ref().unwrap().port;
        let mut command = Command::new(PROGRAM);
        command
            .arg("accounts")
            .args(["--listen", &format!("127.0.0.1:{port}"), "--base", BASE])
            .args(["--ldap-url", &format!("ldaps://127.0.0.1:{ldap}")])
            .args(["--bind-dn", &format!("cn=reader,{BASE}")])
            .args(["--removed-grace-days", "0", "--removal-pause-seconds", "0"])
            .args(["--most-removals", "1000", "--most-removals-percent", "100"])
            .args(options)
            .env("RUST_LOG", "error");
        for (option, file) in [
            ("--kubeconfig", "kubeconfig"),
            ("--ldap-ca", "ca.pem"),
            ("--bind-password-file", "password"),
            ("--home-root", "project"),
            ("--admin-home-root", "home"),
            ("--archive", "archive"),
        ] {
            command.arg(option).arg(self.path(file));
        }
        command
    }

    /// Starts a service that nobody disturbs, until it is done.
    pub(crate) async fn serve(&self) -> Service {
        let port = toolforge_testkit::free_port();
        let service = Service::start(self.command(port, &["--alone"]), port);
        service.has_looked_at_all().await;
        service
    }

    /// A client with the kubeconfig of a tool.
    pub(crate) async fn client_of(&self, tool: &str) -> Client {
        let config = Kubeconfig::read_from(self.home(tool).join(".kube/config")).unwrap();
        // Whatever context of the user's own is the current one.
        let options = KubeConfigOptions {
            context: Some("toolforge".to_owned()),
            ..KubeConfigOptions::default()
        };
        let config = kube::Config::from_custom_kubeconfig(config, &options).await;
        Client::try_from(config.unwrap()).unwrap()
    }
}

async fn serve_api(
    folder: &Path,
    authority: &Authority,
    shutdown: &CancellationToken,
) -> (Arc<ApiServer>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let config = toolforge_apiserver::Config {
        store_dir: folder.join("store"),
        keys_dir: folder.join("keys"),
        advertise: url.clone(),
        server: authority.issue_server(&["127.0.0.1"]).unwrap(),
        client_ca_pem: authority.certificate_pem().to_owned(),
        node_client: authority.issue_client("kubelet-client", &[]).unwrap(),
        service_network: u32::from(Ipv4Addr::new(127, 98, 0, 0)),
    };
    let api = Arc::new(ApiServer::open(config).await.unwrap());
    let (serving, token) = (api.clone(), shutdown.clone());
    tokio::spawn(async move { serving.run(listener, token).await });
    (api, url)
}

fn ldif(homes: &Path, tools: &[Tool]) -> String {
    let mut text = format!(
        "dn: {BASE}\nobjectClass: domain\ndc: toolforge\n\n\
         dn: cn=reader,{BASE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
         userPassword: reader-secret\n\n"
    );
    for dn in ["ou=people", "ou=servicegroups", "ou=people,ou=servicegroups"] {
        let (_, name) = dn.split(',').next().unwrap().split_once('=').unwrap();
        write!(
            text,
            "dn: {dn},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n\n"
        )
        .unwrap();
    }
    for Tool { name, uid } in tools {
        write!(
            text,
            "dn: uid=tools.{name},ou=people,ou=servicegroups,{BASE}\nobjectClass: person\nobjectClass: posixAccount\n\
             uid: tools.{name}\ncn: tools.{name}\nsn: tools.{name}\nuidNumber: {uid}\ngidNumber: {uid}\n\
             homeDirectory: {}/{name}\n\n",
            homes.display()
        )
        .unwrap();
    }
    text
}

/// What a service says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(SocketAddr);

impl Address {
    pub(crate) fn of(port: u16) -> Self {
        Self(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// Nothing where it does not answer.
    pub(crate) async fn says(self, path: &str) -> String {
        let answer = async {
            reqwest::get(format!("http://{}{path}", self.0))
                .await?
                .text()
                .await
        };
        answer.await.unwrap_or_default()
    }

    /// Waits until every account has had its turn.
    pub(crate) async fn has_looked_at_all(self) {
        until("every account has had its turn", async || {
            self.says("/metrics")
                .await
                .contains("maintain_kubeusers_run_seconds_count 1\n")
        })
        .await;
    }
}

/// A `toolforge accounts` that runs; killed when dropped.
pub(crate) struct Service {
    pub(crate) process: Child,
    pub(crate) address: Address,
}

impl Service {
    pub(crate) fn start(mut command: Command, port: u16) -> Self {
        Self {
            process: command.stdin(Stdio::null()).spawn().unwrap(),
            address: Address::of(port),
        }
    }

    pub(crate) async fn has_looked_at_all(&self) {
        self.address.has_looked_at_all().await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
