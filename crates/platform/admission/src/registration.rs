//! Keeps the webhook configurations as they should be: an authority that was renewed, a rule that was loosened, a
//! condition that somebody added are put right as soon as they are seen.
//!
//! It watches its two objects by name and needs no rights on others. It does not make them: who takes them away has
//! all rights anyhow, and who sets the platform up puts them there (`toolforge manifests`). The list of webhooks is written
//! whole, by a merge patch: server-side apply would leave in place what others have added, such as a condition under
//! which a guard is not asked.

use std::pin::pin;
use std::time::Duration;

use base64::Engine as _;
use futures::{Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolforge_certificates::Authorities;

use crate::bundle::{Bundle, Der, RETIRED};
use crate::webhooks::{CONFIGURATION_NAME, ClientConfigBase, Reach, webhook_configurations};

/// After this long a repair that failed is tried again: the API answers, or it is down and nothing is written anyhow.
const RETRY: Duration = Duration::from_secs(5);
/// The shortest time between two repairs. Replicas under different policies, as while one takes the place of the other, would
/// else write against each other as fast as they can.
const PACE: Duration = Duration::from_secs(1);
/// Who repairs, in `managedFields`.
const MANAGER: &str = "toolforge-admission";

/// The longest sleep until an authority goes: the wall clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// What the configurations should say.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Where Kubernetes reaches the webhook server.
    pub base: ClientConfigBase,
    /// The authorities of its certificate. While they are not known, those that the configurations have stay.
    pub authorities: Authorities,
    /// Told of them as soon as both configurations trust them: a certificate of theirs may be presented from then on.
    pub registered: watch::Sender<Option<String>>,
    /// How long an authority that is replaced stays beside the new one: as long as a certificate of it may be presented.
    pub retired_kept: Duration,
    /// Before which namespaces the guards stand.
    pub reach: Reach,
}

/// What was last seen of one of the objects.
#[derive(Debug, Default)]
struct Seen {
    webhooks: Value,
    bundle: Bundle,
    /// The annotation, as it is written there.
    note: Option<String>,
    revision: Option<String>,
}

impl Seen {
    fn of(mut object: DynamicObject) -> Self {
        let webhooks = object.data["webhooks"].take();
        let note = object.metadata.annotations.unwrap_or_default().remove(RETIRED);
        let retired = note.as_deref().and_then(|note| serde_json::from_str(note).ok());
        let mut authorities: Vec<Der> = Vec::new();
        for authority in webhooks.as_array().into_iter().flatten().flat_map(trusted_by) {
            if !authorities.contains(&authority) {
                authorities.push(authority);
            }
        }
        Self {
            webhooks,
            bundle: Bundle {
                authorities,
                retired: retired.unwrap_or_default(),
            },
            note,
            revision: object.metadata.resource_version,
        }
    }
}

/// The authorities in a webhook's bundle; none, where there is nothing to be read.
fn trusted_by(webhook: &Value) -> Vec<Der> {
    let bundle = webhook.pointer("/clientConfig/caBundle").and_then(Value::as_str);
    bundle
        .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|pem| toolforge_pki::read_bundle(&pem).ok())
        .unwrap_or_default()
}

/// The two objects, in the order of [`webhook_configurations`], as they were last seen.
struct Keeper {
    registration: Registration,
    apis: [Api<DynamicObject>; 2],
    seen: [Option<Seen>; 2],
    /// Whether the last repair wrote something.
    wrote: bool,
}

/// Keeps the configurations right until `shutdown`.
///
/// The client must be allowed to get, list, watch and patch the two objects of this name.
pub async fn keep_configurations(client: Client, registration: Registration, shutdown: CancellationToken) {
    let resources = [
        ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        ApiResource::erase::<MutatingWebhookConfiguration>(&()),
    ];
    let apis = resources.map(|resource| Api::all_with(client.clone(), &resource));
    let mut events = pin!(futures::stream::select(events(&apis[0], 0), events(&apis[1], 1)));
    let mut authorities = registration.authorities.clone();
    let mut keeper = Keeper {
        registration,
        apis,
        seen: [None, None],
        wrote: false,
    };
    let mut failed = false;
    loop {
        let pause = if failed { RETRY } else { keeper.pause() };
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some((which, event)) = events.next() => match event {
                Ok(event) => keeper.hear(which, event),
                Err(error) => {
                    tracing::warn!(%error, "the webhook configurations cannot be watched; trying again");
                    continue;
                }
            },
            () = authorities.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
        failed = !keeper.repair().await;
        if keeper.wrote {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(PACE) => {}
            }
        }
    }
}

