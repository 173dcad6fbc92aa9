//! What a table is made from: of each Kubernetes object the part that routing needs, and the changes between them.
//!
//! The gateway reads these from watches; they are also what is kept on disk. Nothing here decides.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::Registered;

/// Namespace and name of an object; the namespace of an `IngressClass` is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The object's namespace.
    pub namespace: SmolStr,
    /// The object's name.
    pub name: SmolStr,
}

impl ObjectKey {
    /// The key of `namespace/name`.
    pub fn new(namespace: impl Into<SmolStr>, name: impl Into<SmolStr>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// An Ingress, with the verdict on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingress {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// When it was created, in seconds since 1970: of two that claim the same path, the older one has it.
    pub created_seconds: i64,
    /// The class that it names.
    pub class: Option<SmolStr>,
    /// Why the admission policy refuses it; such an Ingress is known, and not routed.
    pub refused: Option<String>,
    /// Its rules, in the order in which they were written.
    pub rules: Vec<Rule>,
    /// Where requests go that match none of its rules.
    pub default_backend: Option<Box<Target>>,
    /// The Secrets with certificates for its hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls: Vec<IngressTls>,
    /// Its annotations of the widespread controller, by what stands behind the slash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A Secret of an Ingress's own namespace, and the hosts that its certificate is to be shown for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngressTls {
    /// Host names, as they were written.
    pub hosts: Vec<String>,
    /// The Secret's name.
    pub secret: String,
}

/// The paths of one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// A host name, `*.` and a host name, or empty for every host that no other rule names.
    pub host: SmolStr,
    /// The paths, in the order in which they were written.
    pub paths: Vec<Path>,
}

/// One path of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// The path, beginning with a slash; empty is taken for `/`.
    pub path: SmolStr,
    /// How the path is compared.
    pub kind: PathKind,
    /// The Service; `None` where the Ingress names something that is no Service, which then has no endpoints.
    pub target: Option<Target>,
}

/// How a path of an Ingress is compared with that of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PathKind {
    /// Letter for letter.
    Exact,
    /// By whole segments. Paths of type `ImplementationSpecific` are compared so too, unless annotations make patterns of
    /// them.
    Prefix,
    /// As a regular expression from the beginning, without case.
    Pattern,
}

/// A port of a Service in the Ingress's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The Service's name.
    pub service: SmolStr,
    /// Its port.
    pub port: PortRef,
}

/// A port of a Service, named one way or the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortRef {
    /// By the number in the Service.
    Number(u16),
    /// By the name in the Service.
    Name(SmolStr),
}

/// A port of a Service anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRef {
    /// The Service's namespace.
    pub namespace: String,
    /// The Service and its port.
    pub target: Target,
}

/// A Service: what its ports are called. Services of type `ExternalName` have none here, because they could name
/// any address of the operator's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Its TCP ports.
    pub ports: Vec<ServicePort>,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    /// Its name; empty where the only port has none.
    pub name: SmolStr,
    /// Its number at the Service.
    pub port: u16,
    /// What is spoken there.
    #[serde(default, skip_serializing_if = "AppProtocol::is_http1")]
    pub protocol: AppProtocol,
}

/// What is spoken at a port (`appProtocol`, KEP-3726).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppProtocol {
    /// HTTP/1.1, whatever else the Service may call it.
    #[default]
    Http1,
    /// HTTP/2 without TLS, known beforehand.
    H2c,
}

impl AppProtocol {
    /// What a Service's `appProtocol` says; other names than this one stand for what HTTP/1.1 carries, or for nothing
    /// that is spoken here.
    pub(crate) fn read(name: Option<&str>) -> Self {
        if name == Some("kubernetes.io/h2c") {
            Self::H2c
        } else {
            Self::Http1
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    fn is_http1(&self) -> bool {
        *self == Self::Http1
    }
}

/// A part of the endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSlice {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// The Service to which it belongs.
    pub service: SmolStr,
    /// The TCP ports at which its endpoints listen.
    pub ports: Vec<SlicePort>,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// One port of the endpoints of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlicePort {
    /// The name of the Service's port that it serves.
    pub name: SmolStr,
    /// The number at the endpoint.
    pub port: u16,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Whether it takes new requests.
    pub ready: bool,
    /// Whether it answers, also while it is being stopped.
    pub serving: bool,
    /// Whether it is being stopped.
    pub terminating: bool,
}

/// An `IngressClass`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngressClass {
    /// Its name.
    pub name: String,
    /// The controller that it names.
    pub controller: String,
    /// Whether Ingresses without a class belong to it.
    pub is_default: bool,
}

/// One object of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// An Ingress.
    Ingress(Ingress),
    /// A Service.
    Service(Service),
    /// An `EndpointSlice`.
    Slice(EndpointSlice),
    /// An `IngressClass`.
    Class(IngressClass),
    /// A webservice outside of Kubernetes that has registered.
    Registered(Registered),
}

impl Object {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Ingress(ingress) => ingress.key.clone(),
            Self::Service(service) => service.key.clone(),
            Self::Slice(slice) => slice.key.clone(),
            Self::Class(class) => ObjectKey::new("", class.name.clone()),
            Self::Registered(registered) => registered.key.clone(),
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Ingress(_) => Kind::Ingress,
            Self::Service(_) => Kind::Service,
            Self::Slice(_) => Kind::Slice,
            Self::Class(_) => Kind::Class,
            Self::Registered(_) => Kind::Registered,
        }
    }
}

impl From<Ingress> for Object {
    fn from(ingress: Ingress) -> Self {
        Self::Ingress(ingress)
    }
}

impl From<Service> for Object {
    fn from(service: Service) -> Self {
        Self::Service(service)
    }
}

impl From<EndpointSlice> for Object {
    fn from(slice: EndpointSlice) -> Self {
        Self::Slice(slice)
    }
}

impl From<IngressClass> for Object {
    fn from(class: IngressClass) -> Self {
        Self::Class(class)
    }
}

impl From<Registered> for Object {
    fn from(registered: Registered) -> Self {
        Self::Registered(registered)
    }
}

/// What an object of a table can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Ingress.
    Ingress,
    /// Service.
    Service,
    /// `EndpointSlice`.
    Slice,
    /// `IngressClass`.
    Class,
    /// A registered webservice.
    Registered,
}

/// A difference between two tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This object is there now, as it is.
    Put(Object),
    /// This object is gone.
    Remove(Kind, ObjectKey),
    /// These are all the objects of this kind; objects of another kind in the list are passed over.
    Replace(Kind, Vec<Object>),
    /// These are the settings now, and the verdicts in the table's objects are by them.
    Settings(Box<Settings>),
}

/// What does not come from the cluster. A table kept on disk is only good under the settings that it was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The class whose Ingresses are routed, also when there is no such `IngressClass` object.
    pub ingress_class: String,
    /// The controller name of classes whose Ingresses are routed.
    pub controller: String,
    /// Where requests go that belong to no Ingress.
    pub default_backend: ServiceRef,
    /// A text that changes when verdicts may: for example the configured domains.
    pub policy: String,
}
