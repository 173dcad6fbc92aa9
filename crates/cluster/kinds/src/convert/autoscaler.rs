//! `HorizontalPodAutoscaler`s between `autoscaling/v1` and `v2`. What `v1` has no fields for lies in annotations there, under
//! the names and in the forms of Kubernetes, so that nothing is lost on the way and back.
//!
//! In the annotations metrics are those of the first beta, flat, and the behavior has the names of Go's fields.

use serde_json::{Map, Value, json};

use crate::value::{Read as _, child, ensure, int_at, remove, text_at};

/// All metrics but the CPU's utilization.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
/// The latest figures of all metrics.
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// A field in the flat form, and its path in that of `v2`.
type FieldNames = (&'static str, &'static [&'static str]);

/// Sources of metrics, and their fields in the flat form and in that of `v2`. `@` stands for `target` or `current`.
const SOURCES: &[(&str, &[FieldNames])] = &[
    (
        "resource",
        &[
            ("name", &["name"]),
            ("@AverageUtilization", &["@", "averageUtilization"]),
            ("@AverageValue", &["@", "averageValue"]),
        ],
    ),
    (
        "containerResource",
        &[
            ("name", &["name"]),
            ("container", &["container"]),
            ("@AverageUtilization", &["@", "averageUtilization"]),
            ("@AverageValue", &["@", "averageValue"]),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("@AverageValue", &["@", "averageValue"]),
        ],
    ),
    (
        "object",
        &[
            ("target", &["describedObject"]),
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("@Value", &["@", "value"]),
            ("averageValue", &["@", "averageValue"]),
        ],
    ),
    (
        "external",
        &[
            ("metricName", &["metric", "name"]),
            ("metricSelector", &["metric", "selector"]),
            ("@Value", &["@", "value"]),
            ("@AverageValue", &["@", "averageValue"]),
        ],
    ),
];

/// From `v2` to `v1`.
pub(super) fn flatten(object: &mut Value) {
    let mut annotations: Vec<(&str, String)> = Vec::new();
    if let Some(spec) = child(object, "spec") {
        let metrics = taken_list(spec, "metrics");
        let utilization = metrics.iter().find_map(cpu_target);
        let others: Vec<Value> = metrics
            .iter()
            .filter(|metric| cpu_target(metric).is_none())
            .map(|metric| to_flat(metric, "target"))
            .collect();
        if let Some(percent) = utilization {
            spec["targetCPUUtilizationPercentage"] = percent.into();
        }
        if !others.is_empty() {
            annotations.push((METRICS, Value::from(others).to_string()));
        }
        if let Some(behavior) = remove(spec, "behavior").filter(Value::is_object) {
            annotations.push((BEHAVIOR, recased(behavior, str::to_ascii_uppercase).to_string()));
        }
    }
    if let Some(status) = child(object, "status") {
        let metrics = taken_list(status, "currentMetrics");
        let path = ["resource", "current", "averageUtilization"];
        let cpu = metrics.iter().filter(|metric| is_cpu(metric));
        if let Some(percent) = cpu.filter_map(|metric| int_at(metric, &path)).next_back() {
            status["currentCPUUtilizationPercentage"] = percent.into();
        }
        if !metrics.is_empty() {
            let flat: Vec<Value> = metrics.iter().map(|metric| to_flat(metric, "current")).collect();
            annotations.push((CURRENT_METRICS, Value::from(flat).to_string()));
        }
        let conditions = taken_list(status, "conditions");
        if !conditions.is_empty() {
            annotations.push((CONDITIONS, Value::from(conditions).to_string()));
        }
    }
    let metadata = ensure(object, "metadata");
    if !annotations.is_empty()
        && let Some(map) = metadata.and_then(|metadata| ensure(metadata, "annotations"))
    {
        for (name, text) in annotations {
            map[name] = text.into();
        }
    }
}

/// From `v1` to `v2`. What stands in an annotation and cannot be read is left out, as in Kubernetes.
pub(super) fn unfold(object: &mut Value) {
    let mut told = |name: &str| {
        let annotations = child(object, "metadata").and_then(|metadata| child(metadata, "annotations"))?;
        let text = remove(annotations, name)?;
        serde_json::from_str::<Value>(text.as_str()?).ok()
    };
    let (metrics, current) = (told(METRICS), told(CURRENT_METRICS));
    let (conditions, behavior) = (told(CONDITIONS), told(BEHAVIOR));
    drop_empty_annotations(object);
    if let Some(spec) = child(object, "spec") {
        let cpu = remove(spec, "targetCPUUtilizationPercentage").filter(|percent| !percent.is_null());
        let cpu = cpu.map(|percent| {
            let target = json!({ "type": "Utilization", "averageUtilization": percent });
            json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } })
        });
        let others = metrics.as_ref().and_then(Value::as_array).into_iter().flatten();
        let metrics: Vec<Value> = cpu
            .into_iter()
            .chain(others.map(|metric| from_flat(metric, "target")))
            .collect();
        if !metrics.is_empty() {
            spec["metrics"] = metrics.into();
        }
        if let Some(behavior) = behavior.filter(Value::is_object) {
            spec["behavior"] = recased(behavior, str::to_ascii_lowercase);
        }
    }
    if let Some(status) = child(object, "status") {
        let percent = remove(status, "currentCPUUtilizationPercentage");
        match (current.as_ref().and_then(Value::as_array), percent) {
            (Some(list), _) => {
                let list: Vec<Value> = list.iter().map(|metric| from_flat(metric, "current")).collect();
                status["currentMetrics"] = list.into();
            }
            (None, Some(percent)) => {
                let current = json!({ "averageUtilization": percent });
                let resource = json!({ "name": "cpu", "current": current });
                status["currentMetrics"] = json!([{ "type": "Resource", "resource": resource }]);
            }
            (None, None) => {}
        }
        if let Some(conditions) = conditions.filter(Value::is_array) {
            status["conditions"] = conditions;
        }
    }
}

