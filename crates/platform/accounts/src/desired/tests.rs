use toolforge_model::{Maintainer, ToolAccount};

use super::*;

fn tool() -> Tool {
    Tool {
        name: "alpha".parse().unwrap(),
        uid: 50001,
        home: "/data/project/alpha".into(),
        maintainers: vec![Maintainer {
            uid: "ada".to_owned(),
            name: "Ada Lovelace".to_owned(),
        }],
        locked: false,
    }
}

fn named(kind: &str) -> Value {
    desired_tool_objects(&tool(), &ToolClass::default(), &Overrides::default(), None)
        .into_iter()
        .find(|object| object["kind"] == kind)
        .unwrap()
}

#[test]
fn the_namespace_says_who_the_tool_is() {
    let namespace = named("Namespace");
    assert_eq!(namespace["metadata"]["name"], "tool-alpha");
    assert_eq!(namespace["metadata"]["labels"]["name"], "tool-alpha");
    assert_eq!(namespace["metadata"]["labels"]["tenancy"], "tool");
    let annotations = serde_json::from_value(namespace["metadata"]["annotations"].clone()).unwrap();
    let account = ToolAccount::from_annotations(&annotations).unwrap();
    assert_eq!(
        (account.uid, account.home.as_str()),
        (50001, "/data/project/alpha")
    );
    assert_eq!(
        annotations[labels::MAINTAINERS],
        r#"[{"uid":"ada","name":"Ada Lovelace"}]"#
    );
}

#[test]
fn quota_and_limits_are_those_of_august_2021() {
    assert_eq!(named("ResourceQuota")["spec"]["hard"]["pods"], "10");
    assert_eq!(
        named("ResourceQuota")["spec"]["hard"]["count/deployments.apps"],
        "3"
    );
    assert_eq!(named("LimitRange")["spec"]["limits"][0]["max"]["memory"], "4Gi");
    assert_eq!(named("LimitRange")["metadata"]["name"], "tool-alpha");
}

#[test]
fn the_tool_is_a_user_in_its_own_namespace_only() {
    let binding = named("RoleBinding");
    assert_eq!(binding["metadata"]["name"], "alpha-tool-binding");
    assert_eq!(binding["metadata"]["namespace"], "tool-alpha");
    assert_eq!(binding["roleRef"]["name"], "tools-user");
    assert_eq!(binding["subjects"][0]["name"], "alpha");
}

#[test]
fn admins_view_and_may_act_as_others() {
    let admin = Admin {
        name: "ada".to_owned(),
        uid: 1,
        gid: 1,
        home: "/home/ada".into(),
        locked: false,
    };
    let roles: Vec<(String, String)> = desired_admin_objects(&admin)
        .iter()
        .filter(|object| object["kind"] == "ClusterRoleBinding")
        .map(|object| {
            (
                object["metadata"]["name"].to_string(),
                object["roleRef"]["name"].to_string(),
            )
        })
        .collect();
    let expected = [
        ("\"ada-view-binding\"", "\"view\""),
        ("\"ada-binding\"", "\"k8s-admin\""),
    ];
    assert_eq!(
        roles,
        expected.map(|(name, role)| (name.to_owned(), role.to_owned()))
    );
}

#[test]
fn moments_are_written_as_the_original_does_and_read_back() {
    let at: jiff::Timestamp = "2026-11-25T16:00:01Z".parse().unwrap();
    assert_eq!(iso(at), "2026-11-25T16:00:01");
    for text in [
        "2026-11-25T16:00:01",
        "2026-11-25T16:00:01Z",
        " 2026-11-25T16:00:01+00:00\n",
    ] {
        assert_eq!(read_iso(text), Some(at), "{text}");
    }
    assert_eq!(read_iso("soon"), None);
}

#[test]
fn the_tool_and_its_service_account_may_use_the_tools_own_policy() {
    let objects = desired_tool_objects(&tool(), &ToolClass::default(), &Overrides::default(), Some("u-1"));
    let policy = objects
        .iter()
        .find(|object| object["kind"] == "PodSecurityPolicy")
        .unwrap();
    assert_eq!(policy["metadata"]["name"], "tool-alpha-psp");
    assert_eq!(policy["metadata"]["ownerReferences"][0]["uid"], "u-1");
    assert_eq!(
        policy["spec"]["runAsUser"]["ranges"],
        json!([{ "min": 50001, "max": 50001 }])
    );
    let role = objects.iter().find(|object| object["kind"] == "Role").unwrap();
    assert_eq!(role["rules"][0]["resourceNames"], json!(["tool-alpha-psp"]));
    let subjects: Vec<(&Value, &Value)> = objects
        .iter()
        .filter(|object| object["roleRef"]["name"] == "tool-alpha-psp")
        .map(|object| (&object["metadata"]["name"], &object["subjects"][0]["name"]))
        .collect();
    assert_eq!(
        subjects,
        [
            (&json!("tool-alpha-psp-binding"), &json!("alpha")),
            (&json!("default-alpha-psp-binding"), &json!("default")),
        ]
    );
}

#[test]
fn a_network_policy_is_desired_where_one_is_configured() {
    let overrides = Overrides::read("networkPolicy: { podSelector: {} }").unwrap();
    let of = |overrides| {
        desired_tool_objects(&tool(), &ToolClass::default(), overrides, None)
            .into_iter()
            .find(|object| object["kind"] == "NetworkPolicy")
    };
    assert_eq!(of(&overrides).unwrap()["metadata"]["name"], "toolforge");
    assert_eq!(of(&Overrides::default()), None);
}

#[test]
fn a_tool_sees_the_whole_cluster_only_where_the_overrides_say_so() {
    let overrides = Overrides::read("tools: { alpha: { observer: true } }").unwrap();
    let of = |overrides: &Overrides| {
        desired_tool_objects(&tool(), &ToolClass::default(), overrides, Some("uid-1"))
    };
    let keys = |objects: &[Value]| objects.iter().map(ObjectKey::of).collect::<Vec<_>>();
    let (all, usual) = (of(&overrides), keys(&of(&Overrides::default())));
    let more: Vec<&Value> = all
        .iter()
        .filter(|object| !usual.contains(&ObjectKey::of(object)))
        .collect();
    let binding = more
        .iter()
        .find(|object| object["kind"] == "ClusterRoleBinding")
        .unwrap();
    assert_eq!(binding["metadata"]["name"], "alpha-obs");
    assert_eq!(binding["metadata"]["ownerReferences"][0]["uid"], "uid-1");
    assert_eq!(binding["roleRef"]["name"], "tool-observer");
    let subject = json!({ "kind": "ServiceAccount", "name": "alpha-obs", "namespace": "tool-alpha" });
    assert_eq!(binding["subjects"], json!([subject]));

    // What makes it one is what goes when it is none any more, and what gives rights goes with a lock too.
    let name = tool().name;
    let undesired = undesired_tool_objects(&name, &Overrides::default());
    let rights = tool_bindings(&name);
    for object in more {
        let key = ObjectKey::of(object);
        assert!(undesired.contains(&key), "{key:?}");
        assert!(key.kind == "ServiceAccount" || rights.contains(&key), "{key:?}");
    }
    let undesired = undesired_tool_objects(&name, &overrides);
    assert_eq!(
        undesired,
        [key(&name, "NetworkPolicy", NETWORK_POLICY.to_owned())]
    );
}
