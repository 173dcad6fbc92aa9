//! From a kubeconfig to a client: the only way in which a component reaches a cluster.
//!
//! A component has a dozen watches open for as long as it runs. Over HTTP/1.1 each of them is a connection of its own, with
//! its buffers and its TLS session on both sides; over HTTP/2, as Go's clients have it, all share one.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt as _, retry::RetryPolicy},
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::{BoxError, ServiceBuilder, retry::RetryLayer};

/// How long the cluster may be silent before it is asked whether it is still there. A watch of a quiet cluster has nothing to
/// say for minutes; a connection that a machine in between has forgotten never says anything again.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long the answer may take.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of one answer may be under way before it is read.
const STREAM_BYTES: u32 = 1 << 20;
/// How much of all answers: so much that an answer that nobody reads just now holds up no other.
const CONNECTION_BYTES: u32 = STREAM_BYTES * 100;

/// A client from a kubeconfig file or, without one, from the in-cluster configuration.
pub(crate) async fn from_file(path: Option<&Path>) -> anyhow::Result<Client> {
    let Some(path) = path else {
        let config = Config::incluster()
            .context("there is no in-cluster configuration here; name a kubeconfig with --kubeconfig FILE")?;
        return connect(config);
    };
    let kubeconfig = Kubeconfig::read_from(path).with_context(|| {
        format!(
            "{} is not a usable kubeconfig; name one with --kubeconfig",
            path.display()
        )
    })?;
    connect(configuration(kubeconfig).await?)
}

/// A client from the text of a kubeconfig.
pub(crate) async fn from_text(text: &str) -> anyhow::Result<Client> {
    connect(configuration(Kubeconfig::from_yaml(text)?).await?)
}

/// A client whose requests each have a connection, for who has more watches open than one connection takes.
pub(crate) async fn of_many_connections(text: &str) -> anyhow::Result<Client> {
    let config = configuration(Kubeconfig::from_yaml(text)?).await?;
    Ok(Client::try_from(config)?)
}

async fn configuration(kubeconfig: Kubeconfig) -> anyhow::Result<Config> {
    Ok(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
}

fn connect(config: Config) -> anyhow::Result<Client> {
    // HTTP/2 is agreed on in the TLS handshake with the cluster itself.
    if config.proxy_url.is_some() || config.cluster_url.scheme_str() != Some("https") {
        return Ok(Client::try_from(config)?);
    }
    let retries = config
        .default_retry
        .then(|| RetryLayer::new(RetryPolicy::server_retry()));
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(retries)
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(transport(&config)?);
    Ok(Client::new(service, config.default_namespace))
}

/// Speaks HTTP/2 where the cluster does, else HTTP/1.1.
fn transport(config: &Config) -> anyhow::Result<legacy::Client<HttpsConnector<HttpConnector>, Body>> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(config.connect_timeout);
    http.set_nodelay(true);
    let mut https = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_only();
    if let Some(name) = config.tls_server_name.clone() {
        let name = name
            .try_into()
            .context("`tls-server-name` of the kubeconfig is not the name of a server")?;
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let https = https.enable_all_versions().wrap_connector(http);
    Ok(legacy::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_initial_stream_window_size(STREAM_BYTES)
        .http2_initial_connection_window_size(CONNECTION_BYTES)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .build(https))
}