/// The status that lies in annotations of `v1` is changed as the rest of it is: through its own door.
pub(crate) fn keep_status_in_annotations(old: &Value, new: &mut Value) {
    for name in [CURRENT_METRICS, CONDITIONS] {
        let metadata = ensure(new, "metadata");
        let Some(annotations) = metadata.and_then(|metadata| ensure(metadata, "annotations")) else {
            return;
        };
        if let Some(told) = old.at(&["metadata", "annotations", name]) {
            annotations[name] = told.clone();
        } else {
            remove(annotations, name);
        }
    }
    drop_empty_annotations(new);
}

fn drop_empty_annotations(object: &mut Value) {
    if let Some(metadata) = child(object, "metadata")
        && metadata.map("annotations").is_some_and(Map::is_empty)
    {
        remove(metadata, "annotations");
    }
}

fn taken_list(object: &mut Value, key: &str) -> Vec<Value> {
    match remove(object, key) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn is_cpu(metric: &Value) -> bool {
    metric.text("type") == "Resource" && text_at(metric, &["resource", "name"]) == "cpu"
}

/// The percentage in a metric that `v1` has a field for.
fn cpu_target(metric: &Value) -> Option<i64> {
    let path = ["resource", "target", "averageUtilization"];
    int_at(metric, &path).filter(|_| is_cpu(metric))
}

fn to_flat(metric: &Value, word: &str) -> Value {
    let mut flat = json!({ "type": metric.text("type") });
    for (source, fields) in SOURCES {
        let Some(from) = metric.get(source).filter(|from| from.is_object()) else {
            continue;
        };
        let mut to = json!({});
        for (name, path) in *fields {
            let path: Vec<&str> = path
                .iter()
                .map(|part| if *part == "@" { word } else { part })
                .collect();
            let value = from.at(&path).filter(|value| !value.is_null()).cloned();
            // The flat form always has a value here.
            let value = value.or_else(|| (*source == "object" && *name == "@Value").then(|| "0".into()));
            if let Some(value) = value {
                to[name.replace('@', word)] = value;
            }
        }
        flat[*source] = to;
    }
    flat
}

fn from_flat(metric: &Value, word: &str) -> Value {
    let mut full = json!({ "type": metric.text("type") });
    for (source, fields) in SOURCES {
        let Some(from) = metric.get(source).filter(|from| from.is_object()) else {
            continue;
        };
        let mut to = json!({ word: {} });
        for (name, path) in *fields {
            let Some(value) = from.get(name.replace('@', word)).filter(|value| !value.is_null()) else {
                continue;
            };
            match path {
                ["@", last] => to[word][*last] = value.clone(),
                [first, last] => to[*first][*last] = value.clone(),
                [only] => to[*only] = value.clone(),
                _ => {}
            }
        }
        if to[word].has("averageValue") {
            remove(&mut to[word], "value");
        }
        if word == "target" {
            to[word]["type"] = type_of_target(&to[word]).into();
        }
        full[*source] = to;
    }
    full
}

fn type_of_target(target: &Value) -> &'static str {
    if target.has("averageUtilization") {
        "Utilization"
    } else if target.has("averageValue") {
        "AverageValue"
    } else {
        "Value"
    }
}

