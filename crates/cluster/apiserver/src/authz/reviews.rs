//! The questions about rights and identity: access reviews, rules review, `SelfSubjectReview`.
//!
//! Answered at once and never stored.

use serde_json::{Map, Value, json};
use toolforge_kinds::{Kind, Status};

use super::node::Node;
use super::rules::Rule;
use super::{Access, Attributes, Decision};
use crate::authn::{MASTERS, User};
use crate::store::Store;

/// Answers a review of `kind` that `user` posted; `namespace` is that of the path.
pub(crate) fn answer(
    access: &Access,
    store: &Store,
    user: &User,
    kind: &Kind,
    namespace: Option<&str>,
    mut review: Value,
) -> Result<Value, Status> {
    let status = match kind.kind {
        "SelfSubjectReview" => json!({ "userInfo": user.to_value() }),
        "SelfSubjectAccessReview" => decide(access, store, user, &review)?,
        "SubjectAccessReview" => decide(access, store, &subject(&review)?, &review)?,
        "LocalSubjectAccessReview" => {
            let asked = review
                .pointer("/spec/resourceAttributes/namespace")
                .and_then(Value::as_str);
            if asked != namespace {
                return Err(Status::bad_request(
                    "spec.resourceAttributes.namespace must match the namespace of the request",
                ));
            }
            decide(access, store, &subject(&review)?, &review)?
        }
        "SelfSubjectRulesReview" => rules(access, user, &review)?,
        _ => return Err(Status::internal(format!("no answer for {}", kind.kind))),
    };
    if let Some(map) = review.as_object_mut() {
        map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        map.insert("status".to_owned(), status);
    }
    Ok(review)
}

fn text(value: &Value, field: &str) -> String {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn subject(review: &Value) -> Result<User, Status> {
    let spec = review.get("spec").unwrap_or(&Value::Null);
    let list = |field: &str| -> Vec<String> {
        spec.get(field)
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let user = User {
        name: text(spec, "user"),
        uid: text(spec, "uid"),
        groups: list("groups"),
        extra: Vec::new(),
    };
    if user.name.is_empty() && user.groups.is_empty() {
        return Err(Status::bad_request(
            "spec.user: at least one of user or groups must be specified",
        ));
    }
    Ok(user)
}

fn attributes(review: &Value) -> Result<Attributes, Status> {
    let spec = review.get("spec").unwrap_or(&Value::Null);
    let resource = spec.get("resourceAttributes").filter(|value| !value.is_null());
    let path = spec.get("nonResourceAttributes").filter(|value| !value.is_null());
    match (resource, path) {
        (Some(found), None) => Ok(Attributes {
            verb: text(found, "verb"),
            group: text(found, "group"),
            version: text(found, "version"),
            resource: text(found, "resource"),
            subresource: text(found, "subresource"),
            namespace: text(found, "namespace"),
            name: text(found, "name"),
            field_selector: found
                .pointer("/fieldSelector/rawSelector")
                .and_then(Value::as_str)
                .map(str::to_owned),
            path: None,
        }),
        (None, Some(found)) => Ok(Attributes {
            verb: text(found, "verb"),
            path: Some(text(found, "path")),
            ..Attributes::default()
        }),
        _ => Err(Status::bad_request(
            "spec: exactly one of resourceAttributes and nonResourceAttributes must be specified",
        )),
    }
}

fn decide(access: &Access, store: &Store, user: &User, review: &Value) -> Result<Value, Status> {
    Ok(match access.decide(user, &attributes(review)?, store) {
        Decision::Allow(reason) => json!({ "allowed": true, "reason": reason }),
        Decision::NoOpinion(reason) if reason.is_empty() => json!({ "allowed": false }),
        Decision::NoOpinion(reason) => json!({ "allowed": false, "reason": reason }),
    })
}

fn rules(access: &Access, user: &User, review: &Value) -> Result<Value, Status> {
    let namespace = review
        .pointer("/spec/namespace")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let mut found: Vec<Rule> = Vec::new();
    if user.is_in(MASTERS) {
        let all = || vec!["*".to_owned()];
        found.push(Rule {
            verbs: all(),
            groups: all(),
            resources: all(),
            ..Rule::default()
        });
        found.push(Rule {
            verbs: all(),
            paths: all(),
            ..Rule::default()
        });
    }
    for grant in access.with_rbac(|index| index.grants(user, namespace)) {
        for rule in grant
            .rules
            .iter()
            .filter(|rule| grant.namespace.is_empty() || rule.is_about_resources())
        {
            if !found.contains(rule) {
                found.push(rule.clone());
            }
        }
    }
    let (resources, paths): (Vec<_>, Vec<_>) = found.iter().partition(|rule| rule.is_about_resources());
    let is_node = Node::of(user).is_some();
    let mut status = json!({
        "resourceRules": resources.iter().map(|rule| rule.to_value()).collect::<Vec<_>>(),
        "nonResourceRules": paths.iter().map(|rule| rule.to_value()).collect::<Vec<_>>(),
        "incomplete": is_node,
    });
    if is_node {
        // What a node may do depends on its Pods.
        status["evaluationError"] = json!("node authorizer does not support user rule resolution");
    }
    Ok(status)
}
