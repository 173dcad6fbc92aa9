//! Keeps the webhook configurations as they should be: an authority that was renewed, a rule that was loosened, a
//! condition that somebody added are put right as soon as they are seen.
//!
//! It watches its two objects by name and needs no rights on others. It does not make them: who takes them away has
//! all rights anyhow, and who sets the platform up puts them there (`toolforge manifests`). The list of webhooks is written
//! whole, by a merge patch: server-side apply would leave in place what others have added, such as a condition under
//! which a guard is not asked.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::webhooks::{CONFIGURATION_NAME, ClientConfigBase, webhook_configurations};

/// After this long a repair that failed is tried again: the API answers, or it is down and nothing is written anyhow.
const RETRY: Duration = Duration::from_secs(5);
/// Who repairs, in `managedFields`.
const MANAGER: &str = "toolforge-admission";

/// What the configurations should say.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Where Kubernetes reaches the webhook server.
    pub base: ClientConfigBase,
    /// The authority of its certificate.
    pub authority: AuthoritySource,
    /// Whether the Pod security guard stands before all namespaces but the exempt ones.
    pub pods_everywhere: bool,
}

/// Where the authority of the server's certificate is known from.
#[derive(Clone, Debug)]
pub enum AuthoritySource {
    /// It is this one, in PEM.
    Pem(String),
    /// It is what this file holds, in PEM; read again at each look.
    File(PathBuf),
}

impl Registration {
    fn desired(&self) -> std::io::Result<Vec<Value>> {
        let pem = match &self.authority {
            AuthoritySource::Pem(pem) => pem.clone(),
            AuthoritySource::File(path) => std::fs::read_to_string(path)?,
        };
        Ok(webhook_configurations(&self.base, &pem, self.pods_everywhere))
    }
}

/// The two objects, in the order of [`webhook_configurations`], as they were last seen.
struct Keeper {
    registration: Registration,
    apis: [Api<DynamicObject>; 2],
    seen: [Option<Value>; 2],
}

/// Keeps the configurations right until `shutdown`. A message on `changed` says that the authority may have changed.
///
/// The client must be allowed to get, list, watch and patch the two objects of this name.
pub async fn keep_configurations(
    client: Client,
    registration: Registration,
    mut changed: tokio::sync::watch::Receiver<()>,
    shutdown: CancellationToken,
) {
    let resources = [
        ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        ApiResource::erase::<MutatingWebhookConfiguration>(&()),
    ];
    let apis = resources.map(|resource| Api::all_with(client.clone(), &resource));
    let mut events = pin!(futures::stream::select(events(&apis[0], 0), events(&apis[1], 1)));
    let mut keeper = Keeper {
        registration,
        apis,
        seen: [None, None],
    };
    let mut failed = false;
    let mut renewable = true;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some((which, event)) = events.next() => match event {
                Ok(event) => keeper.hear(which, event),
                Err(error) => {
                    tracing::warn!(%error, "the webhook configurations cannot be watched; trying again");
                    continue;
                }
            },
            renewed = changed.changed(), if renewable => renewable = renewed.is_ok(),
            () = tokio::time::sleep(RETRY), if failed => {}
        }
        failed = !keeper.repair().await;
    }
}

fn events(
    api: &Api<DynamicObject>,
    which: usize,
) -> impl Stream<Item = (usize, Result<Event<DynamicObject>, watcher::Error>)> + use<> {
    let mine = watcher::Config::default().fields(&format!("metadata.name={CONFIGURATION_NAME}"));
    watch(api.clone(), mine)
        .default_backoff()
        .map(move |event| (which, event))
}

impl Keeper {
    fn hear(&mut self, which: usize, event: Event<DynamicObject>) {
        match event {
            Event::Apply(mut object) | Event::InitApply(mut object) => {
                self.seen[which] = Some(object.data["webhooks"].take());
            }
            Event::Delete(_) => {
                self.seen[which] = None;
                tracing::error!("a webhook configuration was removed: the guards in it are asked no longer");
            }
            Event::Init => self.seen[which] = None,
            Event::InitDone if self.seen[which].is_none() => {
                tracing::warn!("a webhook configuration is missing; apply what `toolforge manifests` prints");
            }
            Event::InitDone => {}
        }
    }

    /// Puts right what differs; whether all is right now.
    async fn repair(&mut self) -> bool {
        let desired = match self.registration.desired() {
            Ok(desired) => desired,
            Err(error) => {
                tracing::warn!(%error, "the authority of the webhooks cannot be read");
                return false;
            }
        };
        let mut right = true;
        for ((api, seen), desired) in self.apis.iter().zip(&mut self.seen).zip(desired) {
            let desired = &desired["webhooks"];
            if seen.as_ref().is_none_or(|seen| seen == desired) {
                continue;
            }
            let patch = Patch::Merge(json!({ "webhooks": desired }));
            let parameters = PatchParams {
                field_manager: Some(MANAGER.to_owned()),
                ..PatchParams::default()
            };
            match api.patch(CONFIGURATION_NAME, &parameters, &patch).await {
                Ok(mut object) => {
                    tracing::info!("a webhook configuration had drifted, and is right again");
                    *seen = Some(object.data["webhooks"].take());
                }
                Err(error) => {
                    tracing::warn!(%error, "a webhook configuration cannot be put right; trying again");
                    right = false;
                }
            }
        }
        right
    }
}
