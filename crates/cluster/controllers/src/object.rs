//! What controllers ask of every object that they keep: of most kinds that is the API's own type, and of those that there
//! are many of a smaller one (`pod.rs`), which holds what is read here and is never written.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;

use crate::cache::parse_version;
use crate::lean;
use crate::owner::controller_of;

/// An object that is kept.
pub(crate) trait Object {
    /// The type that the API has for it, which is what is written.
    type Kind: Resource;

    /// Its namespace; empty for objects of the cluster.
    fn namespace(&self) -> &str;

    /// Its name.
    fn name(&self) -> &str;

    /// What tells it from others that had its name.
    fn uid(&self) -> &str;

    /// The place of its last write in the order of all writes, its resource version; 0 if it has none.
    fn written_at(&self) -> u64;

    /// Whether it is being deleted.
    fn is_dying(&self) -> bool;

    /// The uid of the owner that controls it.
    fn controller_uid(&self) -> Option<&str>;

    /// All its owners.
    fn owners(&self) -> Vec<OwnerReference>;

    /// What it waits for before it goes.
    fn finalizers(&self) -> Vec<String>;

    /// The value of one of its labels.
    fn label(&self, name: &str) -> Option<&str>;

    /// Takes out what no controller reads.
    fn thin(&mut self);
}

impl<K: Resource> Object for K {
    type Kind = Self;

    fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    fn uid(&self) -> &str {
        self.meta().uid.as_deref().unwrap_or_default()
    }

    fn written_at(&self) -> u64 {
        parse_version(self.meta().resource_version.as_deref())
    }

    fn is_dying(&self) -> bool {
        self.meta().deletion_timestamp.is_some()
    }

    fn controller_uid(&self) -> Option<&str> {
        controller_of(self.meta()).map(|owner| owner.uid.as_str())
    }

    fn owners(&self) -> Vec<OwnerReference> {
        self.meta().owner_references.clone().unwrap_or_default()
    }

    fn finalizers(&self) -> Vec<String> {
        self.meta().finalizers.clone().unwrap_or_default()
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.meta().labels.as_ref()?.get(name).map(String::as_str)
    }

    fn thin(&mut self) {
        lean::thin(self);
    }
}
