//! Roles and bindings.

use serde_json::Value;

use super::names;
use super::path::{Errors, each, join, messages};
use crate::FieldError;
use crate::value::{Read as _, equivalent};

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules of a role.
pub(super) fn rules(object: &Value, namespaced: bool, errors: &mut Errors) {
    for (path, rule) in each(object, "", "rules") {
        if rule.list("verbs").is_empty() {
            errors.push(FieldError::required(
                &join(&path, "verbs"),
                "verbs must contain at least one value",
            ));
        }
        let paths = rule.list("nonResourceURLs");
        let resources = !rule.list("resources").is_empty() || !rule.list("apiGroups").is_empty();
        if !paths.is_empty() {
            let at = join(&path, "nonResourceURLs");
            let wrong = if namespaced {
                "namespaced rules cannot apply to non-resource URLs"
            } else if resources || !rule.list("resourceNames").is_empty() {
                "rules cannot apply to both regular resources and non-resource URLs"
            } else {
                continue;
            };
            errors.push(FieldError::invalid(&at, paths.to_vec(), wrong));
            continue;
        }
        if rule.list("apiGroups").is_empty() {
            let detail = "resource rules must supply at least one api group";
            errors.push(FieldError::required(&join(&path, "apiGroups"), detail));
        }
        if rule.list("resources").is_empty() {
            let detail = "resource rules must supply at least one resource";
            errors.push(FieldError::required(&join(&path, "resources"), detail));
        }
    }
    if let Some(aggregation) = object.get("aggregationRule") {
        let path = "aggregationRule.clusterRoleSelectors";
        if aggregation.list("clusterRoleSelectors").is_empty() {
            let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            errors.push(FieldError::required(path, detail));
        }
        for (path, selector) in each(aggregation, "aggregationRule", "clusterRoleSelectors") {
            super::labels::selector(selector, &path, errors);
        }
    }
}

/// The role and the subjects of a binding.
pub(super) fn binding(object: &Value, namespaced: bool, errors: &mut Errors) {
    let role = &object["roleRef"];
    if role.text("apiGroup") != GROUP {
        errors.push(FieldError::not_supported(
            "roleRef.apiGroup",
            role.text("apiGroup"),
            &[GROUP],
        ));
    }
    let kinds: &[&str] = if namespaced {
        &["ClusterRole", "Role"]
    } else {
        &["ClusterRole"]
    };
    if !kinds.contains(&role.text("kind")) {
        errors.push(FieldError::not_supported(
            "roleRef.kind",
            role.text("kind"),
            kinds,
        ));
    }
    let name = role.text("name");
    if name.is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    } else {
        messages("roleRef.name", name, names::path_segment(name), errors);
    }
    for (path, found) in each(object, "", "subjects") {
        subject(found, &path, errors);
    }
}

fn subject(subject: &Value, path: &str, errors: &mut Errors) {
    let (name, group) = (subject.text("name"), subject.text("apiGroup"));
    if name.is_empty() {
        errors.push(FieldError::required(&join(path, "name"), ""));
    }
    match subject.text("kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                messages(&join(path, "name"), name, names::subdomain(name), errors);
            }
            if !group.is_empty() {
                errors.push(FieldError::not_supported(&join(path, "apiGroup"), group, &[""]));
            }
            if subject.text("namespace").is_empty() {
                errors.push(FieldError::required(&join(path, "namespace"), ""));
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errors.push(FieldError::not_supported(
                    &join(path, "apiGroup"),
                    group,
                    &[GROUP],
                ));
            }
        }
        other => {
            let known = ["ServiceAccount", "User", "Group"];
            errors.push(FieldError::not_supported(&join(path, "kind"), other, &known));
        }
    }
}

/// A binding is to one role for its whole life.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    if !equivalent(old.get("roleRef"), new.get("roleRef")) {
        errors.push(FieldError::invalid(
            "roleRef",
            new["roleRef"].clone(),
            "cannot change roleRef",
        ));
    }
}
