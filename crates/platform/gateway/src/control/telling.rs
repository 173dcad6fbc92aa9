//! Tells the maintainers of Ingresses what became of them: in the status, and by Events.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::{
    core::v1::Event,
    networking::v1::{Ingress, IngressLoadBalancerIngress},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use toolforge_routing::{ObjectKey, Reason};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    replies::{Reply, StatusIs, Wanted},
    watch::{desired_status, status},
};
use crate::Published;

/// The pause after a failed write, so that an API that is gone is not asked in a loop: nobody waits for a status.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// The shortest time between two writes about one Ingress: while one gateway takes the place of another with another
/// policy, they contradict each other no faster.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest text of an Event, in bytes: what the API takes of newer kinds of Events.
const LONGEST_TEXT: usize = 1000;
/// An Event of that age need not be said again: shorter than a round of repetitions, so that one gateway of several says it.
const LATELY: Duration = Duration::from_mins(15);
/// Who says so.
const COMPONENT: &str = "toolforge-gateway";

/// Tells what comes in, until `shutdown`.
pub(crate) async fn tell(
    client: Client,
    published: Option<Published>,
    mut replies: mpsc::UnboundedReceiver<Reply>,
    shutdown: CancellationToken,
) {
    let teller = Teller {
        client,
        desired: published.as_ref().map(desired_status),
    };
    let mut waiting = Waiting::default();
    loop {
        let next = waiting.next();
        tokio::select! {
            () = shutdown.cancelled() => return,
            reply = replies.recv() => {
                let Some(reply) = reply else { return };
                waiting.put(reply);
            }
            () = until(next) => {}
        }
        while let Some(reply) = waiting.take_due() {
            let told = shutdown.run_until_cancelled(teller.tell(&reply)).await;
            match told {
                None => return,
                Some(true) => {}
                Some(false) => waiting.put_later(reply),
            }
        }
    }
}

/// Until then, or for ever.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then).await,
        None => std::future::pending().await,
    }
}

/// What has still to be told, each Ingress once.
#[derive(Default)]
struct Waiting {
    replies: BTreeMap<ObjectKey, (Instant, Reply)>,
    /// When something was told of an Ingress, for as long as that matters.
    told: HashMap<ObjectKey, Instant>,
}

impl Waiting {
    fn next(&self) -> Option<Instant> {
        self.replies.values().map(|(due, _)| *due).min()
    }

    fn put(&mut self, mut reply: Reply) {
        let now = Instant::now();
        self.told.retain(|_, told| *told + PAUSE > now);
        let due = self.told.get(&reply.key).map_or(now, |told| *told + PAUSE);
        if let Some((_, older)) = self.replies.remove(&reply.key) {
            reply = older.followed_by(reply);
        }
        self.replies.insert(reply.key.clone(), (due, reply));
    }

    fn put_later(&mut self, reply: Reply) {
        let due = Instant::now() + RETRY_PAUSE;
        self.replies.insert(reply.key.clone(), (due, reply));
    }

    fn take_due(&mut self) -> Option<Reply> {
        let now = Instant::now();
        let due = self.replies.iter().find(|(_, (due, _))| *due <= now);
        let key = due.map(|(key, _)| key.clone())?;
        self.told.insert(key.clone(), now);
        self.replies.remove(&key).map(|(_, reply)| reply)
    }
}

struct Teller {
    client: Client,
    /// What the status of a served Ingress says; `None` where nothing is written there.
    desired: Option<IngressLoadBalancerIngress>,
}

impl Teller {
    /// Whether no more is to be done: all is told, or cannot be.
    async fn tell(&self, reply: &Reply) -> bool {
        let Err(error) = self.try_to_tell(reply).await else {
            return true;
        };
        let (namespace, ingress) = (reply.key.namespace.as_str(), reply.key.name.as_str());
        match &error {
            kube::Error::Api(answer) if answer.code == 404 => true,
            kube::Error::Api(answer) if (400..500).contains(&answer.code) => {
                tracing::warn!(namespace, ingress, %error, "the maintainer of an Ingress is not told what became of it");
                true
            }
            _ => {
                tracing::debug!(namespace, ingress, %error, "the maintainer of an Ingress is not told yet what became of it");
                false
            }
        }
    }

    async fn try_to_tell(&self, reply: &Reply) -> Result<(), kube::Error> {
        if let Some(wanted) = reply.status
            && let Some(desired) = &self.desired
        {
            self.write_status(&reply.key, wanted, desired).await?;
        }
        match &reply.reason {
            Some(reason) => self.say(&reply.key, reason).await,
            None => Ok(()),
        }
    }

    async fn write_status(
        &self,
        key: &ObjectKey,
        wanted: Wanted,
        desired: &IngressLoadBalancerIngress,
    ) -> Result<(), kube::Error> {
        let api = self.ingresses(key);
        let entries = match wanted {
            Wanted::Published => json!([desired]),
            Wanted::Withdrawn if status(&api.get(&key.name).await?, desired) == StatusIs::Empty => {
                return Ok(());
            }
            Wanted::Withdrawn => Value::Null,
        };
        let body = json!({ "status": { "loadBalancer": { "ingress": entries } } });
        let patch = Patch::Merge(&body);
        api.patch_status(&key.name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Says it in an Event: the name of an Event follows from what it says, and one that says the same already counts once more,
    /// so that it stays.
    async fn say(&self, key: &ObjectKey, reason: &Reason) -> Result<(), kube::Error> {
        let ingress = self.ingresses(key).get(&key.name).await?;
        let event: Event =
            serde_json::from_value(event(&ingress, key, reason)).map_err(kube::Error::SerdeError)?;
        let events = Api::<Event>::namespaced(self.client.clone(), &key.namespace);
        match events.create(&PostParams::default(), &event).await {
            Err(kube::Error::Api(answer)) if answer.code == 409 => {
                say_again(&events, &event.metadata.name.unwrap_or_default()).await
            }
            created => created.map(|_| ()),
        }
    }

    fn ingresses(&self, key: &ObjectKey) -> Api<Ingress> {
        Api::namespaced(self.client.clone(), &key.namespace)
    }
}

/// Counts an Event once more, unless that was done lately, as by another gateway.
async fn say_again(events: &Api<Event>, name: &str) -> Result<(), kube::Error> {
    let known = events.get(name).await?;
    let last = known.last_timestamp.map_or(Timestamp::MIN, |last| last.0);
    if Timestamp::now().duration_since(last).unsigned_abs() < LATELY {
        return Ok(());
    }
    let again = json!({ "count": known.count.unwrap_or(1).saturating_add(1), "lastTimestamp": now() });
    let patch = Patch::Merge(&again);
    events.patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// As Events have it, to the second.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn event(ingress: &Ingress, key: &ObjectKey, reason: &Reason) -> Value {
    let uid = ingress.uid().unwrap_or_default();
    let generation = ingress.metadata.generation.unwrap_or_default();
    let text = &reason.text[..reason.text.floor_char_boundary(LONGEST_TEXT)];
    let said = xxh3_64(format!("{uid} {generation} {text}").as_bytes());
    let now = now();
    json!({
        "metadata": { "name": format!("{}.{said:016x}", key.name), "namespace": key.namespace },
        "involvedObject": {
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "namespace": key.namespace, "name": key.name,
            "uid": uid, "resourceVersion": ingress.resource_version(),
        },
        "type": "Warning", "reason": reason.word, "message": text,
        "source": { "component": COMPONENT }, "reportingComponent": COMPONENT,
        "firstTimestamp": now, "lastTimestamp": now,
        "count": 1,
    })
}
