use super::{GrantIndex, Holder, ServiceAccount};
use crate::psp::PodSecurityPolicy;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const RBAC: &str = "rbac.authorization.k8s.io";

fn read<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

fn policy(name: &str) -> PodSecurityPolicy {
    let any = json!({"rule": "RunAsAny"});
    let spec = json!({"seLinux": any, "runAsUser": any, "fsGroup": any, "supplementalGroups": any});
    PodSecurityPolicy::read(&json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

fn uses(names: &[&str]) -> Value {
    json!([{
        "apiGroups": ["policy.toolforge.org"], "resources": ["podsecuritypolicies"], "verbs": ["use"],
        "resourceNames": names,
    }])
}

fn role(name: &str, rules: &Value) -> Role {
    read(json!({"metadata": {"name": name, "namespace": "tool-a"}, "rules": rules}))
}

fn cluster_role(name: &str, rules: &Value) -> ClusterRole {
    read(json!({"metadata": {"name": name}, "rules": rules}))
}

fn binding(kind: &str, role: &str, subject: &Value) -> RoleBinding {
    read(json!({
        "metadata": {"name": format!("{role}-binding"), "namespace": "tool-a"},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role}, "subjects": [subject],
    }))
}

fn user(name: &str) -> Value {
    json!({"apiGroup": RBAC, "kind": "User", "name": name})
}

/// An index with the policies a, b and c.
fn index() -> GrantIndex {
    let mut index = GrantIndex::default();
    for name in ["a", "b", "c"] {
        index.put_policy(policy(name));
    }
    index
}

fn usable(index: &GrantIndex, namespace: &str, user: &str, groups: &[&str]) -> Vec<String> {
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let holder = Holder {
        user,
        groups: &groups,
    };
    index
        .usable(namespace, &[holder])
        .iter()
        .map(|policy| policy.name().to_owned())
        .collect()
}

#[test]
fn a_role_and_its_binding_give_the_policies_that_they_name_where_they_stand() {
    let mut index = index();
    index.put_role(&role("r", &uses(&["b", "gone"])));
    index.put_binding(&binding("Role", "r", &user("alpha")));
    assert_eq!(usable(&index, "tool-a", "alpha", &[]), ["b"]);
    assert!(usable(&index, "tool-b", "alpha", &[]).is_empty());
    assert!(usable(&index, "tool-a", "beta", &[]).is_empty());
    // Another role of the same name, and a cluster's role of the same name, are others.
    index.put_role(&role("r", &json!([])));
    index.put_cluster_role(&cluster_role("r", &uses(&["a"])));
    assert!(usable(&index, "tool-a", "alpha", &[]).is_empty());
}

#[test]
fn a_cluster_role_gives_in_one_namespace_or_everywhere_as_it_is_bound() {
    let mut index = index();
    index.put_cluster_role(&cluster_role("r", &uses(&["a", "c"])));
    let group = json!({"apiGroup": RBAC, "kind": "Group", "name": "g"});
    index.put_binding(&binding("ClusterRole", "r", &group));
    assert_eq!(usable(&index, "tool-a", "x", &["g"]), ["a", "c"]);
    assert!(usable(&index, "other", "x", &["g"]).is_empty());
    let everywhere: ClusterRoleBinding = read(json!({
        "metadata": {"name": "e"}, "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "r"},
        "subjects": [user("jane")],
    }));
    index.put_cluster_binding(&everywhere);
    assert_eq!(usable(&index, "other", "jane", &[]), ["a", "c"]);
    // One of the same name that gives another role takes its place, and takes it along.
    let mut other = everywhere.clone();
    other.role_ref.name = "s".to_owned();
    index.put_cluster_binding(&other);
    assert!(usable(&index, "other", "jane", &[]).is_empty());
    index.put_cluster_role(&cluster_role("s", &uses(&["b"])));
    assert_eq!(usable(&index, "other", "jane", &[]), ["b"]);
    index.remove_cluster_binding("e");
    assert!(usable(&index, "other", "jane", &[]).is_empty());
}

#[test]
fn service_accounts_hold_grants_by_name_and_by_group() {
    let mut index = index();
    index.put_role(&role("r", &uses(&["a"])));
    index.put_binding(&binding(
        "Role",
        "r",
        &json!({"kind": "ServiceAccount", "name": "default"}),
    ));
    let of = |index: &GrantIndex, namespace: &str, name: &str| {
        let account = ServiceAccount::new(namespace, name);
        index.usable("tool-a", &[account.holder()]).len()
    };
    assert_eq!(of(&index, "tool-a", "default"), 1);
    assert_eq!(of(&index, "tool-b", "default"), 0);
    assert_eq!(of(&index, "tool-a", "other"), 0);
    for group in [
        "system:serviceaccounts",
        "system:serviceaccounts:tool-b",
        "system:authenticated",
    ] {
        let group = json!({"apiGroup": RBAC, "kind": "Group", "name": group});
        index.put_binding(&binding("Role", "r", &group));
        assert_eq!(of(&index, "tool-b", "default"), 1);
    }
}

#[test]
fn only_rules_for_the_verb_the_group_and_the_resource_give() {
    let rule = |verb: &str, group: &str, resource: &str| json!([{"verbs": [verb], "apiGroups": [group], "resources": [resource]}]);
    let ours = "policy.toolforge.org";
    for (rules, number) in [
        (rule("use", ours, "podsecuritypolicies"), 3),
        (rule("*", ours, "podsecuritypolicies"), 3),
        (rule("use", "*", "podsecuritypolicies"), 3),
        (rule("use", ours, "*"), 3),
        (rule("get", ours, "podsecuritypolicies"), 0),
        (rule("use", "policy", "podsecuritypolicies"), 0),
        (rule("use", "", "podsecuritypolicies"), 0),
        (rule("use", ours, "pods"), 0),
        (rule("use", ours, "podsecuritypolicies/status"), 0),
        (json!([{"nonResourceURLs": ["*"], "verbs": ["*"]}]), 0),
        (json!(null), 0),
    ] {
        let mut index = index();
        index.put_role(&role("r", &rules));
        index.put_binding(&binding("Role", "r", &user("alpha")));
        assert_eq!(usable(&index, "tool-a", "alpha", &[]).len(), number, "{rules}");
    }
}

#[test]
fn masters_may_use_all() {
    assert_eq!(
        usable(&index(), "anywhere", "root", &["system:masters"]),
        ["a", "b", "c"]
    );
}

#[test]
fn several_holders_have_what_any_of_them_has() {
    let mut index = index();
    index.put_role(&role("r", &uses(&["a"])));
    index.put_role(&role("s", &uses(&["b"])));
    index.put_binding(&binding("Role", "r", &user("alpha")));
    index.put_binding(&binding(
        "Role",
        "s",
        &json!({"kind": "ServiceAccount", "name": "default"}),
    ));
    let account = ServiceAccount::new("tool-a", "default");
    let maker = Holder {
        user: "alpha",
        groups: &[],
    };
    assert_eq!(index.usable("tool-a", &[maker, account.holder()]).len(), 2);
}

#[test]
fn objects_are_taken_in_by_their_kind() {
    let any = json!({"rule": "RunAsAny"});
    let spec = json!({"seLinux": any, "runAsUser": any, "fsGroup": any, "supplementalGroups": any});
    let typed = |version: &str, kind: &str, object: Value| {
        let mut object = object;
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        object
    };
    let rbac = "rbac.authorization.k8s.io/v1";
    let policy = json!({"metadata": {"name": "d"}, "spec": spec});
    let role = json!({"metadata": {"name": "r", "namespace": "tool-a"}, "rules": uses(&["d"])});
    let bound = json!({
        "metadata": {"name": "b", "namespace": "tool-a"}, "subjects": [user("alpha")],
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"},
    });
    let mut index = GrantIndex::default();
    assert!(
        index
            .put(&typed(
                "policy.toolforge.org/v1",
                "PodSecurityPolicy",
                policy.clone()
            ))
            .unwrap()
    );
    assert!(index.put(&typed(rbac, "Role", role)).unwrap());
    assert!(index.put(&typed(rbac, "RoleBinding", bound)).unwrap());
    assert_eq!(usable(&index, "tool-a", "alpha", &[]), ["d"]);
    for (version, kind) in [
        ("v1", "Pod"),
        ("policy/v1beta1", "PodSecurityPolicy"),
        ("example.org/v1", "Role"),
    ] {
        assert!(
            !index.put(&typed(version, kind, policy.clone())).unwrap(),
            "{version} {kind}"
        );
    }
    assert!(index.put(&typed(rbac, "Role", json!({"rules": 1}))).is_err());
    assert!(
        index
            .put(&typed("policy.toolforge.org/v1", "PodSecurityPolicy", json!({})))
            .is_err()
    );
}
