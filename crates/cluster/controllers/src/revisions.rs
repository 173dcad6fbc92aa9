//! The history of Pod templates, kept as `ControllerRevisions`, which `kubectl rollout history` and `undo` read. Pure; used
//! by the controllers of `StatefulSets` and `DaemonSets`.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::Resource;
use kube::api::ObjectMeta;
use serde_json::{Value, json};

use crate::owner::controlled_by;
use crate::template_hash;

/// The label that tells which revision a Pod was made from.
pub(crate) const HASH: &str = "controller-revision-hash";
/// Old revisions kept when the owner does not say how many.
const DEFAULT_HISTORY: i32 = 10;

/// What has to happen for the history to be right.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// The revision of the present template.
    pub(crate) update: ControllerRevision,
    /// Whether it has to be made.
    pub(crate) create: bool,
    /// Whether it is an old one that has become the newest again: its number has to be written.
    pub(crate) renumber: bool,
    /// Revisions that nothing needs any more.
    pub(crate) delete: Vec<Arc<ControllerRevision>>,
}

/// Plans the history of `owner` with the template `template`; revisions named in `live` are in use.
pub(crate) fn plan<K: Resource<DynamicType = ()>>(
    owner: &K,
    template: &PodTemplateSpec,
    known: &[Arc<ControllerRevision>],
    limit: Option<i32>,
    collisions: i32,
    live: &HashSet<String>,
) -> History {
    let data = data_of(template);
    let newest = known.iter().map(|one| number(one)).max().unwrap_or(0);
    let same = known
        .iter()
        .filter(|one| one.data.0 == data)
        .max_by_key(|one| number(one));
    let (update, create, renumber) = match same {
        Some(one) if number(one) == newest => ((**one).clone(), false, false),
        Some(one) => {
            let mut again = (**one).clone();
            again.revision = Some(newest + 1);
            (again, false, true)
        }
        None => (
            desired(owner, template, data, newest + 1, collisions),
            true,
            false,
        ),
    };
    let mut old: Vec<&Arc<ControllerRevision>> = known
        .iter()
        .filter(|one| one.metadata.name != update.metadata.name && !live.contains(name_of(one)))
        .collect();
    old.sort_by_key(|one| number(one));
    let limit = usize::try_from(limit.unwrap_or(DEFAULT_HISTORY)).unwrap_or(0);
    let surplus = old.len().saturating_sub(limit);
    let delete = old.into_iter().take(surplus).cloned().collect();
    History {
        update,
        create,
        renumber,
        delete,
    }
}

/// The name of a revision.
pub(crate) fn name_of(revision: &ControllerRevision) -> &str {
    revision.metadata.name.as_deref().unwrap_or_default()
}

/// The template that a revision keeps.
pub(crate) fn template_of(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    serde_json::from_value(revision.data.0.pointer("/spec/template")?.clone()).ok()
}

fn number(revision: &ControllerRevision) -> i64 {
    revision.revision.unwrap_or(0)
}

/// A patch that brings the template back, as `kubectl rollout undo` applies it.
fn data_of(template: &PodTemplateSpec) -> Value {
    let mut template = serde_json::to_value(template).unwrap_or_default();
    template["$patch"] = json!("replace");
    json!({"spec": {"template": template}})
}

fn desired<K: Resource<DynamicType = ()>>(
    owner: &K,
    template: &PodTemplateSpec,
    data: Value,
    revision: i64,
    collisions: i32,
) -> ControllerRevision {
    let hash = template_hash::name_of(template, collisions);
    let mut labels = template
        .metadata
        .as_ref()
        .and_then(|meta| meta.labels.clone())
        .unwrap_or_default();
    labels.insert(HASH.into(), hash.clone());
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(format!(
                "{}-{hash}",
                owner.meta().name.as_deref().unwrap_or_default()
            )),
            namespace: owner.meta().namespace.clone(),
            labels: Some(labels),
            owner_references: Some(vec![controlled_by(owner)]),
            ..ObjectMeta::default()
        },
        data: RawExtension(data),
        revision: Some(revision),
    }
}
