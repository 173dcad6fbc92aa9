//! The annotations of an Ingress as part of its routes. What they mean is said in `core/annotations`; here they are read
//! once for each Ingress, and meet the Services of its namespace.

use std::{fmt::Write as _, sync::Arc};

use toolforge_annotations::{AskedPath, AuthServer, Extras, FAMILY, Place, Problem, Source, read};

use crate::{
    AppProtocol, Backend, Ingress, PathKind, PortRef, RouteExtras, Target, namespace::NamespaceState,
};

/// Reads the annotations of an Ingress. One with annotations that are not understood is refused whatever the policy says of
/// it, as in namespaces that it does not look at: served without them it might let in anybody.
pub(crate) fn read_into(ingress: &mut Ingress) -> Option<Extras> {
    if ingress.annotations.is_empty() {
        return None;
    }
    let reading = read(&source(ingress));
    if ingress.refused.is_none() && !reading.problems.is_empty() {
        ingress.refused = Some(told(&reading.problems));
    }
    reading.extras.filter(|_| reading.problems.is_empty())
}

fn source(ingress: &Ingress) -> Source<'_> {
    let annotations = ingress.annotations.iter();
    let paths = ingress.rules.iter().enumerate().flat_map(|(rule, of)| {
        let paths = of.paths.iter().enumerate();
        paths.map(move |(index, path)| AskedPath {
            rule,
            index,
            path: &path.path,
            may_be_pattern: path.kind == PathKind::Pattern,
        })
    });
    Source {
        namespace: &ingress.key.namespace,
        annotations: annotations
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
        hosts: ingress.rules.iter().map(|rule| rule.host.as_str()).collect(),
        paths: paths.collect(),
    }
}

fn told(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let separator = if text.is_empty() { "" } else { ". " };
        let place = match &problem.place {
            Place::Annotation(name) => format!("metadata.annotations[\"{FAMILY}/{name}\"]"),
            Place::Path { rule, index } => format!("spec.rules[{rule}].http.paths[{index}].path"),
        };
        let _ = write!(text, "{separator}{}: {place}; {}", problem.why, problem.instead);
    }
    text
}

impl NamespaceState {
    /// A backend with what the annotations of the Ingress ask for on one of its paths.
    pub(crate) fn annotated(
        &self,
        mut backend: Backend,
        ingress: &Ingress,
        (path, kind): (&str, PathKind),
    ) -> Backend {
        backend.extras = self.route_extras(ingress, path, kind);
        if backend.extras.as_ref().is_some_and(|extras| extras.asked.http2) {
            backend.protocol = AppProtocol::H2c;
        }
        backend
    }

    fn route_extras(&self, ingress: &Ingress, path: &str, kind: PathKind) -> Option<Arc<RouteExtras>> {
        let asked = self.extras.get(ingress.key.name.as_str())?;
        let backend = |target: &Target| self.backend(&ingress.key.namespace, &ingress.key.name, Some(target));
        let auth = asked.auth.as_ref().and_then(|auth| match &auth.server {
            AuthServer::Host(_) => None,
            AuthServer::Service { name, port } => Some(backend(&Target {
                service: name.into(),
                port: PortRef::Number(*port),
            })),
        });
        let pages = asked.default_backend.as_ref().map(|service| {
            // Of several ports the first is meant.
            let ports = self.services.get(service.as_str()).map(|service| &service.ports);
            let first = ports.and_then(|ports| ports.first());
            backend(&Target {
                service: service.into(),
                port: PortRef::Number(first.map_or(80, |port| port.port)),
            })
        });
        Some(Arc::new(RouteExtras {
            asked: asked.clone(),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            pattern: asked.pattern(path).filter(|_| kind == PathKind::Pattern).cloned(),
            auth,
            pages,
        }))
    }
}

#[cfg(test)]
mod tests;
