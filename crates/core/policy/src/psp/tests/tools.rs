//! What a tool's own policy, with what stands beside it, allows and refuses.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{HostPath, Phase, PodSecurityPolicy, ToolClass, Who, judge_pod, tool_policy};
use super::{UID, account, merged, with_container, with_pod};
use crate::{Verdict, Workload};

const TOOL: Who<'_> = Who {
    user: "alpha",
    tool: true,
};

fn class() -> ToolClass {
    ToolClass {
        host_paths: vec![
            HostPath {
                prefix: "/data/project".to_owned(),
                read_only: false,
            },
            HostPath {
                prefix: "/public/dumps".to_owned(),
                read_only: true,
            },
        ],
        supplemental_groups: vec![100..=199],
    }
}

fn policy_of(class: &ToolClass) -> PodSecurityPolicy {
    tool_policy(&"alpha".parse().unwrap(), &account(), class)
}

fn admit(policy: &PodSecurityPolicy, phase: Phase, kind: &str, object: &Value) -> Verdict {
    let workload = Workload::read(kind, "tool-alpha", object).unwrap();
    judge_pod(vec![policy], TOOL, &workload, phase).into_verdict()
}

/// The verdict on a Pod with this specification when it is created; what is let in is let in as it has become, too.
fn verdict_with(class: &ToolClass, spec: &Value) -> Verdict {
    let policy = policy_of(class);
    let mut pod = json!({"metadata": {"name": "web"}, "spec": spec});
    let workload = Workload::read("Pod", "tool-alpha", &pod).unwrap();
    let judgement = judge_pod(vec![&policy], TOOL, &workload, Phase::Create);
    judgement.completion().make_in(&mut pod);
    if judgement.verdict().is_allowed() {
        assert!(admit(&policy, Phase::Final, "Pod", &pod).is_allowed());
    }
    judgement.into_verdict()
}

fn verdict(spec: &Value) -> Verdict {
    verdict_with(&class(), spec)
}

#[track_caller]
fn assert_refused(spec: &Value, rule: &str, field: &str) {
    let verdict = verdict(spec);
    let offences = verdict.offences();
    assert!(
        offences.iter().any(|o| o.rule == rule && o.field == field),
        "{rule} at {field} not in {offences:#?}"
    );
}

#[track_caller]
fn assert_admitted(spec: &Value) {
    let verdict = verdict(spec);
    assert!(verdict.is_allowed(), "{}", verdict.message());
}

#[test]
fn admits_a_plain_pod_once_it_is_completed() {
    assert_admitted(&with_container(&json!({})));
    assert_admitted(&with_container(
        &json!({"ports": [{"containerPort": 8000}], "livenessProbe": {"httpGet": {"port": 8000}}}),
    ));
    assert_admitted(&with_pod(
        &json!({"securityContext": {"runAsUser": UID, "runAsGroup": UID, "fsGroup": UID}}),
    ));
}

#[test]
fn refuses_a_pod_that_was_not_completed() {
    let pod = json!({"metadata": {"name": "web"}, "spec": with_container(&json!({}))});
    let verdict = admit(&policy_of(&class()), Phase::Final, "Pod", &pod);
    let mut rules: Vec<&str> = verdict.offences().iter().map(|offence| offence.rule).collect();
    rules.dedup();
    assert_eq!(
        rules,
        [
            "pod/run-as",
            "pod/seccomp",
            "pod/privilege-escalation",
            "pod/capabilities"
        ]
    );
}

#[test]
fn asks_less_of_a_template_but_refuses_what_its_pods_could_never_have() {
    let template = |spec: Value| {
        let object = json!({"spec": {"template": {"spec": spec}}});
        admit(&policy_of(&class()), Phase::Template, "Deployment", &object)
    };
    assert!(template(with_container(&json!({}))).is_allowed());
    let refused = template(with_container(&json!({"securityContext": {"runAsUser": 0}})));
    assert_eq!(
        refused.offences()[0].field,
        "spec.template.spec.containers[0].securityContext.runAsUser"
    );
}

