//! Deployments, replica sets, stateful sets and disruption budgets.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::lines::{Family, Lines, gauge, text};
use super::table::Rendered;

impl Rendered for Deployment {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_deployment_created",
            "When a Deployment was created, in seconds since 1970.",
        ),
        gauge(
            "kube_deployment_deletion_timestamp",
            "When a Deployment that is being deleted was told to go, in seconds since 1970.",
        ),
        gauge("kube_deployment_status_replicas", "Pods of a Deployment."),
        gauge(
            "kube_deployment_status_replicas_ready",
            "Pods of a Deployment that are ready.",
        ),
        gauge(
            "kube_deployment_status_replicas_available",
            "Pods of a Deployment that are available.",
        ),
        gauge(
            "kube_deployment_status_replicas_unavailable",
            "Pods that a Deployment lacks.",
        ),
        gauge(
            "kube_deployment_status_replicas_updated",
            "Pods of a Deployment's latest template.",
        ),
        gauge(
            "kube_deployment_status_observed_generation",
            "The generation that the controller has seen.",
        ),
        gauge(
            "kube_deployment_status_condition",
            "The conditions of a Deployment.",
        ),
        gauge(
            "kube_deployment_spec_replicas",
            "Pods that a Deployment is to have.",
        ),
        gauge("kube_deployment_spec_paused", "Whether a Deployment is paused."),
        gauge(
            "kube_deployment_spec_strategy_rollingupdate_max_unavailable",
            "Pods that may be missing during an update.",
        ),
        gauge(
            "kube_deployment_spec_strategy_rollingupdate_max_surge",
            "Pods that may be there in excess during an update.",
        ),
        gauge(
            "kube_deployment_metadata_generation",
            "The generation of what is wanted.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("deployment", text(meta.name.as_ref())),
        ]);
        lines.time("kube_deployment_created", meta.creation_timestamp.as_ref());
        lines.time(
            "kube_deployment_deletion_timestamp",
            meta.deletion_timestamp.as_ref(),
        );
        lines.maybe("kube_deployment_metadata_generation", meta.generation);
        let status = self.status.clone().unwrap_or_default();
        for (name, value) in [
            ("", status.replicas),
            ("_ready", status.ready_replicas),
            ("_available", status.available_replicas),
            ("_unavailable", status.unavailable_replicas),
            ("_updated", status.updated_replicas),
        ] {
            lines.put(
                &format!("kube_deployment_status_replicas{name}"),
                &[],
                value.unwrap_or(0),
            );
        }
        let observed = status.observed_generation.unwrap_or(0);
        lines.put("kube_deployment_status_observed_generation", &[], observed);
        for condition in status.conditions.iter().flatten() {
            let labels = [
                ("reason", text(condition.reason.as_ref())),
                ("condition", text(condition.type_.as_ref())),
            ];
            lines.condition(
                "kube_deployment_status_condition",
                "status",
                &labels,
                text(condition.status.as_ref()),
            );
        }
        let spec = &self.spec;
        lines.maybe("kube_deployment_spec_replicas", spec.replicas);
        lines.put(
            "kube_deployment_spec_paused",
            &[],
            u8::from(spec.paused == Some(true)),
        );
        let rolling = spec
            .strategy
            .as_ref()
            .and_then(|strategy| strategy.rolling_update.as_ref());
        if let Some(rolling) = rolling {
            let name = "kube_deployment_spec_strategy_rollingupdate_max_";
            let wanted = spec.replicas.unwrap_or(1);
            lines.maybe(
                &format!("{name}unavailable"),
                share(rolling.max_unavailable.as_ref(), wanted, false),
            );
            lines.maybe(
                &format!("{name}surge"),
                share(rolling.max_surge.as_ref(), wanted, true),
            );
        }
    }
}

/// A number, or so many hundredths of all, rounded as the controller does.
fn share(value: Option<&IntOrString>, all: i32, up: bool) -> Option<i64> {
    match value? {
        IntOrString::Int(number) => Some(i64::from(*number)),
        IntOrString::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            let hundredths = percent.checked_mul(i64::from(all))?;
            Some(if up {
                (hundredths + 99).div_euclid(100)
            } else {
                hundredths.div_euclid(100)
            })
        }
    }
}

impl Rendered for ReplicaSet {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_replicaset_created",
            "When a ReplicaSet was created, in seconds since 1970.",
        ),
        gauge("kube_replicaset_status_replicas", "Pods of a ReplicaSet."),
        gauge(
            "kube_replicaset_status_fully_labeled_replicas",
            "Pods of a ReplicaSet with all labels of its template.",
        ),
        gauge(
            "kube_replicaset_status_ready_replicas",
            "Pods of a ReplicaSet that are ready.",
        ),
        gauge(
            "kube_replicaset_status_observed_generation",
            "The generation that the controller has seen.",
        ),
        gauge(
            "kube_replicaset_spec_replicas",
            "Pods that a ReplicaSet is to have.",
        ),
        gauge(
            "kube_replicaset_metadata_generation",
            "The generation of what is wanted.",
        ),
        gauge("kube_replicaset_owner", "Each owner of a ReplicaSet."),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("replicaset", text(meta.name.as_ref())),
        ]);
        lines.time("kube_replicaset_created", meta.creation_timestamp.as_ref());
        lines.maybe("kube_replicaset_metadata_generation", meta.generation);
        lines.owners("kube_replicaset_owner", meta.owner_references.as_ref());
        let status = self.status.clone().unwrap_or_default();
        lines.put("kube_replicaset_status_replicas", &[], status.replicas);
        let labelled = status.fully_labeled_replicas.unwrap_or(0);
        lines.put("kube_replicaset_status_fully_labeled_replicas", &[], labelled);
        lines.put(
            "kube_replicaset_status_ready_replicas",
            &[],
            status.ready_replicas.unwrap_or(0),
        );
        let observed = status.observed_generation.unwrap_or(0);
        lines.put("kube_replicaset_status_observed_generation", &[], observed);
        lines.maybe("kube_replicaset_spec_replicas", self.spec.replicas);
    }
}

