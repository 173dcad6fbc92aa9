//! One start of a container, from its description to its end.

use std::{net::Ipv4Addr, sync::Arc};

use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod, Secret};
use kube::{Api, Client};
use tokio::sync::mpsc;

use super::{
    last_words,
    surroundings::{HOST_ADDRESS, Shared},
};
use crate::{
    environment::{self, Facts, Sources, Wanted},
    life::Happened,
    runtime::{ContainerId, ContainerPlace, CreateError, CreateRequest, Runtime, Stop},
    volumes::{self, TerminationMessage},
};

/// The policy of containers whose log is told when they fail.
const FALLBACK: &str = "FallbackToLogsOnError";

/// What is to be started.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) pod: Arc<Pod>,
    pub(super) index: usize,
    pub(super) container: Container,
    pub(super) attempt: u32,
    pub(super) address: Ipv4Addr,
}

/// Creates and starts a container and stays with it until it has ended; tells of each step.
pub(super) async fn launch<R: Runtime>(shared: Arc<Shared<R>>, launch: Launch, tell: mpsc::Sender<Happened>) {
    let index = launch.index;
    let falls_back = launch.container.termination_message_policy.as_deref() == Some(FALLBACK);
    let Created { id, place, words } = match create(&shared, launch).await {
        Ok(created) => created,
        Err(CreateError(message)) => return say(&tell, Happened::NotCreated { index, message }).await,
    };
    if let Err(error) = shared.runtime.start(&id).await {
        return say(
            &tell,
            Happened::NotStarted {
                index,
                message: error.to_string(),
            },
        )
        .await;
    }
    if tell
        .send(Happened::Started {
            index,
            id: id.as_str().to_owned(),
        })
        .await
        .is_err()
    {
        // The node stopped meanwhile, and nobody else knows of this container.
        shared.runtime.stop(&id, Stop::Force);
    }
    let exit = shared.runtime.wait(&id).await;
    let mut message = words.and_then(|words| words.read());
    if message.is_none() && falls_back && exit.code != 0 {
        message = last_words::of(&shared.logs, &place).await;
    }
    say(&tell, Happened::Ended { index, exit, message }).await;
}

/// The Pod's task is there for longer than its containers; when it is not, nobody wants to know.
async fn say(tell: &mpsc::Sender<Happened>, happened: Happened) {
    let _ = tell.send(happened).await;
}

/// A container that can be started.
struct Created {
    id: ContainerId,
    place: ContainerPlace,
    /// Where it leaves its last words.
    words: Option<TerminationMessage>,
}

async fn create<R: Runtime>(shared: &Shared<R>, launch: Launch) -> Result<Created, CreateError> {
    let Launch {
        pod,
        container,
        attempt,
        address,
        ..
    } = launch;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let metadata = &pod.metadata;
    let place = ContainerPlace {
        namespace: text(&metadata.namespace),
        pod: text(&metadata.name),
        pod_uid: text(&metadata.uid),
        container: container.name.clone(),
        attempt,
    };
    let sources = read(&shared.client, &place.namespace, &Wanted::of(&container)).await?;
    let facts = Facts {
        pod: &pod,
        pod_ip: address,
        host_ip: HOST_ADDRESS,
        machine: shared.machine,
    };
    let environment = environment::resolve(&container, facts, &sources)?;
    let mut mounts = volumes::mounts(&pod, &container, &environment, &shared.folders)?;
    let words = TerminationMessage::make(&shared.folders, &pod, &container, &place, &mounts);
    mounts.extend(words.as_ref().map(TerminationMessage::mount));
    let output = shared.logs.create(&place);
    let output = output.map_err(|error| CreateError(format!("its log cannot be created: {error}")))?;
    let spec = pod.spec.as_ref();
    let hostname = spec
        .and_then(|spec| spec.hostname.clone())
        .unwrap_or_else(|| place.pod.clone());
    let request = CreateRequest {
        container,
        environment,
        pod_security: spec
            .and_then(|spec| spec.security_context.clone())
            .unwrap_or_default(),
        mounts,
        address,
        hostname,
        output,
        place: place.clone(),
    };
    let created = shared.runtime.create(request).await;
    if created.is_err() {
        shared.logs.discard(&place);
    }
    Ok(Created {
        id: created?,
        place,
        words,
    })
}

async fn read(client: &Client, namespace: &str, wanted: &Wanted) -> Result<Sources, CreateError> {
    let mut sources = Sources::default();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    for name in &wanted.config_maps {
        let found = maps.get_opt(name).await;
        let found = found.map_err(|error| unreadable("configmap", name, &error))?;
        sources.config_maps.extend(found.map(|map| (name.clone(), map)));
    }
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    for name in &wanted.secrets {
        let found = secrets.get_opt(name).await;
        let found = found.map_err(|error| unreadable("secret", name, &error))?;
        sources.secrets.extend(found.map(|secret| (name.clone(), secret)));
    }
    Ok(sources)
}

fn unreadable(kind: &str, name: &str, error: &kube::Error) -> CreateError {
    CreateError(format!("{kind} \"{name}\" cannot be read: {error}"))
}
