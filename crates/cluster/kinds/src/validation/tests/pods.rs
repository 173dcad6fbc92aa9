//! Pods.

use serde_json::{Value, json};

use super::{cases, changed, check};
use crate::{Subresource, apply_defaults, by_kind, prepare_for_update, validate_update};

fn pod() -> Value {
    json!({"metadata": {"name": "a", "labels": {"app": "a"}, "annotations": {}}, "spec": {
        "containers": [{"name": "c", "image": "x:1", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "b"}],
            "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            "readinessProbe": {"httpGet": {"port": 80}}, "securityContext": {"runAsUser": 1}}],
        "initContainers": [{"name": "i", "image": "x:1"}],
        "volumes": [{"name": "v", "hostPath": {"path": "/srv"}}], "tolerations": [{"operator": "Exists"}]}})
}

#[test]
fn pods() {
    let good = pod();
    let cases = cases! {
        "/metadata/name" => "A" => "metadata.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist";
        "/metadata/name" => null => "metadata.name: Required value: name or generateName is required";
        "/metadata/labels" => {"a b": "c"} => "metadata.labels: Invalid value: \"a b\": name part must consist of";
        "/metadata/labels" => {"a": "c d"} => "metadata.labels: Invalid value: \"c d\": a valid label must be";
        "/metadata/finalizers" => ["x"] => "metadata.finalizers[0]: Invalid value: \"x\": name is neither a standard";
        "/spec/containers" => [] => "spec.containers: Required value";
        "/spec/containers/0/name" => "C" => "spec.containers[0].name: Invalid value: \"C\": a lowercase RFC 1123 label";
        "/spec/containers/0/name" => "i" => "spec.initContainers[0].name: Duplicate value: \"i\"";
        "/spec/containers/0/image" => null => "spec.containers[0].image: Required value";
        "/spec/containers/0/image" => " x" => "spec.containers[0].image: Invalid value: \" x\": must not have leading or trailing whitespace";
        "/spec/containers/0/imagePullPolicy" => "Sometimes" => "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\"";
        "/spec/containers/0/ports" => [{"containerPort": 70000}] => "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive";
        "/spec/containers/0/ports" => [{}] => "spec.containers[0].ports[0].containerPort: Required value";
        "/spec/containers/0/ports" => [{"containerPort": 1, "protocol": "tcp"}] => "spec.containers[0].ports[0].protocol: Unsupported value: \"tcp\"";
        "/spec/containers/0/env" => [{"name": ""}] => "spec.containers[0].env[0].name: Required value";
        "/spec/containers/0/env" => [{"name": "A", "valueFrom": {}}] => "spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of";
        "/spec/containers/0/env" => [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}] => "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \"spec.x\"";
        "/spec/containers/0/resources" => {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}} => "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1";
        "/spec/containers/0/resources" => {"limits": {"cpux": "1"}} => "spec.containers[0].resources.limits[cpux]: Invalid value: \"cpux\": must be a standard resource for containers";
        "/spec/containers/0/resources" => {"limits": {"cpu": "-1"}} => "spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0";
        "/spec/containers/0/volumeMounts" => [{"name": "w", "mountPath": "/w"}] => "spec.containers[0].volumeMounts[0].name: Not found: \"w\"";
        "/spec/containers/0/volumeMounts" => [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/v"}] => "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/v\": must be unique";
        "/spec/containers/0/readinessProbe" => {} => "spec.containers[0].readinessProbe: Required value: must specify a handler type";
        "/spec/containers/0/livenessProbe" => {"exec": {"command": ["a"]}, "successThreshold": 2} => "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1";
        "/spec/containers/0/livenessProbe" => {"httpGet": {"port": 0}} => "spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535";
        "/spec/containers/0/livenessProbe" => {"httpGet": {"port": 1}, "tcpSocket": {"port": 1}} => "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type";
        "/spec/containers/0/securityContext" => {"runAsUser": -1} => "spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive";
        "/spec/initContainers/0/livenessProbe" => {"exec": {"command": ["a"]}} => "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers";
        "/spec/volumes" => [{"name": "v", "hostPath": {"path": "/a/../b"}}] => "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'";
        "/spec/volumes" => [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/a"}}] => "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type";
        "/spec/volumes" => [{"name": "v", "secret": {}}] => "spec.volumes[0].secret.secretName: Required value";
        "/spec/restartPolicy" => "Sometimes" => "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"";
        "/spec/dnsPolicy" => "X" => "spec.dnsPolicy: Unsupported value";
        "/spec/activeDeadlineSeconds" => 0 => "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and";
        "/spec/tolerations" => [{"operator": "Equal"}] => "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty";
        "/spec/affinity" => {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}} => "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term";
        "/spec/affinity" => {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}} => "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty";
        "/spec/affinity" => {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 0, "podAffinityTerm": {"topologyKey": "a"}}]}} => "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100";
        "/spec/dnsPolicy" => "None" => "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None";
        "/spec/dnsConfig" => {"nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]} => "spec.dnsConfig.nameservers: Invalid value: [\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"1.1.1.4\"]: must not have more than 3 nameservers";
        "/spec/dnsConfig" => {"nameservers": ["dns"]} => "spec.dnsConfig.nameservers[0]: Invalid value: \"dns\": must be a valid IP address";
        "/spec/dnsConfig" => {"searches": ["_a.b.", ".", "A"]} => "spec.dnsConfig.searches[2]: Invalid value: \"A\": a lowercase RFC 1123 subdomain";
        "/spec/dnsConfig" => {"options": [{"value": "1"}]} => "spec.dnsConfig.options[0]: Required value: must not be empty";
        "/spec/readinessGates" => [{"conditionType": "a b"}] => "spec.readinessGates[0].conditionType: Invalid value: \"a b\": name part must consist of";
        "/spec/schedulingGates" => [{"name": "a"}, {"name": "a"}] => "spec.schedulingGates[1]: Duplicate value: \"a\"";
        "/spec/os" => {"name": "plan9"} => "spec.os: Unsupported value: \"plan9\": supported values: \"linux\", \"windows\"";
        "/spec/securityContext" => {"sysctls": [{"name": "Net.x", "value": "1"}]} => "spec.securityContext.sysctls[0].name: Invalid value: \"Net.x\": must have at most 253 characters";
        "/spec/securityContext" => {"sysctls": [{"name": "net.x"}, {"name": "net.x"}]} => "spec.securityContext.sysctls[1].name: Duplicate value: \"net.x\"";
        "/spec/securityContext" => {"fsGroupChangePolicy": "Never"} => "spec.securityContext.fsGroupChangePolicy: Unsupported value: \"Never\": supported values: \"Always\", \"OnRootMismatch\"";
        "/spec/securityContext" => {"appArmorProfile": {"type": "Localhost"}} => "spec.securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost";
        "/spec/topologySpreadConstraints" => [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}] => "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero";
        "/spec/topologySpreadConstraints" => [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}, {"maxSkew": 2, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}] => "spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: \"{z, DoNotSchedule}\"";
        "/spec/topologySpreadConstraints" => [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 1}] => "spec.topologySpreadConstraints[0].minDomains: Invalid value: 1: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway";
        "/spec/volumes" => [{"name": "v", "emptyDir": {"sizeLimit": "-1"}}] => "spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity";
        "/spec/volumes" => [{"name": "v", "downwardAPI": {"items": [{"path": "a", "resourceFieldRef": {"resource": "limits.cpu"}}]}}] => "spec.volumes[0].downwardAPI.items[0].resourceFieldRef.containerName: Required value";
        "/spec/volumes" => [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "../t"}}]}}] => "spec.volumes[0].projected.sources[0].serviceAccountToken.path: Invalid value: \"../t\": must not contain '..'";
        "/spec/ephemeralContainers" => [{"name": "e", "image": "x"}] => "spec.ephemeralContainers: Forbidden: cannot be set on create";
    };
    check("", "Pod", &good, &cases);
}

