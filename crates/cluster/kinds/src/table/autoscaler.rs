//! The table of `HorizontalPodAutoscaler`s.

use jiff::Timestamp;
use serde_json::Value;

use super::text::NONE;
use super::{AGE, Column, NAME, age, name};
use crate::value::{Read as _, int_at, list_at, text_at};

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Reference", "What is scaled."),
    Column::text("Targets", "What is measured, and what it shall be."),
    Column::text("MinPods", "The least number of Pods."),
    Column::text("MaxPods", "The largest number of Pods."),
    Column::text("Replicas", "Pods that there are."),
    AGE,
];

pub(super) fn cells(object: &Value, now: Timestamp) -> Vec<Value> {
    let target = &object["spec"]["scaleTargetRef"];
    let least = int_at(object, &["spec", "minReplicas"]);
    vec![
        name(object),
        format!("{}/{}", target.text("kind"), target.text("name")).into(),
        targets(object).into(),
        least
            .map_or_else(|| "<unset>".to_owned(), |least| least.to_string())
            .into(),
        int_at(object, &["spec", "maxReplicas"]).unwrap_or(0).into(),
        int_at(object, &["status", "currentReplicas"]).unwrap_or(0).into(),
        age(object, now),
    ]
}

/// As many metrics as kubectl shows.
const SHOWN: usize = 2;

fn targets(object: &Value) -> String {
    let metrics = list_at(object, &["spec", "metrics"]);
    if metrics.is_empty() {
        return NONE.to_owned();
    }
    let current = list_at(object, &["status", "currentMetrics"]);
    let all: Vec<String> = metrics
        .iter()
        .enumerate()
        .map(|(at, metric)| one(metric, current.get(at).unwrap_or(&Value::Null)))
        .collect();
    let shown = all[..all.len().min(SHOWN)].join(", ");
    if all.len() > SHOWN {
        return format!("{shown} + {} more...", all.len() - SHOWN);
    }
    shown
}

fn one(metric: &Value, current: &Value) -> String {
    let source = match metric.text("type") {
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        "Pods" => "pods",
        "Object" => "object",
        "External" => "external",
        _ => return "<unknown type>".to_owned(),
    };
    let target = &metric[source]["target"];
    let of_resource = matches!(source, "resource" | "containerResource");
    let key = match (target.has("averageValue"), of_resource) {
        (true, _) => "averageValue",
        (false, true) => "averageUtilization",
        (false, false) => "value",
    };
    let unit = if key == "averageUtilization" { "%" } else { "" };
    let current = amount(&current[source]["current"], key, unit).unwrap_or_else(|| "<unknown>".to_owned());
    let wanted = amount(target, key, unit).unwrap_or_else(|| "<auto>".to_owned());
    let average = key == "averageValue" && matches!(source, "object" | "external");
    if of_resource {
        format!("{}: {current}/{wanted}", text_at(metric, &[source, "name"]))
    } else if average {
        format!("{current}/{wanted} (avg)")
    } else {
        format!("{current}/{wanted}")
    }
}

fn amount(of: &Value, key: &str, unit: &str) -> Option<String> {
    match of.get(key)? {
        Value::String(text) => Some(format!("{text}{unit}")),
        Value::Number(number) => Some(format!("{number}{unit}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::targets;

    #[test]
    fn targets_are_told_as_kubectl_users_know_them() {
        let resource = |name: &str, target: Value| json!({"type": "Resource", "resource": {"name": name, "target": target}});
        let cpu = resource("cpu", json!({"type": "Utilization", "averageUtilization": 50}));
        let memory = resource("memory", json!({"type": "AverageValue", "averageValue": "64Mi"}));
        let queue = json!({"type": "External", "external": {"metric": {"name": "q"}, "target": {"type": "Value", "value": "9"}}});
        let told = |metrics: Value, current: Value| {
            targets(&json!({"spec": {"metrics": metrics}, "status": {"currentMetrics": current}}))
        };
        assert_eq!(told(json!([]), Value::Null), "<none>");
        assert_eq!(told(json!([cpu]), Value::Null), "cpu: <unknown>/50%");
        let current = json!([
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12, "averageValue": "24m"}}},
            {"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "9Mi"}}},
        ]);
        assert_eq!(
            told(json!([cpu, memory]), current.clone()),
            "cpu: 12%/50%, memory: 9Mi/64Mi"
        );
        assert_eq!(
            told(json!([cpu, memory, queue]), current),
            "cpu: 12%/50%, memory: 9Mi/64Mi + 1 more..."
        );
        assert_eq!(told(json!([queue]), Value::Null), "<unknown>/9");
        let each = json!({"type": "External", "external": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "9"}}});
        assert_eq!(told(json!([each]), Value::Null), "<unknown>/9 (avg)");
    }
}