fn events(
    api: &Api<DynamicObject>,
    which: usize,
) -> impl Stream<Item = (usize, Result<Event<DynamicObject>, watcher::Error>)> + use<> {
    let mine = watcher::Config::default().fields(&format!("metadata.name={CONFIGURATION_NAME}"));
    toolforge_watch::watch(api.clone(), mine).map(move |event| (which, event))
}

impl Keeper {
    fn hear(&mut self, which: usize, event: Event<DynamicObject>) {
        match event {
            Event::Apply(object) | Event::InitApply(object) => self.seen[which] = Some(Seen::of(object)),
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

    /// How long nothing changes by itself.
    fn pause(&self) -> Duration {
        let ends = self
            .seen
            .iter()
            .flatten()
            .filter_map(|seen| seen.bundle.next_end());
        ends.min()
            .map_or(LONGEST_SLEEP, |end| {
                Duration::try_from(end.duration_since(Timestamp::now())).unwrap_or_default()
            })
            .min(LONGEST_SLEEP)
    }

    /// Puts right what differs; whether all is right now.
    async fn repair(&mut self) -> bool {
        let pem = self.registration.authorities.pem();
        let known = pem
            .as_deref()
            .and_then(|pem| toolforge_pki::read_bundle(pem).ok());
        // In whole seconds, as it is written down.
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
        let (mut right, mut trusted) = (true, true);
        self.wrote = false;
        for (which, api) in self.apis.iter().enumerate() {
            let Some(seen) = &mut self.seen[which] else {
                trusted = false;
                continue;
            };
            let current = known.as_ref().unwrap_or(&seen.bundle.authorities);
            let kept =
                SignedDuration::try_from(self.registration.retired_kept).unwrap_or(SignedDuration::MAX);
            let bundle = seen.bundle.with(current, now, kept);
            let desired = desired(&self.registration, &bundle, which);
            let note = bundle.note();
            if seen.webhooks == desired && seen.note == note {
                continue;
            }
            // Only if it is as it was seen: another replica may be ahead.
            let change = json!({
                "metadata": { "annotations": { RETIRED: note }, "resourceVersion": seen.revision },
                "webhooks": desired,
            });
            let parameters = PatchParams {
                field_manager: Some(MANAGER.to_owned()),
                ..PatchParams::default()
            };
            match api
                .patch(CONFIGURATION_NAME, &parameters, &Patch::Merge(change))
                .await
            {
                Ok(object) => {
                    tracing::info!("a webhook configuration had drifted, and is right again");
                    *seen = Seen::of(object);
                    self.wrote = true;
                }
                Err(kube::Error::Api(status)) if status.is_conflict() => {
                    tracing::debug!("a webhook configuration has changed meanwhile; the watch tells how");
                    trusted = false;
                }
                Err(error) => {
                    tracing::warn!(%error, "a webhook configuration cannot be put right; trying again");
                    (right, trusted) = (false, false);
                }
            }
        }
        if trusted {
            self.registration.registered.send_if_modified(|registered| {
                let is_new = *registered != pem;
                *registered = pem;
                is_new
            });
        }
        right
    }
}

/// The webhooks of one of the objects.
fn desired(registration: &Registration, bundle: &Bundle, which: usize) -> Value {
    let pem = toolforge_pki::write_bundle(bundle.authorities.iter().map(Vec::as_slice));
    let pem = (!pem.is_empty()).then_some(pem.as_str());
    let mut configurations = webhook_configurations(&registration.base, pem, &registration.reach);
    configurations[which]["webhooks"].take()
}
