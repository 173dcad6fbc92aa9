//! Horizontal Pod autoscalers.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::lines::{Family, Lines, gauge, number, text};
use super::table::Rendered;

const TARGET: &str = "kube_horizontalpodautoscaler_spec_target_metric";
const CURRENT: &str = "kube_horizontalpodautoscaler_status_target_metric";

impl Rendered for HorizontalPodAutoscaler {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_horizontalpodautoscaler_created",
            "When an autoscaler was created, in seconds since 1970.",
        ),
        gauge("kube_horizontalpodautoscaler_info", "What an autoscaler scales."),
        gauge(
            "kube_horizontalpodautoscaler_metadata_generation",
            "The generation of what is wanted.",
        ),
        gauge(
            "kube_horizontalpodautoscaler_spec_max_replicas",
            "As many Pods as an autoscaler may ask for.",
        ),
        gauge(
            "kube_horizontalpodautoscaler_spec_min_replicas",
            "As few Pods as an autoscaler may ask for.",
        ),
        gauge(TARGET, "What each metric of an autoscaler shall be."),
        gauge(CURRENT, "What each metric of an autoscaler is."),
        gauge(
            "kube_horizontalpodautoscaler_status_condition",
            "The conditions of an autoscaler.",
        ),
        gauge(
            "kube_horizontalpodautoscaler_status_current_replicas",
            "Pods that there are by an autoscaler's last look.",
        ),
        gauge(
            "kube_horizontalpodautoscaler_status_desired_replicas",
            "Pods that an autoscaler asks for.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let (meta, spec) = (&self.metadata, &self.spec);
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("horizontalpodautoscaler", text(meta.name.as_ref())),
        ]);
        lines.time(
            "kube_horizontalpodautoscaler_created",
            meta.creation_timestamp.as_ref(),
        );
        let target = &spec.scale_target_ref;
        let info = [
            ("scaletargetref_api_version", text(target.api_version.as_ref())),
            ("scaletargetref_kind", target.kind.as_str()),
            ("scaletargetref_name", target.name.as_str()),
        ];
        lines.put("kube_horizontalpodautoscaler_info", &info, 1);
        lines.maybe(
            "kube_horizontalpodautoscaler_metadata_generation",
            meta.generation,
        );
        lines.put(
            "kube_horizontalpodautoscaler_spec_max_replicas",
            &[],
            spec.max_replicas,
        );
        lines.maybe(
            "kube_horizontalpodautoscaler_spec_min_replicas",
            spec.min_replicas,
        );
        self.targets(lines);
        self.currents(lines);
        let Some(status) = &self.status else { return };
        for condition in status.conditions.iter().flatten() {
            let labels = [("condition", condition.type_.as_str())];
            let name = "kube_horizontalpodautoscaler_status_condition";
            lines.condition(name, "status", &labels, &condition.status);
        }
        lines.maybe(
            "kube_horizontalpodautoscaler_status_current_replicas",
            status.current_replicas,
        );
        lines.put(
            "kube_horizontalpodautoscaler_status_desired_replicas",
            &[],
            status.desired_replicas,
        );
    }
}

/// What a metric shall be or is: its percentage, its average and its value.
type Amounts<'a> = (Option<i32>, Option<&'a Quantity>, Option<&'a Quantity>);

trait Metrics {
    fn targets(&self, lines: &mut Lines<'_>);
    fn currents(&self, lines: &mut Lines<'_>);
}

/// Calls [`amounts`] for whichever source a metric has; targets and figures have the same fields under two names.
macro_rules! each_source {
    ($metric:ident, $lines:ident, $family:ident, $field:ident) => {
        let mut put = |name: &str, of: Amounts<'_>| amounts($lines, $family, name, of);
        if let Some(of) = &$metric.resource {
            put(&of.name, each_source!(of, $field));
        }
        if let Some(of) = &$metric.container_resource {
            put(&of.name, each_source!(of, $field));
        }
        if let Some(of) = &$metric.pods {
            put(&of.metric.name, each_source!(of, $field));
        }
        if let Some(of) = &$metric.object {
            put(&of.metric.name, each_source!(of, $field));
        }
        if let Some(of) = &$metric.external {
            put(&of.metric.name, each_source!(of, $field));
        }
    };
    ($of:ident, $field:ident) => {
        (
            $of.$field.average_utilization,
            $of.$field.average_value.as_ref(),
            $of.$field.value.as_ref(),
        )
    };
}

impl Metrics for HorizontalPodAutoscaler {
    fn targets(&self, lines: &mut Lines<'_>) {
        for metric in self.spec.metrics.iter().flatten() {
            each_source!(metric, lines, TARGET, target);
        }
    }

    fn currents(&self, lines: &mut Lines<'_>) {
        let metrics = self
            .status
            .as_ref()
            .and_then(|status| status.current_metrics.as_ref());
        for metric in metrics.into_iter().flatten() {
            each_source!(metric, lines, CURRENT, current);
        }
    }
}

fn amounts(lines: &mut Lines<'_>, family: &str, metric: &str, (percent, average, value): Amounts<'_>) {
    let of = |kind| [("metric_name", metric), ("metric_target_type", kind)];
    if let Some(percent) = percent {
        lines.put(family, &of("utilization"), percent);
    }
    for (kind, amount) in [("average", average), ("value", value)] {
        if let Some(amount) = amount.and_then(number) {
            lines.put(family, &of(kind), amount);
        }
    }
}
