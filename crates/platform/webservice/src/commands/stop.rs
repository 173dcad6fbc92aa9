//! `webservice stop`: everything that `start` made goes, and it is gone when this returns.

use std::{collections::BTreeSet, time::Duration};

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Pod, Service},
        networking::v1::Ingress,
    },
};
use kube::{
    Resource,
    api::{DeleteParams, ListParams, PropagationPolicy},
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;

use super::{
    intent::{self, Intent},
    on_grid,
};
use crate::{
    cli::PlainArgs, error::WebserviceError, objects::selectors, roll::DRAIN_SECONDS, session::Session,
    settings::Backend,
};

const DOING: &str = "stopping your webservice";
/// How long the end of its Pods is waited for: what ends when it is told to has gone by then, and who still downloads
/// something needs nobody to wait.
const GONE_PATIENCE: Duration = Duration::from_secs(DRAIN_SECONDS as u64 + 3);

pub(super) async fn run(session: &Session, arguments: &PlainArgs) -> Result<(), WebserviceError> {
    let intent = Intent::of_what_is_there(session, &arguments.settings);
    if intent.backend()? == Backend::Gridengine {
        let was_there = on_grid::stop(session).await?;
        intent::forget(&session.home);
        if was_there {
            anstream::println!("Your webservice is stopped");
        } else {
            anstream::println!("Your webservice is not running");
        }
        return Ok(());
    }
    let was_there = delete_entries(session).await?;
    if !was_there {
        intent::forget(&session.home);
        anstream::println!("Your webservice is not running");
        return Ok(());
    }
    anstream::println!("Stopping webservice...");
    delete_all::<Deployment>(session).await?;
    // Those that a Deployment of long ago left without an owner.
    delete_all::<ReplicaSet>(session).await?;
    intent::forget(&session.home);
    // Those of a start meanwhile are not meant.
    let pods: BTreeSet<Option<String>> = list::<Pod>(session)
        .await?
        .into_iter()
        .map(|pod| pod.metadata.uid)
        .collect();
    let gone = tokio::time::timeout(GONE_PATIENCE, until_gone(session, &pods)).await;
    anstream::println!("Your webservice is stopped");
    if gone.is_err() {
        let mut going = list::<Pod>(session).await?;
        going.retain(|pod| pods.contains(&pod.metadata.uid));
        if let Some(last) = last_end(&going) {
            anstream::eprintln!(
                "No new visitors get to it. What it is still doing has time until {}; its Pods are gone then.",
                last.strftime("%H:%M:%S UTC")
            );
        }
    }
    Ok(())
}

/// When the last of these Pods is ended by force.
fn last_end(going: &[Pod]) -> Option<Timestamp> {
    let ends = going
        .iter()
        .filter_map(|pod| pod.metadata.deletion_timestamp.as_ref());
    ends.map(|time| time.0).max()
}

/// Takes all of it away, without waiting for its end.
pub(super) async fn take_away(session: &Session) -> Result<(), WebserviceError> {
    delete_entries(session).await?;
    delete_all::<Deployment>(session).await?;
    Ok(())
}

/// Takes away what leads visitors to it; whether anything of it was there.
async fn delete_entries(session: &Session) -> Result<bool, WebserviceError> {
    let deployments = list::<Deployment>(session).await?.len();
    let ingresses = delete_all::<Ingress>(session).await?;
    let services = delete_all::<Service>(session).await?;
    Ok(deployments + ingresses + services > 0)
}

async fn list<K>(session: &Session) -> Result<Vec<K>, WebserviceError>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let mut found = Vec::new();
    for selector in selectors() {
        let parameters = ListParams::default().labels(&selector);
        let listed = session.api::<K>().list(&parameters).await;
        found.extend(listed.map_err(WebserviceError::api(DOING))?.items);
    }
    Ok(found)
}

async fn delete_all<K>(session: &Session) -> Result<usize, WebserviceError>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let found = list::<K>(session).await?;
    let options = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    for object in &found {
        let name = object.meta().name.as_deref().unwrap_or_default();
        match session.api::<K>().delete(name, &options).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            deleted => drop(deleted.map_err(WebserviceError::api(DOING))?),
        }
    }
    Ok(found.len())
}

/// Until none of these Pods is left.
async fn until_gone(session: &Session, pods: &BTreeSet<Option<String>>) {
    for selector in selectors() {
        until_none_of(session, &selector, pods).await;
    }
}

async fn until_none_of(session: &Session, selector: &str, meant: &BTreeSet<Option<String>>) {
    let config = watcher::Config::default().labels(selector);
    let mut events = toolforge_watch::watch(session.api::<Pod>(), config);
    let (mut pods, mut complete) = (BTreeSet::new(), false);
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => {
                pods.clear();
                complete = false;
            }
            Ok(Event::InitApply(pod) | Event::Apply(pod)) => {
                if meant.contains(&pod.metadata.uid) {
                    pods.insert(pod.metadata.uid);
                }
            }
            Ok(Event::InitDone) => complete = true,
            Ok(Event::Delete(pod)) => {
                pods.remove(&pod.metadata.uid);
            }
            // The watcher tries again by itself.
            Err(_) => {}
        }
        if complete && pods.is_empty() {
            return;
        }
    }
}
