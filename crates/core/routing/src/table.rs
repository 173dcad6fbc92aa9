//! The table: what a request's host and path lead to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use smol_str::{SmolStr, ToSmolStr as _};

use crate::{
    Backend, Change, Ingress, IngressClass, Kind, Object, ObjectKey, PathKind, Registered, Settings,
    hosts::{Pattern, host_name},
    namespace::{Entry, NamespaceState, is_served},
    path::covers,
    shared_map::SharedMap,
    small_map::SmallMap,
};

/// Where every request goes: an immutable value. A changed table shares with its predecessor whatever did not change.
#[derive(Clone, Debug)]
pub struct RouteTable {
    settings: Arc<Settings>,
    classes: Arc<BTreeMap<String, IngressClass>>,
    namespaces: SharedMap<Arc<NamespaceState>>,
    exact: SharedMap<Arc<HostRoutes>>,
    wildcard: SharedMap<Arc<HostRoutes>>,
    any: Option<Arc<HostRoutes>>,
    default_backend: Arc<Backend>,
}

/// A table in the making, from objects that come one by one: it has routes when it has all of them.
#[derive(Debug, Default)]
pub(crate) struct Making {
    classes: BTreeMap<String, IngressClass>,
    namespaces: SharedMap<Arc<NamespaceState>>,
}

