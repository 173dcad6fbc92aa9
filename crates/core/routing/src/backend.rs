//! The endpoints behind one port of a Service, found through its `EndpointSlices`.

use std::{net::SocketAddr, sync::Arc};

use smol_str::{SmolStr, ToSmolStr as _};
use toolforge_annotations::{Extras, Pattern};

use crate::{AppProtocol, EndpointSlice, PortRef, Service, ServicePort, Target, by_name::ByName};

/// Where the requests of a route go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Namespace of the Ingress, and so of the Service.
    pub namespace: SmolStr,
    /// The Ingress that routes here; empty for the default backend, and for what has registered.
    pub ingress: SmolStr,
    /// The Service; empty where the Ingress names something that is no Service.
    pub service: SmolStr,
    /// The Service's port as the Ingress names it.
    pub port: SmolStr,
    /// The registration that routes here; empty where it is an Ingress, as nearly always.
    pub registration: Box<str>,
    /// The addresses that take requests, in order and each once: the ready ones, or, where there are none, those
    /// that still answer while they are being stopped.
    pub endpoints: Vec<SocketAddr>,
    /// What is spoken with them.
    pub protocol: AppProtocol,
    /// What the annotations of the Ingress ask for; `None` for nearly all.
    pub extras: Option<Arc<RouteExtras>>,
}

/// What the annotations of an Ingress ask for, on one of its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteExtras {
    /// What they ask for.
    pub asked: Arc<Extras>,
    /// The path, as a cookie can have it.
    pub path: String,
    /// The path as a pattern, where it is one.
    pub pattern: Option<Pattern>,
    /// Who is asked whether a visitor may come in, where that is a Service.
    pub auth: Option<Backend>,
    /// Whose pages are shown for errors, and who answers where there is no endpoint.
    pub pages: Option<Backend>,
}

/// The Services and slices of a namespace, by name.
pub(crate) struct Services<'a> {
    pub(crate) services: &'a ByName<Service>,
    pub(crate) slices: &'a ByName<EndpointSlice>,
}

impl Services<'_> {
    pub(crate) fn backend(&self, namespace: &str, ingress: &str, target: Option<&Target>) -> Backend {
        Backend {
            namespace: namespace.into(),
            ingress: ingress.into(),
            service: target.map(|target| target.service.clone()).unwrap_or_default(),
            port: target.map(|target| port_text(&target.port)).unwrap_or_default(),
            registration: Box::default(),
            endpoints: target.map(|target| self.endpoints(target)).unwrap_or_default(),
            protocol: target
                .and_then(|target| self.port(target))
                .map_or(AppProtocol::default(), |port| port.protocol),
            extras: None,
        }
    }

    fn endpoints(&self, target: &Target) -> Vec<SocketAddr> {
        let Some(port_name) = self.port(target).map(|port| port.name.as_str()) else {
            return Vec::new();
        };
        let (mut ready, mut leaving) = (Vec::new(), Vec::new());
        for slice in self
            .slices
            .values()
            .filter(|slice| slice.service == target.service)
        {
            // One port name stands for one port in each slice, though it may differ between slices.
            let Some(port) = slice.ports.iter().find(|port| port.name == port_name) else {
                continue;
            };
            for endpoint in &slice.endpoints {
                let address = SocketAddr::new(endpoint.address, port.port);
                if endpoint.ready {
                    ready.push(address);
                } else if endpoint.serving && endpoint.terminating {
                    leaving.push(address);
                }
            }
        }
        let mut chosen = if ready.is_empty() { leaving } else { ready };
        chosen.sort_unstable();
        chosen.dedup();
        chosen.shrink_to_fit();
        chosen
    }

    /// The port as the Service has it: slices name theirs by its name.
    fn port(&self, target: &Target) -> Option<&ServicePort> {
        let service = self.services.get(target.service.as_str())?;
        service.ports.iter().find(|port| match &target.port {
            PortRef::Number(number) => port.port == *number,
            PortRef::Name(name) => port.name == *name,
        })
    }
}

fn port_text(port: &PortRef) -> SmolStr {
    match port {
        PortRef::Number(number) => number.to_smolstr(),
        PortRef::Name(name) => name.clone(),
    }
}
