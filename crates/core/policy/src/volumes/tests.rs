use std::collections::BTreeMap;

use serde_json::{Value, json};
use toolforge_model::ToolAccount;

use super::{Mount, VolumesPolicy, admit_volumes, mutate_volumes};
use crate::{Verdict, Workload};

fn mount(name: &str, path: &str, read_only: bool) -> Mount {
    Mount {
        name: name.to_owned(),
        path: path.to_owned(),
        kind: "Directory".to_owned(),
        read_only,
    }
}

fn policy() -> VolumesPolicy {
    let mounts = vec![
        mount("home", "/data/project", false),
        mount("dumps", "/public/dumps", true),
    ];
    let selector = BTreeMap::from([("nfs".to_owned(), "true".to_owned())]);
    VolumesPolicy::new(mounts, ["kube-system".to_owned()])
        .unwrap()
        .with_node_selector(selector)
}

fn account() -> ToolAccount {
    ToolAccount {
        uid: 52_001,
        home: "/data/project/alpha".to_owned(),
    }
}

fn mutated_by(policy: &VolumesPolicy, pod: &Value, old: Option<&Value>) -> Value {
    let read = |pod: &Value| Workload::read("Pod", "tool-alpha", pod).unwrap();
    let old = old.map(read);
    let given = |pod: &Value| mutate_volumes(policy, &account(), &read(pod), old.as_ref());
    let mut changed = pod.clone();
    assert!(given(pod).make_in(&mut changed));
    assert!(given(&changed).is_empty(), "a second time changes something");
    changed
}

fn mutated(pod: &Value) -> Value {
    mutated_by(&VolumesPolicy::default(), pod, None)
}

fn tool_pod(container: &Value) -> Value {
    json!({"metadata": {"labels": {"toolforge": "tool"}}, "spec": {"containers": [container]}})
}

fn verdict(namespace: &str, pod: &Value) -> Verdict {
    admit_volumes(&policy(), &Workload::read("Pod", namespace, pod).unwrap())
}

#[track_caller]
fn assert_refused(verdict: &Verdict, rule: &str, field: &str) {
    let found: Vec<_> = verdict
        .offences()
        .iter()
        .map(|o| (o.rule, o.field.as_str()))
        .collect();
    assert_eq!(found, [(rule, field)]);
}

#[test]
fn gives_home_and_data_directory_to_pods_that_ask_for_the_tools_environment() {
    let pod = json!({"metadata": {"labels": {"toolforge": "tool"}}, "spec": {
        "initContainers": [{"name": "init"}],
        "containers": [{"name": "web", "env": [{"name": "A", "value": "$(HOME)/a"}]}],
    }});
    let changed = mutated(&pod);
    let own = json!([
        {"name": "HOME", "value": "/data/project/alpha"},
        {"name": "TOOL_DATA_DIR", "value": "/data/project/alpha"},
    ]);
    assert_eq!(changed["spec"]["initContainers"][0]["env"], own);
    let env = changed["spec"]["containers"][0]["env"].as_array().unwrap();
    assert_eq!(env[..2], own.as_array().unwrap()[..]);
    assert_eq!(env[2]["name"], "A");
    assert_eq!(changed["spec"].get("volumes"), None);
}

#[test]
fn gives_nothing_to_others() {
    for labels in [json!({}), json!({"toolforge": "other"}), Value::Null] {
        let pod = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web"}]}});
        assert_eq!(mutated_by(&policy(), &pod, None), pod);
    }
}

#[test]
fn keeps_a_home_of_the_pods_own() {
    let changed = mutated(&tool_pod(
        &json!({"env": [{"name": "HOME", "value": "/tmp"}], "workingDir": "/tmp"}),
    ));
    let container = &changed["spec"]["containers"][0];
    let env = container["env"].as_array().unwrap();
    let homes: Vec<&Value> = env.iter().filter(|env| env["name"] == "HOME").collect();
    assert_eq!(homes, [&json!({"name": "HOME", "value": "/tmp"})]);
    assert_eq!(container["workingDir"], "/tmp");
}

#[test]
fn gives_no_home_and_takes_the_working_directory_where_no_home_is_asked_for() {
    let changed = mutated(&tool_pod(
        &json!({"env": [{"name": "NO_HOME", "value": "x"}], "workingDir": "/data/project/alpha"}),
    ));
    let container = &changed["spec"]["containers"][0];
    let env = container["env"].as_array().unwrap();
    assert!(env.iter().all(|env| env["name"] != "HOME"));
    assert_eq!(container.get("workingDir"), None);
}

fn with_storage(storage: &str) -> Value {
    let labels = json!({"toolforge": "tool", "toolforge.org/mount-storage": storage});
    json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "workingDir": "/srv"}]}})
}