/// What a request leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'t> {
    /// To the endpoints of this backend; there is at least one.
    Backend(&'t Arc<Backend>),
    /// To this backend, which has no endpoints now.
    NoEndpoints(&'t Arc<Backend>),
    /// To no Ingress: the default backend answers, if it has endpoints.
    NotFound(&'t Arc<Backend>),
    /// To this host, which the URL of a shared host has moved to: the first segment of the path is not kept.
    Moved(&'t str),
}

/// One line of a table, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The host as an Ingress would write it; empty for every other host.
    pub host: String,
    /// The path; prefixes end without a slash, so that empty covers everything.
    pub path: String,
    /// How the path is compared.
    pub kind: PathKind,
    /// Where it leads.
    pub backend: Arc<Backend>,
}

/// The routes of one host, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct HostRoutes {
    /// The namespaces with a claim to this host.
    namespaces: SmallMap<SmolStr, ()>,
    /// What registrations claim before what Ingresses do, as in the original; of each the longest path first, exact ones
    /// before prefixes of the same length, each path once.
    entries: Vec<Arc<Entry>>,
}

impl RouteTable {
    /// A table without routes.
    pub fn new(settings: Settings) -> Self {
        let default = &settings.default_backend;
        let backend = NamespaceState::default().backend(&default.namespace, "", Some(&default.target));
        Self {
            settings: Arc::new(settings),
            classes: Arc::default(),
            namespaces: SharedMap::default(),
            exact: SharedMap::default(),
            wildcard: SharedMap::default(),
            any: None,
            default_backend: Arc::new(backend),
        }
    }

    /// What the table was made under.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The table after these changes, in this order.
    #[must_use]
    pub fn with(&self, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut next = self.clone();
        let mut touched = BTreeSet::new();
        let mut all_changed = false;
        for change in changes {
            match change {
                Change::Put(object) => next.put(object, &mut touched, &mut all_changed),
                Change::Remove(kind, key) => next.remove(kind, &key, &mut touched, &mut all_changed),
                Change::Replace(kind, objects) => {
                    next.clear(kind, &mut touched, &mut all_changed);
                    for object in objects.into_iter().filter(|object| object.kind() == kind) {
                        next.put(object, &mut touched, &mut all_changed);
                    }
                }
                Change::Settings(settings) => {
                    all_changed |= *next.settings != *settings;
                    next.settings = Arc::from(settings);
                }
            }
        }
        if all_changed {
            touched.insert(next.settings.default_backend.namespace.as_str().into());
            touched.extend(next.namespaces.iter().map(|(name, _)| SmolStr::from(name)));
        }
        next.derive(&touched);
        next
    }

    /// Where a request goes with this `Host` (or authority) and this path, which is compared as it was sent.
    pub fn decide(&self, authority: &str, path: &str) -> Decision<'_> {
        let entry = host_name(authority).and_then(|host| self.find(&host, path));
        let Some(entry) = entry else {
            return Decision::NotFound(&self.default_backend);
        };
        if let Some(host) = entry.moved_to() {
            return Decision::Moved(host);
        }
        if entry.backend.endpoints.is_empty() {
            return Decision::NoEndpoints(&entry.backend);
        }
        Decision::Backend(&entry.backend)
    }

    /// Where requests go that belong to no Ingress.
    pub fn default_backend(&self) -> &Arc<Backend> {
        &self.default_backend
    }

    /// Every route, sorted by host and then as they are asked.
    pub fn routes(&self) -> Vec<Route> {
        let exact = self
            .exact
            .iter()
            .map(|(host, routes)| (Pattern::Exact(host.into()), routes));
        let wildcard = self
            .wildcard
            .iter()
            .map(|(rest, routes)| (Pattern::Wildcard(rest.into()), routes));
        let any = self.any.iter().map(|routes| (Pattern::Any, routes));
        let mut hosts: Vec<_> = exact.chain(wildcard).chain(any).collect();
        hosts.sort_by(|one, other| one.0.cmp(&other.0));
        let route = |pattern: &Pattern, entry: &Entry| Route {
            host: pattern.text(),
            path: entry.path.to_string(),
            kind: entry.kind,
            backend: entry.backend.clone(),
        };
        hosts
            .iter()
            .flat_map(|(pattern, routes)| routes.entries.iter().map(|entry| route(pattern, entry)))
            .collect()
    }

    /// An Ingress that the table knows, whether it is routed or not.
    pub fn ingress(&self, key: &ObjectKey) -> Option<&Ingress> {
        self.namespaces
            .get(&key.namespace)?
            .ingresses
            .get(key.name.as_str())
            .map(|ingress| &**ingress)
    }

    /// The registered webservices, by namespace and name.
    pub fn registered(&self) -> impl Iterator<Item = &Registered> {
        let states = self.namespaces.iter().map(|(_, state)| state);
        states.flat_map(|state| state.registered.values().map(|registered| &**registered))
    }

    /// How many hosts and patterns of hosts something is served for.
    pub fn host_count(&self) -> usize {
        self.exact.iter().count() + self.wildcard.iter().count() + usize::from(self.any.is_some())
    }

    /// Whether there is no Ingress, Service or slice at all.
    pub fn is_empty(&self) -> bool {
        self.namespaces.iter().all(|(_, state)| state.knows_nothing())
    }

    /// The key of every object that the table was made from.
    pub fn keys(&self) -> impl Iterator<Item = (Kind, ObjectKey)> {
        let classes = self
            .classes
            .keys()
            .map(|name| (Kind::Class, ObjectKey::new("", name)));
        let states = self.namespaces.iter();
        classes.chain(states.flat_map(|(namespace, state)| state.keys(namespace)))
    }

    /// Every object that the table was made from, sorted.
    pub fn objects(&self) -> Vec<Object> {
        let mut objects: Vec<_> = self.classes.values().cloned().map(Object::Class).collect();
        for state in self.sorted_namespaces() {
            objects.extend(
                state
                    .services
                    .values()
                    .map(|service| Object::Service((**service).clone())),
            );
            objects.extend(
                state
                    .slices
                    .values()
                    .map(|slice| Object::Slice((**slice).clone())),
            );
            objects.extend(
                state
                    .ingresses
                    .values()
                    .map(|ingress| Object::Ingress((**ingress).clone())),
            );
            let registered = state.registered.values();
            objects.extend(registered.map(|registered| Object::Registered((**registered).clone())));
        }
        objects
    }

    /// The entry that a request takes, and the pattern of hosts under which it stands.
    pub(crate) fn entry(&self, host: &str, path: &str) -> Option<(Pattern, &Entry)> {
        let entry = self.find(host, path)?;
        let patterns = patterns_of(host).into_iter();
        let mut holding = patterns.filter(|pattern| {
            let routes = self.host(pattern).into_iter();
            routes
                .flat_map(|routes| &routes.entries)
                .any(|known| Arc::ptr_eq(known, entry))
        });
        holding.next().map(|pattern| (pattern, &**entry))
    }

    /// The paths under which something is served for a host, as they are asked.
    pub(crate) fn paths_of(&self, host: &str) -> Vec<&str> {
        let entries = self.routes_of(host).map(|routes| &routes.entries);
        let paths = entries.into_iter().flatten().map(|entry| entry.path.as_str());
        paths
            .map(|path| if path.is_empty() { "/" } else { path })
            .collect()
    }

    /// Whether this Ingress is routed: its class is ours, and it was not refused.
    pub(crate) fn serves(&self, ingress: &Ingress) -> bool {
        is_served(ingress, &self.settings, &self.classes)
    }

    /// The claims to a host pattern that count, as they are asked.
    pub(crate) fn claims(&self, pattern: &Pattern) -> impl Iterator<Item = &Entry> {
        let routes = self.host(pattern).into_iter();
        routes.flat_map(|routes| routes.entries.iter().map(|entry| &**entry))
    }

    /// The namespaces with a claim to a host pattern.
    pub(crate) fn claimants(&self, pattern: &Pattern) -> impl Iterator<Item = &str> {
        let routes = self.host(pattern).into_iter();
        routes.flat_map(|routes| routes.namespaces.keys().map(|name| &**name))
    }

    /// What a namespace holds.
    pub(crate) fn namespace(&self, name: &str) -> Option<&NamespaceState> {
        self.namespaces.get(name).map(|state| &**state)
    }

    /// What all namespaces hold, sorted by their names.
    pub(crate) fn sorted_namespaces(&self) -> Vec<&NamespaceState> {
        let mut states: Vec<_> = self.namespaces.iter().collect();
        states.sort_by_key(|(name, _)| *name);
        states.into_iter().map(|(_, state)| &**state).collect()
    }

    /// All Ingresses, routed or not.
    pub(crate) fn ingresses(&self) -> impl Iterator<Item = &Ingress> {
        let states = self.namespaces.iter().map(|(_, state)| state);
        states.flat_map(|state| state.ingresses.values().map(|ingress| &**ingress))
    }

    /// The classes by name.
    pub(crate) fn classes(&self) -> &BTreeMap<String, IngressClass> {
        &self.classes
    }

    fn routes_of(&self, host: &str) -> Option<&Arc<HostRoutes>> {
        if let Some(routes) = self.exact.get(host) {
            return Some(routes);
        }
        let parent = host.split_once('.').map(|(_, parent)| parent);
        parent
            .and_then(|parent| self.wildcard.get(parent))
            .or(self.any.as_ref())
    }

    /// The entry that a request takes. A host of which only registrations claim something leaves the rest to wildcards.
    fn find(&self, host: &str, path: &str) -> Option<&Arc<Entry>> {
        let routes = self.routes_of(host)?;
        let found = routes.find(path);
        if found.is_some() || !routes.is_only_registered() {
            return found;
        }
        let [_, wider @ ..] = patterns_of(host);
        let mut wider = wider.iter().filter_map(|pattern| self.host(pattern));
        wider.next().and_then(|routes| routes.find(path))
    }

    fn put(&mut self, object: Object, touched: &mut BTreeSet<SmolStr>, all_changed: &mut bool) {
        if let Object::Class(class) = object {
            Arc::make_mut(&mut self.classes).insert(class.name.clone(), class);
            *all_changed = true;
            return;
        }
        let namespace = object.key().namespace;
        self.change_namespace(&namespace, |state| state.put(object));
        touched.insert(namespace);
    }

    fn remove(
        &mut self,
        kind: Kind,
        key: &ObjectKey,
        touched: &mut BTreeSet<SmolStr>,
        all_changed: &mut bool,
    ) {
        if kind == Kind::Class {
            Arc::make_mut(&mut self.classes).remove(key.name.as_str());
            *all_changed = true;
        } else if self.namespaces.get(&key.namespace).is_some() {
            self.change_namespace(&key.namespace, |state| state.remove(kind, &key.name));
            touched.insert(key.namespace.clone());
        }
    }

    fn clear(&mut self, kind: Kind, touched: &mut BTreeSet<SmolStr>, all_changed: &mut bool) {
        if kind == Kind::Class {
            self.classes = Arc::default();
            *all_changed = true;
            return;
        }
        let names: Vec<SmolStr> = self.namespaces.iter().map(|(name, _)| name.into()).collect();
        for name in names {
            self.change_namespace(&name, |state| state.clear(kind));
            touched.insert(name);
        }
    }

    /// Also one that becomes empty stays for now: its routes have still to be taken out of the hosts.
    fn change_namespace(&mut self, name: &str, change: impl FnOnce(&mut NamespaceState)) {
        // What an older table shares with this one is copied first.
        self.namespaces.change(name, |state| change(Arc::make_mut(state)));
    }

    /// Makes the routes of the touched namespaces follow from their objects, and the hosts from the routes.
    fn derive(&mut self, touched: &BTreeSet<SmolStr>) {
        let mut hosts: BTreeMap<Pattern, BTreeSet<&str>> = BTreeMap::new();
        for name in touched {
            let Some(state) = self.namespaces.get(name) else {
                continue;
            };
            let routes = state.desired_routes(&self.settings, &self.classes);
            let patterns = state.routes.keys().chain(routes.keys());
            for pattern in patterns.filter(|pattern| state.routes.get(pattern) != routes.get(pattern)) {
                hosts.entry(pattern.clone()).or_default().insert(name.as_str());
            }
            if state.is_empty() {
                self.namespaces.remove(name);
            } else if state.routes != routes {
                self.change_namespace(name, |state| state.routes = routes);
            }
        }
        for (pattern, namespaces) in hosts {
            self.derive_host(&pattern, &namespaces);
        }
        self.derive_default_backend(touched);
    }

    fn derive_host(&mut self, pattern: &Pattern, changed: &BTreeSet<&str>) {
        let known = self.host(pattern).into_iter();
        let known = known
            .flat_map(|routes| routes.namespaces.keys())
            .map(|name| &**name);
        let claimants: BTreeSet<&str> = known.chain(changed.iter().copied()).collect();
        let mut routes = HostRoutes::default();
        for namespace in claimants {
            let claims = self
                .namespaces
                .get(namespace)
                .and_then(|state| state.routes.get(pattern));
            if let Some(claims) = claims {
                routes.entries.reserve_exact(claims.len());
                routes.entries.extend(claims.iter().cloned());
                routes.namespaces.insert(namespace.into(), ());
            }
        }
        routes.settle();
        let routes = (!routes.namespaces.is_empty()).then(|| Arc::new(routes));
        match (pattern, routes) {
            (Pattern::Exact(host), Some(routes)) => self.exact.put(host.clone(), routes),
            (Pattern::Exact(host), None) => self.exact.remove(host),
            (Pattern::Wildcard(rest), Some(routes)) => self.wildcard.put(rest.clone(), routes),
            (Pattern::Wildcard(rest), None) => self.wildcard.remove(rest),
            (Pattern::Any, routes) => self.any = routes,
        }
    }

    fn host(&self, pattern: &Pattern) -> Option<&Arc<HostRoutes>> {
        match pattern {
            Pattern::Exact(host) => self.exact.get(host),
            Pattern::Wildcard(rest) => self.wildcard.get(rest),
            Pattern::Any => self.any.as_ref(),
        }
    }

    fn derive_default_backend(&mut self, touched: &BTreeSet<SmolStr>) {
        let default = &self.settings.default_backend;
        if touched.contains(default.namespace.as_str()) {
            let nothing = Arc::default();
            let state = self.namespaces.get(&default.namespace).unwrap_or(&nothing);
            self.default_backend = Arc::new(state.backend(&default.namespace, "", Some(&default.target)));
        }
    }
}