#[test]
fn refuses_other_users_and_groups_wherever_they_are_named() {
    for id in [0, 1000, 52_002, -1] {
        for name in ["runAsUser", "runAsGroup"] {
            let context = json!({"securityContext": {name: id}});
            assert_refused(
                &with_pod(&context),
                "pod/run-as",
                &format!("spec.securityContext.{name}"),
            );
            let field = format!("spec.containers[0].securityContext.{name}");
            assert_refused(&with_container(&context), "pod/run-as", &field);
        }
        let context = json!({"securityContext": {"fsGroup": id}});
        assert_refused(&with_pod(&context), "pod/run-as", "spec.securityContext.fsGroup");
        let context = json!({"securityContext": {"supplementalGroups": [id]}});
        assert_refused(
            &with_pod(&context),
            "pod/supplemental-groups",
            "spec.securityContext.supplementalGroups[0]",
        );
    }
    assert_admitted(&with_pod(
        &json!({"securityContext": {"supplementalGroups": [UID, 100, 199]}}),
    ));
}

#[test]
fn refuses_what_belongs_to_the_machine() {
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_refused(
            &with_pod(&json!({field: true})),
            "pod/host-namespace",
            &format!("spec.{field}"),
        );
    }
    let port = json!({"ports": [{"containerPort": 80, "hostPort": 80}]});
    assert_refused(
        &with_container(&port),
        "pod/host-port",
        "spec.containers[0].ports[0].hostPort",
    );
    let address = json!({"ports": [{"containerPort": 80, "hostIP": "127.0.0.1"}]});
    assert_refused(
        &with_container(&address),
        "pod/host-port",
        "spec.containers[0].ports[0].hostIP",
    );
    let class = json!({"priorityClassName": "system-node-critical"});
    assert_refused(&with_pod(&class), "pod/priority", "spec.priorityClassName");
}

/// Settings that a Pod may have as a whole and a container for itself, with the rule and the field of the refusal.
fn loose_settings() -> [(Value, &'static str, &'static str); 3] {
    [
        (
            json!({"seccompProfile": {"type": "Unconfined"}}),
            "pod/seccomp",
            "seccompProfile.type",
        ),
        (
            json!({"appArmorProfile": {"type": "Unconfined"}}),
            "pod/apparmor",
            "appArmorProfile.type",
        ),
        (
            json!({"seLinuxOptions": {"type": "spc_t"}}),
            "pod/selinux",
            "seLinuxOptions.type",
        ),
    ]
}

#[test]
fn refuses_privileges_in_containers_of_all_sorts() {
    let cases = [
        (json!({"privileged": true}), "pod/privileged", "privileged"),
        (
            json!({"allowPrivilegeEscalation": true}),
            "pod/privilege-escalation",
            "allowPrivilegeEscalation",
        ),
        (
            json!({"capabilities": {"add": ["NET_RAW"]}}),
            "pod/capabilities",
            "capabilities.add[0]",
        ),
        (
            json!({"capabilities": {"add": ["ALL"], "drop": ["ALL"]}}),
            "pod/capabilities",
            "capabilities.add[0]",
        ),
        (json!({"procMount": "Unmasked"}), "pod/proc-mount", "procMount"),
        (
            json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "x"}}),
            "pod/seccomp",
            "seccompProfile.type",
        ),
        (
            json!({"seLinuxOptions": {"role": "sysadm_r"}}),
            "pod/selinux",
            "seLinuxOptions.role",
        ),
        (
            json!({"seLinuxOptions": {"user": "root"}}),
            "pod/selinux",
            "seLinuxOptions.user",
        ),
        (
            json!({"windowsOptions": {"hostProcess": true}}),
            "pod/windows",
            "windowsOptions",
        ),
    ];
    for (context, rule, field) in cases.into_iter().chain(loose_settings()) {
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            let container = json!([{"name": "x", "image": "r.example/x", "securityContext": context}]);
            let spec = merged(with_container(&json!({})), &json!({ list: container }));
            assert_refused(&spec, rule, &format!("spec.{list}[0].securityContext.{field}"));
        }
    }
}

