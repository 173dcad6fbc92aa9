//! The tables of upstream's policy reference: what each field refuses, lets through, and gives.

use serde_json::{Value, json};

use super::{annotated, created, merged, pod, policy, with_container, with_pod};

/// Each row: what the policy says, what the Pod says, and the field that is refused, if any.
fn assert_table(rows: &[(Value, Value, Option<&str>)]) {
    for (fields, spec, refused) in rows {
        let policy = policy("p", fields);
        let verdict = created(&[&policy], &pod(spec)).err();
        let found = verdict
            .as_ref()
            .map(|verdict| verdict.offences()[0].field.as_str());
        assert_eq!(found, *refused, "{fields} with {spec}: {verdict:#?}");
    }
}

fn own(security: &Value) -> Value {
    with_container(&json!({"securityContext": security}))
}

fn whole(security: &Value) -> Value {
    with_pod(&json!({"securityContext": security}))
}

fn plain() -> Value {
    with_container(&json!({}))
}

/// What a Pod with this specification becomes.
#[track_caller]
fn made(fields: &Value, spec: &Value) -> Value {
    let made = created(&[&policy("p", fields)], &pod(spec));
    made.unwrap_or_else(|verdict| panic!("{}", verdict.message()))["spec"].clone()
}

#[test]
fn privileged_containers_and_host_namespaces() {
    let privileged = "spec.containers[0].securityContext.privileged";
    let privilege = own(&json!({"privileged": true}));
    assert_table(&[
        (json!({}), privilege.clone(), Some(privileged)),
        (json!({"privileged": true}), privilege, None),
        (json!({}), own(&json!({"privileged": false})), None),
        (
            json!({}),
            with_pod(&json!({"hostNetwork": true})),
            Some("spec.hostNetwork"),
        ),
        (
            json!({"hostNetwork": true}),
            with_pod(&json!({"hostNetwork": true})),
            None,
        ),
        (
            json!({}),
            with_pod(&json!({"hostPID": true})),
            Some("spec.hostPID"),
        ),
        (
            json!({"hostPID": true}),
            with_pod(&json!({"hostPID": true})),
            None,
        ),
        (
            json!({}),
            with_pod(&json!({"hostIPC": true})),
            Some("spec.hostIPC"),
        ),
        (
            json!({"hostIPC": true}),
            with_pod(&json!({"hostIPC": true})),
            None,
        ),
    ]);
}

#[test]
fn ports_of_the_machine() {
    let port = |number: i32| with_container(&json!({"ports": [{"containerPort": 1, "hostPort": number}]}));
    let ranges = json!({"hostPorts": [{"min": 80, "max": 81}, {"min": 90, "max": 90}]});
    let field = Some("spec.containers[0].ports[0].hostPort");
    assert_table(&[
        (json!({}), port(80), field),
        (json!({}), port(0), None),
        (ranges.clone(), port(80), None),
        (ranges.clone(), port(81), None),
        (ranges.clone(), port(90), None),
        (ranges.clone(), port(82), field),
        (ranges, port(79), field),
    ]);
}

