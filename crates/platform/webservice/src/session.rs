//! Who is asking: a client with the tool's credentials, the tool's name, and its home.

mod identity;

use std::path::PathBuf;

use k8s_openapi::{NamespaceResourceScope, api::apps::v1::Deployment};
use kube::{
    Api, Client, Config, Resource,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use toolforge_model::ToolName;
use toolforge_pki::Identity;

use crate::error::WebserviceError;

/// A tool's session with its cluster.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) tool: ToolName,
    pub(crate) home: PathBuf,
    auth: AuthInfo,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("tool", &self.tool)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Reads `KUBECONFIG`, or `~/.kube/config`.
    pub(crate) async fn open() -> Result<Self, WebserviceError> {
        let home = std::env::home_dir().ok_or_else(|| {
            WebserviceError::Precondition("HOME is not set; it is your tool's home".to_owned())
        })?;
        let kubeconfig = match std::env::var_os("KUBECONFIG") {
            Some(_) => Kubeconfig::from_env().and_then(|found| found.map_or_else(Kubeconfig::read, Ok)),
            None => Kubeconfig::read_from(home.join(".kube/config")),
        };
        let kubeconfig = kubeconfig.map_err(|error| WebserviceError::Credentials(error.into()))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .map_err(|error| WebserviceError::Credentials(error.into()))?;
        let tool = tool_of(&config.default_namespace)?;
        let auth = config.auth_info.clone();
        let client = Client::try_from(config).map_err(|error| WebserviceError::Credentials(error.into()))?;
        Ok(Self {
            client,
            tool,
            home,
            auth,
        })
    }

    /// The tool's certificate with its key, for what is not the API. `None` where the credentials are others.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, WebserviceError> {
        identity::of(&self.auth)
    }

    /// The Deployment of the tool's webservice; one that is on its way out is none.
    pub(crate) async fn running(&self) -> Result<Option<Deployment>, WebserviceError> {
        let found = self.api::<Deployment>().get_opt(self.tool.as_str()).await;
        Ok(found
            .map_err(WebserviceError::api("looking at your webservice"))?
            .filter(|running| running.metadata.deletion_timestamp.is_none()))
    }

    /// The tool's objects of one kind.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), self.tool.namespace().as_str())
    }
}

fn tool_of(namespace: &str) -> Result<ToolName, WebserviceError> {
    ToolName::of_namespace(namespace).ok_or_else(|| WebserviceError::NotATool(namespace.to_owned()))
}
