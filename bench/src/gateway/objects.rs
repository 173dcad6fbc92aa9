//! What makes a host lead to its server, as Kubernetes objects: for the API, and for the table that is kept on disk. Pure.

use k8s_openapi::api::{
    core::v1::Service as ApiService, discovery::v1::EndpointSlice as ApiSlice,
    networking::v1::Ingress as ApiIngress,
};
use serde_json::{Value, from_value, json};
use toolforge_routing::{EndpointSlice, Ingress, Object, Service};

use super::stage::Stage;

/// The port of every Service.
const SERVICE_PORT: u16 = 8000;

/// Where resources lie in the API: the version, and their name.
pub(super) const INGRESSES: &str = "apis/networking.k8s.io/v1 ingresses";
pub(super) const SERVICES: &str = "api/v1 services";
pub(super) const SLICES: &str = "apis/discovery.k8s.io/v1 endpointslices";

/// The path of a resource in the namespace of the tool of this number.
pub(super) fn path(number: usize, resource: &str) -> String {
    let (version, plural) = resource.split_once(' ').unwrap_or_default();
    format!("/{version}/namespaces/{}/{plural}", namespace_of(number))
}

fn namespace_of(number: usize) -> String {
    format!("tool-{}", Stage::tool(number))
}

pub(super) fn namespace(number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace_of(number), "labels": {"tenancy": "tool"}},
    })
}

pub(super) fn ingress(number: usize) -> Value {
    let service = json!({"name": Stage::tool(number), "port": {"number": SERVICE_PORT}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": {"service": service}}]);
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": Stage::tool(number), "namespace": namespace_of(number)},
        "spec": {
            "ingressClassName": "toolforge",
            "rules": [{"host": Stage::host(number), "http": {"paths": paths}}],
        },
    })
}

pub(super) fn service(number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": Stage::tool(number), "namespace": namespace_of(number)},
        "spec": {"ports": [{"name": "http", "port": SERVICE_PORT, "protocol": "TCP"}]},
    })
}

pub(super) fn slice(number: usize, port: u16) -> Value {
    let tool = Stage::tool(number);
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": tool,
            "namespace": namespace_of(number),
            "labels": {"kubernetes.io/service-name": tool},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": port}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true, "serving": true}}],
    })
}

/// The same as the gateway keeps it: it reads it itself.
pub(super) fn kept(number: usize, port: u16) -> anyhow::Result<[Object; 3]> {
    let ingress: ApiIngress = from_value(ingress(number))?;
    let service: ApiService = from_value(service(number))?;
    let slice: ApiSlice = from_value(slice(number, port))?;
    Ok([
        Object::Ingress(Ingress::read(&ingress, None)?),
        Object::Service(Service::read(&service)?),
        Object::Slice(EndpointSlice::read(&slice)?),
    ])
}
