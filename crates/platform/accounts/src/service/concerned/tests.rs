use serde_json::{Value, json};

use super::*;
use crate::{removals, status};

const ADMINS: [&str; 3] = ["ada", "ada-view", "grace"];

fn key(kind: &str, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn with_marker(data: &Value) -> Cache {
    Cache::of(vec![json!({
        "kind": "ConfigMap",
        "metadata": { "name": "maintain-kubeusers", "namespace": "maintain-kubeusers" },
        "data": data,
    })])
}

fn by(concerned: &mut Concerned, key: &ObjectKey, cache: &Cache) -> Vec<String> {
    let admins = ADMINS.map(str::to_owned);
    let concerned = concerned.by(key, cache, admins.iter());
    concerned.iter().map(Account::to_string).collect()
}

#[test]
fn the_marker_of_all_admins_concerns_only_those_of_whom_it_says_something_else() {
    let marker = desired::admin_marker_key();
    let first = with_marker(&json!({ "ada": "2027-01-01T00:00:00", "grace": "2027-01-01T00:00:00" }));
    let mut concerned = Concerned::new(&first);
    assert_eq!(by(&mut concerned, &marker, &first), [""; 0]);
    let renewed = with_marker(&json!({ "ada": "2028-01-01T00:00:00", "grace": "2027-01-01T00:00:00" }));
    assert_eq!(by(&mut concerned, &marker, &renewed), ["admin ada"]);
    assert_eq!(by(&mut concerned, &marker, &renewed), [""; 0], "it has been told");
    let taken = with_marker(&json!({ "ada": "2028-01-01T00:00:00", "somebody": "2027-01-01T00:00:00" }));
    assert_eq!(by(&mut concerned, &marker, &taken), ["admin grace"]);
    // Deleted, it asks for new credentials of all who were in it.
    assert_eq!(by(&mut concerned, &marker, &Cache::default()), ["admin ada"]);
}

#[test]
fn a_binding_concerns_whose_it_is_by_its_name() {
    let cache = Cache::default();
    let mut concerned = Concerned::new(&cache);
    let mut of = |name: &str| by(&mut concerned, &key("ClusterRoleBinding", "", name), &cache);
    assert_eq!(of("grace-binding"), ["admin grace"]);
    assert_eq!(of("grace-view-binding"), ["admin grace"]);
    // Two would have it, and both have to hear of it.
    assert_eq!(of("ada-view-binding"), ["admin ada", "admin ada-view"]);
    assert_eq!(of("somebody-binding"), [""; 0]);
}

#[test]
fn what_the_service_only_writes_concerns_nobody() {
    let cache = Cache::default();
    let mut concerned = Concerned::new(&cache);
    for key in [removals::key(), status::key()] {
        assert_eq!(by(&mut concerned, &key, &cache), [""; 0], "{}", key.name);
    }
}

#[test]
fn the_namespace_of_the_service_concerns_all_admins_and_what_is_of_a_tool_that_tool() {
    let cache = Cache::default();
    let mut concerned = Concerned::new(&cache);
    let mut of = |kind, namespace, name| by(&mut concerned, &key(kind, namespace, name), &cache);
    assert_eq!(
        of("Namespace", "", "maintain-kubeusers"),
        ["admin ada", "admin ada-view", "admin grace"]
    );
    assert_eq!(of("Namespace", "", "tool-alpha"), ["tool alpha"]);
    assert_eq!(
        of("ConfigMap", "tool-alpha", "maintain-kubeusers"),
        ["tool alpha"]
    );
    assert_eq!(of(psp::KIND, "", "tool-alpha-psp"), ["tool alpha"]);
    assert_eq!(of("ClusterRoleBinding", "", "alpha-obs"), ["tool alpha"]);
    assert_eq!(of("RoleBinding", "elsewhere", "x"), [""; 0]);
}
