//! The index against small worlds of roles and bindings.

use serde_json::{Value, json};

use super::*;
use crate::store::Resource;

fn put(index: &mut Index, plural: &'static str, namespace: &str, name: &str, mut object: Value) {
    object["metadata"]["name"] = json!(name);
    let key = Key {
        resource: Resource { group: GROUP, plural },
        namespace: namespace.into(),
        name: name.into(),
    };
    index.put(&key, &object);
}

fn rules(verbs: &[&str], resources: &[&str]) -> Value {
    json!([{"apiGroups":[""],"resources":resources,"verbs":verbs}])
}

fn bind(kind: &str, role: &str, subject_kind: &str, subject: &str) -> Value {
    json!({"roleRef":{"kind":kind,"name":role},"subjects":[{"kind":subject_kind,"name":subject}]})
}

fn asks(index: &Index, user: &str, groups: &[&str], verb: &str, resource: &str, namespace: &str) -> bool {
    let wanted = Attributes {
        verb: verb.into(),
        resource: resource.into(),
        namespace: namespace.into(),
        ..Attributes::default()
    };
    index
        .decide(&User::authenticated(user, groups), &wanted)
        .is_allowed()
}

#[test]
fn a_role_binding_counts_only_in_its_namespace() {
    let mut index = Index::default();
    put(
        &mut index,
        "clusterroles",
        "",
        "reader",
        json!({"rules": rules(&["get"], &["pods"])}),
    );
    put(
        &mut index,
        "rolebindings",
        "a",
        "ada",
        bind("ClusterRole", "reader", "User", "ada"),
    );
    assert!(asks(&index, "ada", &[], "get", "pods", "a"));
    assert!(!asks(&index, "ada", &[], "get", "pods", "b"));
    assert!(!asks(&index, "ada", &[], "get", "pods", ""));
    assert!(!asks(&index, "bob", &[], "get", "pods", "a"));
}

#[test]
fn a_role_of_another_namespace_is_not_found() {
    let mut index = Index::default();
    put(
        &mut index,
        "roles",
        "b",
        "reader",
        json!({"rules": rules(&["get"], &["pods"])}),
    );
    put(
        &mut index,
        "rolebindings",
        "a",
        "ada",
        bind("Role", "reader", "User", "ada"),
    );
    assert!(!asks(&index, "ada", &[], "get", "pods", "a"));
    put(
        &mut index,
        "roles",
        "a",
        "reader",
        json!({"rules": rules(&["get"], &["pods"])}),
    );
    assert!(asks(&index, "ada", &[], "get", "pods", "a"));
}

#[test]
fn a_cluster_role_binding_counts_everywhere_and_for_groups() {
    let mut index = Index::default();
    put(
        &mut index,
        "clusterroles",
        "",
        "reader",
        json!({"rules": rules(&["list"], &["pods"])}),
    );
    put(
        &mut index,
        "clusterrolebindings",
        "",
        "admins",
        bind("ClusterRole", "reader", "Group", "admins"),
    );
    assert!(asks(&index, "bob", &["admins"], "list", "pods", ""));
    assert!(asks(&index, "bob", &["admins"], "list", "pods", "x"));
    assert!(!asks(&index, "bob", &["others"], "list", "pods", "x"));
}

#[test]
fn service_accounts_are_users_of_their_namespace() {
    let mut index = Index::default();
    put(
        &mut index,
        "roles",
        "a",
        "reader",
        json!({"rules": rules(&["get"], &["pods"])}),
    );
    put(
        &mut index,
        "rolebindings",
        "a",
        "sa",
        bind("Role", "reader", "ServiceAccount", "default"),
    );
    assert!(asks(
        &index,
        "system:serviceaccount:a:default",
        &[],
        "get",
        "pods",
        "a"
    ));
}

#[test]
fn removed_bindings_and_roles_allow_nothing() {
    let mut index = Index::default();
    put(
        &mut index,
        "roles",
        "a",
        "reader",
        json!({"rules": rules(&["get"], &["pods"])}),
    );
    put(
        &mut index,
        "rolebindings",
        "a",
        "ada",
        bind("Role", "reader", "User", "ada"),
    );
    let binding = Key {
        resource: Resource {
            group: GROUP,
            plural: "rolebindings",
        },
        namespace: "a".into(),
        name: "ada".into(),
    };
    index.remove(&binding);
    assert!(!asks(&index, "ada", &[], "get", "pods", "a"));
    assert!(index.by_subject.is_empty());
}

