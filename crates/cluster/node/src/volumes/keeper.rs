//! The task of one Pod's volumes: fills them, says when they are there, and follows what they show.

use std::{collections::HashMap, io, net::Ipv4Addr, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::select_all};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Volume};
use kube::Client;
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use super::{
    VolumeFolders, host,
    objects::{Followed, Latest, Objects},
    payload::{Payload, Problem, Sources, Wanted, group_of, payload, tokens},
    token::Tokens,
    writer::write,
};
use crate::{environment::Facts, life::Happened};

/// The first and the longest pause between tries of what nothing tells the mending of; kubelet's.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(122);

/// What the keeper of a Pod's volumes works with.
pub(crate) struct Keep {
    pub(crate) client: Client,
    pub(crate) folders: Arc<VolumeFolders>,
    pub(crate) objects: Arc<Objects>,
    pub(crate) pod_ip: Ipv4Addr,
    pub(crate) host_ip: Ipv4Addr,
    /// CPU of the machine in thousandths and memory in bytes.
    pub(crate) machine: (i128, i128),
}

/// Keeps the volumes of a Pod for as long as it is not dropped. `pod` brings later versions of the Pod; `tell` hears
/// once that all volumes are there, and of each problem once.
pub(crate) async fn keep(with: Keep, mut pod: watch::Receiver<Arc<Pod>>, tell: mpsc::Sender<Happened>) {
    let first = pod.borrow_and_update().clone();
    let mut keeper = Keeper::new(with, &first);
    let (mut told, mut ready, mut pause) = (None, false, FIRST_PAUSE);
    loop {
        let present = pod.borrow_and_update().clone();
        let problem = keeper.round(&present).await;
        // Once ready is ready for good: a Secret that is deleted later stays in its volume as it was.
        let outcome = match &problem {
            Some(Problem::NotYet) => None,
            Some(Problem::Failed { message, .. }) => Some(Happened::VolumesFailed {
                message: message.clone(),
            }),
            None => (!ready).then_some(Happened::VolumesReady),
        };
        ready |= problem.is_none();
        if let Some(outcome) = outcome.filter(|outcome| told.as_ref() != Some(outcome)) {
            told = Some(outcome.clone());
            if tell.send(outcome).await.is_err() {
                return;
            }
        }
        let retry = matches!(problem, Some(Problem::Failed { retry: true, .. })).then_some(pause);
        pause = if retry.is_some() {
            (pause * 2).min(LONGEST_PAUSE)
        } else {
            FIRST_PAUSE
        };
        let wake = [retry, keeper.until_renewal()].into_iter().flatten().min();
        tokio::select! {
            () = keeper.sources.changed() => {}
            changed = pod.changed() => if changed.is_err() { return },
            () = pause_for(wake) => {}
        }
    }
}

async fn pause_for(wake: Option<Duration>) {
    match wake {
        Some(pause) => sleep_until(Instant::now() + pause).await,
        None => std::future::pending().await,
    }
}

/// One kind of objects that the volumes show, by name.
#[derive(Debug)]
struct Shown<K> {
    followed: Vec<(String, Arc<Followed<K>>, Latest<K>)>,
}

impl<K> Shown<K> {
    fn new(followed: impl Iterator<Item = (String, Arc<Followed<K>>)>) -> Self {
        let followed = followed.map(|(name, followed)| {
            let latest = followed.latest();
            (name, followed, latest)
        });
        Self {
            followed: followed.collect(),
        }
    }

    fn known(&mut self) -> std::collections::BTreeMap<String, Option<Arc<K>>> {
        let known = self.followed.iter_mut();
        known
            .filter_map(|(name, _, latest)| Some((name.clone(), latest.borrow_and_update().clone()?)))
            .collect()
    }
}

/// All objects that the volumes show.
#[derive(Debug)]
struct Watched {
    config_maps: Shown<ConfigMap>,
    secrets: Shown<Secret>,
}

impl Watched {
    /// Waits until one of them changes.
    async fn changed(&mut self) {
        let maps = self
            .config_maps
            .followed
            .iter_mut()
            .map(|(.., latest)| next(latest).boxed());
        let secrets = self
            .secrets
            .followed
            .iter_mut()
            .map(|(.., latest)| next(latest).boxed());
        let all: Vec<_> = maps.chain(secrets).collect();
        if all.is_empty() {
            return std::future::pending().await;
        }
        select_all(all).await;
    }
}

