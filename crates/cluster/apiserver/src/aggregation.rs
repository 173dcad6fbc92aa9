//! Groups of the API that other servers answer for: `APIService`s, as in Kubernetes' aggregation layer.
//!
//! [`Aggregation`] follows the store from inside, so an `APIService` counts from the moment in which it is written. `pass`
//! hands requests on, in the name of whoever asked and proven by a certificate of the front proxy's own authority;
//! `availability` keeps asking whether the others answer, and what they offer. What the API serves itself is never
//! handed on, whatever an `APIService` says.

mod availability;
mod described;
mod front_proxy;
mod locals;
mod pass;
mod remote;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde_json::Value;
use toolforge_pki::PkiError;

use crate::api::Api;
use crate::store::{Effect, Event, Observer, Resource, Stored};
pub(crate) use availability::keep_current;
pub(crate) use described::Described;
pub(crate) use front_proxy::FrontProxy;
pub(crate) use pass::pass;
pub(crate) use remote::Remote;

/// Where `APIService`s are stored.
const GROUP: &str = "apiregistration.k8s.io";
const PLURAL: &str = "apiservices";

fn resource() -> Option<Resource> {
    Resource::find(GROUP, PLURAL)
}

/// By group and version.
type Remotes = BTreeMap<(String, String), Arc<Remote>>;

/// Who else answers for what.
#[derive(Debug)]
pub(crate) struct Aggregation {
    remotes: ArcSwap<Remotes>,
    /// Held while a new map is made.
    writing: Mutex<()>,
    front: FrontProxy,
}

impl Aggregation {
    /// Nobody yet; with a new authority for the front proxy.
    pub(crate) fn new() -> Result<Self, PkiError> {
        Ok(Self {
            remotes: ArcSwap::default(),
            writing: Mutex::default(),
            front: FrontProxy::create()?,
        })
    }

    /// How the API proves to others who it is.
    pub(crate) fn front(&self) -> &FrontProxy {
        &self.front
    }

    /// Reads an `APIService` at opening.
    pub(crate) fn load(&self, object: &Stored) {
        if Some(object.key.resource) == resource() {
            self.change(&object.key.name, Some(&object.value()));
        }
    }

    /// What the others offer, those first that Kubernetes would show first.
    pub(crate) fn described(&self) -> Vec<Described> {
        let mut all: Vec<Arc<Remote>> = self.all();
        all.sort_by_key(|remote| remote.order());
        all.iter().filter_map(|remote| remote.described()).collect()
    }

    fn all(&self) -> Vec<Arc<Remote>> {
        self.remotes.load().values().cloned().collect()
    }

    fn change(&self, name: &str, object: Option<&Value>) {
        let _writing = self.writing.lock();
        let before = self.remotes.load();
        let mut remotes: Remotes = (**before).clone();
        let known = remotes
            .iter()
            .find(|(_, remote)| remote.name == name)
            .map(|(key, _)| key.clone());
        let known = known.and_then(|key| remotes.remove(&key));
        let read = object.and_then(|object| Remote::read(name, object, &self.front));
        if let Some(read) = read {
            // What has not changed keeps what is known of it.
            let kept = known.filter(|known| known.spec == read.spec);
            let remote = kept.unwrap_or_else(|| Arc::new(read));
            let key = (remote.group.clone(), remote.version.clone());
            remotes.insert(key, remote);
        }
        self.remotes.store(Arc::new(remotes));
    }
}

impl Observer for Aggregation {
    fn applied(&self, event: &Event) {
        if Some(event.object.key.resource) == resource() {
            let object = (event.effect == Effect::Put).then(|| event.object.value());
            self.change(&event.object.key.name, object.as_deref());
        }
    }
}

/// Who else answers for a path: below `/apis/GROUP/VERSION`, or for the schemas of that.
pub(crate) fn responsible(api: &Api, path: &str) -> Option<Arc<Remote>> {
    let remotes = api.aggregation.remotes.load();
    if remotes.is_empty() {
        return None;
    }
    let below = path.strip_prefix("/openapi/v3").unwrap_or(path);
    let mut parts = below.strip_prefix("/apis/")?.split('/');
    let (group, version) = (parts.next()?, parts.next()?);
    let remote = remotes.get(&(group.to_owned(), version.to_owned()))?;
    (!is_own(api, remote)).then(|| remote.clone())
}

/// Whether the API serves this itself.
fn is_own(api: &Api, remote: &Remote) -> bool {
    let mut kinds = api.kinds.all().into_iter();
    kinds.any(|kind| kind.group == remote.group && kind.version == remote.version)
}
