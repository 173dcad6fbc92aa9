//! The `ReplicaSets` of a Deployment: which is the current one, what a new one looks like, their revisions and history.
//! Pure; called by the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::api::ObjectMeta;

use super::plan::{Action, Change, wanted_replicas};
use super::rolling::max_surge;
use crate::owner::{controlled_by, is_dying};
use crate::template_hash::{POD_TEMPLATE_HASH, name_of};

/// Which template a `ReplicaSet` is, counted up with every rollout; `kubectl rollout` reads it.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// Revisions that a `ReplicaSet` had before it was rolled back to.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// `spec.replicas` of the Deployment when the `ReplicaSet` was last scaled.
pub(crate) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// `spec.replicas` plus surge of the Deployment when the `ReplicaSet` was last scaled.
pub(crate) const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";
/// Annotations that belong to the Deployment alone.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
];
/// Old `ReplicaSets` kept when the Deployment does not say how many.
const DEFAULT_HISTORY: usize = 10;

/// The `ReplicaSet` with the Deployment's present template, and all others, oldest first.
pub(crate) fn split<'a>(
    deployment: &Deployment,
    sets: &'a [Arc<ReplicaSet>],
) -> (Option<&'a Arc<ReplicaSet>>, Vec<&'a Arc<ReplicaSet>>) {
    let mut sorted: Vec<&Arc<ReplicaSet>> = sets.iter().collect();
    sorted.sort_by_key(|set| age(set));
    let template = without_hash(&deployment.spec.template);
    let is_new = |set: &&Arc<ReplicaSet>| {
        set.spec
            .template
            .as_ref()
            .is_some_and(|own| without_hash(own) == template)
    };
    let new = sorted.iter().copied().find(is_new);
    sorted.retain(|set| new.is_none_or(|new| !Arc::ptr_eq(new, set)));
    (new, sorted)
}

/// A sort key, oldest first.
pub(crate) fn age(set: &ReplicaSet) -> impl Ord + use<> {
    (
        set.metadata.creation_timestamp.as_ref().map(|time| time.0),
        set.metadata.name.clone(),
    )
}

/// `spec.replicas` of a `ReplicaSet`.
pub(crate) fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

/// The available replicas of a `ReplicaSet`.
pub(crate) fn available(set: &ReplicaSet) -> i32 {
    set.status
        .as_ref()
        .and_then(|status| status.available_replicas)
        .unwrap_or(0)
}

/// An annotation of a `ReplicaSet` as a number.
pub(crate) fn annotated(set: &ReplicaSet, name: &str) -> Option<i64> {
    set.metadata.annotations.as_ref()?.get(name)?.parse().ok()
}

/// The action that makes the `ReplicaSet` of the present template.
pub(crate) fn created(deployment: &Deployment, old: &[&Arc<ReplicaSet>], replicas: i32) -> Action {
    Action::Create(Box::new(desired_set(deployment, old, replicas)))
}

/// The action that scales `set`.
pub(crate) fn scaled(deployment: &Deployment, set: &Arc<ReplicaSet>, replicas: i32) -> Action {
    Action::Change(Change {
        set: Arc::clone(set),
        replicas: Some(replicas),
        annotations: size_annotations(deployment),
        min_ready_seconds: None,
    })
}

fn desired_set(deployment: &Deployment, old: &[&Arc<ReplicaSet>], replicas: i32) -> ReplicaSet {
    let spec = deployment.spec.clone();
    let collisions = deployment
        .status
        .as_ref()
        .and_then(|status| status.collision_count)
        .unwrap_or(0);
    let hash = name_of(&spec.template, collisions);
    let mut template = spec.template;
    let mut meta = template.metadata.take().unwrap_or_default();
    meta.labels
        .get_or_insert_default()
        .insert(POD_TEMPLATE_HASH.into(), hash.clone());
    let labels = meta.labels.clone();
    template.metadata = Some(meta);
    let mut selector = spec.selector;
    selector
        .match_labels
        .get_or_insert_default()
        .insert(POD_TEMPLATE_HASH.into(), hash.clone());
    let mut annotations = copied_annotations(deployment);
    annotations.extend(size_annotations(deployment));
    annotations.insert(REVISION.into(), next_revision(old).to_string());
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!(
                "{}-{hash}",
                deployment.metadata.name.as_deref().unwrap_or_default()
            )),
            namespace: deployment.metadata.namespace.clone(),
            labels,
            annotations: Some(annotations),
            owner_references: Some(vec![controlled_by(deployment)]),
            ..ObjectMeta::default()
        },
        spec: ReplicaSetSpec {
            replicas: Some(replicas),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        },
        status: None,
    }
}

