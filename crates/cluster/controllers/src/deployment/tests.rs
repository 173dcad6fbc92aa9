//! The plan against a small world of its own: Pods become ready in any order, `ReplicaSets` report late, and a rollout has
//! to keep its promises at every moment and come to an end.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, ReplicaSet, ReplicaSetStatus, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::plan::{Action, Observed, Plan, plan};
use super::replica_sets::{REVISION, annotated, available, wanted};
use crate::owner::controlled_by;
use crate::pod::Pod;

fn template(image: &str) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some([("app".to_owned(), "web".to_owned())].into()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            containers: vec![Container {
                name: "web".into(),
                image: Some(image.into()),
                ..Container::default()
            }],
            ..PodSpec::default()
        }),
    }
}

fn deployment(replicas: i32, surge: i32, unavailable: i32) -> Deployment {
    Deployment {
        metadata: ObjectMeta {
            name: Some("web".into()),
            namespace: Some("ns".into()),
            uid: Some("deployment".into()),
            generation: Some(1),
            ..ObjectMeta::default()
        },
        spec: DeploymentSpec {
            replicas: Some(replicas),
            selector: LabelSelector {
                match_labels: Some([("app".to_owned(), "web".to_owned())].into()),
                match_expressions: None,
            },
            template: template("one"),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".into()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(surge)),
                    max_unavailable: Some(IntOrString::Int(unavailable)),
                }),
            }),
            ..DeploymentSpec::default()
        },
        status: None,
    }
}

/// A cluster that consists of one Deployment.
struct World {
    deployment: Deployment,
    sets: Vec<Arc<ReplicaSet>>,
    /// For each `ReplicaSet`: how many Pods it has, and how many of them are available.
    pods: Vec<(i32, i32)>,
    now: Timestamp,
    made: u32,
}

impl World {
    fn new(deployment: Deployment) -> Self {
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        Self {
            deployment,
            sets: Vec::new(),
            pods: Vec::new(),
            now,
            made: 0,
        }
    }

    fn plan(&self, pods: &[Arc<Pod>]) -> Plan {
        plan(Observed {
            deployment: &self.deployment,
            sets: &self.sets,
            pods,
            now: self.now,
        })
    }

    /// Lets the Deployment controller make one step; whether it changed anything.
    fn step(&mut self) -> bool {
        let plan = self.plan(&[]);
        let changed = !plan.actions.is_empty() || self.deployment.status.as_ref() != Some(&plan.status);
        for action in plan.actions {
            self.execute(action);
        }
        self.deployment.status = Some(plan.status);
        changed
    }

    fn execute(&mut self, action: Action) {
        match action {
            Action::Create(set) => {
                let mut set = *set;
                self.made += 1;
                set.metadata.uid = Some(format!("set-{}", self.made));
                set.metadata.creation_timestamp =
                    Some(Time(self.now + SignedDuration::from_secs(self.made.into())));
                self.sets.push(Arc::new(set));
                self.pods.push((0, 0));
            }
            Action::Change(change) => {
                let index = self.index(&change.set);
                let mut set = (*self.sets[index]).clone();
                if change.replicas.is_some() {
                    set.spec.replicas = change.replicas;
                }
                if change.min_ready_seconds.is_some() {
                    set.spec.min_ready_seconds = change.min_ready_seconds;
                }
                set.metadata
                    .annotations
                    .get_or_insert_default()
                    .extend(change.annotations);
                self.sets[index] = Arc::new(set);
            }
            Action::Delete(set) => {
                let index = self.index(&set);
                self.sets.remove(index);
                self.pods.remove(index);
            }
            Action::SetRevision(revision) => {
                let annotations = self.deployment.metadata.annotations.get_or_insert_default();
                annotations.insert(REVISION.into(), revision.to_string());
            }
        }
    }

    fn index(&self, set: &ReplicaSet) -> usize {
        let found = self
            .sets
            .iter()
            .position(|known| known.metadata.name == set.metadata.name);
        found.expect("the set is there")
    }

    /// The `ReplicaSet` controller makes or deletes Pods; those that are not available go first.
    fn adjust(&mut self, index: usize) {
        let target = wanted(&self.sets[index]);
        let (have, ready) = &mut self.pods[index];
        *have = target;
        *ready = (*ready).min(target);
    }

    /// The `ReplicaSet` controller writes what it sees.
    fn report(&mut self, index: usize) {
        let mut set = (*self.sets[index]).clone();
        let (have, ready) = self.pods[index];
        set.status = Some(ReplicaSetStatus {
            replicas: have,
            ready_replicas: Some(ready),
            available_replicas: Some(ready),
            ..ReplicaSetStatus::default()
        });
        self.sets[index] = Arc::new(set);
    }

