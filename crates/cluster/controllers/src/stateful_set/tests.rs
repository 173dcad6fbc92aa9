//! The plan against a small world: Pods come and go one at a time, whatever happens to them in between.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{
    RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{self, PersistentVolumeClaim, PodCondition, PodStatus, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;

use super::identity::{Version, claims, numbered_pod, ordinal, revision_of};
use super::plan::{Action, Observed, desired_status, plan};
use crate::pod::Pod;

fn set(replicas: i32) -> StatefulSet {
    StatefulSet {
        metadata: ObjectMeta {
            name: Some("db".into()),
            namespace: Some("ns".into()),
            uid: Some("set".into()),
            ..ObjectMeta::default()
        },
        spec: StatefulSetSpec {
            replicas: Some(replicas),
            ..StatefulSetSpec::default()
        },
        status: None,
    }
}

struct World {
    set: StatefulSet,
    /// The Pods as the API has them.
    written: Vec<v1::Pod>,
    /// The same as the controller knows them.
    pods: Vec<Arc<Pod>>,
    current: Version,
    update: Version,
}

impl World {
    fn new(set: StatefulSet) -> Self {
        let version = |name: &str| Version {
            revision: name.to_owned(),
            template: PodTemplateSpec::default(),
        };
        Self {
            set,
            written: Vec::new(),
            pods: Vec::new(),
            current: version("one"),
            update: version("one"),
        }
    }

    fn observed(&self) -> Observed<'_> {
        let now = Timestamp::UNIX_EPOCH;
        Observed {
            set: &self.set,
            pods: &self.pods,
            current: &self.current,
            update: &self.update,
            now,
        }
    }

    /// One step; the names of what it did, `+` for made and `-` for deleted.
    fn step(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        for action in plan(self.observed()).actions {
            match action {
                Action::Create { number, updated } => {
                    let version = if updated { &self.update } else { &self.current };
                    let pod = numbered_pod(&self.set, version, number);
                    self.pods.push(Arc::new(Pod::from(&pod)));
                    self.written.push(pod);
                    done.push(format!("+{number}"));
                }
                Action::Delete(pod) => {
                    done.push(format!("-{}", ordinal(&self.set, &pod).expect("ours")));
                    self.pods.retain(|known| !Arc::ptr_eq(known, &pod));
                    let name = Some(&*pod.name);
                    self.written
                        .retain(|known| known.metadata.name.as_deref() != name);
                }
            }
        }
        done
    }

    fn ready_all(&mut self) {
        for (written, pod) in self.written.iter_mut().zip(&mut self.pods) {
            written.status = Some(PodStatus {
                phase: Some("Running".into()),
                conditions: Some(vec![PodCondition {
                    type_: "Ready".into(),
                    status: "True".into(),
                    ..PodCondition::default()
                }]),
                ..PodStatus::default()
            });
            *pod = Arc::new(Pod::from(&*written));
        }
    }

    fn settle(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        for _ in 0..100 {
            let step = self.step();
            if step.is_empty() {
                return done;
            }
            done.extend(step);
            self.ready_all();
        }
        panic!("no end to it");
    }
}

#[test]
fn pods_come_in_order_each_when_the_one_before_is_ready() {
    let mut world = World::new(set(3));
    assert_eq!(world.step(), ["+0"]);
    assert!(world.step().is_empty());
    world.ready_all();
    assert_eq!(world.settle(), ["+1", "+2"]);
}

#[test]
fn pods_go_in_reverse_order_one_at_a_time() {
    let mut world = World::new(set(3));
    world.settle();
    world.set.spec.replicas = Some(1);
    assert_eq!(world.step(), ["-2"]);
    assert_eq!(world.step(), ["-1"]);
    assert!(world.step().is_empty());
}