/// Brings revision, copied annotations and `minReadySeconds` of the current `ReplicaSet` up to date, and the revision of
/// the Deployment.
pub(crate) fn sync_revision(
    deployment: &Deployment,
    new: Option<&Arc<ReplicaSet>>,
    old: &[&Arc<ReplicaSet>],
) -> Vec<Action> {
    let Some(new) = new else { return Vec::new() };
    let mut actions = Vec::new();
    let own = annotated(new, REVISION).unwrap_or(0);
    let revision = own.max(next_revision(old));
    let mut wanted = copied_annotations(deployment);
    if revision != own {
        wanted.insert(REVISION.into(), revision.to_string());
        if own > 0 {
            wanted.insert(REVISION_HISTORY.into(), longer_history(new, own));
        }
    }
    let present = new.metadata.annotations.clone().unwrap_or_default();
    wanted.retain(|name, value| present.get(name) != Some(value));
    let min_ready = deployment.spec.min_ready_seconds.unwrap_or(0);
    let changed_min_ready = min_ready != new.spec.min_ready_seconds.unwrap_or(0);
    if !wanted.is_empty() || changed_min_ready {
        actions.push(Action::Change(Change {
            set: Arc::clone(new),
            replicas: None,
            annotations: wanted,
            min_ready_seconds: changed_min_ready.then_some(min_ready),
        }));
    }
    let noted = deployment
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(REVISION));
    if noted.is_none_or(|noted| *noted != revision.to_string()) {
        actions.push(Action::SetRevision(revision));
    }
    actions
}

/// Deletes `ReplicaSets` beyond the history limit, oldest revision first.
pub(crate) fn clean_up(deployment: &Deployment, old: &[&Arc<ReplicaSet>]) -> Vec<Action> {
    let limit = deployment
        .spec
        .revision_history_limit
        .map_or(DEFAULT_HISTORY, |limit| usize::try_from(limit).unwrap_or(0));
    let mut alive: Vec<&&Arc<ReplicaSet>> = old.iter().filter(|set| !is_dying(&set.metadata)).collect();
    alive.sort_by_key(|set| annotated(set, REVISION).unwrap_or(0));
    let surplus = alive.len().saturating_sub(limit);
    alive
        .into_iter()
        .take(surplus)
        .filter(|set| is_empty(set))
        .map(|set| Action::Delete(Arc::clone(set)))
        .collect()
}

fn is_empty(set: &ReplicaSet) -> bool {
    let status = set.status.clone().unwrap_or_default();
    wanted(set) == 0 && status.replicas == 0 && set.metadata.generation <= status.observed_generation
}

fn next_revision(old: &[&Arc<ReplicaSet>]) -> i64 {
    old.iter()
        .filter_map(|set| annotated(set, REVISION))
        .max()
        .unwrap_or(0)
        + 1
}

fn longer_history(set: &ReplicaSet, revision: i64) -> String {
    match set
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(REVISION_HISTORY))
    {
        Some(history) if !history.is_empty() => format!("{history},{revision}"),
        _ => revision.to_string(),
    }
}

fn copied_annotations(deployment: &Deployment) -> BTreeMap<String, String> {
    let mut all = deployment.metadata.annotations.clone().unwrap_or_default();
    all.retain(|name, _| !NOT_COPIED.contains(&name.as_str()));
    all
}

/// What a `ReplicaSet` remembers of the Deployment's size, to scale in proportion later.
pub(crate) fn size_annotations(deployment: &Deployment) -> BTreeMap<String, String> {
    let desired = wanted_replicas(deployment);
    BTreeMap::from([
        (DESIRED.to_owned(), desired.to_string()),
        (MAXIMUM.to_owned(), (desired + max_surge(deployment)).to_string()),
    ])
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    let mut meta = template.metadata.take().unwrap_or_default();
    let mut labels = meta.labels.take().unwrap_or_default();
    labels.remove(POD_TEMPLATE_HASH);
    meta.labels = Some(labels);
    meta.creation_timestamp = None;
    template.metadata = Some(meta);
    template
}