    fn ready_one(&mut self, index: usize) {
        let (have, ready) = &mut self.pods[index];
        *ready = (*ready + 1).min(*have);
    }

    fn all_ready(&self) -> i32 {
        self.pods.iter().map(|(_, ready)| ready).sum()
    }

    /// Everything works at once until nothing changes.
    fn settle(&mut self) {
        for _ in 0..1000 {
            let mut changed = self.step();
            for index in 0..self.sets.len() {
                self.adjust(index);
                let (have, ready) = self.pods[index];
                changed |= have != ready || available(&self.sets[index]) != have;
                self.pods[index].1 = have;
                self.report(index);
            }
            if !changed {
                return;
            }
        }
        panic!("no end to it");
    }

    fn condition(&self, kind: &str) -> Option<(String, String)> {
        let conditions = self.deployment.status.as_ref()?.conditions.as_ref()?;
        let condition = conditions
            .iter()
            .find(|condition| condition.type_.as_deref() == Some(kind))?;
        Some((condition.status.clone()?, condition.reason.clone()?))
    }

    fn sizes(&self) -> Vec<i32> {
        self.sets.iter().map(|set| wanted(set)).collect()
    }
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[test]
fn a_new_deployment_gets_one_replica_set_and_ends_available() {
    let mut world = World::new(deployment(3, 1, 1));
    world.settle();
    assert_eq!(world.sizes(), [3]);
    assert_eq!(
        world.condition("Available"),
        Some(pair("True", "MinimumReplicasAvailable"))
    );
    assert_eq!(
        world.condition("Progressing"),
        Some(pair("True", "NewReplicaSetAvailable"))
    );
    let revision = world
        .deployment
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(REVISION));
    assert_eq!(revision.map(String::as_str), Some("1"));
    let status = world.deployment.status.expect("a status");
    assert_eq!(
        (
            status.replicas,
            status.updated_replicas,
            status.available_replicas
        ),
        (Some(3), Some(3), Some(3))
    );
}

#[test]
fn a_rollout_keeps_its_bounds_whatever_the_order_and_comes_to_an_end() {
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let replicas = random.random_range(1..12);
        let (surge, unavailable) = *[(1, 0), (0, 1), (1, 1), (3, 2), (0, 3), (4, 0)]
            .choose(&mut random)
            .expect("some");
        let mut world = World::new(deployment(replicas, surge, unavailable));
        world.settle();
        let rollouts = random.random_range(1..4);
        for rollout in 0..rollouts {
            world.deployment.spec.template = template(&format!("{seed}-{rollout}"));
            for _ in 0..random.random_range(0..60) {
                let index = random.random_range(0..world.sets.len());
                match random.random_range(0..4) {
                    0 => drop(world.step()),
                    1 => world.adjust(index),
                    2 => world.report(index),
                    _ => world.ready_one(index),
                }
                let floor = replicas - unavailable.min(replicas);
                assert!(world.all_ready() >= floor, "seed {seed}: too few are available");
                // As in Kubernetes this bounds what is asked for: Pods on their way out come on top.
                let asked: i32 = world.sizes().iter().sum();
                assert!(
                    asked <= replicas + surge,
                    "seed {seed}: too many at the same time"
                );
            }
        }
        world.settle();
        let newest = template(&format!("{seed}-{}", rollouts - 1));
        let image = |template: &PodTemplateSpec| {
            template
                .spec
                .as_ref()
                .map(|spec| spec.containers[0].image.clone())
        };
        for set in &world.sets {
            let is_new = set
                .spec
                .template
                .as_ref()
                .is_some_and(|own| image(own) == image(&newest));
            assert_eq!(wanted(set), if is_new { replicas } else { 0 }, "seed {seed}");
        }
        assert_eq!(
            world.condition("Progressing"),
            Some(pair("True", "NewReplicaSetAvailable"))
        );
    }
}

#[test]
fn a_rollback_takes_the_old_replica_set_under_a_new_revision() {
    let mut world = World::new(deployment(2, 1, 0));
    world.settle();
    world.deployment.spec.template = template("two");
    world.settle();
    world.deployment.spec.template = template("one");
    world.settle();
    assert_eq!(world.sizes(), [2, 0]);
    assert_eq!(annotated(&world.sets[0], REVISION), Some(3));
    let annotations = world.sets[0].metadata.annotations.clone().expect("annotations");
    assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1");
}

