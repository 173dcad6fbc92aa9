//! What is particular to each component: its command line, files, ports, and what it may be.

use serde_json::{Value, json};
use toolforge_model::names::{
    FOUROHFOUR_NAMESPACE, FOUROHFOUR_SERVICE, K8S_STATUS_NAMESPACE, K8S_STATUS_TOOL,
};

use super::{
    Certificate, Deployed,
    component::{Component, Health},
};
use crate::objects::{FOUROHFOUR_PORT, K8S_STATUS_PORT, SERVICE_NAMESPACE};

/// Where the policy file is mounted.
const POLICY: &str = "/etc/toolforge/policy";
/// Where that of overrides is mounted; whole, so that the kubelet brings changes.
const OVERRIDES: &str = "/etc/toolforge/overrides";
/// Where the gateway's settings are mounted; whole too.
const GATEWAY_SETTINGS: &str = "/etc/toolforge/gateway";
/// Before all Pods of tools: where they are in the way, these go first.
const CRITICAL: &str = "system-cluster-critical";
/// Port of the servers that speak HTTPS.
const HTTPS: u16 = 8443;
const HTTP: u16 = 8080;
/// For health and figures; the account service's, as in the original.
const METRICS: u16 = 9000;

pub(super) fn admission(certificate: &Certificate) -> Component {
    let mut arguments = policy_argument();
    let mut volumes = vec![file("policy", POLICY)];
    if let Some(signer) = &certificate.signer {
        arguments.extend(strings(&["--signer", signer]));
    } else {
        arguments.extend(files_of_certificate());
        volumes.push(secret("admission-tls", "/etc/toolforge/tls"));
    }
    if certificate.authority.is_some() {
        arguments.extend(strings(&["--webhook-ca", "/etc/toolforge/authority/ca.crt"]));
        volumes.push(file("admission-authority", "/etc/toolforge/authority"));
    }
    Component {
        name: "admission",
        namespace: SERVICE_NAMESPACE,
        arguments,
        ports: vec![("https", HTTPS)],
        health: Health {
            scheme: "HTTPS",
            port: "https",
            live: "/livez",
            ready: "/readyz",
            // It does not listen before its certificate is signed and known.
            start_tens: 60,
        },
        volumes,
        service: Some(json!({ "ports": [port("https", 443)] })),
        root_with: None,
        needs: ("100m", "64Mi", "256Mi"),
        priority_class: Some(CRITICAL),
    }
}

pub(super) fn gateway(deployed: &Deployed) -> Component {
    let mut arguments = policy_argument();
    let (http, status) = (format!("0.0.0.0:{HTTP}"), format!("0.0.0.0:{METRICS}"));
    arguments.extend(strings(&["--http", &http, "--status", &status]));
    arguments.extend(files_of_certificate());
    let table = json!({ "name": "table", "emptyDir": { "sizeLimit": "256Mi" } });
    let mut volumes = vec![
        file("policy", POLICY),
        secret("gateway-tls", "/etc/toolforge/tls"),
        (table, "/var/lib/toolforge-gateway", true),
    ];
    if let Some(published) = &deployed.published {
        arguments.extend(strings(&["--publish", published]));
    }
    if deployed.gateway_settings.is_some() {
        let settings = format!("{GATEWAY_SETTINGS}/settings.yaml");
        arguments.extend(strings(&["--settings", &settings]));
        volumes.push(file("gateway-settings", GATEWAY_SETTINGS));
    }
    Component {
        name: "gateway",
        namespace: SERVICE_NAMESPACE,
        arguments,
        ports: vec![("https", HTTPS), ("http", HTTP), ("metrics", METRICS)],
        health: Health {
            scheme: "HTTP",
            port: "metrics",
            live: "/healthz",
            ready: "/readyz",
            start_tens: 12,
        },
        volumes,
        // Visitors keep their addresses.
        service: Some(json!({
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "ports": [port("https", 443), port("http", 80)],
        })),
        root_with: None,
        needs: ("200m", "128Mi", "1Gi"),
        priority_class: Some(CRITICAL),
    }
}

pub(super) fn fourohfour(domain: &str) -> Component {
    Component {
        name: FOUROHFOUR_SERVICE,
        namespace: FOUROHFOUR_NAMESPACE,
        arguments: strings(&["--domain", domain, "--status", &format!("0.0.0.0:{METRICS}")]),
        ports: vec![("http", FOUROHFOUR_PORT), ("metrics", METRICS)],
        health: Health {
            scheme: "HTTP",
            port: "http",
            live: "/healthz",
            ready: "/healthz",
            start_tens: 12,
        },
        volumes: Vec::new(),
        service: Some(json!({ "ports": [port("http", FOUROHFOUR_PORT)] })),
        root_with: None,
        needs: ("20m", "32Mi", "128Mi"),
        priority_class: None,
    }
}