impl Making {
    /// This object is in the table.
    pub(crate) fn put(&mut self, object: Object) {
        if let Object::Class(class) = object {
            self.classes.insert(class.name.clone(), class);
            return;
        }
        let namespace = object.key().namespace;
        self.namespaces
            .change(&namespace, |state| Arc::make_mut(state).put(object));
    }

    /// The table, under these settings.
    pub(crate) fn made(self, settings: Settings) -> RouteTable {
        let touched = self.namespaces.iter().map(|(name, _)| name.into()).collect();
        let mut table = RouteTable {
            classes: Arc::new(self.classes),
            namespaces: self.namespaces,
            ..RouteTable::new(settings)
        };
        table.derive(&touched);
        table
    }
}

/// The patterns that a host meets, in the order in which they are asked: texts that the path of most requests has no use
/// for.
fn patterns_of(host: &str) -> [Pattern; 3] {
    let parent = host.split_once('.').map_or("", |(_, parent)| parent);
    [
        Pattern::Exact(host.to_smolstr()),
        Pattern::Wildcard(parent.to_smolstr()),
        Pattern::Any,
    ]
}

impl HostRoutes {
    /// Whether no Ingress names the host.
    fn is_only_registered(&self) -> bool {
        self.entries.iter().all(|entry| entry.registered.is_some())
    }

    /// Sorts by the order of asking, and gives each path to its best claim.
    fn settle(&mut self) {
        self.entries.sort_by(|one, other| {
            let order = one.registered.is_none().cmp(&other.registered.is_none());
            order
                .then(other.path.len().cmp(&one.path.len()))
                .then(one.kind.cmp(&other.kind))
                .then_with(|| one.path.cmp(&other.path))
                .then_with(|| one.cmp_claim(other))
        });
        self.entries.dedup_by(|later, first| {
            first.covers_all() && later.kind == first.kind && later.path == first.path
        });
    }

    fn find(&self, path: &str) -> Option<&Arc<Entry>> {
        self.entries.iter().find(|entry| match entry.kind {
            PathKind::Exact => entry.path == path,
            PathKind::Prefix => covers(&entry.path, path) && entry.meets(path),
            PathKind::Pattern => entry.pattern().is_some_and(|pattern| pattern.matches(path)),
        })
    }
}

#[cfg(test)]
mod tests;
