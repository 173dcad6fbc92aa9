//! From a kubeconfig to a client: the only way in which a component reaches a cluster.

use std::path::Path;

use anyhow::Context as _;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// A client from a kubeconfig file or, without one, from the in-cluster configuration.
pub(crate) async fn from_file(path: Option<&Path>) -> anyhow::Result<Client> {
    let Some(path) = path else {
        let config = Config::incluster()
            .context("there is no in-cluster configuration here; name a kubeconfig with --kubeconfig FILE")?;
        return Ok(Client::try_from(config)?);
    };
    let kubeconfig = Kubeconfig::read_from(path)
        .with_context(|| format!("{} is not a usable kubeconfig", path.display()))?;
    from_kubeconfig(kubeconfig).await
}

/// A client from the text of a kubeconfig.
pub(crate) async fn from_text(text: &str) -> anyhow::Result<Client> {
    from_kubeconfig(Kubeconfig::from_yaml(text)?).await
}

async fn from_kubeconfig(kubeconfig: Kubeconfig) -> anyhow::Result<Client> {
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