#[test]
fn parallel_pods_wait_for_nobody() {
    let mut world = World::new(set(3));
    world.set.spec.pod_management_policy = Some("Parallel".into());
    assert_eq!(world.step(), ["+0", "+1", "+2"]);
    world.set.spec.replicas = Some(0);
    assert_eq!(world.step(), ["-2", "-1", "-0"]);
}

#[test]
fn an_update_replaces_from_the_highest_down() {
    let mut world = World::new(set(3));
    world.settle();
    world.update.revision = "two".into();
    assert_eq!(world.step(), ["-2"]);
    assert_eq!(world.step(), ["+2"]);
    assert!(world.step().is_empty());
    world.ready_all();
    assert_eq!(world.settle(), ["-1", "+1", "-0", "+0"]);
    let status = desired_status(world.observed());
    assert_eq!(status.current_revision.as_deref(), Some("two"));
}

#[test]
fn a_partition_keeps_the_lower_pods_at_the_old_version_even_when_made_anew() {
    let mut world = World::new(set(3));
    world.settle();
    world.update.revision = "two".into();
    world.set.spec.update_strategy = Some(StatefulSetUpdateStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(RollingUpdateStatefulSetStrategy {
            partition: Some(2),
            max_unavailable: None,
        }),
    });
    assert_eq!(world.settle(), ["-2", "+2"]);
    world.pods.retain(|pod| ordinal(&world.set, pod) != Some(0));
    assert_eq!(world.settle(), ["+0"]);
    let mut versions: Vec<(Option<i32>, &str)> = world
        .pods
        .iter()
        .map(|pod| (ordinal(&world.set, pod), revision_of(pod)))
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, [(Some(0), "one"), (Some(1), "one"), (Some(2), "two")]);
}

#[test]
fn on_delete_leaves_old_pods_alone() {
    let mut world = World::new(set(2));
    world.settle();
    world.update.revision = "two".into();
    world.set.spec.update_strategy = Some(StatefulSetUpdateStrategy {
        type_: Some("OnDelete".into()),
        rolling_update: None,
    });
    assert!(world.settle().is_empty());
}

#[test]
fn each_pod_has_its_own_claim() {
    let mut own = set(1);
    own.spec.volume_claim_templates = Some(vec![PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some("data".into()),
            ..ObjectMeta::default()
        },
        ..PersistentVolumeClaim::default()
    }]);
    assert_eq!(claims(&own, 4)[0].metadata.name.as_deref(), Some("data-db-4"));
    let version = Version {
        revision: "one".into(),
        template: PodTemplateSpec::default(),
    };
    let pod = numbered_pod(&own, &version, 4);
    let volumes = pod.spec.and_then(|spec| spec.volumes).expect("a volume");
    assert_eq!(
        volumes[0]
            .persistent_volume_claim
            .as_ref()
            .expect("a claim")
            .claim_name,
        "data-db-4"
    );
}

#[test]
fn only_exact_names_have_numbers() {
    let named = |name: &str| Pod {
        name: name.into(),
        ..Pod::default()
    };
    for (name, expected) in [
        ("db-0", Some(0)),
        ("db-12", Some(12)),
        ("db-01", None),
        ("db-x", None),
        ("dbx-1", None),
    ] {
        assert_eq!(ordinal(&set(1), &named(name)), expected, "{name}");
    }
}

#[test]
fn several_pods_are_replaced_at_once_where_the_set_allows_it() {
    let mut world = World::new(set(4));
    world.settle();
    world.update.revision = "two".into();
    world.set.spec.update_strategy = Some(StatefulSetUpdateStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(RollingUpdateStatefulSetStrategy {
            partition: Some(1),
            max_unavailable: Some(IntOrString::Int(2)),
        }),
    });
    world.set.spec.pod_management_policy = Some("Parallel".into());
    assert_eq!(world.step(), ["-3", "-2"]);
    assert_eq!(world.step(), ["+2", "+3"]);
    assert!(world.step().is_empty());
    world.ready_all();
    assert_eq!(world.settle(), ["-1", "+1"]);
}
