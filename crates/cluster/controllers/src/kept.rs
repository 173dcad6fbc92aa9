//! A [`Cache`] together with the API it mirrors: every write goes through here, so that its answer is seen at once.
//! Used by all controllers; holds no logic of theirs.

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::core::Request;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cache::Cache;
use crate::object::Object;

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

impl<K: Object<Kind: Resource<DynamicType = ()>>> Kept<K> {
    /// An empty one.
    pub(crate) fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            cache: Arc::new(Cache::with_controllers()),
        }
    }

    /// The API over all namespaces.
    pub(crate) fn everywhere(&self) -> Api<K::Kind> {
        Api::all(self.client.clone())
    }
}

impl<K> Kept<K>
where
    K: Object + Clone + Debug + DeserializeOwned,
    K::Kind: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
{
    /// The API in one namespace.
    pub(crate) fn api(&self, namespace: &str) -> Api<K::Kind> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates `object` in its namespace.
    pub(crate) async fn create(&self, object: &K::Kind) -> Result<K, kube::Error> {
        let request = requests::<K>(object.namespace()).create(&written(), text(object)?);
        self.write(request).await
    }

    /// Replaces `object`, which carries the resource version that it was read at.
    pub(crate) async fn replace(&self, object: &K::Kind) -> Result<K, kube::Error> {
        let request = requests::<K>(object.namespace()).replace(object.name(), &written(), text(object)?);
        self.write(request).await
    }

    /// Replaces the status of `object`, which carries the resource version that it was read at.
    pub(crate) async fn replace_status(&self, object: &K::Kind) -> Result<K, kube::Error> {
        let requests = requests::<K>(object.namespace());
        let request = requests.replace_subresource("status", object.name(), &written(), text(object)?);
        self.write(request).await
    }

    /// Merges `patch` into `object` if it is still that one (same uid).
    pub(crate) async fn merge(&self, object: &K, mut patch: Value) -> Result<K, kube::Error> {
        patch["metadata"]["uid"] = json!(object.uid());
        let parameters = PatchParams::apply(MANAGER);
        let request =
            requests::<K>(object.namespace()).patch(object.name(), &parameters, &Patch::Merge(patch));
        self.write(request).await
    }

    /// Merges `status` into that of `object`, lists by the keys of their kind, if nobody has written it since.
    pub(crate) async fn merge_status(&self, object: &K, status: &Value) -> Result<K, kube::Error> {
        let version = object.written_at().to_string();
        let metadata = json!({"uid": object.uid(), "resourceVersion": version});
        let patch = Patch::Strategic(json!({"metadata": metadata, "status": status}));
        let requests = requests::<K>(object.namespace());
        let request =
            requests.patch_subresource("status", object.name(), &PatchParams::apply(MANAGER), &patch);
        self.write(request).await
    }

    /// Sends a request that is answered with the object as it is then.
    async fn write(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<K, kube::Error> {
        let request = request.map_err(kube::Error::BuildRequest)?;
        let made: K = self.client.request(request).await?;
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
                uid: Some(object.uid().to_owned()),
                resource_version: None,
            }),
            ..params
        };
        let request = requests::<K>(object.namespace()).delete(object.name(), &params);
        let request = request.map_err(kube::Error::BuildRequest)?;
        match self.client.request_status::<K>(request).await {
            Ok(answer) => {
                match answer.left() {
                    Some(dying) if dying.is_dying() => self.absorb(dying),
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

/// The requests about objects of a namespace.
fn requests<K>(namespace: &str) -> Request
where
    K: Object<Kind: Resource<DynamicType = ()>>,
{
    Request::new(K::Kind::url_path(&(), Some(namespace)))
}

fn text<K: Serialize>(object: &K) -> Result<Vec<u8>, kube::Error> {
    serde_json::to_vec(object).map_err(kube::Error::SerdeError)
}
