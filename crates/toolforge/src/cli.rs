//! The command line as clap reads it. What the values mean is settled in `settings` and the commands.

mod tool;

use std::{ffi::OsString, net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    check::CheckArgs, directory::DirectoryArgs, explain::PolicyCommand, manifests::ManifestsArgs,
    policy::PolicyArgs, prometheus::PrometheusArgs,
};

pub(crate) use tool::{MaintainersAction, ToolAction, ToolArgs, UserAction, UserArgs, WhereArgs};

/// A hosting platform for a community's web tools.
#[derive(Debug, Parser)]
#[command(name = "toolforge", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the whole platform on this machine, with a Kubernetes built in
    Up(UpArgs),
    /// Open a shell as a tool: its user, its home, its kubeconfig
    Become(BecomeArgs),
    /// Create, lock, list and remove tools in the directory
    Tool(ToolArgs),
    /// Create, lock, list and remove users in the directory
    User(UserArgs),
    /// Look after the built-in Kubernetes of this machine
    Cluster(UpkeepArgs),
    /// Print the local certificate authority and how to install it
    Trust(DataArgs),
    /// Write what Prometheus needs to watch the platform of this machine: configuration, rules, certificate
    Prometheus(PrometheusArgs),
    /// Judge files of objects as the platform's guards would, before they are applied
    Check(CheckArgs),
    /// Explain the rules that the guards go by
    Policy(PolicyCommand),
    /// Start, stop and look at a tool's webservice (the maintainer's command)
    #[command(disable_help_flag = true)]
    Webservice(Rest),
    /// Start a tool inside its container
    #[command(disable_help_flag = true, hide = true)]
    WebserviceRunner(Rest),
    /// Run the account service: from the directory to namespaces, credentials and homes; or look at it
    Accounts(Box<AccountsArgs>),
    /// Run the admission webhooks
    Admission(AdmissionArgs),
    /// Run the gateway: front proxy and ingress controller; or look at its routes
    Gateway(Box<GatewayArgs>),
    /// Run the balancer for TCP, before API servers and ingress nodes
    Balance(BalanceArgs),
    /// Run the pages that answer for what is not there
    Fourohfour(FourohfourArgs),
    /// Run the pages that show the cluster and every tool in it
    K8sStatus(K8sStatusArgs),
    /// Print what a shell reads to complete this command
    Completion {
        /// The shell, such as bash, zsh or fish
        #[arg(value_enum, value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print docs/metrics-reference.md: every figure that the components tell
    #[command(hide = true)]
    MetricsReference,
    /// Write the manual pages of this command and of webservice into a folder
    Man {
        /// The folder, such as /usr/local/share/man/man1
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Run the metrics: usage for kubectl top, and the state of objects for Prometheus
    Metrics(MetricsArgs),
    /// Print the objects that a cluster must hold before the components start
    Manifests(ManifestsArgs),
}

/// Where the platform of this machine keeps its data.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// The data folder [default: /var/lib/toolforge as root, else ~/.local/share/toolforge]
    #[arg(long, env = "TOOLFORGE_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Fill a new directory from this LDIF file instead of the sample
    #[arg(long, value_name = "FILE")]
    pub(crate) ldif: Option<PathBuf>,
    /// The directory's base [default: the first entry of --ldif, else dc=toolforge,dc=org]
    #[arg(long, value_name = "DN", requires = "ldif")]
    pub(crate) base: Option<String>,
    /// The folder below which tools' homes lie [default: homes/tools in the data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) homes: Option<PathBuf>,
    /// What the guards go by: a policy file, YAML; it is read at each start
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// What single tools have more or less of, and the network policy: YAML, read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) overrides: Option<PathBuf>,
    /// What the gateway is told of visitors, such as whom it bans: YAML, read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway_settings: Option<PathBuf>,
    /// The types of webservice and their images, YAML, instead of those that are built in; it is read at each start
    #[arg(long, value_name = "FILE")]
    pub(crate) image_config: Option<PathBuf>,
    /// Tools are served at `https://TOOL.DOMAIN` [default: toolforge.localhost]
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// The only registry that tools' images may come from [default: docker-registry.tools.wmflabs.org]
    #[arg(long, value_name = "HOST")]
    pub(crate) registry: Option<String>,
    /// Pods get addresses out of 127.N.0.0/16, Services out of 127.(N+32).0.0/16 [default: the first free]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(64..=95))]
    pub(crate) network: Option<u8>,
    /// Write every request to the Kubernetes API to this file, as audit.k8s.io/v1 events
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,
    /// Which requests the audit log gets, and how much of them: an audit.k8s.io/v1 Policy
    #[arg(long, value_name = "FILE", requires = "audit_log")]
    pub(crate) audit_policy: Option<PathBuf>,
    /// Port of the gateway, HTTPS [default: 8443]
    #[arg(long, value_name = "PORT")]
    pub(crate) https_port: Option<u16>,
    /// Port of the gateway, HTTP, which redirects to HTTPS [default: 8080]
    #[arg(long, value_name = "PORT")]
    pub(crate) http_port: Option<u16>,
    /// Port of the Kubernetes API [default: 6443]
    #[arg(long, value_name = "PORT")]
    pub(crate) api_port: Option<u16>,
    /// Port of the LDAP directory, LDAPS [default: 1636]
    #[arg(long, value_name = "PORT")]
    pub(crate) ldap_port: Option<u16>,
    /// Port of the node, from which the API fetches logs [default: 10250]
    #[arg(long, value_name = "PORT")]
    pub(crate) node_port: Option<u16>,
    /// Port of the admission webhooks [default: 9443]
    #[arg(long, value_name = "PORT")]
    pub(crate) admission_port: Option<u16>,
    /// Port at which webservices outside of Kubernetes register, HTTPS; for this run only [default: none]
    #[arg(long, value_name = "PORT")]
    pub(crate) register_port: Option<u16>,
    /// Port at which the gateway shows how it goes, and its figures, HTTP; for this run only [default: none]
    #[arg(long, value_name = "PORT")]
    pub(crate) gateway_status_port: Option<u16>,
    #[command(flatten)]
    pub(crate) links: LinksArgs,
    /// Port of the metrics of objects and usage, HTTPS; for this run only [default: any that is free]
    #[arg(long, value_name = "PORT")]
    pub(crate) metrics_port: Option<u16>,
    /// Port of the fourohfour pages [default: 8404]
    #[arg(long, value_name = "PORT")]
    pub(crate) fourohfour_port: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct BecomeArgs {
    /// The tool
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Run this command instead of a shell
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct UpkeepArgs {
    #[command(subcommand)]
    pub(crate) action: UpkeepAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UpkeepAction {
    /// Write all objects of the running platform, at one revision, into a file
    Backup {
        /// The file; one that is there is replaced when the backup is whole
        file: PathBuf,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Make the stopped platform's objects anew from a backup
    Restore {
        /// The backup
        file: PathBuf,
        /// Replace the objects that are there; they are kept beside the new ones
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Give the stopped platform's store a new key; the next start encrypts everything anew
    RotateKey {
        #[command(flatten)]
        data: DataArgs,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ListFormat {
    Table,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) rest: Vec<OsString>,
}

/// How a component reaches the cluster: the only way there is.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// The kubeconfig to use [default: the in-cluster configuration]
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub(crate) struct AccountsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<crate::accounts::AccountsCommand>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) directory: DirectoryArgs,
    /// The folder below which tools' homes lie
    #[arg(long, value_name = "DIR", default_value = "/data/project")]
    pub(crate) home_root: PathBuf,
    /// The folder below which admins' homes lie
    #[arg(long, value_name = "DIR", default_value = "/home")]
    pub(crate) admin_home_root: PathBuf,
    /// The policy file of the guards: its mounts and its podSecurity go into each tool's Pod security policy
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Where to answer /healthz, /readyz and /metrics, over plain HTTP [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// What single tools have more or less of, and the network policy: YAML, read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) overrides: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) dry_run: crate::accounts::DryRunArgs,
    #[command(flatten)]
    pub(crate) lifecycle: crate::accounts::LifecycleArgs,
    #[command(flatten)]
    pub(crate) credentials: crate::accounts::CredentialArgs,
    #[command(flatten)]
    pub(crate) election: crate::accounts::ElectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AdmissionArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8443")]
    pub(crate) listen: SocketAddr,
    /// The certificate to present, PEM [default: one that the cluster issues and this program renews]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) issued: IssuedArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// The authority of the certificate, PEM, which goes into the webhook configurations [default: with --tls-cert they
    /// stay as they are, else the `ConfigMap` kube-root-ca.crt of --ca-namespace]
    #[arg(long, value_name = "FILE")]
    pub(crate) webhook_ca: Option<PathBuf>,
    /// A registry that images may come from; can be given more than once
    #[arg(long = "registry", required_unless_present = "policy", value_name = "HOST")]
    pub(crate) registries: Vec<String>,
}

/// The certificate that the cluster issues through its API for certificate requests.
#[derive(Debug, Args)]
pub(crate) struct IssuedArgs {
    /// Who signs it
    #[arg(long, value_name = "NAME", conflicts_with = "tls_cert", default_value = toolforge_admission::DEFAULT_SIGNER)]
    pub(crate) signer: String,
    /// A name by which the API reaches the server; can be given more than once [default:
    /// admission.toolforge-system.svc and .svc.cluster.local]
    #[arg(long = "tls-name", value_name = "NAME", conflicts_with = "tls_cert")]
    pub(crate) names: Vec<String>,
    /// How long it is to live, in seconds; it is renewed after two thirds
    #[arg(long, value_name = "SECONDS", conflicts_with = "tls_cert", default_value_t = 30 * 24 * 3600,
        value_parser = clap::value_parser!(u64).range(600..=i32::MAX as u64))]
    pub(crate) tls_lifetime_seconds: u64,
    /// The namespace whose `ConfigMap` kube-root-ca.crt has the authority of the certificate
    #[arg(long, value_name = "NAMESPACE", conflicts_with_all = ["tls_cert", "webhook_ca"], default_value = crate::objects::SERVICE_NAMESPACE)]
    pub(crate) ca_namespace: String,
}

#[derive(Debug, Args)]
pub(crate) struct CertificateArgs {
    /// The certificate to present, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: PathBuf,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: PathBuf,
}

#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub(crate) struct GatewayArgs {
    #[command(subcommand)]
    pub(crate) command: Option<crate::gateway::GatewayCommand>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Where to listen for HTTPS
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8443")]
    pub(crate) https: SocketAddr,
    /// Where to listen for HTTP
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) http: Option<SocketAddr>,
    /// What to do with HTTP: lead visitors to HTTPS, or serve tools, for a front proxy that speaks TLS with visitors
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value = "redirect",
        requires = "http"
    )]
    pub(crate) plain_http: PlainHttp,
    /// Where to answer for health, readiness and metrics, over plain HTTP
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) status: Option<SocketAddr>,
    /// How many threads serve [default: one for each processor]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// The HTTPS port as visitors see it
    #[arg(long, value_name = "PORT", default_value_t = 443)]
    pub(crate) public_port: u16,
    /// Where visitors reach the gateway, for the status of Ingresses that are served [default: nothing is written there]
    #[arg(long, value_name = "ADDRESS|HOST")]
    pub(crate) publish: Option<toolforge_gateway::Published>,
    #[command(flatten)]
    pub(crate) certificate: Option<CertificateArgs>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// What to do with visitors, such as whom to ban: YAML, read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// How long requests and upgraded connections that are open at the stop may go on
    #[arg(long, value_name = "SECONDS", default_value_t = 25)]
    pub(crate) drain_seconds: u32,
    /// The Unix socket over which another gateway takes the place of this one [default: --table, with .handover]
    #[arg(long, value_name = "FILE")]
    pub(crate) handover: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) registrations: crate::gateway::RegistrationArgs,
    /// Where to keep the last routing table
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/lib/toolforge-gateway/table.json"
    )]
    pub(crate) table: PathBuf,
}

