//! Policies as objects: old ones, the definition, the classes of the platform.

use serde_json::{Value, json};

use super::super::{
    HostPath, PodSecurityPolicy, PodSecurityPolicySpec, ToolClass, default_policy, definition,
    privileged_policy, tool_policy,
};
use super::{account, created, pod, with_container, with_pod};

/// The example policy "privileged" of upstream's documentation.
fn documented_privileged() -> Value {
    json!({
        "apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy",
        "metadata": {
            "name": "privileged",
            "annotations": {"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "*"},
        },
        "spec": {
            "privileged": true, "allowPrivilegeEscalation": true, "allowedCapabilities": ["*"], "volumes": ["*"],
            "hostNetwork": true, "hostPorts": [{"min": 0, "max": 65535}], "hostIPC": true, "hostPID": true,
            "runAsUser": {"rule": "RunAsAny"}, "seLinux": {"rule": "RunAsAny"},
            "supplementalGroups": {"rule": "RunAsAny"}, "fsGroup": {"rule": "RunAsAny"},
        },
    })
}

/// The example policy "restricted" of upstream's documentation.
fn documented_restricted() -> Value {
    json!({
        "apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy",
        "metadata": {"name": "restricted", "annotations": {
            "seccomp.security.alpha.kubernetes.io/allowedProfileNames": "docker/default,runtime/default",
            "apparmor.security.beta.kubernetes.io/allowedProfileNames": "runtime/default",
            "apparmor.security.beta.kubernetes.io/defaultProfileName": "runtime/default",
        }},
        "spec": {
            "privileged": false, "allowPrivilegeEscalation": false, "requiredDropCapabilities": ["ALL"],
            "volumes": ["configMap", "emptyDir", "projected", "secret", "downwardAPI", "csi", "persistentVolumeClaim", "ephemeral"],
            "hostNetwork": false, "hostIPC": false, "hostPID": false,
            "runAsUser": {"rule": "MustRunAsNonRoot"}, "seLinux": {"rule": "RunAsAny"},
            "supplementalGroups": {"rule": "MustRunAs", "ranges": [{"min": 1, "max": 65535}]},
            "fsGroup": {"rule": "MustRunAs", "ranges": [{"min": 1, "max": 65535}]},
            "readOnlyRootFilesystem": false,
        },
    })
}

fn worst() -> Value {
    let context = json!({"privileged": true, "runAsUser": 0, "capabilities": {"add": ["SYS_ADMIN"]}, "seccompProfile": {"type": "Unconfined"}});
    let mut spec = with_pod(
        &json!({"hostNetwork": true, "hostPID": true, "volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
    );
    spec["containers"][0]["securityContext"] = context;
    spec["containers"][0]["ports"] = json!([{"containerPort": 1, "hostPort": 22}]);
    spec
}

#[test]
fn the_documented_privileged_policy_lets_everything_through_unchanged() {
    for policy in [
        PodSecurityPolicy::read(&documented_privileged()).unwrap(),
        privileged_policy(),
    ] {
        for spec in [worst(), with_container(&json!({}))] {
            let made = created(&[&policy], &pod(&spec)).unwrap();
            assert_eq!(made["spec"], spec);
        }
    }
}

#[test]
fn the_documented_restricted_policy_completes_and_refuses() {
    let policy = PodSecurityPolicy::read(&documented_restricted()).unwrap();
    let asked = with_pod(&json!({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}));
    let made = created(&[&policy], &pod(&asked)).unwrap();
    assert_eq!(
        made["spec"]["securityContext"],
        json!({"seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": 1, "supplementalGroups": [1]})
    );
    assert_eq!(
        made["spec"]["containers"][0]["securityContext"],
        json!({
            "runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            "appArmorProfile": {"type": "RuntimeDefault"},
        })
    );
    let verdict = created(&[&policy], &pod(&worst())).unwrap_err();
    let rules: Vec<&str> = verdict.offences().iter().map(|offence| offence.rule).collect();
    for rule in [
        "pod/host-namespace",
        "pod/host-path",
        "pod/run-as",
        "pod/privileged",
        "pod/capabilities",
        "pod/host-port",
        "pod/seccomp",
    ] {
        assert!(rules.contains(&rule), "{rule} not in {rules:?}");
    }
    // It names no profile to be given, as upstream's does not: a Pod without one is refused.
    let verdict = created(&[&policy], &pod(&with_container(&json!({})))).unwrap_err();
    assert_eq!(
        verdict.offences()[0].field,
        "spec.securityContext.seccompProfile.type"
    );
}

#[test]
fn what_is_read_is_written_as_it_was() {
    for object in [documented_privileged(), documented_restricted()] {
        let policy = PodSecurityPolicy::read(&object).unwrap();
        let again = PodSecurityPolicy::read(&policy.to_object()).unwrap();
        assert_eq!(again, policy);
        assert_eq!(again.to_object()["apiVersion"], "policy.toolforge.org/v1");
        assert_eq!(again.name(), object["metadata"]["name"]);
    }
}

#[test]
fn nulls_and_unknown_fields_do_no_harm_and_half_a_policy_does_none() {
    let mut object = documented_privileged();
    object["spec"]["volumes"] = Value::Null;
    object["spec"]["hostPID"] = Value::Null;
    object["spec"]["somethingNew"] = json!({"a": 1});
    let policy = PodSecurityPolicy::read(&object).unwrap();
    assert!(policy.spec().volumes.is_empty() && !policy.spec().host_pid);
    for (field, value, words) in [
        ("fsGroup", Value::Null, "spec cannot be read"),
        ("fsGroup", json!({"rule": "MustRunAs"}), "ranges is empty"),
        ("fsGroup", json!({"rule": "MustRunAsNonRoot"}), "no rule for it"),
        (
            "runAsUser",
            json!({"rule": "MayRunAs", "ranges": [{"min": 1, "max": 2}]}),
            "no rule for it",
        ),
        ("runAsUser", json!({}), "no rule for it"),
        ("runAsUser", json!({"rule": "Anything"}), "spec cannot be read"),
        (
            "seLinux",
            json!({"rule": "MustRunAs"}),
            "seLinuxOptions is missing",
        ),
    ] {
        let mut object = documented_privileged();
        object["spec"][field] = value;
        let error = PodSecurityPolicy::read(&object).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(PodSecurityPolicy::read(&Value::Null).is_err());
}

#[test]
fn the_definition_names_every_field_and_no_other() {
    let definition = definition();
    let properties =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    let mut full = serde_json::to_value(PodSecurityPolicySpec::default()).unwrap();
    let wide = tool_policy(
        &"alpha".parse().unwrap(),
        &account(),
        &ToolClass {
            host_paths: vec![HostPath {
                prefix: "/data".to_owned(),
                read_only: true,
            }],
            ..ToolClass::default()
        },
    );
    for policy in [wide, privileged_policy(), default_policy()] {
        json_patch::merge(&mut full, &policy.to_object()["spec"]);
    }
    for field in full.as_object().unwrap().keys() {
        assert!(
            properties.get(field).is_some(),
            "{field} is not in the definition"
        );
    }
    assert_eq!(properties.as_object().unwrap().len(), 24);
    assert_eq!(
        definition["metadata"]["name"],
        "podsecuritypolicies.policy.toolforge.org"
    );
}

#[test]
fn a_tools_policy_allows_paths_of_the_machine_only_where_some_are_configured() {
    let of = |class: &ToolClass| {
        tool_policy(&"alpha".parse().unwrap(), &account(), class).to_object()["spec"].clone()
    };
    let none = of(&ToolClass::default());
    assert!(!none["volumes"].as_array().unwrap().contains(&json!("hostPath")));
    let some = of(&ToolClass {
        host_paths: vec![HostPath {
            prefix: "/public/dumps".to_owned(),
            read_only: true,
        }],
        ..ToolClass::default()
    });
    assert!(some["volumes"].as_array().unwrap().contains(&json!("hostPath")));
    assert_eq!(
        some["allowedHostPaths"],
        json!([{"pathPrefix": "/public/dumps", "readOnly": true}])
    );
}
