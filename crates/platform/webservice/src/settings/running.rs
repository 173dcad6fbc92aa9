//! The settings of a webservice that runs: its Deployment remembers them as they were given.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Container};
use kube::ResourceExt as _;

use toolforge_model::Quantity;

use super::{Backend, Settings};
use crate::{
    objects::{CONTAINER, TYPE_ANNOTATION},
    resources::{DEFAULT_CPU, DEFAULT_MEMORY},
};

/// The Deployment's annotation with its settings as JSON: its limits alone would not say what was a default.
pub(crate) const SETTINGS_ANNOTATION: &str = "toolforge.org/webservice-settings";

impl Settings {
    /// What a running webservice has.
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let annotations = deployment.annotations();
        let remembered = annotations
            .get(SETTINGS_ANNOTATION)
            .and_then(|text| serde_json::from_str::<Self>(text).ok());
        let mut settings = remembered.unwrap_or_else(|| Self::of_spec(deployment));
        settings.backend = Some(Backend::Kubernetes);
        // Others may scale a Deployment, too.
        let replicas = deployment
            .spec
            .replicas
            .and_then(|number| u16::try_from(number).ok());
        if replicas.is_some_and(|number| number != settings.replicas.unwrap_or(1)) {
            settings.replicas = replicas;
        }
        if let Some(kind) = annotations.get(TYPE_ANNOTATION) {
            settings.kind = Some(kind.clone());
        }
        settings
    }

    /// What can be told of one that remembers nothing.
    /// A limit that is the default was hardly asked for.
    fn of_spec(deployment: &Deployment) -> Self {
        let pod = deployment.spec.template.spec.as_ref();
        let containers = pod.map(|pod| pod.containers.as_slice()).unwrap_or_default();
        let Some(container) = containers.iter().find(|container| container.name == CONTAINER) else {
            return Self::default();
        };
        Self {
            mem: limit(container, "memory", DEFAULT_MEMORY),
            cpu: limit(container, "cpu", DEFAULT_CPU),
            extra: extra(container.command.as_deref().unwrap_or_default()),
            ..Self::default()
        }
    }
}

fn limit(container: &Container, name: &str, default: &str) -> Option<String> {
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    let text = limits.get(name)?.0.clone();
    let amount = |text: &str| text.parse::<Quantity>().ok();
    (amount(&text) != amount(default)).then_some(text)
}

/// The arguments behind `--`, or, of a webservice of the original, behind the port.
fn extra(command: &[String]) -> Vec<String> {
    if let Some(at) = command.iter().position(|word| word == "--") {
        return command[at + 1..].to_vec();
    }
    let behind_port = command.iter().position(|word| word == "--port").map(|at| at + 2);
    let rest = behind_port.and_then(|at| command.get(at..)).unwrap_or_default();
    rest.iter()
        .skip_while(|word| *word == "--canonical")
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(annotations: &serde_json::Value, command: &[&str]) -> Deployment {
        serde_json::from_value(json!({
            "metadata": { "annotations": annotations },
            "spec": { "replicas": 2, "selector": {}, "template": { "spec": { "containers": [{
                "name": "webservice",
                "command": command,
                "resources": { "limits": { "memory": "1Gi", "cpu": "0.5" } },
            }] } } },
        }))
        .unwrap()
    }

    #[test]
    fn what_runs_is_kept_unless_something_else_is_asked_for() {
        let command = ["webservice-runner", "--type", "generic", "--", "./serve", "-v"];
        let running = Settings::of(&deployment(&json!({}), &command));
        let asked = Settings {
            mem: Some("2Gi".to_owned()),
            ..Settings::default()
        };
        let kept = asked.clone().over(running.clone(), true);
        assert_eq!(
            (kept.mem.as_deref(), kept.cpu.as_deref(), kept.replicas),
            (Some("2Gi"), None, Some(2))
        );
        assert_eq!(kept.extra, ["./serve", "-v"]);
        assert!(asked.over(running, false).extra.is_empty());
    }

    #[test]
    fn one_of_the_original_tells_what_it_can() {
        let command = [
            "/usr/bin/webservice-runner",
            "--type",
            "generic",
            "--port",
            "8000",
            "--canonical",
            "./serve",
        ];
        assert_eq!(Settings::of(&deployment(&json!({}), &command)).extra, ["./serve"]);
        assert!(
            Settings::of(&deployment(&json!({}), &command[..5]))
                .extra
                .is_empty()
        );
    }

    #[test]
    fn defaults_are_not_taken_for_what_was_said() {
        let remembered = json!({
            SETTINGS_ANNOTATION: json!({ "cpu": "1", "health-check-path": "/up" }).to_string(),
            TYPE_ANNOTATION: "python",
        });
        let settings = Settings::of(&deployment(&remembered, &[]));
        assert_eq!(
            settings,
            Settings {
                kind: Some("python".to_owned()),
                backend: Some(Backend::Kubernetes),
                cpu: Some("1".to_owned()),
                health_check_path: Some("/up".to_owned()),
                // It was scaled by other means.
                replicas: Some(2),
                ..Settings::default()
            }
        );
    }
}
