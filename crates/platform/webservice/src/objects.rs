//! The objects of a webservice (facts section 8): from what was asked for to Deployment, Service, Ingress.

use std::path::Path;

use serde_json::{Value, json};
use toolforge_model::{Domain, ToolName, labels};

use crate::types::WebType;

/// The port that a webservice listens on, behind its Service and inside its container.
pub(crate) const PORT: u16 = 8000;
/// The name of the one container.
pub(crate) const CONTAINER: &str = "webservice";
/// The annotation that remembers the type by the name it was asked for.
pub(crate) const TYPE_ANNOTATION: &str = "toolforge.org/webservice-type";

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) tool: &'a ToolName,
    pub(crate) home: &'a Path,
    pub(crate) web_type: &'a WebType,
    pub(crate) replicas: u16,
    pub(crate) resources: Value,
    pub(crate) extra: &'a [String],
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

/// The Deployment.
pub(crate) fn deployment(wanted: &Wanted<'_>) -> Value {
    let labels = labels_of(wanted.tool);
    let mut command = vec![
        "webservice-runner".to_owned(),
        "--type".to_owned(),
        wanted.web_type.runtime.clone(),
        "--port".to_owned(),
        PORT.to_string(),
    ];
    if !wanted.extra.is_empty() {
        command.push("--".to_owned());
        command.extend_from_slice(wanted.extra);
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": wanted.tool.as_str(),
            "namespace": wanted.tool.namespace().as_str(),
            "labels": labels,
            "annotations": { TYPE_ANNOTATION: wanted.web_type.name },
        },
        "spec": {
            "replicas": wanted.replicas,
            "selector": { "matchLabels": labels },
            // The new one answers before the old one goes.
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": { labels::STARTED_AT: wanted.started_at },
                },
                "spec": {
                    "containers": [{
                        "name": CONTAINER,
                        "image": wanted.web_type.image,
                        "command": command,
                        "workingDir": wanted.home,
                        "env": [{ "name": "PORT", "value": PORT.to_string() }],
                        "ports": [{ "name": "http", "containerPort": PORT, "protocol": "TCP" }],
                        "resources": wanted.resources,
                        "readinessProbe": {
                            "tcpSocket": { "port": "http" },
                            "periodSeconds": 5,
                            "failureThreshold": 3,
                        },
                    }],
                },
            },
        },
    })
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
            "selector": labels_of(tool),
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