/// What the gateway does with HTTP.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PlainHttp {
    Redirect,
    Serve,
}

impl From<PlainHttp> for toolforge_gateway::PlainHttp {
    fn from(plain: PlainHttp) -> Self {
        match plain {
            PlainHttp::Redirect => Self::Redirect,
            PlainHttp::Serve => Self::Serve,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BalanceArgs {
    /// What to balance: YAML, read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: PathBuf,
    /// How long connections that are open at the stop may go on
    #[arg(long, value_name = "SECONDS", default_value_t = 25)]
    pub(crate) drain_seconds: u32,
    #[command(flatten)]
    pub(crate) status: StatusArgs,
}

/// Where a component tells its figures that has no other door for operators.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct StatusArgs {
    /// Where to answer for health and metrics, over plain HTTP
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) status: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct K8sStatusArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8000")]
    pub(crate) listen: SocketAddr,
    /// The domain under which tools are served
    #[arg(long)]
    pub(crate) domain: String,
    /// The port at which visitors reach tools
    #[arg(long, value_name = "PORT", default_value_t = 443)]
    pub(crate) https_port: u16,
    #[command(flatten)]
    pub(crate) links: LinksArgs,
    /// The name of this installation, for links
    #[arg(long, default_value = crate::settings::PROJECT)]
    pub(crate) project: String,
    /// Where gateways tell their figures; all that are behind the name are asked; can be given more than once
    #[arg(long = "gateway", value_name = "URL")]
    pub(crate) gateways: Vec<toolforge_status::FiguresUrl>,
    /// Where the requests of the last day are kept over a restart; without it the charts begin anew
    #[arg(long, value_name = "FILE")]
    pub(crate) traffic_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) status: StatusArgs,
}

/// Links out of the status pages.
#[derive(Debug, Clone, Args)]
pub(crate) struct LinksArgs {
    /// A link on the page of each namespace, such as `Maintainers=https://admin.example/tools/{tool}`; {tool},
    /// {namespace} and {project} are filled in; can be given more than once
    #[arg(long = "status-link", value_name = "LABEL=URL")]
    pub(crate) status_links: Vec<toolforge_status::Link>,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) certificate: CertificateArgs,
    /// Where to listen, HTTPS
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:4443")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct FourohfourArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8000")]
    pub(crate) listen: SocketAddr,
    /// The domain under which tools are served
    #[arg(long)]
    pub(crate) domain: String,
    #[command(flatten)]
    pub(crate) status: StatusArgs,
}
