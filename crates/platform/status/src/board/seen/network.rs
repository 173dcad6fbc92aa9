//! Services and Ingresses: how visitors reach a tool.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    core::v1::Service,
    networking::v1::{Ingress, IngressBackend},
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;

use super::Meta;

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceSeen {
    #[serde(flatten)]
    pub(crate) meta: Meta,
    pub(crate) kind: String,
    pub(crate) cluster_ip: String,
    /// Such as `8000/TCP -> 8000`.
    pub(crate) ports: Vec<String>,
    /// Which Pods stand behind it; none where others say so.
    pub(crate) selector: BTreeMap<String, String>,
}

impl From<Service> for ServiceSeen {
    fn from(service: Service) -> Self {
        let spec = service.spec.unwrap_or_default();
        let ports = spec.ports.unwrap_or_default().into_iter().map(|port| {
            let protocol = port.protocol.unwrap_or_else(|| "TCP".to_owned());
            match port.target_port {
                Some(IntOrString::Int(target)) => format!("{}/{protocol} -> {target}", port.port),
                Some(IntOrString::String(target)) => format!("{}/{protocol} -> {target}", port.port),
                None => format!("{}/{protocol}", port.port),
            }
        });
        Self {
            ports: ports.collect(),
            kind: spec.type_.unwrap_or_else(|| "ClusterIP".to_owned()),
            cluster_ip: spec.cluster_ip.unwrap_or_default(),
            selector: spec.selector.unwrap_or_default(),
            meta: Meta::from(service.metadata),
        }
    }
}

/// An Ingress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IngressSeen {
    #[serde(flatten)]
    pub(crate) meta: Meta,
    pub(crate) class: String,
    pub(crate) rules: Vec<PathSeen>,
}

/// Where one path of a host leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PathSeen {
    /// Empty for every host.
    pub(crate) host: String,
    pub(crate) path: String,
    /// Name of the Service; empty where it is none.
    pub(crate) service: String,
    pub(crate) port: String,
}

impl From<Ingress> for IngressSeen {
    fn from(ingress: Ingress) -> Self {
        let spec = ingress.spec.unwrap_or_default();
        let mut rules = Vec::new();
        if let Some(backend) = &spec.default_backend {
            rules.push(path_seen(String::new(), "/".to_owned(), backend));
        }
        for rule in spec.rules.unwrap_or_default() {
            let host = rule.host.unwrap_or_default();
            for path in rule.http.map(|http| http.paths).unwrap_or_default() {
                let shown = path.path.unwrap_or_else(|| "/".to_owned());
                rules.push(path_seen(host.clone(), shown, &path.backend));
            }
        }
        Self {
            rules,
            class: spec.ingress_class_name.unwrap_or_default(),
            meta: Meta::from(ingress.metadata),
        }
    }
}

fn path_seen(host: String, path: String, backend: &IngressBackend) -> PathSeen {
    let service = backend.service.as_ref();
    let port = service.and_then(|service| service.port.as_ref());
    PathSeen {
        host,
        path,
        service: service.map(|service| service.name.clone()).unwrap_or_default(),
        port: port
            .and_then(|port| port.name.clone().or(port.number.map(|number| number.to_string())))
            .unwrap_or_default(),
    }
}