impl Rendered for StatefulSet {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_statefulset_created",
            "When a StatefulSet was created, in seconds since 1970.",
        ),
        gauge("kube_statefulset_status_replicas", "Pods of a StatefulSet."),
        gauge(
            "kube_statefulset_status_replicas_available",
            "Pods of a StatefulSet that are available.",
        ),
        gauge(
            "kube_statefulset_status_replicas_current",
            "Pods of a StatefulSet's current revision.",
        ),
        gauge(
            "kube_statefulset_status_replicas_ready",
            "Pods of a StatefulSet that are ready.",
        ),
        gauge(
            "kube_statefulset_status_replicas_updated",
            "Pods of a StatefulSet's latest revision.",
        ),
        gauge(
            "kube_statefulset_status_observed_generation",
            "The generation that the controller has seen.",
        ),
        gauge("kube_statefulset_replicas", "Pods that a StatefulSet is to have."),
        gauge(
            "kube_statefulset_ordinals_start",
            "The number of a StatefulSet's first Pod.",
        ),
        gauge(
            "kube_statefulset_metadata_generation",
            "The generation of what is wanted.",
        ),
        gauge(
            "kube_statefulset_persistentvolumeclaim_retention_policy",
            "What becomes of a StatefulSet's claims.",
        ),
        gauge(
            "kube_statefulset_status_current_revision",
            "The current revision of a StatefulSet.",
        ),
        gauge(
            "kube_statefulset_status_update_revision",
            "The latest revision of a StatefulSet.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("statefulset", text(meta.name.as_ref())),
        ]);
        lines.time("kube_statefulset_created", meta.creation_timestamp.as_ref());
        lines.maybe("kube_statefulset_metadata_generation", meta.generation);
        let status = self.status.clone().unwrap_or_default();
        lines.put("kube_statefulset_status_replicas", &[], status.replicas);
        for (name, value) in [
            ("available", status.available_replicas),
            ("current", status.current_replicas),
            ("ready", status.ready_replicas),
            ("updated", status.updated_replicas),
        ] {
            lines.put(
                &format!("kube_statefulset_status_replicas_{name}"),
                &[],
                value.unwrap_or(0),
            );
        }
        lines.maybe(
            "kube_statefulset_status_observed_generation",
            status.observed_generation,
        );
        for (name, revision) in [
            (
                "kube_statefulset_status_current_revision",
                &status.current_revision,
            ),
            ("kube_statefulset_status_update_revision", &status.update_revision),
        ] {
            if let Some(revision) = revision {
                lines.put(name, &[("revision", revision)], 1);
            }
        }
        let spec = &self.spec;
        lines.maybe("kube_statefulset_replicas", spec.replicas);
        let start = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start);
        lines.maybe("kube_statefulset_ordinals_start", start);
        if let Some(policy) = &spec.persistent_volume_claim_retention_policy {
            let labels = [
                ("when_deleted", text(policy.when_deleted.as_ref())),
                ("when_scaled", text(policy.when_scaled.as_ref())),
            ];
            lines.put(
                "kube_statefulset_persistentvolumeclaim_retention_policy",
                &labels,
                1,
            );
        }
    }
}

impl Rendered for PodDisruptionBudget {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_poddisruptionbudget_created",
            "When a budget was created, in seconds since 1970.",
        ),
        gauge(
            "kube_poddisruptionbudget_status_current_healthy",
            "Pods of a budget that are healthy.",
        ),
        gauge(
            "kube_poddisruptionbudget_status_desired_healthy",
            "Pods of a budget that have to be healthy.",
        ),
        gauge(
            "kube_poddisruptionbudget_status_pod_disruptions_allowed",
            "Pods of a budget that may be ended now.",
        ),
        gauge(
            "kube_poddisruptionbudget_status_expected_pods",
            "Pods that a budget counts.",
        ),
        gauge(
            "kube_poddisruptionbudget_status_observed_generation",
            "The generation that the controller has seen.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("poddisruptionbudget", text(meta.name.as_ref())),
        ]);
        lines.time(
            "kube_poddisruptionbudget_created",
            meta.creation_timestamp.as_ref(),
        );
        let Some(status) = &self.status else { return };
        for (name, value) in [
            ("current_healthy", status.current_healthy),
            ("desired_healthy", status.desired_healthy),
            ("pod_disruptions_allowed", status.disruptions_allowed),
            ("expected_pods", status.expected_pods),
        ] {
            lines.maybe(&format!("kube_poddisruptionbudget_status_{name}"), value);
        }
        let name = "kube_poddisruptionbudget_status_observed_generation";
        lines.maybe(name, status.observed_generation);
    }
}
