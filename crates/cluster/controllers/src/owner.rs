//! Who owns what: controller references, and which objects a controller claims, adopts or lets go.
//! Pure but for [`settle`], which writes the claims down.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::kept::Kept;
use crate::object::Object;
use crate::selection::Selection;

/// The owner that controls an object.
pub(crate) fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references
        .as_deref()
        .unwrap_or_default()
        .iter()
        .find(|owner| owner.controller == Some(true))
}

/// A reference that makes `owner` the controller of what carries it.
pub(crate) fn controlled_by<K: Object<Kind: Resource<DynamicType = ()>>>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::Kind::api_version(&()).into_owned(),
        kind: K::Kind::kind(&()).into_owned(),
        name: owner.name().to_owned(),
        uid: owner.uid().to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Whether `meta` is controlled by the object with that uid.
pub(crate) fn is_controlled_by(meta: &ObjectMeta, uid: &str) -> bool {
    controller_of(meta).is_some_and(|owner| owner.uid == uid)
}

/// Whether the object is being deleted.
pub(crate) fn is_dying(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some()
}

/// What a controller has, wants and gives up.
#[derive(Debug)]
pub(crate) struct Claims<K> {
    /// Controlled by it and matching its selector.
    pub(crate) owned: Vec<Arc<K>>,
    /// Matching and without controller: to be adopted.
    pub(crate) adopt: Vec<Arc<K>>,
    /// Controlled by it but no longer matching: to be let go.
    pub(crate) release: Vec<Arc<K>>,
}

/// Sorts `candidates` for the owner described by `owner` and `selector`.
pub(crate) fn claim<K: Object>(
    owner: &ObjectMeta,
    selector: &LabelSelector,
    candidates: Vec<Arc<K>>,
) -> Claims<K> {
    let uid = owner.uid.as_deref().unwrap_or_default();
    // Read once: an owner may have thousands of candidates.
    let selection = Selection::of(selector);
    let mut claims = Claims {
        owned: Vec::new(),
        adopt: Vec::new(),
        release: Vec::new(),
    };
    for candidate in candidates {
        let matches = selection.selects(&*candidate);
        match candidate.controller_uid() {
            Some(controller) if controller == uid && matches => claims.owned.push(candidate),
            Some(controller) if controller == uid && !candidate.is_dying() => claims.release.push(candidate),
            None if matches && !candidate.is_dying() && !is_dying(owner) => claims.adopt.push(candidate),
            _ => {}
        }
    }
    claims
}

/// Adopts and releases what `claims` says and returns all that is owned then. The owner is read afresh before an
/// adoption: one that is being deleted with its dependents left behind must not take them along. What is adopted gets the
/// `finalizer`, if there is one, and what is let go loses it.
pub(crate) async fn settle<O, K>(
    owners: &Kept<O>,
    owner: &O,
    kept: &Kept<K>,
    claims: Claims<K>,
    finalizer: Option<&str>,
) -> Result<Vec<Arc<K>>, kube::Error>
where
    O: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
    K: Object + Clone + Debug + DeserializeOwned,
    K::Kind: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
{
    let mut all = claims.owned;
    let uid = owner.meta().uid.as_deref().unwrap_or_default();
    for object in claims.release {
        let mut rest = object.owners();
        rest.retain(|reference| reference.uid != uid);
        let mut finalizers = object.finalizers();
        finalizers.retain(|known| Some(known.as_str()) != finalizer);
        write_owners(kept, &object, &rest, &finalizers).await?;
    }
    if claims.adopt.is_empty() {
        return Ok(all);
    }
    let namespace = owner.meta().namespace.as_deref().unwrap_or_default();
    let fresh = owners
        .api(namespace)
        .get(owner.meta().name.as_deref().unwrap_or_default())
        .await?;
    if fresh.meta().uid.as_deref() != Some(uid) || is_dying(fresh.meta()) {
        return Ok(all);
    }
    for object in claims.adopt {
        let mut references = object.owners();
        references.push(controlled_by(owner));
        let mut finalizers = object.finalizers();
        finalizers.extend(finalizer.map(str::to_owned));
        finalizers.dedup();
        all.push(Arc::new(
            write_owners(kept, &object, &references, &finalizers).await?,
        ));
    }
    Ok(all)
}

async fn write_owners<K>(
    kept: &Kept<K>,
    object: &K,
    owners: &[OwnerReference],
    finalizers: &[String],
) -> Result<K, kube::Error>
where
    K: Object + Clone + Debug + DeserializeOwned,
    K::Kind: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
{
    let version = object.written_at().to_string();
    // An empty list is written as none at all.
    let owners = Some(owners).filter(|owners| !owners.is_empty());
    let finalizers = Some(finalizers).filter(|finalizers| !finalizers.is_empty());
    let metadata = json!({"resourceVersion": version, "ownerReferences": owners, "finalizers": finalizers});
    kept.merge(object, json!({ "metadata": metadata })).await
}
