//! What one namespace holds, and the routes that follow from it. Ingresses reach Services of their own namespace only,
//! so a change in one namespace never needs another one to be looked at. What a tool registers stands in its namespace
//! too, whether the cluster has one or not.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use smol_str::SmolStr;
use toolforge_annotations::{Extras, Pattern};

use crate::{
    Backend, EndpointSlice, Ingress, IngressClass, Kind, Object, ObjectKey, PathKind, Registered, Service,
    Settings, Target, backend::Services, by_name::ByName, extras, hosts::Pattern as Hosts, path::normal_path,
    registered::Condition, small_map::SmallMap,
};

/// The objects of a namespace by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceState {
    pub(crate) ingresses: ByName<Ingress>,
    pub(crate) services: ByName<Service>,
    pub(crate) slices: ByName<EndpointSlice>,
    pub(crate) registered: ByName<Registered>,
    /// What the annotations of Ingresses ask for, of those that have such.
    pub(crate) extras: SmallMap<SmolStr, Arc<Extras>>,
    /// What follows from them.
    pub(crate) routes: Routes,
}

/// The paths that a namespace claims, by where it claims them.
pub(crate) type Routes = SmallMap<Hosts, Vec<Arc<Entry>>>;

/// One path of one host, with its claim to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: SmolStr,
    pub(crate) kind: PathKind,
    pub(crate) claim: Claim,
    /// Where in the Ingress, or in the registration, the path stands.
    pub(crate) position: u32,
    pub(crate) backend: Arc<Backend>,
    /// Where a registration claims the path.
    pub(crate) registered: Option<Box<Condition>>,
}

/// Who gets a path that several claim: the smallest, and of two at the same time the one whose name comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    /// An Ingress's default backend yields to every rule.
    pub(crate) is_fallback: bool,
    pub(crate) created_seconds: i64,
}

impl NamespaceState {
    pub(crate) fn is_empty(&self) -> bool {
        self.knows_nothing() && self.registered.is_empty()
    }

    /// Whether nothing of it comes from the cluster.
    pub(crate) fn knows_nothing(&self) -> bool {
        self.ingresses.is_empty() && self.services.is_empty() && self.slices.is_empty()
    }

    /// The keys of all that this namespace holds.
    pub(crate) fn keys(&self, namespace: &str) -> impl Iterator<Item = (Kind, ObjectKey)> {
        let names = self.ingresses.names().map(|name| (Kind::Ingress, name));
        let names = names.chain(self.services.names().map(|name| (Kind::Service, name)));
        let names = names.chain(self.slices.names().map(|name| (Kind::Slice, name)));
        let names = names.chain(self.registered.names().map(|name| (Kind::Registered, name)));
        names.map(move |(kind, name)| (kind, ObjectKey::new(namespace, name.clone())))
    }

    pub(crate) fn put(&mut self, mut object: Object) {
        fit(&mut object);
        match object {
            Object::Ingress(mut ingress) => {
                let name = ingress.key.name.clone();
                match extras::read_into(&mut ingress) {
                    Some(extras) => {
                        self.extras.insert(name, Arc::new(extras));
                    }
                    None => self.extras.remove(&*name),
                }
                self.ingresses.insert(Arc::new(ingress));
            }
            Object::Service(service) => self.services.insert(Arc::new(service)),
            Object::Slice(slice) => self.slices.insert(Arc::new(slice)),
            Object::Registered(registered) => self.registered.insert(Arc::new(registered)),
            Object::Class(_) => {}
        }
    }

    pub(crate) fn remove(&mut self, kind: Kind, name: &str) {
        match kind {
            Kind::Ingress => {
                self.ingresses.remove(name);
                self.extras.remove(name);
            }
            Kind::Service => self.services.remove(name),
            Kind::Slice => self.slices.remove(name),
            Kind::Registered => self.registered.remove(name),
            Kind::Class => {}
        }
    }

    pub(crate) fn clear(&mut self, kind: Kind) {
        match kind {
            Kind::Ingress => {
                self.ingresses.clear();
                self.extras.clear();
            }
            Kind::Service => self.services.clear(),
            Kind::Slice => self.slices.clear(),
            Kind::Registered => self.registered.clear(),
            Kind::Class => {}
        }
    }

    pub(crate) fn backend(&self, namespace: &str, ingress: &str, target: Option<&Target>) -> Backend {
        Services {
            services: &self.services,
            slices: &self.slices,
        }
        .backend(namespace, ingress, target)
    }