async fn next<K: Send + Sync>(latest: &mut Latest<K>) {
    if latest.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Keeper {
    with: Keep,
    uid: String,
    group: Option<u32>,
    volumes: Vec<Volume>,
    sources: Watched,
    tokens: Tokens,
    /// What was written last, by volume; scratch space and host paths as nothing.
    done: HashMap<String, Payload>,
}

impl Keeper {
    fn new(with: Keep, pod: &Pod) -> Self {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let volumes = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.volumes.clone())
            .unwrap_or_default();
        // Without mounts only paths of the machine are looked at; the runtime refuses the others.
        let possible = with.folders.can_mount();
        let volumes: Vec<Volume> = volumes
            .into_iter()
            .filter(|volume| possible || volume.host_path.is_some())
            .collect();
        let wanted = Wanted::of(&volumes);
        let maps = wanted.config_maps.into_iter().map(|name| {
            let followed = with.objects.config_map(namespace, &name);
            (name, followed)
        });
        let config_maps = Shown::new(maps);
        let secrets = wanted.secrets.into_iter().map(|name| {
            let followed = with.objects.secret(namespace, &name);
            (name, followed)
        });
        let secrets = Shown::new(secrets);
        Self {
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            group: group_of(pod),
            volumes,
            sources: Watched { config_maps, secrets },
            tokens: Tokens::default(),
            done: HashMap::new(),
            with,
        }
    }

    /// Brings all volumes up to date. Answers the first problem that is more than "not yet known".
    async fn round(&mut self, pod: &Arc<Pod>) -> Option<Problem> {
        let mut problems = Vec::new();
        let volumes = std::mem::take(&mut self.volumes);
        let mut known = Sources {
            config_maps: self.sources.config_maps.known(),
            secrets: self.sources.secrets.known(),
            ..Sources::default()
        };
        for volume in &volumes {
            for projection in tokens(volume) {
                let renewed = self
                    .tokens
                    .renew(&self.with.client, pod, projection, Timestamp::now())
                    .await;
                problems.extend(renewed.err().map(|problem| of(volume, problem)));
            }
        }
        known.tokens = self.tokens.texts();
        for volume in &volumes {
            let done = self.bring(volume, &known, pod).await;
            problems.extend(done.err().map(|problem| of(volume, problem)));
        }
        self.volumes = volumes;
        let worst = problems.iter().position(|problem| *problem != Problem::NotYet);
        (!problems.is_empty()).then(|| problems.swap_remove(worst.unwrap_or(0)))
    }

    async fn bring(&mut self, volume: &Volume, known: &Sources, pod: &Pod) -> Result<(), Problem> {
        let facts = Facts {
            pod,
            pod_ip: self.with.pod_ip,
            host_ip: self.with.host_ip,
            machine: self.with.machine,
        };
        let Some(files) = payload(volume, known, facts) else {
            return self.bring_place(volume).await;
        };
        let files = files?;
        if self.done.get(&volume.name) == Some(&files) {
            return Ok(());
        }
        let (folders, uid, name, group) = (
            self.with.folders.clone(),
            self.uid.clone(),
            volume.name.clone(),
            self.group,
        );
        let content = files.clone();
        blocking(move || {
            let folder = folders.make_for_files(&uid, &name)?;
            write(&folder, &content, group, Timestamp::now())
        })
        .await?;
        self.done.insert(volume.name.clone(), files);
        Ok(())
    }

    /// A volume that nothing is written into.
    async fn bring_place(&mut self, volume: &Volume) -> Result<(), Problem> {
        if self.done.contains_key(&volume.name) {
            return Ok(());
        }
        if let Some(host) = volume.host_path.clone() {
            blocking(move || host::prepare(&host).map_err(io::Error::other)).await?;
        } else if let Some(source) = volume.empty_dir.clone() {
            let (folders, uid, name, group) = (
                self.with.folders.clone(),
                self.uid.clone(),
                volume.name.clone(),
                self.group,
            );
            blocking(move || folders.make_scratch(&uid, &name, &source, group)).await?;
        }
        // Any other kind is refused with the container that mounts it.
        self.done.insert(volume.name.clone(), Payload::new());
        Ok(())
    }

    fn until_renewal(&self) -> Option<Duration> {
        let left = self.tokens.renew_at()?.duration_since(Timestamp::now());
        // At least a second, so that a clock that was set back or a token of no life keeps nobody busy.
        Some(
            Duration::try_from(left)
                .unwrap_or_default()
                .max(Duration::from_secs(1)),
        )
    }
}

/// A problem as people know it from kubelet.
fn of(volume: &Volume, problem: Problem) -> Problem {
    match problem {
        Problem::NotYet => Problem::NotYet,
        Problem::Failed { message, retry } => Problem::Failed {
            message: format!(
                "MountVolume.SetUp failed for volume \"{}\" : {message}",
                volume.name
            ),
            retry,
        },
    }
}

async fn blocking(act: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), Problem> {
    match spawn_blocking(act).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Problem::to_retry(error.to_string())),
        Err(_) => Err(Problem::NotYet),
    }
}
