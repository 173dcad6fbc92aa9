//! What the default roles allow, and what they do not.

use super::*;
use crate::authn::User;
use crate::authz::Attributes;
use crate::authz::rbac::Index;
use crate::store::{Key, Resource};

fn index() -> Index {
    let mut index = Index::default();
    for object in all() {
        let kind = object["kind"].as_str().unwrap();
        let plural = toolforge_kinds::by_kind(GROUP, "v1", kind).unwrap().plural;
        let namespace = object["metadata"]["namespace"].as_str();
        let key = Key::new(
            Resource { group: GROUP, plural },
            namespace,
            object["metadata"]["name"].as_str().unwrap(),
        );
        index.put(&key, &object);
    }
    index
}

fn covers(index: &Index, stronger: &str, weaker: &str) -> bool {
    let (stronger, weaker) = (
        index.rules_of("", stronger).unwrap(),
        index.rules_of("", weaker).unwrap(),
    );
    weaker
        .iter()
        .flat_map(crate::authz::rules::Rule::parts)
        .all(|part| stronger.iter().any(|rule| rule.covers(&part)))
}

#[test]
fn each_role_for_people_has_what_the_weaker_one_has() {
    let index = index();
    assert!(covers(&index, "cluster-admin", "admin"));
    assert!(covers(&index, "admin", "edit"));
    assert!(covers(&index, "edit", "view"));
    assert!(!covers(&index, "view", "edit"));
    assert!(!covers(&index, "edit", "admin"));
}

#[test]
fn every_identity_may_ask_what_it_may_and_what_there_is() {
    let index = index();
    let asks = |attributes: &Attributes| {
        index
            .decide(&User::authenticated("ada", &[]), attributes)
            .is_allowed()
    };
    let review = |resource: &str| Attributes {
        verb: "create".into(),
        group: "authorization.k8s.io".into(),
        resource: resource.into(),
        ..Attributes::default()
    };
    assert!(asks(&review("selfsubjectaccessreviews")));
    assert!(asks(&review("selfsubjectrulesreviews")));
    assert!(!asks(&review("subjectaccessreviews")));
    let path = |path: &str| Attributes {
        verb: "get".into(),
        path: Some(path.into()),
        ..Attributes::default()
    };
    assert!(asks(&path("/apis/apps/v1")));
    assert!(asks(&path("/openapi/v3")));
    assert!(!asks(&path("/metrics")));
}

#[test]
fn viewers_see_no_secrets() {
    let index = index();
    let secrets = rules(&[("get", CORE, "secrets")]);
    let secrets = crate::authz::rules::Rule::read(&secrets[0]);
    let view = index.rules_of("", "view").unwrap();
    assert!(!view.iter().any(|rule| rule.covers(&secrets)));
}

#[test]
fn controllers_cannot_widen_their_own_rights() {
    let index = index();
    let controllers = index.rules_of("", "system:kube-controller-manager").unwrap();
    for verb in ["escalate", "bind", "impersonate"] {
        let wanted = Attributes {
            verb: verb.into(),
            group: GROUP.into(),
            resource: "clusterroles".into(),
            ..Attributes::default()
        };
        assert!(!controllers.iter().any(|rule| rule.allows(&wanted)), "{verb}");
    }
}
