//! From what is said of one component to its objects: what all of them have in common is here.

use serde_json::{Value, json};

/// The digest of the files that a component was started with; another one starts it anew.
const CONFIGURATION: &str = "toolforge.org/configuration";
/// Nobody in particular, on any machine.
const NOBODY: u32 = 65_534;
/// How long calls go on to a replica that is told to stop, until every machine knows: it serves them, then ends.
const LINGER_SECONDS: u32 = 5;
/// Long enough for that, and for the requests that are under way then.
const GRACE_SECONDS: u32 = 45;

/// One component.
pub(super) struct Component {
    /// Of all of its objects, and the subcommand that runs it.
    pub(super) name: &'static str,
    pub(super) namespace: &'static str,
    /// Without the subcommand.
    pub(super) arguments: Vec<String>,
    /// Names and numbers of the ports that it listens on.
    pub(super) ports: Vec<(&'static str, u16)>,
    /// What the kubelet asks.
    pub(super) health: Health,
    /// Each volume, where it is mounted, and whether it is written to.
    pub(super) volumes: Vec<(Value, &'static str, bool)>,
    /// What it is called by, if others call it: the `spec` without the selector.
    pub(super) service: Option<Value>,
    /// Whether it is root, with these capabilities and no others.
    pub(super) root_with: Option<&'static [&'static str]>,
    /// What it asks for: CPU, memory, and the most memory.
    pub(super) needs: (&'static str, &'static str, &'static str),
    pub(super) priority_class: Option<&'static str>,
}

/// Where and how a component says that it lives, and that it is ready.
pub(super) struct Health {
    pub(super) scheme: &'static str,
    pub(super) port: &'static str,
    pub(super) live: &'static str,
    pub(super) ready: &'static str,
    /// How long it may take to listen at all, in tens of seconds.
    pub(super) start_tens: u32,
}

impl Health {
    fn probe(&self, path: &str, period: u32, failures: u32) -> Value {
        json!({
            "httpGet": { "path": path, "port": self.port, "scheme": self.scheme },
            "periodSeconds": period,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        })
    }
}

impl Component {
    /// The service account, the Deployment, the budget, and the Service.
    pub(super) fn objects(&self, image: &str, digest: &str) -> Vec<Value> {
        let mut objects = vec![
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": self.metadata() }),
            self.deployment(image, digest),
            json!({
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": self.metadata(),
                "spec": { "minAvailable": 1, "selector": { "matchLabels": self.labels() } },
            }),
        ];
        if let Some(spec) = &self.service {
            let mut spec = spec.clone();
            spec["selector"] = self.labels();
            objects.push(
                json!({ "apiVersion": "v1", "kind": "Service", "metadata": self.metadata(), "spec": spec }),
            );
        }
        objects
    }

    pub(super) fn labels(&self) -> Value {
        json!({ "app.kubernetes.io/name": self.name, "app.kubernetes.io/part-of": "toolforge-platform" })
    }

    fn metadata(&self) -> Value {
        json!({ "name": self.name, "namespace": self.namespace, "labels": self.labels() })
    }

    fn deployment(&self, image: &str, digest: &str) -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self.metadata(),
            "spec": {
                "replicas": 2,
                "selector": { "matchLabels": self.labels() },
                // A new replica is ready before an old one goes.
                "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": 1 } },
                "template": {
                    "metadata": { "labels": self.labels(), "annotations": { CONFIGURATION: digest } },
                    "spec": self.pod(image),
                },
            },
        })
    }

    fn pod(&self, image: &str) -> Value {
        let mut pod = json!({
            "serviceAccountName": self.name,
            "automountServiceAccountToken": true,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": self.security(),
            "affinity": self.apart(),
            "containers": [self.container(image)],
        });
        if !self.volumes.is_empty() {
            pod["volumes"] = self.volumes.iter().map(|(volume, ..)| volume.clone()).collect();
        }
        if let Some(class) = self.priority_class {
            pod["priorityClassName"] = json!(class);
        }
        pod
    }

    fn security(&self) -> Value {
        let seccomp = json!({ "type": "RuntimeDefault" });
        if self.root_with.is_some() {
            return json!({ "runAsUser": 0, "runAsGroup": 0, "seccompProfile": seccomp });
        }
        json!({
            "runAsNonRoot": true,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": seccomp,
        })
    }

    /// Replicas on machines of their own, where there are several.
    fn apart(&self) -> Value {
        json!({
            "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [{
                "weight": 100,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": { "matchLabels": self.labels() },
                },
            }] },
        })
    }

    fn container(&self, image: &str) -> Value {
        let arguments: Vec<&str> = std::iter::once(self.name)
            .chain(self.arguments.iter().map(String::as_str))
            .collect();
        let mut capabilities = json!({ "drop": ["ALL"] });
        if let Some(added) = self.root_with {
            capabilities["add"] = json!(added);
        }
        let (cpu, memory, most) = self.needs;
        let health = &self.health;
        let mut container = json!({
            "name": self.name,
            "image": image,
            "command": ["toolforge"],
            "args": arguments,
            "ports": self.ports.iter().map(|(name, port)| json!({ "name": name, "containerPort": port })).collect::<Value>(),
            "startupProbe": health.probe(health.live, 10, health.start_tens),
            "livenessProbe": health.probe(health.live, 10, 3),
            "readinessProbe": health.probe(health.ready, 5, 2),
            "lifecycle": { "preStop": { "sleep": { "seconds": LINGER_SECONDS } } },
            "resources": { "requests": { "cpu": cpu, "memory": memory }, "limits": { "memory": most } },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": capabilities,
            },
        });
        if !self.volumes.is_empty() {
            container["volumeMounts"] = self.volumes.iter().map(mount).collect();
        }
        container
    }
}

fn mount((volume, path, written): &(Value, &'static str, bool)) -> Value {
    json!({ "name": volume["name"], "mountPath": path, "readOnly": !written })
}
