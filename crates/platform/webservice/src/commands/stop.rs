//! `webservice stop`: everything that `start` made goes, and it is gone when this returns.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service},
    networking::v1::Ingress,
};
use kube::{
    Api, Resource,
    api::{DeleteParams, ListParams, PropagationPolicy},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use crate::{error::WebserviceError, exit::Exit, objects::selector, session::Session};

const DOING: &str = "stopping your webservice";
/// The grace of a Pod (30 s, Kubernetes' default) and time to tidy up.
const GONE_PATIENCE: Duration = Duration::from_secs(40);

pub(super) async fn run(session: &Session) -> Result<(), WebserviceError> {
    let parameters = ListParams::default().labels(&selector());
    let deployments = session.api::<Deployment>();
    let found = deployments
        .list(&parameters)
        .await
        .map_err(WebserviceError::api(DOING))?;
    let ingresses = delete_all(&session.api::<Ingress>(), &parameters).await?;
    let services = delete_all(&session.api::<Service>(), &parameters).await?;
    if found.items.is_empty() && ingresses + services == 0 {
        anstream::println!("Your webservice is not running");
        return Ok(());
    }
    anstream::eprintln!("Stopping webservice...");
    delete_all(&deployments, &parameters).await?;
    tokio::time::timeout(GONE_PATIENCE, until_gone(session))
        .await
        .map_err(|_| WebserviceError::DoesNotServe {
            exit: Exit::Time,
            sentence: format!(
                "Its Pods are still there after {} s; `kubectl get pods` shows them.",
                GONE_PATIENCE.as_secs()
            ),
        })?;
    anstream::println!("Your webservice is stopped");
    Ok(())
}

async fn delete_all<K>(api: &Api<K>, parameters: &ListParams) -> Result<usize, WebserviceError>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let found = api.list(parameters).await.map_err(WebserviceError::api(DOING))?;
    let options = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    for object in &found.items {
        let name = object.meta().name.as_deref().unwrap_or_default();
        match api.delete(name, &options).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            deleted => drop(deleted.map_err(WebserviceError::api(DOING))?),
        }
    }
    Ok(found.items.len())
}

/// Until no Pod of the webservice is left.
async fn until_gone(session: &Session) {
    let config = watcher::Config::default().labels(&selector());
    let mut events = watcher(session.api::<Pod>(), config).default_backoff().boxed();
    let (mut pods, mut complete) = (std::collections::HashSet::new(), false);
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => {
                pods.clear();
                complete = false;
            }
            Ok(Event::InitApply(pod) | Event::Apply(pod)) => {
                pods.insert(pod.metadata.uid);
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