#[test]
fn refuses_loose_settings_of_the_whole_pod() {
    let cases = [
        (json!({"windowsOptions": {}}), "pod/windows", "windowsOptions"),
        (
            json!({"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
            "pod/sysctl",
            "sysctls[0].name",
        ),
        (
            json!({"sysctls": [{"name": "net/ipv4/tcp_rmem", "value": "1"}]}),
            "pod/sysctl",
            "sysctls[0].name",
        ),
    ];
    for (context, rule, field) in cases.into_iter().chain(loose_settings()) {
        assert_refused(
            &with_pod(&json!({ "securityContext": context })),
            rule,
            &format!("spec.securityContext.{field}"),
        );
    }
    let sysctl = json!({"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]});
    assert_admitted(&with_pod(&json!({ "securityContext": sysctl })));
}

#[test]
fn refuses_profiles_chosen_by_annotation() {
    for (key, value, rule) in [
        (
            "seccomp.security.alpha.kubernetes.io/pod",
            "unconfined",
            Some("pod/seccomp"),
        ),
        (
            "container.seccomp.security.alpha.kubernetes.io/web",
            "localhost/x",
            Some("pod/seccomp"),
        ),
        (
            "container.apparmor.security.beta.kubernetes.io/web",
            "unconfined",
            Some("pod/apparmor"),
        ),
        (
            "container.apparmor.security.beta.kubernetes.io/web",
            "runtime/default",
            None,
        ),
        ("note", "unconfined", None),
    ] {
        let object = json!({"spec": {"template": {
            "metadata": {"annotations": {key: value}},
            "spec": with_container(&json!({})),
        }}});
        let verdict = admit(&policy_of(&class()), Phase::Template, "Job", &object);
        assert_eq!(
            verdict.offences().first().map(|offence| offence.rule),
            rule,
            "{key}"
        );
    }
}

#[test]
fn refuses_probes_and_hooks_that_leave_the_pod() {
    for (fields, field) in [
        (
            json!({"livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}),
            "livenessProbe.httpGet.host",
        ),
        (
            json!({"readinessProbe": {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}}),
            "readinessProbe.tcpSocket.host",
        ),
        (
            json!({"startupProbe": {"httpGet": {"port": 80, "host": "127.0.0.1"}}}),
            "startupProbe.httpGet.host",
        ),
        (
            json!({"lifecycle": {"preStop": {"httpGet": {"port": 80, "host": "169.254.169.254"}}}}),
            "lifecycle.preStop.httpGet.host",
        ),
        (
            json!({"lifecycle": {"postStart": {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}}}),
            "lifecycle.postStart.tcpSocket.host",
        ),
    ] {
        assert_refused(
            &with_container(&fields),
            "pod/probe-host",
            &format!("spec.containers[0].{field}"),
        );
    }
}

fn with_volume(source: &Value, mount: &Value) -> Value {
    let volume = merged(json!({"name": "v"}), source);
    let mount = merged(json!({"name": "v", "mountPath": "/x"}), mount);
    merged(
        with_container(&json!({"volumeMounts": [mount]})),
        &json!({"volumes": [volume]}),
    )
}

#[test]
fn admits_volumes_of_the_tools_own() {
    for source in [
        json!({"emptyDir": {}}),
        json!({"configMap": {"name": "x"}}),
        json!({"secret": {"secretName": "x"}}),
        json!({"projected": {"sources": []}}),
        json!({"downwardAPI": {"items": []}}),
        json!({"persistentVolumeClaim": {"claimName": "x"}}),
        json!({"image": {"reference": "r.example/x"}}),
    ] {
        assert_admitted(&with_volume(&source, &json!({})));
    }
}

#[test]
fn refuses_volumes_of_all_other_kinds() {
    for source in [
        json!({"nfs": {"server": "x", "path": "/"}}),
        json!({"csi": {"driver": "x"}}),
        json!({"ephemeral": {}}),
        json!({"iscsi": {"targetPortal": "x", "iqn": "x", "lun": 0}}),
        json!({"gitRepo": {"repository": "x"}}),
        json!({"flexVolume": {"driver": "x"}}),
        json!({"somethingNew": {"path": "/"}}),
        json!({"emptyDir": {}, "nfs": {"server": "x", "path": "/"}}),
        json!({}),
    ] {
        assert_refused(&with_volume(&source, &json!({})), "pod/volume", "spec.volumes[0]");
    }
}

#[test]
fn refuses_host_paths_but_the_configured_ones() {
    let host_path = |path: &str| with_volume(&json!({"hostPath": {"path": path}}), &json!({}));
    for path in ["/data/project", "/data/project/alpha", "//data/./project"] {
        assert_admitted(&host_path(path));
        let refused = verdict_with(&ToolClass::default(), &host_path(path));
        assert_eq!(refused.offences()[0].rule, "pod/host-path");
    }
    for path in [
        "/",
        "",
        "/etc",
        "/var/log",
        "/data",
        "data/project",
        "/data/project/..",
    ] {
        assert_refused(&host_path(path), "pod/host-path", "spec.volumes[0].hostPath.path");
    }
}

#[test]
fn holds_read_only_paths_to_read_only_mounts() {
    let dumps = |mount: Value| with_volume(&json!({"hostPath": {"path": "/public/dumps/x"}}), &mount);
    assert_admitted(&dumps(json!({"readOnly": true})));
    let field = "spec.containers[0].volumeMounts[0].readOnly";
    assert_refused(&dumps(json!({})), "pod/host-path-read-only", field);
    assert_refused(
        &dumps(json!({"readOnly": false})),
        "pod/host-path-read-only",
        field,
    );
}

#[test]
fn says_what_is_wrong_and_what_would_be_right() {
    assert_eq!(
        verdict(&with_container(&json!({"securityContext": {"runAsUser": 0, "privileged": true, "allowPrivilegeEscalation": false}})))
            .message(),
        "Pods must run as user 52001: \
         spec.containers[0].securityContext.runAsUser is 0; leave it out. \
         Containers must not be privileged: spec.containers[0].securityContext.privileged is true; \
         leave securityContext.privileged out"
    );
}

fn optional<T: Clone + std::fmt::Debug + Into<Value> + 'static>(
    values: Vec<T>,
) -> impl Strategy<Value = Value> {
    prop::option::of(prop::sample::select(values)).prop_map(|value| value.map_or(Value::Null, Into::into))
}

proptest! {
    #[test]
    fn what_is_admitted_runs_as_the_tool_without_privileges(
        pod_user in optional(vec![0, UID, 1]), pod_group in optional(vec![0, UID]),
        user in optional(vec![0, UID, 1]), group in optional(vec![0, UID]),
        escalation in optional(vec![true, false]), privileged in optional(vec![true, false]),
    ) {
        let mut pod = json!({"spec": {
            "securityContext": {"runAsUser": pod_user, "runAsGroup": pod_group},
            "containers": [{"name": "web", "image": "r.example/x", "securityContext": {
                "runAsUser": user, "runAsGroup": group, "allowPrivilegeEscalation": escalation, "privileged": privileged,
            }}],
        }});
        let keeps_to_it = [&pod_user, &pod_group, &user, &group].iter().all(|id| id.is_null() || **id == UID)
            && escalation != true
            && privileged != true;
        let policy = policy_of(&class());
        let workload = Workload::read("Pod", "tool-alpha", &pod).unwrap();
        let judgement = judge_pod(vec![&policy], TOOL, &workload, Phase::Create);
        judgement.completion().make_in(&mut pod);
        prop_assert_eq!(judgement.verdict().is_allowed(), keeps_to_it, "{}", judgement.verdict().message());
        let context = &pod["spec"]["containers"][0]["securityContext"];
        let in_effect = |name: &str| match &context[name] {
            Value::Null => pod["spec"]["securityContext"][name].clone(),
            own => own.clone(),
        };
        if keeps_to_it {
            prop_assert_eq!(in_effect("runAsUser"), UID);
            prop_assert_eq!(in_effect("runAsGroup"), UID);
            prop_assert_eq!(&context["allowPrivilegeEscalation"], false);
            prop_assert_eq!(&context["capabilities"]["drop"], &json!(["ALL"]));
            prop_assert_eq!(&pod["spec"]["securityContext"]["fsGroup"], UID);
        }
    }
}
