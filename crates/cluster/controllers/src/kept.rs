//! A [`Cache`] together with the API it mirrors: every write goes through here, so that its answer is seen at once.
//! Used by all controllers; holds no logic of theirs.

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cache::Cache;
use crate::lean;

/// The field manager of all controllers.
pub(crate) const MANAGER: &str = "kube-controller-manager";

/// The objects of a namespaced kind, to read from memory and to write through the API.
pub(crate) struct Kept<K> {
    client: Client,
    cache: Arc<Cache<K>>,
}

impl<K> Clone for Kept<K> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            cache: Arc::clone(&self.cache),
        }
    }
}

impl<K> Deref for Kept<K> {
    type Target = Arc<Cache<K>>;

    fn deref(&self) -> &Self::Target {
        &self.cache
    }
}

impl<K: Resource<DynamicType = ()>> Kept<K> {
    /// An empty one.
    pub(crate) fn new(client: &Client) -> Self {
        Self::thinned(client, lean::thin)
    }

    /// An empty one that keeps of each object what `thin` leaves.
    pub(crate) fn thinned(client: &Client, thin: fn(&mut K)) -> Self {
        Self {
            client: client.clone(),
            cache: Arc::new(Cache::with_controllers(thin)),
        }
    }

    /// The API over all namespaces.
    pub(crate) fn everywhere(&self) -> Api<K> {
        Api::all(self.client.clone())
    }
}

impl<K> Kept<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    /// The API in one namespace.
    pub(crate) fn api(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates `object` in its namespace.
    pub(crate) async fn create(&self, object: &K) -> Result<K, kube::Error> {
        let made = self.api(namespace_of(object)).create(&written(), object).await?;
        self.absorb(made.clone());
        Ok(made)
    }

    /// Replaces `object`, which carries the resource version that it was read at.
    pub(crate) async fn replace(&self, object: &K) -> Result<K, kube::Error> {
        let made = self
            .api(namespace_of(object))
            .replace(name_of(object), &written(), object)
            .await?;
        self.absorb(made.clone());
        Ok(made)
    }

    /// Replaces the status of `object`, which carries the resource version that it was read at.
    pub(crate) async fn replace_status(&self, object: &K) -> Result<K, kube::Error> {
        let made = self
            .api(namespace_of(object))
            .replace_status(name_of(object), &written(), object)
            .await?;
        self.absorb(made.clone());
        Ok(made)
    }

    /// Merges `patch` into `object` if it is still that one (same uid).
    pub(crate) async fn merge(&self, object: &K, mut patch: Value) -> Result<K, kube::Error> {
        patch["metadata"]["uid"] = json!(object.meta().uid);
        let api = self.api(namespace_of(object));
        let made = api
            .patch(
                name_of(object),
                &PatchParams::apply(MANAGER),
                &Patch::Merge(patch),
            )
            .await?;
        self.absorb(made.clone());
        Ok(made)
    }

    /// Deletes `object` if it is still that one; its dependents follow in the background.
    pub(crate) async fn delete(&self, object: &K) -> Result<(), kube::Error> {
        self.delete_with(object, DeleteParams::default()).await
    }

    /// Deletes `object` if it is still that one; its dependents go first.
    pub(crate) async fn delete_foreground(&self, object: &K) -> Result<(), kube::Error> {
        self.delete_with(object, DeleteParams::foreground()).await
    }

    /// Deletes `object` at once, without grace.
    pub(crate) async fn delete_now(&self, object: &K) -> Result<(), kube::Error> {
        self.delete_with(
            object,
            DeleteParams {
                grace_period_seconds: Some(0),
                ..DeleteParams::default()
            },
        )
        .await
    }

    async fn delete_with(&self, object: &K, params: DeleteParams) -> Result<(), kube::Error> {
        let params = DeleteParams {
            propagation_policy: params.propagation_policy.or(Some(PropagationPolicy::Background)),
            preconditions: Some(Preconditions {
                uid: object.meta().uid.clone(),
                resource_version: None,
            }),
            ..params
        };
        match self
            .api(namespace_of(object))
            .delete(name_of(object), &params)
            .await
        {
            Ok(answer) => {
                match answer.left() {
                    Some(dying) if dying.meta().deletion_timestamp.is_some() => self.absorb(dying),
                    _ => self.forget(object),
                }
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                self.forget(object);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn written() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn namespace_of<K: Resource>(object: &K) -> &str {
    object.meta().namespace.as_deref().unwrap_or_default()
}

fn name_of<K: Resource>(object: &K) -> &str {
    object.meta().name.as_deref().unwrap_or_default()
}
