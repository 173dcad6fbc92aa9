//! What the platform says of itself to those who are let in: two `ConfigMap`s in `tf-public`.

use std::{collections::BTreeMap, net::SocketAddr};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use toolforge_model::{Domain, ToolName, names};

use crate::{
    error::WebserviceError,
    types::{Types, parse_types},
};

/// The platform's public configuration.
#[derive(Debug, Clone)]
pub(crate) struct Platform {
    pub(crate) domain: Domain,
    /// The class of the Ingresses that the gateway serves.
    pub(crate) ingress_class: String,
    /// Where images come from.
    pub(crate) registry: String,
    url: String,
    /// Where the gateway is, when names do not lead there from everywhere.
    pub(crate) gateway: Option<SocketAddr>,
    /// The authority of the gateway's certificate, when it is not a public one.
    pub(crate) ca_pem: Option<String>,
    pub(crate) types: Types,
    /// Where webservices outside of Kubernetes register over HTTPS, if anywhere.
    pub(crate) register_url: Option<String>,
    /// Where they register by lines, if anywhere.
    pub(crate) register_lines: Option<String>,
}

impl Platform {
    pub(crate) async fn read(client: &Client) -> Result<Self, WebserviceError> {
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), names::PUBLIC_NAMESPACE);
        let doing = "reading the platform's configuration";
        let (platform, images) = tokio::try_join!(
            maps.get(names::PLATFORM_CONFIG_MAP),
            maps.get(names::IMAGE_CONFIG_MAP)
        )
        .map_err(WebserviceError::api(doing))?;
        Self::from_maps(
            &platform.data.unwrap_or_default(),
            &images.data.unwrap_or_default(),
        )
    }

    pub(crate) fn from_maps(
        platform: &BTreeMap<String, String>,
        images: &BTreeMap<String, String>,
    ) -> Result<Self, WebserviceError> {
        let damaged = |what: &str| WebserviceError::Platform(what.to_owned());
        let value = |key: &str| platform.get(key).cloned().ok_or_else(|| damaged(key));
        let gateway = match platform.get("gateway-address") {
            Some(address) => Some(address.parse().map_err(|_| damaged("gateway-address"))?),
            None => None,
        };
        let types = images
            .get("images-v1.yaml")
            .ok_or_else(|| damaged("images-v1.yaml"))?;
        Ok(Self {
            domain: value("domain")?.parse().map_err(|_| damaged("domain"))?,
            // Platforms that do not say it have the one that all had.
            ingress_class: platform
                .get("ingress-class")
                .map_or_else(|| names::INGRESS_CLASS.to_owned(), Clone::clone),
            registry: value("registry")?,
            url: value("url")?,
            gateway,
            ca_pem: platform.get("ca.crt").cloned(),
            register_url: platform.get("register-url").cloned(),
            register_lines: platform.get("register-lines").cloned(),
            types: parse_types(types).map_err(|error| damaged(&format!("images-v1.yaml: {error}")))?,
        })
    }

    /// Where a tool is served.
    pub(crate) fn url_of(&self, tool: &ToolName) -> String {
        self.url.replace("{tool}", tool.as_str())
    }
}
