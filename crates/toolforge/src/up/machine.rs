//! The parts of the platform as this machine runs them: each one's configuration, identity and start.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};
use toolforge_admission::{ClientConfigBase, Reach, Registration};
use toolforge_apiserver::{ApiServer, AuditLog};
use toolforge_certificates::Authorities;
use toolforge_figures::{Door, Process};
use toolforge_gateway::{Drain, PlainHttp, Succession};
use toolforge_model::Domain;
use toolforge_pki::{Authority, Identity};

use super::{
    network::Network,
    parts::{Parts, Stop},
    progress::Progress,
    report, sample, secrets,
    start::Request,
};
use crate::{
    client,
    followed::FollowedFile,
    objects::{self, Public},
    settings::PROJECT,
};

/// The one node of this cluster.
const NODE: &str = "localhost";
/// What servers of this machine are called.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];

/// How each part is configured on this machine.
pub(super) struct Machine<'a> {
    pub(super) request: &'a Request,
    /// Signs for everything inside the cluster.
    pub(super) cluster: Arc<Authority>,
    /// Signs what visitors see.
    pub(super) web: Authority,
    pub(super) network: Network,
}

impl Machine<'_> {
    /// The built-in API, and the operator's way in.
    pub(super) async fn start_api(
        &self,
        parts: &mut Parts,
        listener: TcpListener,
    ) -> anyhow::Result<Arc<ApiServer>> {
        let mut api = ApiServer::open(self.api_config()?).await?;
        if let Some((path, policy)) = &self.request.audit {
            let log = AuditLog::open(path.clone(), policy.as_deref()).context("--audit-log")?;
            api = api.with_audit_log(log);
        }
        let api = Arc::new(api);
        let served = Arc::clone(&api);
        parts.start("Kubernetes API", Stop::Last, |stop| async move {
            served.run(listener, stop).await
        });
        self.write_admin_kubeconfig()?;
        Ok(api)
    }

    /// The LDAP directory.
    pub(super) fn start_directory(
        &self,
        parts: &mut Parts,
        listener: TcpListener,
        door: Door,
    ) -> anyhow::Result<()> {
        let directory = Arc::new(self.directory()?);
        tell(parts, "directory's figures", door, directory.registry());
        parts.start("directory", Stop::Last, |stop| async move {
            directory.run(listener, stop).await;
            Ok::<(), Infallible>(())
        });
        Ok(())
    }

    /// The webhooks, and the objects through which the API calls them.
    pub(super) async fn start_webhooks(
        &self,
        parts: &mut Parts,
        listener: TcpListener,
        admin: &Client,
    ) -> anyhow::Result<()> {
        let client = self.client("toolforge:admission").await?;
        let identity = self.cluster.issue_server(&LOOPBACK)?;
        let certificate = toolforge_serve::Presented::of(&identity)?;
        let policies = self.request.policies.clone();
        let url = format!("https://{}", listener.local_addr()?);
        let own = client.clone();
        parts.start("admission webhooks", Stop::Last, |stop| {
            toolforge_admission::run(client, listener, certificate, policies, Process::Shared, stop)
        });
        let base = ClientConfigBase::Url(url);
        let reach = Reach::of(&self.request.policies);
        let authority = self.cluster.certificate_pem();
        objects::apply(
            admin,
            &toolforge_admission::webhook_configurations(&base, Some(authority), &reach),
        )
        .await?;
        let registration = Registration {
            base,
            authorities: Authorities::of(authority),
            // The certificate of `up` is made at its start, by the authority of its data folder.
            registered: watch::Sender::default(),
            retired_kept: Duration::ZERO,
            reach,
        };
        parts.start("admission's registration", Stop::First, |stop| async move {
            toolforge_admission::keep_configurations(own, registration, stop).await;
            Ok::<(), Infallible>(())
        });
        Ok(())
    }

    /// The built-in cluster's controllers, over the in-process transport.
    pub(super) fn start_controllers(&self, parts: &mut Parts, api: &ApiServer, door: Door) {
        let figures = toolforge_controllers::Figures::default();
        tell(parts, "controllers' figures", door, figures.registry());
        let client = api.client("system:kube-controller-manager", &[]);
        let signer = Arc::clone(&self.cluster);
        parts.start("controllers", Stop::First, |stop| {
            toolforge_controllers::run_counted(client, signer, figures, stop)
        });
    }

    /// The node; answers what this machine does not protect tools from.
    pub(super) async fn start_node(
        &self,
        parts: &mut Parts,
        listener: TcpListener,
    ) -> anyhow::Result<Vec<String>> {
        let config = self.node_config(listener)?;
        let missing = config.protect.missing().to_vec();
        let client = self.node_client().await?;
        parts.start("node", Stop::First, |stop| {
            toolforge_node::run(client, config, stop)
        });
        Ok(missing)
    }

    /// Where the metrics will be: the gateway is told before they start.
    pub(super) async fn metrics_listener(&self) -> anyhow::Result<TcpListener> {
        let port = self.request.metrics_port.unwrap_or(0);
        listener_for_this_run("--metrics-port", port).await
    }

    /// What tools use, and what the cluster's objects are like.
    pub(super) async fn start_metrics(
        &self,
        parts: &mut Parts,
        listener: TcpListener,
        admin: &Client,
    ) -> anyhow::Result<()> {
        let client = self.client(objects::METRICS_USER).await?;
        let address = listener.local_addr()?;
        let service = format!(
            "{}.{}.svc",
            toolforge_metrics::SERVICE,
            toolforge_metrics::NAMESPACE
        );
        let [address_name, host] = LOOPBACK;
        let identity = self.cluster.issue_server(&[&service, address_name, host])?;
        let config = toolforge_metrics::Config {
            listener,
            certificate: toolforge_serve::Presented::of(&identity)?,
            process: Process::Shared,
        };
        // First its rights, without which its watches would be refused and say so; its listener keeps whoever comes before it.
        objects::apply(admin, &objects::metrics(address, self.cluster.certificate_pem())).await?;
        parts.start("metrics", Stop::First, |stop| {
            toolforge_metrics::run(client, config, stop)
        });
        Ok(())
    }

    /// The pages that answer for what is not there.
    pub(super) async fn start_pages(
        &self,
        parts: &mut Parts,
        listener: TcpListener,
        door: Door,
    ) -> anyhow::Result<()> {
        let client = self.client("toolforge:fourohfour").await?;
        let config = toolforge_status::Config {
            domain: self.domain()?,
        };
        parts.start("fourohfour pages", Stop::First, |stop| {
            toolforge_status::run_fourohfour(client, listener, config, Some(door), stop)
        });
        Ok(())
    }

    /// Where the gateway shows how it goes: the status pages draw its figures, and the operator may choose the port.
    pub(super) async fn gateway_status(&self) -> anyhow::Result<TcpListener> {
        match self.request.gateway_status_port {
            Some(port) => listener_for_this_run("--gateway-status-port", port).await,
            None => self.inner_listener().await,
        }
    }

    /// A listener that only the platform itself asks; it has another port at each start.
    pub(super) async fn inner_listener(&self) -> anyhow::Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("no port is free on 127.0.0.1")
    }

    /// Where the figures are told of a component that has no other door; the process is the API's to tell of.
    pub(super) async fn inner_door(&self) -> anyhow::Result<Door> {
        Ok(Door {
            listener: self.inner_listener().await?,
            process: Process::Shared,
        })
    }

    /// The pages of k8s-status.
    pub(super) async fn start_board(
        &self,
        parts: &mut Parts,
        (listener, door): (TcpListener, Door),
        gateway: SocketAddr,
    ) -> anyhow::Result<()> {
        let client = self.client("toolforge:k8s-status").await?;
        let config = toolforge_status::BoardConfig {
            domain: self.domain()?,
            https_port: self.request.settings.ports.https,
            project: PROJECT.to_owned(),
            links: self.request.links.clone(),
            gateways: vec![format!("http://{gateway}/metrics").parse()?],
            traffic_file: Some(self.request.layout.traffic()),
        };
        parts.start("status pages", Stop::First, |stop| {
            toolforge_status::run_board(client, listener, config, Some(door), stop)
        });
        Ok(())
    }

    /// The gateway, with a certificate of the local authority.
    pub(super) async fn start_gateway(
        &self,
        parts: &mut Parts,
        https: TcpListener,
        http: TcpListener,
        (status, inner): (TcpListener, &[SocketAddr]),
    ) -> anyhow::Result<()> {
        let Request {
            layout,
            settings,
            policies,
            gateway,
            ..
        } = self.request;
        let client = self.client("toolforge:gateway").await?;
        let domains = policies.ingress.domains().iter();
        let names: Vec<String> = domains
            .flat_map(|domain| [format!("*.{domain}"), domain.to_string()])
            .chain(policies.ingress.legacy_hosts().iter().map(ToString::to_string))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let registrations = self.registration_doors(inner).await?;
        let config = toolforge_gateway::Config {
            http: Some((http, PlainHttp::Redirect)),
            https,
            workers: toolforge_gateway::one_for_each_processor(),
            status: Some(status),
            process: Process::Shared,
            public_https_port: settings.ports.https,
            identity: self.web.issue_server(&names)?,
            identity_files: None,
            policy: policies.ingress.clone().into(),
            published: Some(toolforge_gateway::Published::Ip(Ipv4Addr::LOCALHOST.into())),
            rules: gateway.clone().map(FollowedFile::follow).transpose()?,
            last_table: layout.table(),
            registrations,
            drain: Drain::quick(),
            succession: Succession::default(),
        };
        parts.start("gateway", Stop::First, |stop| {
            toolforge_gateway::run(client, config, stop)
        });
        Ok(())
    }

    /// Where webservices outside of Kubernetes register, with the certificates of their tools.
    async fn registration_doors(
        &self,
        inner: &[SocketAddr],
    ) -> anyhow::Result<Option<toolforge_gateway::RegistrationDoors>> {
        let Some(port) = self.request.register_port else {
            return Ok(None);
        };
        let listener = listener_for_this_run("--register-port", port).await?;
        let ports = self.request.settings.ports.with_flags();
        let ports = ports.iter().map(|(_, port)| *port);
        let own = ports.chain([port]).map(|port| (Ipv4Addr::LOCALHOST, port).into());
        let own = own.chain(inner.iter().copied());
        Ok(Some(toolforge_gateway::RegistrationDoors {
            file: self.request.layout.registrations(),
            lines: None,
            api: Some((listener, self.cluster.certificate_pem().to_owned())),
            list: None,
            own: own.collect(),
        }))
    }

    /// The account service; answers when it has looked at every account once.
    pub(super) async fn start_accounts(
        &self,
        parts: &mut Parts,
        listener: TcpListener,
        progress: &Progress,
    ) -> anyhow::Result<toolforge_accounts::Summary> {
        let what = "giving every tool of the directory its place";
        progress.step(what);
        let client = self.client("toolforge:accounts").await?;
        let (first_pass, passed) = oneshot::channel();
        let (so_far, news) = watch::channel(toolforge_accounts::Progress::default());
        let mut config = self.accounts_config(first_pass)?;
        config.progress = Some(so_far);
        config.listener = Some(listener);
        parts.start("account service", Stop::First, |stop| {
            toolforge_accounts::run(client, config, stop)
        });
        tokio::select! {
            summary = passed => summary.map_err(|_| anyhow!("the account service gave no account of itself")),
            never = progress.follow(what, news) => match never {},
            error = parts.failed() => Err(error),
        }
    }

    fn api_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.request.settings.ports.api)
    }

    fn api_config(&self) -> anyhow::Result<toolforge_apiserver::Config> {
        let api_service = self.network.api_service().to_string();
        let names = [
            "127.0.0.1",
            "localhost",
            &api_service,
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        Ok(toolforge_apiserver::Config {
            store_dir: self.request.layout.store(),
            keys_dir: self.request.layout.pki(),
            advertise: self.api_url(),
            server: self.cluster.issue_server(&names)?,
            client_ca_pem: self.cluster.certificate_pem().to_owned(),
            node_client: self.cluster.issue_client("kube-apiserver-kubelet-client", &[])?,
            service_network: self.network.services().into(),
        })
    }

    fn kubeconfig(&self, identity: &Identity, context: &str) -> String {
        toolforge_serve::kubeconfig(
            &self.api_url(),
            self.cluster.certificate_pem(),
            identity,
            context,
            "default",
        )
    }

    fn write_admin_kubeconfig(&self) -> anyhow::Result<()> {
        let admin = self.cluster.issue_client("admin", &["system:masters"])?;
        let text = self.kubeconfig(&admin, "toolforge-admin");
        Ok(toolforge_pki::write_private(
            &self.request.layout.admin_kubeconfig(),
            text.as_bytes(),
        )?)
    }

    /// A client with the identity of a component and nothing else.
    async fn client(&self, user: &str) -> anyhow::Result<Client> {
        let identity = self.cluster.issue_client(user, &[])?;
        client::from_text(&self.kubeconfig(&identity, user)).await
    }

    /// The node watches each object that a volume shows.
    async fn node_client(&self) -> anyhow::Result<Client> {
        let user = format!("system:node:{NODE}");
        let identity = self.cluster.issue_client(&user, &["system:nodes"])?;
        client::of_many_connections(&self.kubeconfig(&identity, &user)).await
    }

    fn domain(&self) -> anyhow::Result<Domain> {
        Ok(self.request.settings.domain.parse()?)
    }

    fn directory(&self) -> anyhow::Result<toolforge_directory::Directory> {
        let Request {
            layout,
            settings,
            ldif,
            ..
        } = self.request;
        let folder = layout.directory();
        let path = folder.join("directory.ldif");
        let fresh = !path.exists();
        let initial = match ldif {
            Some(ldif) if fresh => Some(ldif.clone()),
            Some(_) => {
                report::warn(
                    "the directory is filled already, so --ldif changes nothing; change entries over LDAP, or start anew with another --data folder",
                );
                None
            }
            None if fresh => {
                sample::write_homes(&settings.homes)?;
                Some(sample::ldif(
                    &settings.homes,
                    &layout.user_homes(),
                    &settings.base,
                ))
            }
            None => None,
        };
        let tls = toolforge_pki::server_config(&self.cluster.issue_server(&LOOPBACK)?, None)?;
        let config = toolforge_directory::Config {
            path,
            base: settings.base.clone(),
            admin_password: secrets::password(&folder, secrets::DIRECTORY_ADMIN)?,
            reader_password: secrets::password(&folder, secrets::DIRECTORY_READER)?,
            tls,
        };
        toolforge_directory::Directory::open(config, initial.as_deref())
            .context("the directory cannot be opened")
    }

    pub(super) fn public(&self) -> Public {
        let settings = &self.request.settings;
        Public {
            domain: settings.domain.clone(),
            project: PROJECT.to_owned(),
            registry: settings.registry.clone(),
            policy: self.request.rules.clone(),
            url: settings.url("{tool}"),
            gateway_address: Some(format!("127.0.0.1:{}", settings.ports.https)),
            ca_pem: Some(self.web.certificate_pem().to_owned()),
            registration: objects::Registration {
                url: self
                    .request
                    .register_port
                    .map(|port| format!("https://register.{}:{port}", settings.domain)),
                lines: None,
            },
            images: self.request.images.clone(),
        }
    }

    fn node_config(&self, listener: TcpListener) -> anyhow::Result<toolforge_node::Config> {
        let Request { layout, settings, .. } = self.request;
        Ok(toolforge_node::Config {
            name: NODE.to_owned(),
            listener,
            advertise_port: settings.ports.node,
            identity: self.cluster.issue_server(&["127.0.0.1", NODE])?,
            client_ca_pem: self.cluster.certificate_pem().to_owned(),
            state_dir: layout.node(),
            bin_dir: layout.bin(),
            api_host_port: ("127.0.0.1".to_owned(), settings.ports.api),
            pod_network: self.network.pods(),
            service_network: self.network.services(),
            session_silence: toolforge_node::SESSION_SILENCE,
            protect: toolforge_node::detect_protection(),
        })
    }

    fn accounts_config(
        &self,
        first_pass: oneshot::Sender<toolforge_accounts::Summary>,
    ) -> anyhow::Result<toolforge_accounts::Config> {
        let Request { layout, settings, .. } = self.request;
        let ldap = crate::directory::local(
            layout,
            settings,
            self.cluster.certificate_pem(),
            secrets::DIRECTORY_READER,
        )?;
        let mut config = toolforge_accounts::Config::new(ldap, settings.homes.clone(), layout.user_homes());
        config.server = Some(self.api_url());
        config.process = Process::Shared;
        config.ca_pem = Some(self.cluster.certificate_pem().to_owned());
        config.tool_class = self.request.policies.pod.clone();
        if let Some(file) = self.request.overrides.clone() {
            config.overrides = file.follow()?;
        }
        config.lifecycle.archive = layout.archive();
        config.on_first_pass = Some(first_pass);
        Ok(config)
    }
}

/// Tells a component's figures for as long as the platform runs.
fn tell(parts: &mut Parts, name: &'static str, door: Door, registry: Registry) {
    parts.start(name, Stop::Last, |stop| async move {
        door.serve(registry, stop).await;
        Ok::<(), Infallible>(())
    });
}

/// A port of this machine that is not kept for the next run.
async fn listener_for_this_run(flag: &str, port: u16) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.with_context(|| format!("{flag}: port {port} cannot be used; choose another"))
}
