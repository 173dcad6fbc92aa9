//! Defaults of `HorizontalPodAutoscaler`s (`pkg/apis/autoscaling/v2/defaults.go`), in the form of `autoscaling/v2`.

use serde_json::{Value, json};

use crate::value::{Read as _, child, default, ensure};

/// Percent of what the Pods ask for, where a user names no metric at all.
const CPU_PERCENT: i64 = 80;

/// An autoscaler has at least one replica and looks at the CPU; a behavior is filled in where there is one.
pub(super) fn autoscaler(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else {
        return;
    };
    default(spec, "minReplicas", 1);
    if spec.list("metrics").is_empty() {
        let target = json!({ "type": "Utilization", "averageUtilization": CPU_PERCENT });
        spec["metrics"] = json!([{ "type": "Resource", "resource": { "name": "cpu", "target": target } }]);
    }
    let Some(behavior) = child(spec, "behavior") else {
        return;
    };
    // Either four more Pods or twice as many every 15 seconds, whichever is more; down to all at once, but not before
    // five minutes have shown that it stays so.
    if let Some(up) = ensure(behavior, "scaleUp") {
        default(up, "stabilizationWindowSeconds", 0);
        default(up, "selectPolicy", "Max");
        default(
            up,
            "policies",
            json!([
                { "type": "Pods", "value": 4, "periodSeconds": 15 },
                { "type": "Percent", "value": 100, "periodSeconds": 15 },
            ]),
        );
    }
    if let Some(down) = ensure(behavior, "scaleDown") {
        default(down, "selectPolicy", "Max");
        let all = json!([{ "type": "Percent", "value": 100, "periodSeconds": 15 }]);
        default(down, "policies", all);
    }
}