#[test]
fn gives_nothing_of_the_storage_to_pods_that_do_without() {
    let pod = with_storage("none");
    assert_eq!(mutated_by(&policy(), &pod, None), pod);
    assert!(verdict("tool-alpha", &pod).is_allowed());
    let changed = mutated_by(&policy(), &with_storage("all"), None);
    assert_eq!(changed["spec"]["volumes"].as_array().unwrap().len(), 2);
    // The namespace is still the first question.
    assert_refused(
        &verdict("default", &pod),
        "volumes/namespace",
        "metadata.namespace",
    );
}

#[test]
fn refuses_storage_by_halves() {
    for storage in ["half", "", "None"] {
        assert_refused(
            &verdict("tool-alpha", &with_storage(storage)),
            "volumes/mount-storage",
            "metadata.labels[\"toolforge.org/mount-storage\"]",
        );
    }
    let mut pod = with_storage("half");
    pod["metadata"]["labels"]["toolforge"] = json!("other");
    assert!(
        verdict("tool-alpha", &pod).is_allowed(),
        "it means nothing without the label toolforge=tool"
    );
}

#[test]
fn gives_every_configured_mount_to_every_container() {
    let mut pod =
        tool_pod(&json!({"name": "web", "volumeMounts": [{"name": "own", "mountPath": "/public/dumps/"}]}));
    pod["spec"]["initContainers"] = json!([{"name": "init"}]);
    let changed = mutated_by(&policy(), &pod, None);
    let directory = |path: &str| json!({"path": path, "type": "Directory"});
    assert_eq!(
        changed["spec"]["volumes"],
        json!([
            {"name": "home", "hostPath": directory("/data/project")},
            {"name": "dumps", "hostPath": directory("/public/dumps")},
        ])
    );
    let home = json!({"name": "home", "mountPath": "/data/project"});
    let dumps = json!({"name": "dumps", "mountPath": "/public/dumps", "readOnly": true});
    assert_eq!(
        changed["spec"]["initContainers"][0]["volumeMounts"],
        json!([home, dumps])
    );
    // What the container has at that place itself stays.
    assert_eq!(changed["spec"]["containers"][0]["volumeMounts"][1], home);
    assert_eq!(
        changed["spec"]["containers"][0]["volumeMounts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(changed["spec"]["nodeSelector"], json!({"nfs": "true"}));
    assert!(verdict("tool-alpha", &changed).is_allowed());
}

#[test]
fn changes_nothing_but_new_containers_when_those_are_added() {
    let old = json!({"metadata": {"labels": {"toolforge": "tool"}}, "spec": {
        "containers": [{"name": "web"}],
        "volumes": [{"name": "home", "hostPath": {"path": "/data/project"}}],
        "ephemeralContainers": [{"name": "before"}],
    }});
    let mut pod = old.clone();
    pod["spec"]["ephemeralContainers"] = json!([{"name": "before"}, {"name": "debug"}]);
    let changed = mutated_by(&policy(), &pod, Some(&old));
    let mut expected = pod.clone();
    expected["spec"]["ephemeralContainers"][1]["env"] = json!([
        {"name": "HOME", "value": "/data/project/alpha"},
        {"name": "TOOL_DATA_DIR", "value": "/data/project/alpha"},
    ]);
    // The Pod has no volume `dumps`, so none can be mounted.
    expected["spec"]["ephemeralContainers"][1]["volumeMounts"] =
        json!([{"name": "home", "mountPath": "/data/project"}]);
    assert_eq!(changed, expected);
}

#[test]
fn refuses_the_label_where_no_tool_lives() {
    let pod = tool_pod(&json!({}));
    for namespace in ["default", "tool-", "tools-alpha"] {
        let verdict = verdict(namespace, &pod);
        assert_refused(&verdict, "volumes/namespace", "metadata.namespace");
        assert!(
            verdict
                .message()
                .starts_with("Only tools can have tool volumes mounted to them")
        );
    }
    assert!(verdict("kube-system", &pod).is_allowed());
    assert!(verdict("default", &json!({"spec": {"containers": []}})).is_allowed());
}

#[test]
fn refuses_every_path_of_the_machine_but_the_configured_mounts() {
    let field = "spec.volumes[0].hostPath.path";
    for (name, path, kind) in [
        ("home", "/etc", "Directory"),
        ("home", "/data/project/beta", "Directory"),
        ("home", "/data/project/", "Directory"),
        ("home", "/data/project/../../etc", "Directory"),
        ("home", "/data/project", "DirectoryOrCreate"),
        ("mine", "/data/project", "Directory"),
        ("mine", "/", ""),
    ] {
        for labels in [json!({}), json!({"toolforge": "tool"})] {
            let volume = json!({"name": name, "hostPath": {"path": path, "type": kind}});
            let pod =
                json!({"metadata": {"labels": labels}, "spec": {"containers": [], "volumes": [volume]}});
            assert_refused(&verdict("tool-alpha", &pod), "volumes/host-path", field);
        }
    }
    let volume = json!({"name": "home", "hostPath": {"path": "/data/project"}});
    let own = json!({"spec": {"containers": [], "volumes": [volume]}});
    assert!(verdict("tool-alpha", &own).is_allowed());
}

#[test]
fn refuses_other_volumes_under_the_names_of_mounts() {
    let mut pod = tool_pod(&json!({}));
    pod["spec"]["volumes"] = json!([{"name": "home", "emptyDir": {}}]);
    assert_refused(
        &verdict("tool-alpha", &pod),
        "volumes/name",
        "spec.volumes[0].name",
    );
    pod["metadata"] = json!({});
    assert!(verdict("tool-alpha", &pod).is_allowed());
}

#[test]
fn refuses_to_show_a_mount_otherwise_than_it_is() {
    let at = |mount: Value| {
        let volume = json!({"name": "dumps", "hostPath": {"path": "/public/dumps"}});
        let debug = json!({"name": "debug", "volumeMounts": [mount]});
        let pod = json!({"spec": {"containers": [], "ephemeralContainers": [debug], "volumes": [volume]}});
        verdict("tool-alpha", &pod)
    };
    let place = "spec.ephemeralContainers[0].volumeMounts[0]";
    let mut whole = json!({"name": "dumps", "mountPath": "/public/dumps", "readOnly": true});
    assert!(at(whole.clone()).is_allowed());
    for (key, value, rule) in [
        ("subPath", "../../etc", "volumes/sub-path"),
        ("subPathExpr", "$(A)", "volumes/sub-path"),
        ("mountPropagation", "Bidirectional", "volumes/propagation"),
    ] {
        let mut tricked = whole.clone();
        tricked[key] = json!(value);
        assert_refused(&at(tricked), rule, &format!("{place}.{key}"));
    }
    whole["readOnly"] = json!(false);
    assert_refused(&at(whole), "volumes/read-only", &format!("{place}.readOnly"));
}

#[test]
fn refuses_machines_without_the_mounts() {
    let mut pod = tool_pod(&json!({}));
    pod["spec"]["nodeSelector"] = json!({"nfs": "false"});
    assert_refused(
        &verdict("tool-alpha", &pod),
        "volumes/node-selector",
        "spec.nodeSelector[\"nfs\"]",
    );
}

#[test]
fn says_everything_that_is_wrong_with_mounts_at_once() {
    let mounts = vec![
        mount("home", "/data", false),
        mount("home", "/data", false),
        Mount {
            kind: "Door".to_owned(),
            ..mount("A", "/a/../b", false)
        },
    ];
    let message = VolumesPolicy::new(mounts, []).unwrap_err().to_string();
    for problem in [
        "[1].name \"home\" is there twice",
        "[1].path",
        "[2].name \"A\"",
        "[2].path",
        "\"Door\" is none of",
    ] {
        assert!(message.contains(problem), "{message}");
    }
}

#[test]
fn gives_to_nothing_that_does_not_read_as_a_pod() {
    for spec in [
        json!([]),
        json!({"containers": {"a": 1}, "volumes": "x", "nodeSelector": []}),
        json!({"containers": [1, null, {"env": {}, "volumeMounts": 7}], "volumes": [1, {"name": 2}]}),
    ] {
        let pod = json!({"metadata": {"labels": {"toolforge": "tool"}}, "spec": spec});
        assert!(Workload::read("Pod", "tool-alpha", &pod).is_err(), "{pod}");
    }
    assert!(Workload::read("Pod", "tool-alpha", &Value::Null).is_err());
    // Null is what nobody said.
    let empty = json!({"name": "c", "env": null, "volumeMounts": null, "workingDir": null});
    let mut pod = tool_pod(&empty);
    pod["spec"]["volumes"] = Value::Null;
    pod["spec"]["nodeSelector"] = Value::Null;
    let changed = mutated_by(&policy(), &pod, None);
    assert_eq!(changed["spec"]["containers"][0]["env"][0]["name"], "HOME");
    assert_eq!(changed["spec"]["volumes"].as_array().unwrap().len(), 2);
    assert_eq!(changed["spec"]["nodeSelector"]["nfs"], "true");
}

#[test]
fn keys_of_the_node_selector_may_have_any_character() {
    let selector = BTreeMap::from([("a.example/b~c".to_owned(), "true".to_owned())]);
    let policy = VolumesPolicy::new(vec![], [])
        .unwrap()
        .with_node_selector(selector);
    let mut pod = tool_pod(&json!({"name": "c"}));
    pod["spec"]["nodeSelector"] = json!({"own": "1"});
    let changed = mutated_by(&policy, &pod, None);
    assert_eq!(
        changed["spec"]["nodeSelector"],
        json!({"a.example/b~c": "true", "own": "1"})
    );
}
