//! The `CustomResourceDefinition` of `PodSecurityPolicy`: cluster-scoped, with upstream's fields, rules and columns.

use serde_json::{Value, json};

use super::policy::{GROUP, KIND, PLURAL, VERSION};

/// How many ranges a strategy may have. Upstream has no limit; rules in CEL need one.
const MOST_RANGES: u32 = 256;
/// The largest user or group id that Kubernetes takes.
const LARGEST_ID: i64 = 2_147_483_647;

/// The definition, as an object.
pub fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{PLURAL}.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "plural": PLURAL,
                "singular": "podsecuritypolicy",
                "kind": KIND,
                "listKind": "PodSecurityPolicyList",
                "shortNames": ["psp"],
            },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "additionalPrinterColumns": columns(),
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "description": "Governs what Pods may ask for; given with the verb use.",
                    "required": ["spec"],
                    "properties": {"spec": spec()},
                }},
            }],
        },
    })
}

fn columns() -> Value {
    let column = |name: &str, kind: &str, path: &str| json!({"name": name, "type": kind, "jsonPath": path});
    json!([
        column("Priv", "boolean", ".spec.privileged"),
        column("Caps", "string", ".spec.allowedCapabilities"),
        column("SELinux", "string", ".spec.seLinux.rule"),
        column("RunAsUser", "string", ".spec.runAsUser.rule"),
        column("FSGroup", "string", ".spec.fsGroup.rule"),
        column("SupGroup", "string", ".spec.supplementalGroups.rule"),
        column("ReadOnlyRootFS", "boolean", ".spec.readOnlyRootFilesystem"),
        column("Volumes", "string", ".spec.volumes"),
    ])
}

fn spec() -> Value {
    let strings =
        |description: &str| json!({"type": "array", "description": description, "items": {"type": "string"}});
    let switch = |description: &str| json!({"type": "boolean", "description": description, "default": false});
    let groups = ["RunAsAny", "MustRunAs", "MayRunAs"];
    json!({
        "type": "object",
        "required": ["seLinux", "runAsUser", "supplementalGroups", "fsGroup"],
        "x-kubernetes-validations": [{
            "rule": "!has(self.defaultAllowPrivilegeEscalation) || !self.defaultAllowPrivilegeEscalation \
                     || self.allowPrivilegeEscalation",
            "message": "defaultAllowPrivilegeEscalation may not be true where allowPrivilegeEscalation is false",
        }],
        "properties": {
            "privileged": switch("Whether containers may be privileged."),
            "defaultAddCapabilities": strings("Capabilities that containers get unless they drop them."),
            "requiredDropCapabilities": strings("Capabilities that every container must drop, and drops by itself."),
            "allowedCapabilities": strings("Capabilities that containers may add; * for all."),
            "volumes": strings("Kinds of volumes that Pods may have; * for all. Empty allows none."),
            "hostNetwork": switch("Whether Pods may share the machine's network."),
            "hostPorts": {
                "type": "array",
                "description": "Ports of the machine that containers may take.",
                "items": range("int32", 0, 65535),
            },
            "hostPID": switch("Whether Pods may share the machine's processes."),
            "hostIPC": switch("Whether Pods may share the machine's memory."),
            "seLinux": selinux(),
            "runAsUser": ids(&["RunAsAny", "MustRunAs", "MustRunAsNonRoot"]),
            "runAsGroup": ids(&groups),
            "supplementalGroups": ids(&groups),
            "fsGroup": ids(&groups),
            "readOnlyRootFilesystem": switch("Whether containers must have a read-only root filesystem."),
            "defaultAllowPrivilegeEscalation": {
                "type": "boolean",
                "description": "Whether containers that say nothing may gain privileges.",
            },
            "allowPrivilegeEscalation": {
                "type": "boolean",
                "description": "Whether containers may gain privileges.",
                "default": true,
            },
            "allowedHostPaths": objects("Paths of the machine that Pods may mount; all when empty.", "pathPrefix", &json!({
                "pathPrefix": {"type": "string", "pattern": "^/"},
                "readOnly": {"type": "boolean"},
            })),
            "allowedFlexVolumes": objects("Drivers of flexVolumes; all when empty.", "driver", &json!({
                "driver": {"type": "string", "minLength": 1},
            })),
            "allowedCSIDrivers": objects("Drivers of inline CSI volumes; all when empty.", "name", &json!({
                "name": {"type": "string", "minLength": 1},
            })),
            "allowedUnsafeSysctls": strings("Kernel parameters beyond the safe ones; * at the end for a family."),
            "forbiddenSysctls": strings("Kernel parameters that are refused; * at the end for a family."),
            "allowedProcMountTypes": strings("Ways to mount /proc; Default only when empty."),
            "runtimeClass": {
                "type": "object",
                "required": ["allowedRuntimeClassNames"],
                "properties": {
                    "allowedRuntimeClassNames": strings("Runtime classes that Pods may name; * for all."),
                    "defaultRuntimeClassName": {"type": "string"},
                },
            },
        },
    })
}

fn ids(rules: &[&str]) -> Value {
    let mut ranges = range("int64", 0, LARGEST_ID);
    ranges["x-kubernetes-validations"] =
        json!([{"rule": "self.min <= self.max", "message": "min may not be above max"}]);
    json!({
        "type": "object",
        "required": ["rule"],
        "x-kubernetes-validations": [{
            "rule": "!(self.rule in ['MustRunAs', 'MayRunAs']) || (has(self.ranges) && size(self.ranges) > 0)",
            "message": "this rule needs ranges",
        }],
        "properties": {
            "rule": {"type": "string", "enum": rules},
            "ranges": {"type": "array", "maxItems": MOST_RANGES, "items": ranges},
        },
    })
}

fn range(format: &str, least: i64, most: i64) -> Value {
    let number = json!({"type": "integer", "format": format, "minimum": least, "maximum": most});
    json!({
        "type": "object",
        "required": ["min", "max"],
        "properties": {"min": number, "max": number},
    })
}

fn selinux() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "required": ["rule"],
        "x-kubernetes-validations": [{
            "rule": "self.rule != 'MustRunAs' || has(self.seLinuxOptions)",
            "message": "this rule needs seLinuxOptions",
        }],
        "properties": {
            "rule": {"type": "string", "enum": ["RunAsAny", "MustRunAs"]},
            "seLinuxOptions": {
                "type": "object",
                "properties": {"level": text, "role": text, "type": text, "user": text},
            },
        },
    })
}

fn objects(description: &str, required: &str, properties: &Value) -> Value {
    json!({
        "type": "array",
        "description": description,
        "items": {"type": "object", "required": [required], "properties": properties},
    })
}
