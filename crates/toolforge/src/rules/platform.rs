//! The platform that a kubeconfig reaches: its policy, which everybody may read, and the accounts of its tools, which they
//! themselves may.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client};
use toolforge_model::{
    ToolAccount, ToolName,
    names::{POLICY_CONFIG_MAP, POLICY_KEY, PUBLIC_NAMESPACE},
};
use toolforge_policy::PolicySettings;

use super::grants::{self, PlatformGrants};
use crate::client;

/// A platform.
pub(crate) struct Platform {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").finish_non_exhaustive()
    }
}

impl Platform {
    /// Reads the kubeconfig; nothing is asked yet.
    pub(crate) fn reach(kubeconfig: &Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = runtime.block_on(client::from_file(Some(kubeconfig)))?;
        Ok(Self { runtime, client })
    }

    /// The policy that the platform has published.
    pub(crate) fn policy(&self) -> anyhow::Result<PolicySettings> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), PUBLIC_NAMESPACE);
        let what = || {
            format!(
                "the policy of the platform (ConfigMap {POLICY_CONFIG_MAP} in {PUBLIC_NAMESPACE}) cannot be read"
            )
        };
        let map = self
            .runtime
            .block_on(maps.get(POLICY_CONFIG_MAP))
            .with_context(what)?;
        let text = map.data.as_ref().and_then(|data| data.get(POLICY_KEY));
        let text = text
            .with_context(|| format!("it has no key {POLICY_KEY}"))
            .with_context(what)?;
        PolicySettings::read(text).with_context(what)
    }

    /// The accounts of these tools.
    pub(crate) fn accounts<'a>(
        &self,
        tools: impl IntoIterator<Item = &'a ToolName>,
    ) -> anyhow::Result<BTreeMap<ToolName, ToolAccount>> {
        let mut accounts = BTreeMap::new();
        for tool in tools {
            accounts.insert(tool.clone(), self.account(tool)?);
        }
        Ok(accounts)
    }

    /// Which Pod security policies it grants in the namespaces of these tools, as far as that can be known with the
    /// kubeconfig's rights.
    pub(crate) fn grants(&self, tools: &BTreeSet<ToolName>) -> anyhow::Result<PlatformGrants> {
        self.runtime.block_on(grants::read(&self.client, tools))
    }

    fn account(&self, tool: &ToolName) -> anyhow::Result<ToolAccount> {
        let name = tool.namespace();
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let what = || {
            format!(
                "the account of {} cannot be read from its namespace",
                tool.as_str()
            )
        };
        let namespace = match self.runtime.block_on(namespaces.get(name.as_str())) {
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                bail!("there is no tool {tool} on this platform, which has no namespace {name}")
            }
            Err(kube::Error::Api(status)) if status.is_forbidden() => bail!(
                "the account of {tool} cannot be read with this kubeconfig; take that of the tool itself or an operator's"
            ),
            found => found.with_context(what)?,
        };
        let annotations = namespace.metadata.annotations.unwrap_or_default();
        ToolAccount::from_annotations(&annotations).with_context(what)
    }
}
