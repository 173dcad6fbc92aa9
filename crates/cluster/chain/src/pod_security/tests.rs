//! The levels against Pods made for them; expected words are Kubernetes' own.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::annotations::Annotations;
use crate::attributes::User;

fn level(level: Level, minor: Option<u32>) -> LevelVersion {
    LevelVersion {
        level,
        version: minor.map_or(Version::Latest, Version::Minor),
    }
}

#[track_caller]
fn assert_finds(wanted: LevelVersion, spec: &Value, expected: &str) {
    let found = wanted.evaluate(&Value::Null, spec);
    assert_eq!(details(&found), expected, "{spec}");
}

#[test]
fn an_ordinary_pod_is_baseline_and_not_restricted() {
    let spec = json!({"containers": [{"name": "x"}]});
    assert_finds(level(Level::Privileged, None), &spec, "");
    assert_finds(level(Level::Baseline, None), &spec, "");
    assert_finds(
        level(Level::Restricted, None),
        &spec,
        r#"allowPrivilegeEscalation != false (container "x" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "x" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "x" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "x" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")"#,
    );
}

#[test]
fn a_hardened_pod_is_restricted() {
    let spec = json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "p", "projected": {"sources": []}}],
        "containers": [{"name": "x", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}],
    });
    assert_finds(level(Level::Restricted, None), &spec, "");
}

#[test]
fn each_check_of_baseline_says_what_is_wrong() {
    let on = |context: Value| json!({"containers": [{"name": "x", "securityContext": context}]});
    for (spec, expected) in [
        (
            json!({"hostNetwork": true, "hostPID": true}),
            "host namespaces (hostNetwork=true, hostPID=true)",
        ),
        (
            json!({"containers": [{"name": "a", "ports": [{"hostPort": 80}]}, {"name": "b", "ports": [{"hostPort": 8080}]}]}),
            r#"hostPort (containers "a", "b" use hostPorts 80, 8080)"#,
        ),
        (
            json!({"containers": [{"name": "x", "livenessProbe": {"httpGet": {"host": "h"}}}]}),
            r#"probe or lifecycle host (container "x" uses probe or lifecycle host "h")"#,
        ),
        (
            on(json!({"privileged": true})),
            r#"privileged (container "x" must not set securityContext.privileged=true)"#,
        ),
        (
            on(json!({"procMount": "Unmasked"})),
            r#"procMount (container "x" must not set securityContext.procMount to "Unmasked")"#,
        ),
        (
            json!({"securityContext": {"seLinuxOptions": {"type": "t", "user": "u"}}}),
            r#"seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "t"; user may not be set)"#,
        ),
        (
            json!({"securityContext": {"sysctls": [{"name": "kernel.shm_rmid_forced"}, {"name": "kernel.msgmax"}]}}),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            on(json!({"windowsOptions": {"hostProcess": true}})),
            r#"hostProcess (container "x" must not set securityContext.windowsOptions.hostProcess=true)"#,
        ),
        (
            on(json!({"appArmorProfile": {"type": "Unconfined"}})),
            r#"forbidden AppArmor profile (container "x" must not set AppArmor profile type to "Unconfined")"#,
        ),
        (
            on(json!({"capabilities": {"add": ["NET_RAW", "CHOWN"]}})),
            r#"non-default capabilities (container "x" must not include "NET_RAW" in securityContext.capabilities.add)"#,
        ),
        (
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
            r#"hostPath volumes (volume "v")"#,
        ),
        (
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}, "containers": [{"name": "x", "securityContext": {"seccompProfile": {"type": "Unconfined"}}}]}),
            r#"seccompProfile (pod and container "x" must not set securityContext.seccompProfile.type to "Unconfined")"#,
        ),
    ] {
        assert_finds(level(Level::Baseline, None), &spec, expected);
    }
}

#[test]
fn versions_have_the_checks_of_their_time() {
    let sysctl = json!({"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}});
    assert_finds(level(Level::Baseline, Some(32)), &sysctl, "");
    assert_finds(
        level(Level::Baseline, Some(31)),
        &sysctl,
        "forbidden sysctls (net.ipv4.tcp_rmem)",
    );
    let probe = json!({"containers": [{"name": "x", "livenessProbe": {"tcpSocket": {"host": "h"}}}]});
    assert_finds(level(Level::Baseline, Some(33)), &probe, "");
    let plain = json!({"containers": [{"name": "x"}]});
    assert_finds(
        level(Level::Restricted, Some(7)),
        &plain,
        r#"runAsNonRoot != true (pod or container "x" must set securityContext.runAsNonRoot=true)"#,
    );
    let own_users = json!({"hostUsers": false, "containers": [{"name": "x"}]});
    assert!(!reasons(&level(Level::Restricted, None).evaluate(&Value::Null, &own_users)).contains("NonRoot"));
}

#[test]
fn restricted_replaces_what_baseline_says_less_strictly() {
    let spec =
        json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "n", "nfs": {"path": "/"}}]});
    assert_finds(
        level(Level::Restricted, None),
        &spec,
        r#"restricted volume types (volumes "v", "n" use restricted volume types "hostPath", "nfs")"#,
    );
}

