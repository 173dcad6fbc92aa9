//! What every namespace has from the start: the `ServiceAccount` `default` and the `ConfigMap` `kube-root-ca.crt`.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;
use toolforge_pki::Authority;

use crate::controller::{Again, Controller, Failure, Step};
use crate::kept::MANAGER;
use crate::key::Key;
use crate::owner::is_dying;
use crate::queue::Queue;
use crate::world::World;

/// The `ServiceAccount` of Pods that name none.
const DEFAULT_ACCOUNT: &str = "default";
/// The `ConfigMap` with the API's certificate authority.
const ROOT_CERTIFICATE: &str = "kube-root-ca.crt";

/// The controller; its keys are namespaces.
pub(crate) struct NamespaceContents {
    world: Arc<World>,
    authority: Arc<Authority>,
    queue: Arc<Queue<Key>>,
}

impl NamespaceContents {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, authority: Arc<Authority>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world.namespaces.on_change(move |change| {
            if let (None, Some(namespace)) = (change.old, change.new) {
                add.add(Key::of(&**namespace));
            }
        });
        let add = Arc::clone(&queue);
        world.accounts.on_change(move |change| {
            if let (Some(account), None) = (change.old, change.new)
                && account.metadata.name.as_deref() == Some(DEFAULT_ACCOUNT)
            {
                add.add(Key::new(
                    "",
                    account.metadata.namespace.clone().unwrap_or_default(),
                ));
            }
        });
        let add = Arc::clone(&queue);
        world.others.on_kind(move |kind, cache| {
            if !kind.is("", "ConfigMap") {
                return;
            }
            let add = Arc::clone(&add);
            cache.on_change(move |change| {
                let changed = change
                    .sides()
                    .find(|map| map.metadata.name.as_deref() == Some(ROOT_CERTIFICATE));
                if let Some(map) = changed {
                    add.add(Key::new("", map.metadata.namespace.clone().unwrap_or_default()));
                }
            });
        });
        Arc::new(Self {
            world: Arc::clone(world),
            authority,
            queue,
        })
    }

    async fn ensure_account(&self, namespace: &str) -> Result<(), kube::Error> {
        if self.world.accounts.get(namespace, DEFAULT_ACCOUNT).is_some() {
            return Ok(());
        }
        let account = ServiceAccount {
            metadata: ObjectMeta {
                name: Some(DEFAULT_ACCOUNT.to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        already_is_fine(self.world.accounts.create(&account).await.map(drop))
    }

    async fn ensure_certificate(&self, namespace: &str) -> Result<(), kube::Error> {
        let api: Api<ConfigMap> = Api::namespaced(self.world.client.clone(), namespace);
        let data = BTreeMap::from([("ca.crt".to_owned(), self.authority.certificate_pem().to_owned())]);
        let Some(present) = api.get_opt(ROOT_CERTIFICATE).await? else {
            let map = ConfigMap {
                metadata: ObjectMeta {
                    name: Some(ROOT_CERTIFICATE.to_owned()),
                    ..ObjectMeta::default()
                },
                data: Some(data),
                ..ConfigMap::default()
            };
            return already_is_fine(api.create(&PostParams::default(), &map).await.map(drop));
        };
        if present.data.as_ref() == Some(&data) || is_dying(&present.metadata) {
            return Ok(());
        }
        let patch = Patch::Merge(json!({ "data": data }));
        api.patch(ROOT_CERTIFICATE, &PatchParams::apply(MANAGER), &patch)
            .await
            .map(drop)
    }
}

impl Controller for NamespaceContents {
    type Key = Key;

    const NAME: &'static str = "namespace-contents";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let namespace = self.world.namespaces.by_key(key);
        if namespace.is_none_or(|namespace| is_dying(&namespace.metadata)) {
            return Ok(None);
        }
        let (account, certificate) =
            tokio::join!(self.ensure_account(&key.name), self.ensure_certificate(&key.name));
        account.step("create the default service account")?;
        certificate.step("write the root certificate")?;
        Ok(None)
    }
}

fn already_is_fine(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other,
    }
}
