//! The controller of `HorizontalPodAutoscalers`: runs for one when it changes, and every quarter of a minute, since nobody
//! tells of figures that change.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{CrossVersionObjectReference, HorizontalPodAutoscaler};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use parking_lot::Mutex;

use super::behavior::History;
use super::figures::{Figures, ask};
use super::plan::{Observed, Scaled, plan};
use super::sources::needs_figures;
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine, text_of};
use crate::events::Recorder;
use crate::kept::MANAGER;
use crate::key::Key;
use crate::queue::Queue;
use crate::world::World;

const COMPONENT: &str = "horizontal-pod-autoscaler";
/// How often figures are looked at: Kubernetes' `--horizontal-pod-autoscaler-sync-period`.
const SYNC_PERIOD: Duration = Duration::from_secs(15);

/// The controller.
pub(crate) struct Autoscalers {
    world: Arc<World>,
    recorder: Recorder,
    queue: Arc<Queue<Key>>,
    /// What was recommended and done; as in Kubernetes it begins anew with the program.
    histories: Mutex<HashMap<Key, History>>,
}

impl Autoscalers {
    /// Registers for changes. What this controller writes itself, the status, is none.
    pub(crate) fn new(world: &Arc<World>, recorder: &Recorder) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world.autoscalers.on_change(move |change| {
            let spec = |side: Option<&Arc<HorizontalPodAutoscaler>>| side.map(|one| one.spec.clone());
            if spec(change.old) != spec(change.new) {
                change.sides().for_each(|one| add.add(Key::of(&**one)));
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            recorder: recorder.clone(),
            queue,
            histories: Mutex::default(),
        })
    }

    /// The API of the target's kind, if it is served.
    fn target(
        &self,
        namespace: &str,
        of: &CrossVersionObjectReference,
    ) -> Result<Api<DynamicObject>, String> {
        let version = of.api_version.as_deref().unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let served = self
            .world
            .served_kind(group, &of.kind)
            .filter(|served| served.namespaced);
        let served = served.ok_or_else(|| format!("no matches for kind {:?} in group {group:?}", of.kind))?;
        let client = self.world.client.clone();
        Ok(Api::namespaced_with(client, namespace, &served.resource))
    }

    /// The Pods that are scaled, and what they use.
    async fn pods(&self, namespace: &str, selector: &str) -> Result<(Vec<Arc<Pod>>, Figures), String> {
        let api: Api<Pod> = Api::namespaced(self.world.client.clone(), namespace);
        let figures = ask(&self.world.client, namespace, selector).await?;
        let pods = api.list(&ListParams::default().labels(selector)).await;
        let pods = pods.map_err(|error| {
            format!(
                "unable to get pods while calculating replica count: {}",
                text_of(&error)
            )
        })?;
        Ok((pods.items.into_iter().map(Arc::new).collect(), figures))
    }

    /// All autoscalers of the same target, if there are several.
    fn rivals(&self, key: &Key, target: &CrossVersionObjectReference) -> Vec<String> {
        let group = |of: &CrossVersionObjectReference| {
            let version = of.api_version.as_deref().unwrap_or_default();
            version.split_once('/').map(|(group, _)| group.to_owned())
        };
        let same = |other: &HorizontalPodAutoscaler| {
            let other = &other.spec.scale_target_ref;
            (&other.kind, &other.name, group(other)) == (&target.kind, &target.name, group(target))
        };
        let all = self.world.autoscalers.namespace(&key.namespace);
        let mut names: Vec<String> = all
            .iter()
            .filter(|other| same(other))
            .map(|other| Key::of(&**other).to_string())
            .collect();
        names.sort();
        if names.len() < 2 { Vec::new() } else { names }
    }
}

impl Controller for Autoscalers {
    type Key = Key;

    const NAME: &'static str = "horizontal-pod-autoscaler";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(autoscaler) = self.world.autoscalers.by_key(key) else {
            self.histories.lock().remove(key);
            return Ok(None);
        };
        let spec = &autoscaler.spec;
        let api = self.target(&key.namespace, &spec.scale_target_ref);
        let name = &spec.scale_target_ref.name;
        let found = match &api {
            Ok(api) => api.get_scale(name).await.map_err(|error| text_of(&error)),
            Err(why) => Err(why.clone()),
        };
        let scale = found.as_ref().map_err(Clone::clone).map(|scale| Scaled {
            replicas: scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0),
            selector: scale
                .status
                .as_ref()
                .and_then(|status| status.selector.clone())
                .unwrap_or_default(),
        });
        let metrics = spec.metrics.as_deref().unwrap_or_default();
        let pods = match &scale {
            Ok(scale) if scale.replicas > 0 && metrics.iter().any(needs_figures) => {
                self.pods(&key.namespace, &scale.selector).await
            }
            _ => Err("nothing runs".to_owned()),
        };
        let now = Timestamp::now();
        let mut history = self.histories.lock().get(key).cloned().unwrap_or_default();
        let observed = Observed {
            autoscaler: &autoscaler,
            scale: &scale,
            rivals: &self.rivals(key, &spec.scale_target_ref),
            pods: &pods,
            now,
        };
        let mut plan = plan(observed, &mut history);
        if let (Some((replicas, _)), Ok(api), Ok(mut scale)) = (&plan.rescale, &api, found) {
            scale.spec.get_or_insert_default().replicas = Some(*replicas);
            let params = PostParams {
                field_manager: Some(MANAGER.to_owned()),
                ..PostParams::default()
            };
            match api.replace_scale(name, &params, &scale).await {
                Ok(_) => plan.rescaled(&mut history, now),
                Err(error) => plan.refused(&text_of(&error)),
            }
        }
        self.histories.lock().insert(key.clone(), history);
        for (kind, reason, message) in plan.events.drain(..) {
            self.recorder
                .record(COMPONENT, &*autoscaler, kind, reason, message);
        }
        let status = plan.status(&autoscaler, now);
        if autoscaler.status.as_ref() != Some(&status) {
            let mut changed = (*autoscaler).clone();
            changed.status = Some(status);
            gone_is_fine(self.world.autoscalers.replace_status(&changed).await)
                .step("write an autoscaler's status")?;
        }
        Ok(Some(SYNC_PERIOD))
    }
}