pub(super) fn k8s_status(domain: &str) -> Component {
    // Without an address of its own, the name leads to every gateway.
    let figures = format!("http://gateway-figures.{SERVICE_NAMESPACE}.svc:{METRICS}/metrics");
    let status = format!("0.0.0.0:{METRICS}");
    Component {
        name: K8S_STATUS_TOOL,
        namespace: K8S_STATUS_NAMESPACE,
        arguments: strings(&["--domain", domain, "--gateway", &figures, "--status", &status]),
        ports: vec![("http", K8S_STATUS_PORT), ("metrics", METRICS)],
        health: Health {
            scheme: "HTTP",
            port: "http",
            live: "/healthz",
            ready: "/healthz",
            start_tens: 12,
        },
        volumes: Vec::new(),
        service: Some(json!({ "ports": [port("http", K8S_STATUS_PORT)] })),
        root_with: None,
        needs: ("100m", "128Mi", "512Mi"),
        priority_class: None,
    }
}

/// Leads to the figures of each replica, for those that read them; visitors of the gateway have no business there.
/// `deploy/prometheus/cluster.yml` finds it by the name of the port.
pub(super) fn figures(component: &Component) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": format!("{}-figures", component.name), "namespace": component.namespace },
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": true,
            "selector": component.labels(),
            "ports": [port("metrics", METRICS)],
        },
    })
}

/// One of the two acts, elected by a Lease.
pub(super) fn accounts(has_overrides: bool) -> Component {
    let mut arguments = policy_argument();
    arguments.extend(strings(&[
        "--directory",
        "/etc/toolforge/directory/directory.yaml",
        "--listen",
        &format!("0.0.0.0:{METRICS}"),
    ]));
    let mut password = secret("directory", "/etc/toolforge/directory-secret");
    password.0["secret"]["optional"] = json!(true);
    let homes = |name: &str, path: &'static str, kind: &str| {
        let volume = json!({ "name": name, "hostPath": { "path": path, "type": kind } });
        (volume, path, true)
    };
    let mut directory = file("directory", "/etc/toolforge/directory");
    directory.0["name"] = json!("directory-file");
    let mut volumes = vec![
        file("policy", POLICY),
        directory,
        password,
        homes("tool-homes", "/data/project", "Directory"),
        homes("admin-homes", "/home", "Directory"),
        homes("archive", "/var/lib/toolforge/archive", "DirectoryOrCreate"),
    ];
    if has_overrides {
        arguments.extend(strings(&["--overrides", &format!("{OVERRIDES}/overrides.yaml")]));
        volumes.push(file("overrides", OVERRIDES));
    }
    Component {
        name: "accounts",
        namespace: SERVICE_NAMESPACE,
        arguments,
        ports: vec![("metrics", METRICS)],
        health: Health {
            scheme: "HTTP",
            port: "metrics",
            live: "/healthz",
            ready: "/readyz",
            start_tens: 12,
        },
        volumes,
        service: None,
        // Files of tools are made in their homes, and given to them.
        root_with: Some(&["CHOWN", "DAC_OVERRIDE", "FOWNER"]),
        needs: ("100m", "128Mi", "1Gi"),
        priority_class: None,
    }
}

fn policy_argument() -> Vec<String> {
    strings(&["--policy", &format!("{POLICY}/policy.yaml")])
}

fn files_of_certificate() -> Vec<String> {
    strings(&[
        "--tls-cert",
        "/etc/toolforge/tls/tls.crt",
        "--tls-key",
        "/etc/toolforge/tls/tls.key",
    ])
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// A port of a Service that leads to the container's port of the same name.
fn port(name: &str, number: u16) -> Value {
    json!({ "name": name, "port": number, "targetPort": name, "protocol": "TCP" })
}

/// A `ConfigMap`, mounted.
fn file(name: &str, path: &'static str) -> (Value, &'static str, bool) {
    (
        json!({ "name": name, "configMap": { "name": name } }),
        path,
        false,
    )
}

/// A Secret of the operator, mounted so that the component's group reads it.
fn secret(name: &str, path: &'static str) -> (Value, &'static str, bool) {
    let volume = json!({ "name": name, "secret": { "secretName": name, "defaultMode": 0o440 } });
    (volume, path, false)
}
