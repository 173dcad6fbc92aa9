//! Nobody grants what they do not have: writing roles and bindings, unless `escalate` or `bind` says otherwise.
//!
//! Called by the verbs before a role or binding is written.
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping>.

use serde_json::Value;
use toolforge_kinds::{Kind, Status};

use super::rules::Rule;
use super::{Access, Attributes, rbac};
use crate::authn::{MASTERS, User};
use crate::store::Store;

/// Refuses a role or binding that would grant more than its author has. Other kinds pass.
pub(crate) fn check(
    access: &Access,
    store: &Store,
    user: &User,
    kind: &Kind,
    object: &Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    if kind.group != rbac::GROUP || user.is_in(MASTERS) {
        return Ok(());
    }
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let wanted = match kind.kind {
        "Role" | "ClusterRole" => {
            if old.is_some_and(|old| {
                old.get("rules") == object.get("rules")
                    && old.get("aggregationRule") == object.get("aggregationRule")
            }) {
                return Ok(());
            }
            let may = asks("escalate", kind.plural, namespace, name);
            if access.decide(user, &may, store).is_allowed() {
                return Ok(());
            }
            let mut rules = Rule::read_all(object);
            if object.get("aggregationRule").is_some_and(|rule| !rule.is_null()) {
                // What an aggregated role will contain is not known yet: its author must have everything.
                let everything = || vec!["*".to_owned()];
                let all = Rule {
                    verbs: everything(),
                    ..Rule::default()
                };
                rules.push(Rule {
                    groups: everything(),
                    resources: everything(),
                    ..all.clone()
                });
                rules.push(Rule {
                    paths: everything(),
                    ..all
                });
            }
            rules
        }
        _ => {
            if old.is_some_and(|old| old.get("subjects") == object.get("subjects")) {
                return Ok(());
            }
            let role = text("/roleRef/name");
            let (plural, role_namespace) = match text("/roleRef/kind") {
                "Role" => ("roles", namespace),
                _ => ("clusterroles", ""),
            };
            let may = Attributes {
                namespace: namespace.to_owned(),
                ..asks("bind", plural, "", role)
            };
            if access.decide(user, &may, store).is_allowed() {
                return Ok(());
            }
            let rules = access.with_rbac(|index| index.rules_of(role_namespace, role));
            let Some(rules) = rules else {
                let bound = if plural == "roles" { "Role" } else { "ClusterRole" };
                let bound = toolforge_kinds::by_kind(rbac::GROUP, "v1", bound).unwrap_or(kind);
                return Err(Status::not_found(bound, role));
            };
            rules.to_vec()
        }
    };
    let missing = missing(access, user, namespace, &wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.iter().map(describe).collect();
    let why = format!(
        "user {:?} (groups={:?}) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        user.groups,
        list.join("\n")
    );
    Err(Status::forbidden(kind, name, &why))
}

fn asks(verb: &str, plural: &str, namespace: &str, name: &str) -> Attributes {
    Attributes {
        verb: verb.to_owned(),
        group: rbac::GROUP.to_owned(),
        resource: plural.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ..Attributes::default()
    }
}

/// The single permissions among `wanted` that no rule of the user covers.
fn missing(access: &Access, user: &User, namespace: &str, wanted: &[Rule]) -> Vec<Rule> {
    let grants = access.with_rbac(|index| index.grants(user, namespace));
    wanted
        .iter()
        .flat_map(Rule::parts)
        .filter(|part| {
            !grants
                .iter()
                .any(|grant| grant.rules.iter().any(|own| own.covers(part)))
        })
        .collect()
}

/// `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`.
fn describe(rule: &Rule) -> String {
    let mut parts = Vec::new();
    for (name, list) in [
        ("NonResourceURLs", &rule.paths),
        ("APIGroups", &rule.groups),
        ("Resources", &rule.resources),
        ("ResourceNames", &rule.names),
        ("Verbs", &rule.verbs),
    ] {
        if !list.is_empty() {
            parts.push(format!("{name}:{list:?}"));
        }
    }
    format!("{{{}}}", parts.join(", "))
}