#[test]
fn kinds_of_volumes() {
    let volume = |source: Value| with_pod(&json!({"volumes": [merged(json!({"name": "v"}), &source)]}));
    let some = json!({"volumes": ["configMap", "nfs"]});
    let token = json!({"projected": {"sources": [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}});
    let other = json!({"projected": {"sources": [{"secret": {"name": "x"}}]}});
    let field = Some("spec.volumes[0]");
    assert_table(&[
        (json!({"volumes": []}), volume(json!({"emptyDir": {}})), field),
        (
            json!({"volumes": ["*"]}),
            volume(json!({"rbd": {"image": "x", "monitors": []}})),
            None,
        ),
        (some.clone(), volume(json!({"configMap": {"name": "x"}})), None),
        (
            some.clone(),
            volume(json!({"nfs": {"server": "x", "path": "/"}})),
            None,
        ),
        (
            some.clone(),
            volume(json!({"secret": {"secretName": "x"}})),
            field,
        ),
        (
            some.clone(),
            volume(json!({"configMap": {"name": "x"}, "emptyDir": {}})),
            field,
        ),
        (some, volume(json!({"image": {"reference": "x"}})), field),
        (
            json!({"volumes": ["image"]}),
            volume(json!({"image": {"reference": "x"}})),
            None,
        ),
        (
            json!({"volumes": ["*"]}),
            volume(json!({"somethingNew": {}})),
            field,
        ),
        (json!({"volumes": ["secret"]}), volume(token.clone()), None),
        (json!({"volumes": ["configMap"]}), volume(token), field),
        (json!({"volumes": ["secret"]}), volume(other.clone()), field),
        (json!({"volumes": ["projected"]}), volume(other), None),
    ]);
}

#[test]
fn paths_of_the_machine() {
    let path = |path: &str, mount: Value| {
        let mount = merged(json!({"name": "v", "mountPath": "/x"}), &mount);
        let volumes = json!({"volumes": [{"name": "v", "hostPath": {"path": path}}]});
        merged(with_container(&json!({"volumeMounts": [mount]})), &volumes)
    };
    let foo = json!({"allowedHostPaths": [{"pathPrefix": "/foo"}]});
    let read = json!({"allowedHostPaths": [{"pathPrefix": "/foo", "readOnly": true}]});
    let both =
        json!({"allowedHostPaths": [{"pathPrefix": "/foo", "readOnly": true}, {"pathPrefix": "/foo/w"}]});
    let nowhere = json!({"allowedHostPaths": [{"readOnly": true}, {"pathPrefix": "foo"}]});
    let field = Some("spec.volumes[0].hostPath.path");
    let mount = Some("spec.containers[0].volumeMounts[0].readOnly");
    assert_table(&[
        (json!({}), path("/etc", json!({})), None),
        (nowhere.clone(), path("/etc", json!({"readOnly": true})), field),
        (nowhere, path("/foo", json!({})), field),
        (json!({"volumes": ["emptyDir"]}), path("/etc", json!({})), field),
        (foo.clone(), path("/foo", json!({})), None),
        (foo.clone(), path("/foo/", json!({})), None),
        (foo.clone(), path("/foo/bar", json!({})), None),
        (foo.clone(), path("/food", json!({})), field),
        (foo.clone(), path("/etc/foo", json!({})), field),
        (foo, path("/foo/../etc", json!({})), field),
        (read.clone(), path("/foo", json!({"readOnly": true})), None),
        (read, path("/foo", json!({})), mount),
        (both.clone(), path("/foo/w", json!({})), None),
        (both, path("/foo/r", json!({})), mount),
    ]);
}

#[test]
fn drivers_of_volumes() {
    let flex =
        |driver: &str| with_pod(&json!({"volumes": [{"name": "v", "flexVolume": {"driver": driver}}]}));
    let csi = |driver: &str| with_pod(&json!({"volumes": [{"name": "v", "csi": {"driver": driver}}]}));
    let allowed = json!({"allowedFlexVolumes": [{"driver": "a/b"}], "allowedCSIDrivers": [{"name": "c"}]});
    assert_table(&[
        (json!({}), flex("x/y"), None),
        (allowed.clone(), flex("a/b"), None),
        (
            allowed.clone(),
            flex("x/y"),
            Some("spec.volumes[0].flexVolume.driver"),
        ),
        (json!({}), csi("x"), None),
        (allowed.clone(), csi("c"), None),
        (allowed, csi("x"), Some("spec.volumes[0].csi.driver")),
    ]);
}

#[test]
fn users() {
    let must =
        json!({"runAsUser": {"rule": "MustRunAs", "ranges": [{"min": 5, "max": 9}, {"min": 20, "max": 20}]}});
    let non_root = json!({"runAsUser": {"rule": "MustRunAsNonRoot"}});
    let field = Some("spec.containers[0].securityContext.runAsUser");
    let marker = Some("spec.containers[0].securityContext.runAsNonRoot");
    assert_table(&[
        (json!({}), own(&json!({"runAsUser": 0})), None),
        (must.clone(), plain(), None),
        (must.clone(), own(&json!({"runAsUser": 9})), None),
        (must.clone(), own(&json!({"runAsUser": 20})), None),
        (must.clone(), own(&json!({"runAsUser": 10})), field),
        (
            must.clone(),
            whole(&json!({"runAsUser": 4})),
            Some("spec.securityContext.runAsUser"),
        ),
        (must.clone(), whole(&json!({"runAsUser": 5})), None),
        (non_root.clone(), plain(), None),
        (non_root.clone(), own(&json!({"runAsUser": 1})), None),
        (non_root.clone(), own(&json!({"runAsUser": 0})), field),
        (non_root.clone(), own(&json!({"runAsNonRoot": false})), marker),
        (non_root.clone(), whole(&json!({"runAsNonRoot": false})), marker),
        (
            non_root.clone(),
            own(&json!({"runAsNonRoot": false, "runAsUser": 7})),
            marker,
        ),
        (
            non_root.clone(),
            merged(
                own(&json!({"runAsUser": 7})),
                &json!({"securityContext": {"runAsNonRoot": false}}),
            ),
            marker,
        ),
        (
            non_root.clone(),
            own(&json!({"runAsNonRoot": true, "runAsUser": 0})),
            field,
        ),
    ]);
    assert_eq!(
        made(&must, &plain())["containers"][0]["securityContext"],
        json!({"runAsUser": 5})
    );
    assert_eq!(
        made(&non_root, &plain())["containers"][0]["securityContext"],
        json!({"runAsNonRoot": true})
    );
    assert_eq!(
        made(&non_root, &whole(&json!({"runAsUser": 7})))["containers"][0].get("securityContext"),
        None
    );
}

#[test]
fn groups() {
    let ranges = json!([{"min": 5, "max": 9}]);
    for (field, place) in [
        ("runAsGroup", "spec.containers[0].securityContext.runAsGroup"),
        ("fsGroup", "spec.securityContext.fsGroup"),
        ("supplementalGroups", "spec.securityContext.supplementalGroups[0]"),
    ] {
        let policy = |rule: &str| json!({field: {"rule": rule, "ranges": ranges}});
        let named = |id: i64| match field {
            "runAsGroup" => own(&json!({"runAsGroup": id})),
            "fsGroup" => whole(&json!({"fsGroup": id})),
            _ => whole(&json!({"supplementalGroups": [id]})),
        };
        assert_table(&[
            (json!({field: {"rule": "RunAsAny"}}), named(0), None),
            (policy("MustRunAs"), plain(), None),
            (policy("MustRunAs"), named(9), None),
            (policy("MustRunAs"), named(10), Some(place)),
            (policy("MayRunAs"), plain(), None),
            (policy("MayRunAs"), named(5), None),
            (policy("MayRunAs"), named(4), Some(place)),
        ]);
        assert_eq!(made(&policy("MayRunAs"), &plain()), plain(), "{field}");
    }
    let all = json!({
        "runAsGroup": {"rule": "MustRunAs", "ranges": ranges}, "fsGroup": {"rule": "MustRunAs", "ranges": ranges},
        "supplementalGroups": {"rule": "MustRunAs", "ranges": ranges},
    });
    let made = made(&all, &whole(&json!({"supplementalGroups": []})));
    assert_eq!(
        made["securityContext"],
        json!({"fsGroup": 5, "supplementalGroups": [5]})
    );
    assert_eq!(made["containers"][0]["securityContext"], json!({"runAsGroup": 5}));
}

#[test]
fn selinux() {
    let must = json!({"seLinux": {"rule": "MustRunAs", "seLinuxOptions": {"level": "s0:c1", "user": "u"}}});
    let several = json!({"seLinux": {"rule": "MustRunAs", "seLinuxOptions": {"level": "s0:c1,c2"}}});
    let field = "spec.containers[0].securityContext.seLinuxOptions";
    assert_table(&[
        (
            json!({}),
            own(&json!({"seLinuxOptions": {"type": "spc_t"}})),
            None,
        ),
        (must.clone(), plain(), None),
        (
            must.clone(),
            own(&json!({"seLinuxOptions": {"level": "s0:c1", "user": "u"}})),
            None,
        ),
        (
            several.clone(),
            own(&json!({"seLinuxOptions": {"level": "s0:c2,c1"}})),
            None,
        ),
        (
            several.clone(),
            own(&json!({"seLinuxOptions": {"level": "s1:c1,c2"}})),
            Some(&format!("{field}.level")),
        ),
        (
            several,
            own(&json!({"seLinuxOptions": {"level": "s0:c1,c2,c3"}})),
            Some(&format!("{field}.level")),
        ),
        (
            must.clone(),
            own(&json!({"seLinuxOptions": {"level": "s0", "user": "u"}})),
            Some(&format!("{field}.level")),
        ),
        (
            must.clone(),
            own(&json!({"seLinuxOptions": {"level": "s0:c1"}})),
            Some(&format!("{field}.user")),
        ),
        (
            must.clone(),
            whole(&json!({"seLinuxOptions": {"level": "s0:c1", "user": "u", "type": "x"}})),
            Some("spec.securityContext.seLinuxOptions.type"),
        ),
    ]);
    assert_eq!(
        made(&must, &plain())["securityContext"]["seLinuxOptions"],
        json!({"level": "s0:c1", "user": "u"})
    );
}

#[test]
fn capabilities() {
    let add = |names: Value| own(&json!({"capabilities": {"add": names}}));
    let field = Some("spec.containers[0].securityContext.capabilities.add[0]");
    let given = json!({"defaultAddCapabilities": ["CHOWN"], "requiredDropCapabilities": ["KILL", "MKNOD"]});
    assert_table(&[
        (json!({}), add(json!(["NET_ADMIN"])), field),
        (
            json!({"allowedCapabilities": ["NET_ADMIN"]}),
            add(json!(["NET_ADMIN"])),
            None,
        ),
        (
            json!({"allowedCapabilities": ["NET_ADMIN"]}),
            add(json!(["SYS_TIME"])),
            field,
        ),
        (
            json!({"allowedCapabilities": ["*"]}),
            add(json!(["SYS_TIME"])),
            None,
        ),
        (given.clone(), add(json!(["CHOWN"])), None),
        (given.clone(), add(json!(["MKNOD"])), field),
        (
            json!({"allowedCapabilities": ["*"], "requiredDropCapabilities": ["ALL"]}),
            add(json!(["SYS_TIME"])),
            None,
        ),
    ]);
    let of = |spec: &Value| made(&given, spec)["containers"][0]["securityContext"]["capabilities"].clone();
    assert_eq!(of(&plain()), json!({"add": ["CHOWN"], "drop": ["KILL", "MKNOD"]}));
    let dropped = own(&json!({"capabilities": {"drop": ["MKNOD", "CHOWN"]}}));
    assert_eq!(of(&dropped), json!({"drop": ["MKNOD", "CHOWN", "KILL"]}));
}

#[test]
fn privilege_escalation_and_the_root_filesystem() {
    let field = Some("spec.containers[0].securityContext.allowPrivilegeEscalation");
    let never = json!({"allowPrivilegeEscalation": false});
    let root = json!({"readOnlyRootFilesystem": true});
    assert_table(&[
        (json!({}), own(&json!({"allowPrivilegeEscalation": true})), None),
        (
            never.clone(),
            own(&json!({"allowPrivilegeEscalation": true})),
            field,
        ),
        (never.clone(), plain(), None),
        (root.clone(), plain(), None),
        (
            root.clone(),
            own(&json!({"readOnlyRootFilesystem": false})),
            Some("spec.containers[0].securityContext.readOnlyRootFilesystem"),
        ),
    ]);
    let of = |fields: &Value, spec: &Value| made(fields, spec)["containers"][0]["securityContext"].clone();
    assert_eq!(of(&never, &plain()), json!({"allowPrivilegeEscalation": false}));
    assert_eq!(of(&root, &plain()), json!({"readOnlyRootFilesystem": true}));
    let usually = json!({"defaultAllowPrivilegeEscalation": false});
    assert_eq!(of(&usually, &plain()), json!({"allowPrivilegeEscalation": false}));
    let asked = own(&json!({"allowPrivilegeEscalation": true}));
    assert_eq!(of(&usually, &asked), json!({"allowPrivilegeEscalation": true}));
}

#[test]
fn kernel_parameters_and_proc() {
    let sysctl = |name: &str| whole(&json!({"sysctls": [{"name": name, "value": "1"}]}));
    let field = Some("spec.securityContext.sysctls[0].name");
    let masked = Some("spec.containers[0].securityContext.procMount");
    assert_table(&[
        (json!({}), sysctl("net.ipv4.tcp_syncookies"), None),
        (json!({}), sysctl("kernel.msgmax"), field),
        (
            json!({"allowedUnsafeSysctls": ["kernel.msg*"]}),
            sysctl("kernel.msgmax"),
            None,
        ),
        (
            json!({"allowedUnsafeSysctls": ["kernel.msg"]}),
            sysctl("kernel.msgmax"),
            field,
        ),
        (json!({"allowedUnsafeSysctls": ["*"]}), sysctl("kernel.sem"), None),
        (
            json!({"forbiddenSysctls": ["net.*"]}),
            sysctl("net.ipv4.tcp_syncookies"),
            field,
        ),
        (
            json!({"forbiddenSysctls": ["kernel.sem"], "allowedUnsafeSysctls": ["kernel.*"]}),
            sysctl("kernel.sem"),
            field,
        ),
        (
            json!({"forbiddenSysctls": ["kernel.sem"], "allowedUnsafeSysctls": ["*"]}),
            sysctl("kernel/sem"),
            field,
        ),
        (
            json!({"forbiddenSysctls": ["net.ipv4.conf.eth0/1.*"], "allowedUnsafeSysctls": ["*"]}),
            sysctl("net/ipv4/conf/eth0.1/forwarding"),
            field,
        ),
        (json!({"allowedUnsafeSysctls": ["*"]}), sysctl("kernel/sem"), None),
        (json!({}), own(&json!({"procMount": "Default"})), None),
        (json!({}), own(&json!({"procMount": "Unmasked"})), masked),
        (
            json!({"allowedProcMountTypes": ["Unmasked"]}),
            own(&json!({"procMount": "Unmasked"})),
            None,
        ),
        (json!({"allowedProcMountTypes": ["Unmasked"]}), plain(), masked),
    ]);
}

#[test]
fn runtime_classes() {
    let class = |name: &str| with_pod(&json!({"runtimeClassName": name}));
    let some = json!({"runtimeClass": {"allowedRuntimeClassNames": ["a"], "defaultRuntimeClassName": "a"}});
    let none = json!({"runtimeClass": {"allowedRuntimeClassNames": []}});
    let field = Some("spec.runtimeClassName");
    assert_table(&[
        (json!({}), class("x"), None),
        (some.clone(), class("a"), None),
        (some.clone(), class("x"), field),
        (none.clone(), plain(), None),
        (none, class("x"), field),
        (
            json!({"runtimeClass": {"allowedRuntimeClassNames": ["*"]}}),
            class("x"),
            None,
        ),
    ]);
    assert_eq!(made(&some, &plain())["runtimeClassName"], "a");
}

const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io";
const APPARMOR: &str = "apparmor.security.beta.kubernetes.io";

fn profiles(family: &str, allowed: Option<&str>, default: Option<&str>) -> super::super::PodSecurityPolicy {
    let mut annotations = json!({});
    if let Some(allowed) = allowed {
        annotations[format!("{family}/allowedProfileNames")] = json!(allowed);
    }
    if let Some(default) = default {
        annotations[format!("{family}/defaultProfileName")] = json!(default);
    }
    annotated("p", &annotations, &json!(policy("p", &json!({})).spec()))
}

/// The Pod's own profile and that of its container, after creation; nothing when it is refused.
fn profiles_made(
    policy: &super::super::PodSecurityPolicy,
    field: &str,
    pod: &Value,
) -> Option<(Value, Value)> {
    let made = created(&[policy], pod).ok()?;
    let of = |place: &Value| place["securityContext"][field]["type"].clone();
    Some((of(&made["spec"]), of(&made["spec"]["containers"][0])))
}

fn noted(key: &str, value: &str) -> Value {
    json!({"metadata": {"name": "web", "annotations": {key: value}}, "spec": plain()})
}

#[test]
fn seccomp_profiles() {
    const FIELD: &str = "seccompProfile";
    let of = |allowed: Option<&str>, default: Option<&str>, pod: &Value| {
        profiles_made(&profiles(SECCOMP, allowed, default), FIELD, pod)
    };
    let typed = |kind: &str| pod(&whole(&json!({FIELD: {"type": kind, "localhostProfile": "x"}})));
    let (none, runtime) = (Value::Null, json!("RuntimeDefault"));
    // A policy that names none lets Pods name none.
    assert_eq!(of(None, None, &pod(&plain())), Some((none.clone(), none.clone())));
    assert_eq!(of(None, None, &typed("RuntimeDefault")), None);
    assert_eq!(
        of(Some("*"), None, &pod(&plain())),
        Some((none.clone(), none.clone()))
    );
    assert_eq!(
        of(Some("*"), None, &typed("Unconfined")),
        Some((json!("Unconfined"), none.clone()))
    );
    // One that names some demands one of them, and docker's name means the runtime's.
    for allowed in ["runtime/default", "docker/default", "localhost/x,docker/default"] {
        assert_eq!(of(Some(allowed), None, &pod(&plain())), None);
        assert_eq!(
            of(Some(allowed), Some("runtime/default"), &pod(&plain())),
            Some((runtime.clone(), none.clone()))
        );
        assert_eq!(
            of(Some(allowed), None, &typed("RuntimeDefault")),
            Some((runtime.clone(), none.clone()))
        );
        assert_eq!(of(Some(allowed), None, &typed("Unconfined")), None);
    }
    assert_eq!(
        of(Some("localhost/x"), None, &typed("Localhost")),
        Some((json!("Localhost"), none.clone()))
    );
    assert_eq!(of(Some("localhost/y"), None, &typed("Localhost")), None);
    // What old annotations say becomes a field.
    let old = noted("seccomp.security.alpha.kubernetes.io/pod", "docker/default");
    assert_eq!(
        of(Some("runtime/default"), None, &old),
        Some((runtime.clone(), none.clone()))
    );
    let old = noted("container.seccomp.security.alpha.kubernetes.io/web", "unconfined");
    assert_eq!(of(Some("runtime/default"), Some("runtime/default"), &old), None);
    let either = Some("runtime/default,unconfined");
    assert_eq!(
        of(either, Some("runtime/default"), &old),
        Some((runtime, json!("Unconfined")))
    );
}

#[test]
fn apparmor_profiles() {
    const FIELD: &str = "appArmorProfile";
    let of = |allowed: Option<&str>, default: Option<&str>, pod: &Value| {
        profiles_made(&profiles(APPARMOR, allowed, default), FIELD, pod)
    };
    let (none, runtime) = (Value::Null, json!("RuntimeDefault"));
    let whole = |kind: &str| pod(&whole(&json!({FIELD: {"type": kind}})));
    let own = |kind: &str| pod(&own(&json!({FIELD: {"type": kind}})));
    let old = |profile: &str| noted("container.apparmor.security.beta.kubernetes.io/web", profile);
    // A policy that says nothing allows everything.
    assert_eq!(
        of(None, None, &own("Unconfined")),
        Some((none.clone(), json!("Unconfined")))
    );
    assert_eq!(
        of(None, Some("runtime/default"), &pod(&plain())),
        Some((none.clone(), runtime.clone()))
    );
    // One that names some demands one of them.
    let only = Some("runtime/default");
    assert_eq!(of(only, None, &pod(&plain())), None);
    assert_eq!(
        of(only, only, &pod(&plain())),
        Some((none.clone(), runtime.clone()))
    );
    assert_eq!(
        of(only, None, &own("RuntimeDefault")),
        Some((none.clone(), runtime.clone()))
    );
    assert_eq!(
        of(only, only, &whole("RuntimeDefault")),
        Some((runtime.clone(), none.clone()))
    );
    assert_eq!(of(only, None, &own("Unconfined")), None);
    assert_eq!(of(only, None, &whole("Unconfined")), None);
    assert_eq!(of(only, None, &old("runtime/default")), Some((none, runtime)));
    assert_eq!(of(only, None, &old("unconfined")), None);
}

#[test]
fn every_sort_of_container_is_judged_and_completed() {
    let policy = policy("p", &json!({"allowPrivilegeEscalation": false}));
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let container = |context: Value| json!([{"name": "x", "image": "x", "securityContext": context}]);
        let spec = |context: Value| merged(plain(), &json!({list: container(context)}));
        let refused = created(&[&policy], &pod(&spec(json!({"privileged": true})))).unwrap_err();
        assert_eq!(
            refused.offences()[0].field,
            format!("spec.{list}[0].securityContext.privileged")
        );
        let made = created(&[&policy], &pod(&spec(json!({})))).unwrap();
        assert_eq!(
            made["spec"][list][0]["securityContext"],
            json!({"allowPrivilegeEscalation": false})
        );
    }
}
