//! From the objects of the Kubernetes API to what routing needs of them. What cannot be used is left out, never a
//! reason to fail: a strange port must not take a tool's other ports with it.

use std::net::IpAddr;

use k8s_openapi::{
    api::{
        core::v1::Service as ApiService,
        discovery::v1::{Endpoint as ApiEndpoint, EndpointSlice as ApiSlice},
        networking::v1::{
            HTTPIngressPath, Ingress as ApiIngress, IngressBackend, IngressClass as ApiClass, IngressRule,
            IngressTLS as ApiTls,
        },
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use smol_str::SmolStr;
use toolforge_annotations::{Source, has_patterns};

use crate::{
    AppProtocol, Endpoint, EndpointSlice, Ingress, IngressClass, IngressTls, ObjectKey, Path, PathKind,
    PortRef, Rule, Service, ServicePort, SlicePort, Target,
};

/// The annotation that named the class before there was a field for it.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// The annotation of the class to which Ingresses without a class belong.
const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";
/// The label by which a slice names its Service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// An object without a name, or without a label that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is missing, and without it the object cannot be routed")]
pub struct Unreadable {
    /// The field that is missing.
    pub field: &'static str,
}

impl Ingress {
    /// Reads an Ingress; `refused` is why the admission policy refuses it, if it does.
    ///
    /// # Errors
    /// When it has no name.
    pub fn read(object: &ApiIngress, refused: Option<String>) -> Result<Self, Unreadable> {
        let spec = object.spec.as_ref();
        let named = spec.and_then(|spec| spec.ingress_class_name.clone());
        let annotated = || annotation(&object.metadata, CLASS_ANNOTATION).map(SmolStr::from);
        let created = object.metadata.creation_timestamp.as_ref();
        let rules = spec.and_then(|spec| spec.rules.as_deref()).unwrap_or_default();
        let annotations = Source::of_family(object.metadata.annotations.iter().flatten());
        let has_patterns = has_patterns(&annotations);
        Ok(Self {
            key: key(&object.metadata)?,
            // One without a time is not there yet: it is younger than all others.
            created_seconds: created.map_or(i64::MAX, |time| time.0.as_second()),
            class: named.map(SmolStr::from).or_else(annotated),
            refused,
            rules: rules.iter().map(|each| rule(each, has_patterns)).collect(),
            default_backend: spec
                .and_then(|spec| spec.default_backend.as_ref())
                .and_then(target)
                .map(Box::new),
            tls: spec
                .and_then(|spec| spec.tls.as_deref())
                .unwrap_or_default()
                .iter()
                .filter_map(tls)
                .collect(),
            annotations: annotations
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }
}

impl Service {
    /// Reads a Service.
    ///
    /// # Errors
    /// When it has no name.
    pub fn read(object: &ApiService) -> Result<Self, Unreadable> {
        let spec = object.spec.as_ref();
        let is_external = spec
            .and_then(|spec| spec.type_.as_deref())
            .is_some_and(|kind| kind == "ExternalName");
        let ports = spec
            .filter(|_| !is_external)
            .and_then(|spec| spec.ports.as_deref())
            .unwrap_or_default();
        let ports = ports
            .iter()
            .filter(|port| is_tcp(port.protocol.as_deref()))
            .filter_map(|port| {
                let name = port.name.as_deref().unwrap_or_default().into();
                Some(ServicePort {
                    name,
                    port: port_number(port.port)?,
                    protocol: AppProtocol::read(port.app_protocol.as_deref()),
                })
            });
        Ok(Self {
            key: key(&object.metadata)?,
            ports: ports.collect(),
        })
    }
}

impl EndpointSlice {
    /// Reads an `EndpointSlice`.
    ///
    /// # Errors
    /// When it has no name, or no label that names its Service.
    pub fn read(object: &ApiSlice) -> Result<Self, Unreadable> {
        let labels = object.metadata.labels.as_ref();
        let service = labels.and_then(|labels| labels.get(SERVICE_LABEL));
        let ports = object.ports.as_deref().unwrap_or_default().iter();
        let ports = ports
            .filter(|port| is_tcp(port.protocol.as_deref()))
            .filter_map(|port| {
                let name = port.name.as_deref().unwrap_or_default().into();
                Some(SlicePort {
                    name,
                    port: port_number(port.port?)?,
                })
            });
        Ok(Self {
            key: key(&object.metadata)?,
            service: service
                .ok_or(Unreadable {
                    field: "the label kubernetes.io/service-name",
                })?
                .into(),
            ports: ports.collect(),
            endpoints: object
                .endpoints
                .as_deref()
                .unwrap_or_default()
                .iter()
                .flat_map(endpoints)
                .collect(),
        })
    }
}

impl IngressClass {
    /// Reads an `IngressClass`.
    ///
    /// # Errors
    /// When it has no name.
    pub fn read(object: &ApiClass) -> Result<Self, Unreadable> {
        let controller = object.spec.as_ref().and_then(|spec| spec.controller.clone());
        Ok(Self {
            name: object.metadata.name.clone().ok_or(Unreadable {
                field: "metadata.name",
            })?,
            controller: controller.unwrap_or_default(),
            is_default: annotation(&object.metadata, DEFAULT_CLASS_ANNOTATION) == Some("true"),
        })
    }
}

fn key(metadata: &ObjectMeta) -> Result<ObjectKey, Unreadable> {
    let name = metadata.name.clone().ok_or(Unreadable {
        field: "metadata.name",
    })?;
    let namespace = metadata.namespace.clone().ok_or(Unreadable {
        field: "metadata.namespace",
    })?;
    Ok(ObjectKey::new(namespace, name))
}

fn annotation<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// Without a Secret there is nothing to show, and without a host nobody to show it to.
fn tls(tls: &ApiTls) -> Option<IngressTls> {
    let secret = tls.secret_name.as_ref().filter(|name| !name.is_empty())?;
    let hosts = tls.hosts.as_ref().filter(|hosts| !hosts.is_empty())?;
    Some(IngressTls {
        hosts: hosts.clone(),
        secret: secret.clone(),
    })
}

fn rule(rule: &IngressRule, has_patterns: bool) -> Rule {
    let paths = rule
        .http
        .as_ref()
        .map(|http| http.paths.as_slice())
        .unwrap_or_default();
    Rule {
        host: rule.host.as_deref().unwrap_or_default().into(),
        paths: paths.iter().map(|each| path(each, has_patterns)).collect(),
    }
}

fn path(path: &HTTPIngressPath, has_patterns: bool) -> Path {
    Path {
        path: path.path.as_deref().unwrap_or_default().into(),
        kind: match path.path_type.as_str() {
            "Exact" => PathKind::Exact,
            "ImplementationSpecific" if has_patterns => PathKind::Pattern,
            _ => PathKind::Prefix,
        },
        target: target(&path.backend),
    }
}

fn target(backend: &IngressBackend) -> Option<Target> {
    let service = backend.service.as_ref()?;
    let port = service.port.as_ref()?;
    let port = match (&port.name, port.number) {
        (Some(name), _) if !name.is_empty() => PortRef::Name(name.into()),
        (_, number) => PortRef::Number(port_number(number?)?),
    };
    Some(Target {
        service: service.name.as_str().into(),
        port,
    })
}

/// The addresses of an endpoint. Missing conditions mean what the API says they mean: ready and serving.
fn endpoints(endpoint: &ApiEndpoint) -> Vec<Endpoint> {
    let conditions = endpoint.conditions.clone().unwrap_or_default();
    let ready = conditions.ready.unwrap_or(true);
    let read = |address: &String| {
        Some(Endpoint {
            address: address.parse::<IpAddr>().ok()?,
            ready,
            serving: conditions.serving.unwrap_or(ready),
            terminating: conditions.terminating.unwrap_or(false),
        })
    };
    endpoint.addresses.iter().filter_map(read).collect()
}

fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.is_none_or(|protocol| protocol == "TCP")
}

fn port_number(port: i32) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests;
