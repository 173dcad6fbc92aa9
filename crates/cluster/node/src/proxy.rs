//! Services: what connects to a cluster IP reaches a ready Pod.
//!
//! There is no packet filter: the node listens on each Service's own loopback address and relays. `table` says what
//! should be listened on and where it leads, `relay` does it, and this file follows the API.

mod relay;
mod table;

use std::{collections::HashMap, fmt::Debug, sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::{
    Api, Client, Resource,
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::address::Network;
use relay::Relays;
use table::table;

/// Pauses between tries to listen on an address that somebody else holds.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Objects by namespace and name, as last seen.
#[derive(Debug)]
struct Known<K> {
    there: HashMap<(String, String), Arc<K>>,
    /// What a list that is under way has brought so far.
    listed: Option<HashMap<(String, String), Arc<K>>>,
    complete: bool,
}

impl<K: Resource> Known<K> {
    fn new() -> Self {
        Self {
            there: HashMap::new(),
            listed: None,
            complete: false,
        }
    }

    fn take(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.listed = Some(HashMap::new()),
            Event::InitApply(object) => {
                self.listed
                    .get_or_insert_default()
                    .insert(key(&object), Arc::new(object));
            }
            Event::InitDone => {
                self.there = self.listed.take().unwrap_or_default();
                self.complete = true;
            }
            Event::Apply(object) => {
                self.there.insert(key(&object), Arc::new(object));
            }
            Event::Delete(object) => {
                self.there.remove(&key(&object));
            }
        }
    }
}

fn key<K: Resource>(object: &K) -> (String, String) {
    let metadata = object.meta();
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

/// Relays until `shutdown`.
pub(crate) async fn run(client: Client, network: Network, shutdown: CancellationToken) {
    let mut services = follow::<Service>(client.clone());
    let mut slices = follow::<EndpointSlice>(client);
    let (mut known_services, mut known_slices) = (Known::new(), Known::new());
    let mut relays = Relays::new(shutdown.clone());
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some(event) = services.next() => known_services.take(event),
            Some(event) = slices.next() => known_slices.take(event),
            // Nothing tells when somebody else gives up an address.
            () = sleep(pause), if relays.are_incomplete() => {}
            else => return,
        }
        // Half of the picture would close what is in use.
        if known_services.complete && known_slices.complete {
            let wanted = table(
                network,
                known_services.there.values(),
                known_slices.there.values(),
            );
            relays.set(wanted).await;
        }
        pause = if relays.are_incomplete() {
            (pause * 2).min(LONGEST_PAUSE)
        } else {
            FIRST_PAUSE
        };
    }
}

/// Follows all objects of a kind; errors are tried again with growing pauses.
fn follow<K>(client: Client) -> futures::stream::BoxStream<'static, Event<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let events = toolforge_watch::watch(Api::<K>::all(client), watcher::Config::default());
    events
        .inspect_err(|error| tracing::debug!(%error, "a watch for Services is interrupted"))
        .filter_map(|event| futures::future::ready(event.ok()))
        .boxed()
}