#[test]
fn a_changed_binding_forgets_its_old_subjects() {
    let mut index = Index::default();
    put(
        &mut index,
        "roles",
        "a",
        "reader",
        json!({"rules": rules(&["get"], &["pods"])}),
    );
    put(
        &mut index,
        "rolebindings",
        "a",
        "b",
        bind("Role", "reader", "User", "ada"),
    );
    put(
        &mut index,
        "rolebindings",
        "a",
        "b",
        bind("Role", "reader", "User", "bob"),
    );
    assert!(!asks(&index, "ada", &[], "get", "pods", "a"));
    assert!(asks(&index, "bob", &[], "get", "pods", "a"));
}

#[test]
fn aggregated_roles_have_the_rules_of_their_parts_and_of_parts_of_parts() {
    let mut index = Index::default();
    let select = |label: &str| json!({"clusterRoleSelectors":[{"matchLabels":{label:"true"}}]});
    put(
        &mut index,
        "clusterroles",
        "",
        "edit",
        json!({"aggregationRule": select("to-edit"), "metadata":{"labels":{"to-admin":"true"}}}),
    );
    put(
        &mut index,
        "clusterroles",
        "",
        "admin",
        json!({"aggregationRule": select("to-admin")}),
    );
    put(
        &mut index,
        "clusterroles",
        "",
        "part",
        json!({"metadata":{"labels":{"to-edit":"true"}}, "rules": rules(&["create"], &["pods"])}),
    );
    put(
        &mut index,
        "clusterrolebindings",
        "",
        "x",
        bind("ClusterRole", "admin", "User", "ada"),
    );
    assert!(asks(&index, "ada", &[], "create", "pods", "a"));
    let part = Key {
        resource: Resource {
            group: GROUP,
            plural: "clusterroles",
        },
        namespace: String::new(),
        name: "part".into(),
    };
    index.remove(&part);
    assert!(!asks(&index, "ada", &[], "create", "pods", "a"));
}

#[test]
fn path_rules_count_only_from_cluster_bindings() {
    let mut index = Index::default();
    let paths = json!({"rules":[{"nonResourceURLs":["/metrics"],"verbs":["get"]}]});
    put(&mut index, "clusterroles", "", "metrics", paths);
    put(
        &mut index,
        "rolebindings",
        "",
        "wrong",
        bind("ClusterRole", "absent", "User", "ada"),
    );
    let wanted = Attributes {
        verb: "get".into(),
        path: Some("/metrics".into()),
        ..Attributes::default()
    };
    let ada = User::authenticated("ada", &[]);
    assert!(!index.decide(&ada, &wanted).is_allowed());
    put(
        &mut index,
        "clusterrolebindings",
        "",
        "right",
        bind("ClusterRole", "metrics", "User", "ada"),
    );
    assert!(index.decide(&ada, &wanted).is_allowed());
}

#[test]
fn the_reason_names_the_binding() {
    let mut index = Index::default();
    put(
        &mut index,
        "clusterroles",
        "",
        "reader",
        json!({"rules": rules(&["get"], &["pods"])}),
    );
    put(
        &mut index,
        "rolebindings",
        "a",
        "ada",
        bind("ClusterRole", "reader", "User", "ada"),
    );
    let wanted = Attributes {
        verb: "get".into(),
        resource: "pods".into(),
        namespace: "a".into(),
        ..Attributes::default()
    };
    assert_eq!(
        index.decide(&User::authenticated("ada", &[]), &wanted),
        Decision::Allow(
            r#"RBAC: allowed by RoleBinding "ada/a" of ClusterRole "reader" to User "ada""#.to_owned()
        )
    );
}

#[test]
fn aggregation_selects_by_expressions_and_never_more_than_they_say() {
    let mut index = Index::default();
    let expression = json!([{"key": "part", "operator": "In", "values": ["one"]}]);
    let rule =
        json!({"clusterRoleSelectors": [{"matchExpressions": expression}, {"matchExpressions": "nonsense"}]});
    put(
        &mut index,
        "clusterroles",
        "",
        "sum",
        json!({"aggregationRule": rule}),
    );
    let part = |label: &str, resource: &str| json!({"metadata":{"labels":{"part":label}}, "rules": rules(&["get"], &[resource])});
    put(&mut index, "clusterroles", "", "one", part("one", "pods"));
    put(&mut index, "clusterroles", "", "two", part("two", "secrets"));
    put(
        &mut index,
        "clusterrolebindings",
        "",
        "ada",
        bind("ClusterRole", "sum", "User", "ada"),
    );
    assert!(asks(&index, "ada", &[], "get", "pods", "a"));
    assert!(!asks(&index, "ada", &[], "get", "secrets", "a"));
}
