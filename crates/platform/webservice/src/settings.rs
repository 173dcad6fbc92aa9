//! What a maintainer may set of a webservice beside its type: asked for now, or as it runs.

use k8s_openapi::api::apps::v1::Deployment;

use crate::{cli::SettingsArgs, objects::CONTAINER};

/// Settings; what is absent takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) mem: Option<String>,
    pub(crate) cpu: Option<String>,
    pub(crate) replicas: Option<u16>,
    pub(crate) extra: Vec<String>,
}

impl Settings {
    /// What was asked for on the command line.
    pub(crate) fn asked(asked: &SettingsArgs) -> Self {
        Self {
            mem: asked.mem.clone(),
            cpu: asked.cpu.clone(),
            replicas: asked.replicas,
            extra: asked.extra.clone(),
        }
    }

    /// What a running webservice has.
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let spec = &deployment.spec;
        let pod = spec.template.spec.as_ref();
        let container = pod.and_then(|pod| {
            pod.containers
                .iter()
                .find(|container| container.name == CONTAINER)
        });
        let Some(container) = container else {
            return Self::default();
        };
        let limits = container
            .resources
            .as_ref()
            .and_then(|resources| resources.limits.as_ref());
        let limit = |name| {
            limits
                .and_then(|limits| limits.get(name))
                .map(|quantity| quantity.0.clone())
        };
        let command = container.command.as_deref().unwrap_or_default();
        let extra = command
            .iter()
            .position(|word| word == "--")
            .map_or(&[][..], |at| &command[at + 1..]);
        Self {
            mem: limit("memory"),
            cpu: limit("cpu"),
            replicas: spec.replicas.and_then(|replicas| u16::try_from(replicas).ok()),
            extra: extra.to_vec(),
        }
    }

    /// These, and where they say nothing, those. Extra arguments belong to a type: they are taken over only
    /// when that stays.
    pub(crate) fn over(self, those: Self, same_type: bool) -> Self {
        let keep = self.extra.is_empty() && same_type;
        Self {
            mem: self.mem.or(those.mem),
            cpu: self.cpu.or(those.cpu),
            replicas: self.replicas.or(those.replicas),
            extra: if keep { those.extra } else { self.extra },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_runs_is_kept_unless_something_else_is_asked_for() {
        let deployment = serde_json::from_value(json!({
            "spec": { "replicas": 2, "selector": {}, "template": { "spec": { "containers": [{
                "name": "webservice",
                "command": ["webservice-runner", "--type", "generic", "--", "./serve", "-v"],
                "resources": { "limits": { "memory": "1Gi", "cpu": "500m" } },
            }] } } },
        }))
        .unwrap();
        let running = Settings::of(&deployment);
        let asked = Settings {
            mem: Some("2Gi".to_owned()),
            ..Settings::default()
        };
        let kept = asked.clone().over(running.clone(), true);
        assert_eq!(
            (kept.mem.as_deref(), kept.cpu.as_deref(), kept.replicas),
            (Some("2Gi"), Some("500m"), Some(2))
        );
        assert_eq!(kept.extra, ["./serve", "-v"]);
        assert!(asked.over(running, false).extra.is_empty());
    }
}