/// The same with the first letter of all names as `letter` makes it.
fn recased(value: Value, letter: fn(&str) -> String) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| {
                let at = name.char_indices().nth(1).map_or(name.len(), |(at, _)| at);
                (letter(&name[..at]) + &name[at..], recased(value, letter))
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(list) => list.into_iter().map(|value| recased(value, letter)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn both_ways(object: &Value) -> Value {
        let mut flat = object.clone();
        flatten(&mut flat);
        let shown = flat.clone();
        unfold(&mut flat);
        assert_eq!(&flat, object);
        shown
    }

    fn metric(kind: &str, source: &str, fields: &Value) -> Value {
        json!({ "type": kind, source: fields })
    }

    #[test]
    fn what_the_first_version_has_fields_for_stands_there_and_the_rest_in_annotations() {
        let cpu = metric(
            "Resource",
            "resource",
            &json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}),
        );
        let memory = metric(
            "Resource",
            "resource",
            &json!({"name": "memory", "target": {"type": "AverageValue", "averageValue": "64Mi"}}),
        );
        let queue = metric(
            "External",
            "external",
            &json!({"metric": {"name": "jobs", "selector": {"matchLabels": {"a": "b"}}}, "target": {"type": "Value", "value": "30"}}),
        );
        let object = json!({
            "metadata": {"name": "a"},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 3,
                "metrics": [cpu, memory, queue],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}},
            },
            "status": {
                "currentReplicas": 2, "desiredReplicas": 2,
                "currentMetrics": [metric("Resource", "resource", &json!({"name": "cpu", "current": {"averageUtilization": 12, "averageValue": "30m"}}))],
                "conditions": [{"type": "AbleToScale", "status": "True"}],
            },
        });
        let shown = both_ways(&object);
        assert_eq!(
            shown["spec"],
            json!({"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 60})
        );
        assert_eq!(
            shown["status"],
            json!({"currentReplicas": 2, "desiredReplicas": 2, "currentCPUUtilizationPercentage": 12})
        );
        let told = |name: &str| -> Value {
            let text = shown["metadata"]["annotations"][name].as_str().expect("a text");
            serde_json::from_str(text).expect("JSON")
        };
        assert_eq!(
            told(METRICS),
            json!([
                {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "64Mi"}},
                {"type": "External", "external": {"metricName": "jobs", "metricSelector": {"matchLabels": {"a": "b"}}, "targetValue": "30"}},
            ])
        );
        assert_eq!(
            told(CURRENT_METRICS),
            json!([{"type": "Resource", "resource": {"name": "cpu", "currentAverageUtilization": 12, "currentAverageValue": "30m"}}])
        );
        assert_eq!(
            told(CONDITIONS),
            json!([{"type": "AbleToScale", "status": "True"}])
        );
        assert_eq!(
            told(BEHAVIOR),
            json!({"ScaleDown": {"StabilizationWindowSeconds": 5, "Policies": [{"Type": "Pods", "Value": 4, "PeriodSeconds": 15}]}})
        );
    }

    #[test]
    fn every_source_of_metrics_comes_back_as_it_went() {
        let name = json!({"name": "m", "selector": {"matchLabels": {"a": "b"}}});
        let average = json!({"type": "AverageValue", "averageValue": "3"});
        let described = json!({"apiVersion": "v1", "kind": "Service", "name": "s"});
        let metrics = json!([
            metric("Pods", "pods", &json!({"metric": name, "target": average})),
            metric(
                "Object",
                "object",
                &json!({"metric": name, "describedObject": described, "target": average})
            ),
            metric(
                "Object",
                "object",
                &json!({"metric": name, "describedObject": described, "target": {"type": "Value", "value": "9"}})
            ),
            metric(
                "External",
                "external",
                &json!({"metric": name, "target": average})
            ),
            metric(
                "ContainerResource",
                "containerResource",
                &json!({"name": "cpu", "container": "c", "target": {"type": "Utilization", "averageUtilization": 5}})
            ),
        ]);
        let shown =
            both_ways(&json!({"metadata": {"annotations": {"mine": "x"}}, "spec": {"metrics": metrics}}));
        assert_eq!(shown["metadata"]["annotations"]["mine"], "x");
        assert!(shown["spec"].get("targetCPUUtilizationPercentage").is_none());
    }

    #[test]
    fn annotations_that_cannot_be_read_are_left_out() {
        let mut object = json!({
            "metadata": {"annotations": {METRICS: "{", BEHAVIOR: "7"}},
            "spec": {"maxReplicas": 2, "targetCPUUtilizationPercentage": 70},
        });
        unfold(&mut object);
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}});
        assert_eq!(
            object,
            json!({"metadata": {}, "spec": {"maxReplicas": 2, "metrics": [cpu]}})
        );
    }
}