    /// The routes that the objects mean under these classes.
    pub(crate) fn desired_routes(
        &self,
        settings: &Settings,
        classes: &BTreeMap<String, IngressClass>,
    ) -> Routes {
        let mut routes = Routes::default();
        let served = self
            .ingresses
            .values()
            .filter(|ingress| is_served(ingress, settings, classes))
            .map(|ingress| self.entries(ingress));
        let registered = self.registered.values().map(|registered| registered.entries());
        for entries in served.chain(registered) {
            for (pattern, entry) in entries {
                let entries = routes.entry(pattern);
                entries.reserve_exact(1);
                entries.push(Arc::new(entry));
            }
        }
        routes
    }

    fn entries(&self, ingress: &Ingress) -> Vec<(Hosts, Entry)> {
        let mut entries = Vec::new();
        let mut position = 0;
        for rule in &ingress.rules {
            let Some(pattern) = Hosts::of(&rule.host) else {
                continue;
            };
            for path in &rule.paths {
                let entry = self.entry(
                    ingress,
                    &path.path,
                    path.kind,
                    path.target.as_ref(),
                    false,
                    position,
                );
                entries.push((pattern.clone(), entry));
                position += 1;
            }
        }
        let Some(target) = &ingress.default_backend else {
            return entries;
        };
        let mut patterns: Vec<_> = ingress
            .rules
            .iter()
            .filter_map(|rule| Hosts::read(&rule.host))
            .collect();
        if ingress.rules.is_empty() {
            patterns.push(Hosts::Any);
        }
        for pattern in patterns {
            entries.push((
                pattern,
                self.entry(ingress, "/", PathKind::Prefix, Some(&**target), true, position),
            ));
        }
        entries
    }

    fn entry(
        &self,
        ingress: &Ingress,
        path: &str,
        kind: PathKind,
        target: Option<&Target>,
        is_fallback: bool,
        position: u32,
    ) -> Entry {
        let key = &ingress.key;
        Entry {
            path: normal_path(path, kind).into(),
            kind,
            claim: Claim {
                is_fallback,
                created_seconds: ingress.created_seconds,
            },
            position,
            backend: Arc::new(self.annotated(
                self.backend(&key.namespace, &key.name, target),
                ingress,
                (path, kind),
            )),
            registered: None,
        }
    }
}

impl Entry {
    /// Of two entries with the same path the smaller has it.
    pub(crate) fn cmp_claim(&self, other: &Self) -> Ordering {
        let (one, two) = (&*self.backend, &*other.backend);
        let by_claim = self.claim.cmp(&other.claim);
        by_claim
            .then_with(|| one.namespace.cmp(&two.namespace))
            .then_with(|| one.ingress.cmp(&two.ingress))
            .then_with(|| one.registration.cmp(&two.registration))
            .then(self.position.cmp(&other.position))
    }

    /// The path as a regular expression, where it is one.
    pub(crate) fn pattern(&self) -> Option<&Pattern> {
        self.backend.extras.as_ref()?.pattern.as_ref()
    }
}

/// Gives back what lists have room for and do not use: an object stays for long, and most of its lists have one element.
fn fit(object: &mut Object) {
    match object {
        Object::Ingress(ingress) => {
            ingress.rules.shrink_to_fit();
            ingress
                .rules
                .iter_mut()
                .for_each(|rule| rule.paths.shrink_to_fit());
            ingress.tls.shrink_to_fit();
        }
        Object::Service(service) => service.ports.shrink_to_fit(),
        Object::Slice(slice) => {
            slice.ports.shrink_to_fit();
            slice.endpoints.shrink_to_fit();
        }
        Object::Registered(registered) => registered.routes.shrink_to_fit(),
        Object::Class(_) => {}
    }
}

/// Whether an Ingress is routed: admitted, and of a class that is ours.
pub(crate) fn is_served(
    ingress: &Ingress,
    settings: &Settings,
    classes: &BTreeMap<String, IngressClass>,
) -> bool {
    ingress.refused.is_none() && is_ours(ingress, settings, classes)
}

/// Whether the class of an Ingress is ours.
pub(crate) fn is_ours(
    ingress: &Ingress,
    settings: &Settings,
    classes: &BTreeMap<String, IngressClass>,
) -> bool {
    let is_ours = |class: &IngressClass| class.controller == settings.controller;
    match &ingress.class {
        Some(name) => *name == settings.ingress_class || classes.get(name.as_str()).is_some_and(is_ours),
        None => classes.values().any(|class| class.is_default && is_ours(class)),
    }
}
