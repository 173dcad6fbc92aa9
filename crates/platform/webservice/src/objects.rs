//! The objects of a webservice (facts section 8): from what was asked for to Deployment, Service, Ingress.

use std::path::Path;

use serde_json::{Value, json};
use toolforge_model::{Domain, ToolName, labels};

use crate::{
    environment::{VERSION_ANNOTATION, env_from},
    probes::probes,
    settings::{Mount, SETTINGS_ANNOTATION, Settings},
    types::WebType,
};

/// The port that a webservice listens on, behind its Service and inside its container.
pub(crate) const PORT: u16 = 8000;
/// The name of the one container.
pub(crate) const CONTAINER: &str = "webservice";
/// The annotation that remembers the type by the name it was asked for.
pub(crate) const TYPE_ANNOTATION: &str = "toolforge.org/webservice-type";
/// The type whose image its maintainers built: it knows itself how to start.
pub(crate) const BUILDSERVICE: &str = "buildservice";
/// The label on all objects of a webservice up to the original's 0.76.
pub(crate) const LEGACY_LABEL: &str = "tools.wmflabs.org/webservice";
/// The runtime of programs that need nothing of the home.
const GENERIC: &str = "generic";
/// Where programs without a home may write.
const NO_HOME: &str = "/tmp";

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) tool: &'a ToolName,
    pub(crate) home: &'a Path,
    pub(crate) web_type: &'a WebType,
    /// As they were resolved: what was said by somebody, not the defaults.
    pub(crate) settings: &'a Settings,
    pub(crate) resources: Value,
    /// The version of the tool's environment; none without one.
    pub(crate) environment: Option<&'a str>,
    /// Now, RFC 3339: a Pod template that differs is rolled out.
    pub(crate) started_at: String,
}

/// The labels by which a tool's webservice is found.
pub(crate) fn selector() -> String {
    format!(
        "{}={},{}={}",
        labels::COMPONENT,
        labels::COMPONENT_WEB,
        labels::MANAGED_BY,
        labels::MANAGED_BY_WEBSERVICE
    )
}

/// What a type mounts unless it is told otherwise: an image that was built has all that it needs.
pub(crate) fn default_mount(runtime: &str) -> Mount {
    if runtime == BUILDSERVICE {
        Mount::None
    } else {
        Mount::All
    }
}

/// Whether a type can do without the home.
pub(crate) fn runs_without_home(runtime: &str) -> bool {
    matches!(runtime, BUILDSERVICE | GENERIC)
}

/// The same, and the labels that the original had before: what an old webservice left can be looked at and
/// stopped, too.
pub(crate) fn selectors() -> [String; 2] {
    [selector(), format!("{LEGACY_LABEL}=true")]
}

/// The Deployment.
pub(crate) fn deployment(wanted: &Wanted<'_>) -> Value {
    let labels = labels_of(wanted.tool);
    let mut pod_labels = labels.clone();
    pod_labels[labels::MOUNT_STORAGE] = json!(match wanted.mount() {
        Mount::All => labels::MOUNT_STORAGE_ALL,
        Mount::None => labels::MOUNT_STORAGE_NONE,
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": wanted.tool.as_str(),
            "namespace": wanted.tool.namespace().as_str(),
            "labels": labels,
            "annotations": {
                TYPE_ANNOTATION: wanted.web_type.name,
                SETTINGS_ANNOTATION: json!(wanted.settings).to_string(),
            },
        },
        "spec": {
            "replicas": wanted.settings.replicas.unwrap_or(1),
            "selector": { "matchLabels": labels },
            // The new one answers before the old one goes.
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
            "template": {
                "metadata": {
                    "labels": pod_labels,
                    "annotations": wanted.pod_annotations(),
                },
                "spec": { "containers": [container(wanted)] },
            },
        },
    })
}

impl Wanted<'_> {
    fn pod_annotations(&self) -> Value {
        let mut annotations = json!({ labels::STARTED_AT: self.started_at });
        if let Some(version) = self.environment {
            annotations[VERSION_ANNOTATION] = json!(version);
        }
        annotations
    }

    fn mount(&self) -> Mount {
        self.settings
            .mount
            .unwrap_or_else(|| default_mount(&self.web_type.runtime))
    }

    /// What is executed; nothing where the image says it itself.
    fn command(&self) -> Option<Vec<String>> {
        let extra = &self.settings.extra;
        if self.web_type.runtime == BUILDSERVICE {
            return (!extra.is_empty()).then(|| extra.clone());
        }
        let (runtime, port) = (&self.web_type.runtime, PORT.to_string());
        let mut command = ["webservice-runner", "--type", runtime, "--port", &port]
            .map(ToOwned::to_owned)
            .to_vec();
        if !extra.is_empty() {
            command.push("--".to_owned());
            command.extend_from_slice(extra);
        }
        Some(command)
    }
}

fn container(wanted: &Wanted<'_>) -> Value {
    let mut env = vec![json!({ "name": "PORT", "value": PORT.to_string() })];
    let mut container = json!({
        "name": CONTAINER,
        "image": wanted.web_type.image,
        "ports": [{ "name": "http", "containerPort": PORT, "protocol": "TCP" }],
        "resources": wanted.resources,
        "envFrom": env_from(),
    });
    if let Some(command) = wanted.command() {
        container["command"] = json!(command);
    }
    if wanted.web_type.runtime == BUILDSERVICE {
        env.push(json!({ "name": "NO_HOME", "value": "a buildservice image brings its own" }));
    } else if wanted.mount() == Mount::None {
        env.push(json!({ "name": "HOME", "value": NO_HOME }));
    } else {
        container["workingDir"] = json!(wanted.home);
    }
    container["env"] = json!(env);
    for (name, probe) in probes(wanted.settings.health_check_path.as_deref()) {
        container[name] = probe;
    }
    container
}

/// The Service.
pub(crate) fn service(tool: &ToolName) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": tool.as_str(),
            "namespace": tool.namespace().as_str(),
            "labels": labels_of(tool),
        },
        "spec": {
            "selector": { labels::NAME: tool.as_str() },
            "ports": [{ "name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP" }],
        },
    })
}

/// The Ingress for the tool's own host name, of the class that the platform serves.
pub(crate) fn ingress(tool: &ToolName, domain: &Domain, class: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": format!("{tool}-subdomain"),
            "namespace": tool.namespace().as_str(),
            "labels": labels_of(tool),
        },
        "spec": {
            "ingressClassName": class,
            "rules": [{
                "host": domain.host_of(tool),
                "http": { "paths": [{
                    "path": "/",
                    "pathType": "Prefix",
                    "backend": { "service": { "name": tool.as_str(), "port": { "number": PORT } } },
                }] },
            }],
        },
    })
}

fn labels_of(tool: &ToolName) -> Value {
    json!({
        labels::COMPONENT: labels::COMPONENT_WEB,
        labels::MANAGED_BY: labels::MANAGED_BY_WEBSERVICE,
        labels::TOOLFORGE: labels::TOOLFORGE_TOOL,
        labels::NAME: tool.as_str(),
    })
}

#[cfg(test)]
mod tests;
