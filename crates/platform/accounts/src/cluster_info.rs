//! Where the API is, as the cluster itself says: the `ConfigMap` `cluster-info` in `kube-public`.
//!
//! Read once at the start, for whatever the configuration does not say.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use serde_json::Value;

use crate::kubeconfig::Cluster;

/// Where the API is, and whose certificate it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterInfo {
    pub(crate) server: String,
    pub(crate) ca_pem: String,
}

impl ClusterInfo {
    /// What kubeconfigs say of it.
    pub(crate) fn for_kubeconfigs(&self) -> Cluster {
        Cluster::new(&self.server, &self.ca_pem)
    }
}

/// Why the cluster does not say where it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterInfoError {
    /// It cannot be read.
    #[error(
        "cannot read the ConfigMap cluster-info in kube-public; make it, or configure the API's URL and authority"
    )]
    Read(#[source] Box<kube::Error>),
    /// It does not say what it should.
    #[error(
        "the ConfigMap cluster-info in kube-public has no {0}; correct it, or configure the API's URL and authority"
    )]
    Missing(&'static str),
}

pub(crate) async fn read(client: &Client) -> Result<ClusterInfo, ClusterInfoError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-public");
    let found = api
        .get("cluster-info")
        .await
        .map_err(|error| ClusterInfoError::Read(Box::new(error)))?;
    let text = found
        .data
        .unwrap_or_default()
        .remove("kubeconfig")
        .ok_or(ClusterInfoError::Missing("kubeconfig"))?;
    parse(&text)
}

fn parse(kubeconfig: &str) -> Result<ClusterInfo, ClusterInfoError> {
    let config: Value =
        serde_saphyr::from_str(kubeconfig).map_err(|_| ClusterInfoError::Missing("readable kubeconfig"))?;
    let cluster = &config["clusters"][0]["cluster"];
    let server = cluster["server"]
        .as_str()
        .ok_or(ClusterInfoError::Missing("server"))?;
    let ca = cluster["certificate-authority-data"]
        .as_str()
        .and_then(|data| STANDARD.decode(data).ok());
    let ca = ca.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(ClusterInfo {
        server: server.to_owned(),
        ca_pem: ca.ok_or(ClusterInfoError::Missing("certificate-authority-data"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubeadm_writes() {
        let text = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: UEVN\n    server: https://a:6443\n  name: \"\"\n";
        assert_eq!(
            parse(text).unwrap(),
            ClusterInfo {
                server: "https://a:6443".to_owned(),
                ca_pem: "PEM".to_owned()
            }
        );
        assert!(parse("clusters: []").unwrap_err().to_string().contains("server"));
    }
}