#[test]
fn a_pod_changes_only_its_images_deadline_and_tolerations() {
    let good = pod();
    let change = |pointer: &str, value: Value| changed("", "Pod", &good, pointer, value);
    assert_eq!(change("/spec/containers/0/image", json!("y:2")), "");
    assert_eq!(change("/spec/activeDeadlineSeconds", json!(5)), "");
    assert_eq!(
        change(
            "/spec/tolerations",
            json!([{"operator": "Exists"}, {"key": "a", "operator": "Exists"}])
        ),
        ""
    );
    assert_eq!(change("/metadata/labels", json!({"b": "c"})), "");
    let said = change("/spec/containers/0/command", json!(["x"]));
    assert!(said.starts_with("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`"), "{said}");
    assert!(said.ends_with("changed: spec.containers"), "{said}");
    assert_eq!(
        change("/spec/tolerations", json!([])),
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    );
    assert_eq!(
        change("/spec/initContainers", json!([])),
        "spec.initContainers: Forbidden: pod updates may not add or remove containers"
    );
}

#[test]
fn gates_are_taken_away_one_by_one_and_a_gated_pod_finds_a_narrower_place() {
    let mut good = pod();
    good["spec"]["schedulingGates"] = json!([{"name": "a"}, {"name": "b"}]);
    good["spec"]["nodeSelector"] = json!({"disk": "ssd"});
    let of = |pod: &Value, pointer: &str, value: Value| changed("", "Pod", pod, pointer, value);
    let change = |pointer: &str, value: Value| of(&good, pointer, value);
    assert_eq!(change("/spec/schedulingGates", json!([{"name": "b"}])), "");
    assert_eq!(change("/spec/schedulingGates", json!([])), "");
    assert_eq!(
        change("/spec/schedulingGates", json!([{"name": "a"}, {"name": "c"}])),
        "spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'c'"
    );
    assert_eq!(
        change("/spec/nodeSelector", json!({"disk": "ssd", "zone": "a"})),
        ""
    );
    assert_eq!(
        change("/spec/nodeSelector", json!({"zone": "a"})),
        "spec.nodeSelector: Invalid value: {\"zone\":\"a\"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)"
    );
    let nodes = |terms: Value| json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
    let one = json!({"key": "a", "operator": "Exists"});
    let other = json!({"key": "b", "operator": "Exists"});
    let placed = nodes(json!([{"matchExpressions": [one]}]));
    assert_eq!(change("/spec/affinity", placed.clone()), "");
    let mut wanting = good.clone();
    wanting["spec"]["affinity"] = placed;
    let narrower = nodes(json!([{"matchExpressions": [one, other]}]));
    assert_eq!(of(&wanting, "/spec/affinity", narrower), "");
    let elsewhere = of(
        &wanting,
        "/spec/affinity",
        nodes(json!([{"matchExpressions": [other]}])),
    );
    assert!(
        elsewhere.contains("nodeSelectorTerms[0]: Invalid value")
            && elsewhere.ends_with("only additions are allowed (no mutations or deletions)"),
        "{elsewhere}"
    );
    let wider = nodes(json!([{"matchExpressions": [one]}, {"matchExpressions": [other]}]));
    let wider = of(&wanting, "/spec/affinity", wider);
    assert!(
        wider.ends_with("no additions/deletions to non-empty NodeSelectorTerms list are allowed"),
        "{wider}"
    );
    // Neighbours are not nodes, and who has no gates stays where it is.
    let neighbours =
        json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "z"}]}});
    assert!(change("/spec/affinity", neighbours).contains("changed: spec.affinity"));
    assert!(of(&pod(), "/spec/nodeSelector", json!({"a": "b"})).contains("changed: spec.nodeSelector"));
    good["spec"]["nodeName"] = "n".into();
    let bound = super::wrong("", "Pod", &good);
    assert_eq!(
        bound,
        "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"
    );
}

