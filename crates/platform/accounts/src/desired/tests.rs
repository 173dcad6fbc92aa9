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
    }
}

fn named(kind: &str) -> Value {
    desired_tool_objects(&tool())
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