#[test]
fn history_keeps_as_many_old_replica_sets_as_asked() {
    let mut world = World::new(deployment(1, 1, 0));
    world.deployment.spec.revision_history_limit = Some(2);
    for image in ["a", "b", "c", "d", "e"] {
        world.deployment.spec.template = template(image);
        world.settle();
    }
    let revisions: Vec<Option<i64>> = world.sets.iter().map(|set| annotated(set, REVISION)).collect();
    assert_eq!(revisions, [Some(3), Some(4), Some(5)]);
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut world = World::new(deployment(2, 1, 0));
    world.settle();
    world.deployment.spec.paused = Some(true);
    world.deployment.spec.template = template("two");
    world.deployment.spec.replicas = Some(4);
    world.settle();
    assert_eq!(world.sizes(), [4]);
    assert_eq!(
        world.condition("Progressing"),
        Some(pair("Unknown", "DeploymentPaused"))
    );
    world.deployment.spec.paused = Some(false);
    world.settle();
    assert_eq!(world.sizes(), [0, 4]);
}

#[test]
fn scaling_in_the_middle_of_a_rollout_shares_among_the_replica_sets() {
    let mut world = World::new(deployment(10, 3, 2));
    world.settle();
    world.deployment.spec.template = template("two");
    // The new Pods never get ready: 8 old ones and 5 new ones.
    for _ in 0..10 {
        world.step();
        for index in 0..world.sets.len() {
            world.adjust(index);
            world.report(index);
        }
    }
    assert_eq!(world.sizes(), [8, 5]);
    world.deployment.spec.replicas = Some(15);
    world.step();
    // The example of the Kubernetes documentation ("Proportional scaling").
    assert_eq!(world.sizes(), [11, 7]);
}

#[test]
fn a_deployment_scaled_to_zero_has_no_pods_left() {
    let mut world = World::new(deployment(3, 1, 0));
    world.settle();
    world.deployment.spec.replicas = Some(0);
    world.settle();
    assert_eq!(world.sizes(), [0]);
    assert_eq!(
        world.condition("Available"),
        Some(pair("True", "MinimumReplicasAvailable"))
    );
}

#[test]
fn a_rollout_without_progress_misses_its_deadline_once() {
    let mut world = World::new(deployment(1, 1, 0));
    world.deployment.spec.progress_deadline_seconds = Some(60);
    while world.step() {}
    assert_eq!(
        world.condition("Progressing"),
        Some(pair("True", "NewReplicaSetCreated"))
    );
    let again = world.plan(&[]).again.expect("a time to look again");
    world.now += SignedDuration::try_from(again).expect("a short time");
    assert!(world.step());
    assert_eq!(
        world.condition("Progressing"),
        Some(pair("False", "ProgressDeadlineExceeded"))
    );
    assert!(!world.step());
}

#[test]
fn recreate_waits_for_the_last_old_pod() {
    let mut world = World::new(deployment(2, 1, 0));
    world.deployment.spec.strategy = Some(DeploymentStrategy {
        type_: Some("Recreate".into()),
        rolling_update: None,
    });
    world.settle();
    world.deployment.spec.template = template("two");
    world.step();
    assert_eq!(world.sizes(), [0]);
    let owner = controlled_by(&*world.sets[0]);
    let mut last: Pod =
        serde_json::from_value(json!({"metadata": {"ownerReferences": [owner]}})).expect("a pod");
    assert!(world.plan(&[Arc::new(last.clone())]).actions.is_empty());
    last.phase = "Succeeded".into();
    assert!(matches!(
        world.plan(&[Arc::new(last)]).actions.as_slice(),
        [Action::Create(_)]
    ));
    world.settle();
    assert_eq!(world.sizes(), [0, 2]);
}

#[test]
fn a_refusal_heard_by_the_replica_set_shows_on_the_deployment() {
    use k8s_openapi::api::apps::v1::ReplicaSetCondition;
    let mut world = World::new(deployment(1, 1, 0));
    world.step();
    let mut set = (*world.sets[0]).clone();
    set.status.get_or_insert_default().conditions = Some(vec![ReplicaSetCondition {
        type_: Some("ReplicaFailure".into()),
        status: Some("True".into()),
        reason: Some("FailedCreate".into()),
        message: Some("exceeded quota".into()),
        last_transition_time: None,
    }]);
    world.sets[0] = Arc::new(set);
    world.step();
    assert_eq!(
        world.condition("ReplicaFailure"),
        Some(pair("True", "FailedCreate"))
    );
    world.settle();
    assert_eq!(world.condition("ReplicaFailure"), None);
}