/// What is wrong with debug containers that are added through their own door.
fn debugged(before: &Value, after: &Value) -> String {
    let kind = by_kind("", "v1", "Pod").unwrap();
    let mut old = pod();
    old["metadata"]["namespace"] = "n".into();
    old["spec"]["ephemeralContainers"] = before.clone();
    apply_defaults(kind, &mut old);
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"] = after.clone();
    // Nothing else comes through this door.
    new["metadata"]["labels"] = json!({"other": "label"});
    new["spec"]["containers"][0]["image"] = "other".into();
    apply_defaults(kind, &mut new);
    let door = Some(Subresource::EphemeralContainers);
    prepare_for_update(kind, &old, &mut new, door);
    assert_eq!(new["spec"]["containers"], old["spec"]["containers"]);
    assert_eq!(new["metadata"].get("labels"), old["metadata"].get("labels"));
    let errors: Vec<String> = validate_update(kind, &old, &new, door)
        .iter()
        .map(ToString::to_string)
        .collect();
    errors.join("\n")
}

#[test]
fn debug_containers_are_only_added() {
    let one = json!({"name": "debug", "image": "busybox"});
    let two = json!({"name": "more", "image": "busybox"});
    assert_eq!(debugged(&json!([]), &json!([one])), "");
    assert_eq!(debugged(&json!([one]), &json!([one, two])), "");
    assert_eq!(
        debugged(&json!([one]), &json!([two])),
        "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debug\" may not be removed\n"
    );
    let changed = json!({"name": "debug", "image": "other"});
    assert_eq!(
        debugged(&json!([one]), &json!([changed])),
        "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debug\" may not be changed\n"
    );
}

#[test]
fn debug_containers_serve_nobody() {
    let of = |field: &str, value: Value| {
        let mut container = json!({"name": "debug", "image": "busybox"});
        container[field] = value;
        debugged(&json!([]), &json!([container]))
    };
    let at = |field: &str| {
        format!("spec.ephemeralContainers[0].{field}: Forbidden: cannot be set for an Ephemeral Container")
    };
    assert_eq!(of("ports", json!([{"containerPort": 80}])), at("ports"));
    assert_eq!(
        of("livenessProbe", json!({"exec": {"command": ["a"]}})),
        at("livenessProbe")
    );
    assert_eq!(
        of("lifecycle", json!({"preStop": {"sleep": {"seconds": 1}}})),
        at("lifecycle")
    );
    assert_eq!(of("resources", json!({"limits": {"cpu": "1"}})), at("resources"));
    let mount = json!([{"name": "v", "mountPath": "/v", "subPath": "x"}]);
    assert!(of("volumeMounts", mount).contains("volumeMounts[0].subPath: Forbidden: cannot be set"));
    assert_eq!(
        of("targetContainerName", json!("nobody")),
        "spec.ephemeralContainers[0].targetContainerName: Not found: \"nobody\""
    );
}