/// One namespace with some Pods.
struct Small {
    namespace: Arc<Value>,
    pods: Vec<Arc<Value>>,
}

impl World for Small {
    fn list(&self, _: &str, plural: &str, _: Option<&str>) -> Vec<Arc<Value>> {
        if plural == "pods" {
            self.pods.clone()
        } else {
            Vec::new()
        }
    }

    fn get(&self, _: &str, plural: &str, _: Option<&str>, _: &str) -> Option<Arc<Value>> {
        (plural == "namespaces").then(|| self.namespace.clone())
    }
}

fn namespace(labels: &[(&str, &str)]) -> Value {
    let labels: serde_json::Map<String, Value> = labels
        .iter()
        .map(|(mode, level)| (format!("pod-security.kubernetes.io/{mode}"), json!(level)))
        .collect();
    json!({"metadata": {"name": "n", "labels": labels}})
}

fn attributes(group: &str, kind: &str, operation: Operation, name: &str) -> Attributes {
    Attributes {
        kind: toolforge_kinds::by_kind(group, "v1", kind).unwrap(),
        operation,
        subresource: None,
        namespace: Some("n".to_owned()),
        name: name.to_owned(),
        user: User::default(),
        dry_run: false,
        options: Value::Null,
        annotations: Annotations::default(),
    }
}

fn pod(name: &str, privileged: bool) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [
        {"name": "x", "image": "i", "securityContext": {"privileged": privileged}}]}})
}

#[test]
fn enforce_refuses_pods_and_warn_tells_of_templates() {
    let world = Small {
        namespace: Arc::new(namespace(&[
            ("enforce", "baseline"),
            ("warn", "baseline"),
            ("audit", "restricted"),
        ])),
        pods: Vec::new(),
    };
    let create = attributes("", "Pod", Operation::Create, "p");
    let refused = admit(&world, &create, Some(&pod("p", true)), None).unwrap_err();
    let what = r#"violates PodSecurity "baseline:latest": privileged (container "x" must not set securityContext.privileged=true)"#;
    assert_eq!(refused.message, format!(r#"pods "p" is forbidden: {what}"#));
    assert_eq!(admit(&world, &create, Some(&pod("p", false)), None), Ok(vec![]));
    let annotations = create.annotations.read();
    assert_eq!(
        annotations["pod-security.kubernetes.io/enforce-policy"],
        "baseline:latest"
    );
    assert!(
        annotations["pod-security.kubernetes.io/audit-violations"]
            .starts_with("would violate PodSecurity \"restricted:latest\": ")
    );
    let mut template = pod("p", true);
    template["metadata"] = json!({});
    let deployment = json!({"spec": {"template": template}});
    let create = attributes("apps", "Deployment", Operation::Create, "d");
    let warnings = admit(&world, &create, Some(&deployment), None).unwrap();
    assert_eq!(warnings, [what.replace("violates", "would violate")]);
}

#[test]
fn an_update_that_changes_no_image_is_left_alone() {
    let world = Small {
        namespace: Arc::new(namespace(&[("enforce", "baseline")])),
        pods: Vec::new(),
    };
    let update = attributes("", "Pod", Operation::Update, "p");
    let old = pod("p", true);
    let mut labelled = old.clone();
    labelled["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(admit(&world, &update, Some(&labelled), Some(&old)), Ok(vec![]));
    let mut newer = old.clone();
    newer["spec"]["containers"][0]["image"] = json!("j");
    assert!(admit(&world, &update, Some(&newer), Some(&old)).is_err());
}

#[test]
fn a_namespace_has_sensible_labels_and_tells_of_its_pods() {
    let world = Small {
        namespace: Arc::new(namespace(&[])),
        pods: [("a", true), ("b", true), ("c", false), ("d", true)]
            .map(|(name, privileged)| Arc::new(pod(name, privileged)))
            .to_vec(),
    };
    let create = attributes("", "Namespace", Operation::Create, "n");
    let wrong = namespace(&[("enforce", "strict"), ("warn-version", "v2.0")]);
    let refused = admit(&world, &create, Some(&wrong), None).unwrap_err();
    assert_eq!(
        refused.message,
        r#"Namespace "n" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "v2.0": must be "latest" or "v1.x"]"#
    );
    let update = attributes("", "Namespace", Operation::Update, "n");
    let (open, closed) = (namespace(&[]), namespace(&[("enforce", "baseline")]));
    assert_eq!(
        admit(&world, &update, Some(&closed), Some(&open)).unwrap(),
        [
            r#"existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest""#,
            "a (and 2 other pods): privileged",
        ]
    );
    assert_eq!(admit(&world, &update, Some(&open), Some(&closed)), Ok(vec![]));
    assert_eq!(
        admit(&world, &update, Some(&wrong), Some(&wrong)).unwrap().len(),
        0
    );
}
