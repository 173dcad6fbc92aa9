//! Which backend a request belongs to.
//!
//! A [`RouteTable`] is one immutable value. It is made from Ingresses, Services, `EndpointSlices`, `IngressClasses` and
//! the registrations of webservices outside of Kubernetes, changed by differences into a new table that shares what did not change, and asked once for
//! every request. The gateway calls it; it opens no socket and reads no clock, and it judges no Ingress: the verdict
//! of the admission policy comes in with the Ingress, and one that was refused is not routed.

mod backend;
mod by_name;
mod explain;
mod extras;
mod hosts;
mod inputs;
mod kubernetes;
mod namespace;
mod path;
mod reason;
mod reception;
mod registered;
mod shared_map;
mod small_map;
mod snapshot;
mod table;
mod tls;

pub use backend::{Backend, RouteExtras};
pub use explain::{Chosen, EndpointState, Explanation, Other, Outcome};
pub use hosts::host_name;
pub use inputs::{
    AppProtocol, Change, Endpoint, EndpointSlice, Ingress, IngressClass, IngressTls, Kind, Object, ObjectKey,
    Path, PathKind, PortRef, Rule, Service, ServicePort, ServiceRef, Settings, SlicePort, Target,
};
pub use kubernetes::Unreadable;
pub use reason::Reason;
pub use reception::{Lost, Reception};
pub use registered::{PatternError, Registered, RegisteredRoute, check_pattern};
pub use snapshot::{Snapshot, SnapshotError};
pub use table::{Decision, Route, RouteTable};
pub use tls::TlsClaim;
