//! Webhook configurations.

use serde_json::Value;
use toolforge_cel::Program;

use super::path::{Errors, each, join, messages, one_of, required};
use super::{labels, names};
use crate::FieldError;
use crate::value::Read as _;

/// Forms of review that a webhook may speak and we do, too.
const REVIEW_VERSIONS: &[&str] = &["v1", "v1beta1"];
/// Most conditions of one webhook.
const MAX_CONDITIONS: usize = 64;
/// What conditions may speak of.
const CONDITION_VARIABLES: &[&str] = &["authorizer", "object", "oldObject", "request"];
const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

/// Every webhook of a configuration.
pub(super) fn validate(object: &Value, mutating: bool, errors: &mut Errors) {
    let mut seen: Vec<&str> = Vec::new();
    for (path, webhook) in each(object, "", "webhooks") {
        let name = webhook.text("name");
        name_rule(name, &join(&path, "name"), errors);
        if seen.contains(&name) {
            errors.push(FieldError::duplicate(&join(&path, "name"), name));
        }
        seen.push(name);
        one(webhook, &path, mutating, errors);
    }
}

fn name_rule(name: &str, path: &str, errors: &mut Errors) {
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    messages(path, name, names::subdomain(name), errors);
    if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        errors.push(FieldError::invalid(path, name, detail));
    }
}

fn one(webhook: &Value, path: &str, mutating: bool, errors: &mut Errors) {
    for (path, rule) in each(webhook, path, "rules") {
        rule_with_operations(rule, &path, errors);
    }
    one_of(webhook, path, "failurePolicy", &["Fail", "Ignore"], errors);
    one_of(webhook, path, "matchPolicy", &["Equivalent", "Exact"], errors);
    if webhook.text("sideEffects").is_empty() {
        let detail = "must specify one of None, NoneOnDryRun";
        errors.push(FieldError::required(&join(path, "sideEffects"), detail));
    } else {
        one_of(webhook, path, "sideEffects", &["None", "NoneOnDryRun"], errors);
    }
    let seconds = webhook.int("timeoutSeconds").unwrap_or(1);
    if !(1..=30).contains(&seconds) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errors.push(FieldError::invalid(
            &join(path, "timeoutSeconds"),
            seconds,
            detail,
        ));
    }
    for key in ["namespaceSelector", "objectSelector"] {
        if let Some(selector) = webhook.get(key) {
            labels::selector(selector, &join(path, key), errors);
        }
    }
    review_versions(webhook, path, errors);
    match_conditions(webhook, path, errors);
    if mutating {
        one_of(
            webhook,
            path,
            "reinvocationPolicy",
            &["IfNeeded", "Never"],
            errors,
        );
    }
    client(&webhook["clientConfig"], &join(path, "clientConfig"), errors);
}

fn match_conditions(webhook: &Value, path: &str, errors: &mut Errors) {
    let conditions = webhook.list("matchConditions");
    if conditions.len() > MAX_CONDITIONS {
        let path = join(path, "matchConditions");
        errors.push(FieldError::too_many(&path, conditions.len(), MAX_CONDITIONS));
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for (path, condition) in each(webhook, path, "matchConditions") {
        let (name, at) = (condition.text("name"), join(&path, "name"));
        if name.is_empty() {
            errors.push(FieldError::required(&at, ""));
        } else {
            messages(&at, name, names::qualified(name), errors);
        }
        if !name.is_empty() && seen.contains(&name) {
            errors.push(FieldError::duplicate(&at, name));
        }
        seen.push(name);
        expression(condition.text("expression"), &join(&path, "expression"), errors);
    }
}

fn expression(source: &str, path: &str, errors: &mut Errors) {
    if source.trim().is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let problem = match Program::compile(source) {
        Err(problem) => Some(problem.to_string()),
        Ok(program) => program
            .variables()
            .find(|name| !CONDITION_VARIABLES.contains(name))
            .map(|name| format!("ERROR: undeclared reference to '{name}' (in container '')")),
    };
    if let Some(problem) = problem {
        let detail = format!("compilation failed: {problem}");
        errors.push(FieldError::invalid(path, source, &detail));
    }
}

fn review_versions(webhook: &Value, path: &str, errors: &mut Errors) {
    let path = join(path, "admissionReviewVersions");
    let versions = webhook.list("admissionReviewVersions");
    if versions.is_empty() {
        errors.push(FieldError::required(&path, "must specify one of v1, v1beta1"));
    } else if !versions
        .iter()
        .any(|version| REVIEW_VERSIONS.contains(&version.as_str().unwrap_or_default()))
    {
        errors.push(FieldError::invalid(
            &path,
            versions.to_vec(),
            "must include at least one of v1, v1beta1",
        ));
    }
}

fn rule_with_operations(rule: &Value, path: &str, errors: &mut Errors) {
    for key in ["operations", "apiGroups", "apiVersions", "resources"] {
        let list = rule.list(key);
        if list.is_empty() {
            errors.push(FieldError::required(&join(path, key), ""));
        }
        if key != "resources" && list.len() > 1 && list.iter().any(|item| item == "*") {
            let detail = format!("if '*' is present, must not specify other {}", plural_name(key));
            errors.push(FieldError::invalid(&join(path, key), list.to_vec(), &detail));
        }
    }
    for (index, operation) in rule.list("operations").iter().enumerate() {
        if !OPERATIONS.contains(&operation.as_str().unwrap_or_default()) {
            let path = format!("{path}.operations[{index}]");
            errors.push(FieldError::not_supported(&path, operation.clone(), OPERATIONS));
        }
    }
    one_of(rule, path, "scope", &["*", "Cluster", "Namespaced"], errors);
}

fn plural_name(key: &str) -> &'static str {
    match key {
        "apiGroups" => "API groups",
        "apiVersions" => "API versions",
        _ => "operations",
    }
}

/// Where a webhook listens.
pub(super) fn client(client: &Value, path: &str, errors: &mut Errors) {
    match (client.get("url").and_then(Value::as_str), client.get("service")) {
        (None, None) | (Some(_), Some(_)) => {
            errors.push(FieldError::required(
                path,
                "exactly one of url or service is required",
            ));
        }
        (Some(url), None) => {
            let form = "desired format: https://host[:port]/path";
            let at = join(path, "url");
            match url.strip_prefix("https://") {
                None => {
                    let detail = format!("'https' is the only allowed URL scheme; {form}");
                    errors.push(FieldError::invalid(&at, url, &detail));
                }
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    let detail = format!("host must be specified; {form}");
                    errors.push(FieldError::invalid(&at, url, &detail));
                }
                Some(rest) if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
                    let detail = "user information is not permitted in the URL";
                    errors.push(FieldError::invalid(&at, url, detail));
                }
                Some(_) => {}
            }
        }
        (None, Some(service)) => {
            let at = join(path, "service");
            required(service, &at, "name", errors);
            required(service, &at, "namespace", errors);
            let number = service.int("port").unwrap_or(443);
            for message in names::port(number) {
                errors.push(FieldError::invalid(
                    &join(&at, "port"),
                    number,
                    &format!("port is not valid: {message}"),
                ));
            }
            let route = service.text("path");
            if !route.is_empty() && !route.starts_with('/') {
                errors.push(FieldError::invalid(
                    &join(&at, "path"),
                    route,
                    "must start with a '/'",
                ));
            }
        }
    }
}
