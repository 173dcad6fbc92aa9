//! What a Pod asks for as a whole: the sum of its containers, or its hungriest init step, and its overhead.

use serde_json::Value;

use crate::amounts::Amounts;

/// Resources that may also be asked for at the level of the Pod, which then overrides the sum.
const POD_LEVEL: &[&str] = &["cpu", "memory"];

/// Which half of the resources is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Requests,
    Limits,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

/// The items of a list in the Pod's spec.
pub(crate) fn containers<'a>(pod: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    pod.get("spec")
        .and_then(|spec| spec.get(list))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// What one container asks for.
pub(crate) fn of_container(container: &Value, side: Side) -> Amounts {
    Amounts::read(
        container
            .get("resources")
            .and_then(|resources| resources.get(side.name())),
    )
}

/// What the Pod asks for.
pub(crate) fn total(pod: &Value, side: Side) -> Amounts {
    let mut running = Amounts::default();
    for container in containers(pod, "containers") {
        running.add(&of_container(container, side));
    }
    // Init containers run one after the other, beside the sidecars that were started before them.
    let mut sidecars = Amounts::default();
    let mut starting = Amounts::default();
    for container in containers(pod, "initContainers") {
        let mut step = of_container(container, side);
        if container.get("restartPolicy").and_then(Value::as_str) == Some("Always") {
            sidecars.add(&step);
            step = sidecars.clone();
        } else {
            step.add(&sidecars);
        }
        starting.raise(&step);
    }
    running.add(&sidecars);
    running.raise(&starting);
    let explicit = Amounts::read(pod.pointer(&format!("/spec/resources/{}", side.name())));
    for (name, amount) in explicit
        .iter()
        .filter(|(name, _)| POD_LEVEL.contains(name) || name.starts_with("hugepages-"))
    {
        running.set(name, amount);
    }
    let overhead = Amounts::read(pod.pointer("/spec/overhead"));
    let counted =
        |name: &str| side == Side::Requests || running.get(name).is_some_and(|amount| !amount.is_zero());
    let overhead = overhead.only(counted);
    running.add(&overhead);
    running
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn assert_requests(spec: &Value, expected: &str) {
        assert_eq!(
            total(&json!({ "spec": spec }), Side::Requests).to_string(),
            expected
        );
    }

    fn container(cpu: &str) -> Value {
        json!({"resources": {"requests": {"cpu": cpu}}})
    }

    #[test]
    fn containers_are_summed() {
        assert_requests(
            &json!({"containers": [container("1"), container("500m"), {}]}),
            "cpu=1500m",
        );
    }

    #[test]
    fn the_hungriest_init_container_counts_when_it_asks_for_more() {
        let spec =
            json!({"containers": [container("1")], "initContainers": [container("2"), container("3")]});
        assert_requests(&spec, "cpu=3");
    }

    #[test]
    fn sidecars_run_beside_all_that_comes_after_them() {
        let sidecar = json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}});
        let spec = json!({"containers": [container("1")], "initContainers": [container("4"), sidecar, container("2")]});
        assert_requests(&spec, "cpu=4");
        let spec = json!({"containers": [container("1")], "initContainers": [sidecar, container("4")]});
        assert_requests(&spec, "cpu=5");
    }

    #[test]
    fn overhead_is_added_and_the_pods_own_request_overrides_the_sum() {
        let spec = json!({"containers": [container("1")], "overhead": {"cpu": "100m"}});
        assert_requests(&spec, "cpu=1100m");
        let spec = json!({"containers": [container("1")], "resources": {"requests": {"cpu": "2"}}});
        assert_requests(&spec, "cpu=2");
    }
}
