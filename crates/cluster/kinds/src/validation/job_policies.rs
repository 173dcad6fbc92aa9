//! What a Job may say of failures and successes: limits by index, `podFailurePolicy`, `successPolicy`,
//! `podReplacementPolicy` (`pkg/apis/batch/validation/validation.go`).

use std::collections::HashSet;

use serde_json::Value;

use super::names;
use super::path::{Errors, NOT_NEGATIVE, choice, each, join, messages, nth, optional_one_of};
use crate::FieldError;
use crate::value::Read as _;

/// Most failed indexes that a Job may bear.
const MOST_FAILED_INDEXES: i64 = 100_000;
/// Completions above which a Job with a limit by index has stricter limits.
const MANY_COMPLETIONS: i64 = 100_000;
/// Pods at one time, and failed indexes, of such a Job.
const LARGE_JOB_LIMIT: i64 = 10_000;
/// Most rules of a policy.
const MOST_RULES: usize = 20;
/// Most exit codes of a rule.
const MOST_EXIT_CODES: usize = 255;
/// Most conditions of a rule.
const MOST_CONDITIONS: usize = 20;
/// Longest list of indexes, in bytes.
const LONGEST_INDEXES: usize = 64 * 1024;

/// Checks the policies of a Job's specification.
pub(super) fn validate(spec: &Value, path: &str, errors: &mut Errors) {
    let indexed = spec.text("completionMode") == "Indexed";
    limits_by_index(spec, path, indexed, errors);
    if let Some(policy) = spec.get("podFailurePolicy").filter(|policy| !policy.is_null()) {
        failure_policy(spec, policy, path, errors);
    }
    if let Some(policy) = spec.get("successPolicy").filter(|policy| !policy.is_null()) {
        let at = join(path, "successPolicy");
        if indexed {
            success_policy(spec, policy, &at, errors);
        } else {
            let detail = "requires indexed completion mode";
            errors.push(FieldError::invalid(&at, policy.clone(), detail));
        }
    }
    let known: &[&str] = if spec.has("podFailurePolicy") {
        &["Failed"]
    } else {
        &["Failed", "TerminatingOrFailed"]
    };
    optional_one_of(spec, path, "podReplacementPolicy", known, errors);
}

fn limits_by_index(spec: &Value, path: &str, indexed: bool, errors: &mut Errors) {
    let most = spec.int("maxFailedIndexes");
    let at = join(path, "maxFailedIndexes");
    if most.is_some() && !spec.has("backoffLimitPerIndex") {
        let detail = "when maxFailedIndexes is specified";
        errors.push(FieldError::required(&join(path, "backoffLimitPerIndex"), detail));
    }
    if !indexed {
        for name in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if let Some(number) = spec.int(name) {
                let detail = "requires indexed completion mode";
                errors.push(FieldError::invalid(&join(path, name), number, detail));
            }
        }
        return;
    }
    if let Some(most) = most {
        if spec.int("completions").is_some_and(|count| most > count) {
            let detail = "must be less than or equal to completions";
            errors.push(FieldError::invalid(&at, most, detail));
        }
        at_most(&at, most, MOST_FAILED_INDEXES, "", errors);
    }
    if spec.int("completions").unwrap_or(0) > MANY_COMPLETIONS && spec.has("backoffLimitPerIndex") {
        many_completions(spec, path, most, errors);
    }
}

/// Each failed index of a large Job is told in its status, which has to stay small.
fn many_completions(spec: &Value, path: &str, most: Option<i64>, errors: &mut Errors) {
    let when =
        format!(" when completions are above {MANY_COMPLETIONS} and used with backoff limit per index");
    let at = join(path, "maxFailedIndexes");
    if most.is_none() {
        let detail = format!("must be specified when completions is above {MANY_COMPLETIONS}");
        errors.push(FieldError::required(&at, &detail));
    }
    if let Some(count) = spec.int("parallelism") {
        at_most(&join(path, "parallelism"), count, LARGE_JOB_LIMIT, &when, errors);
    }
    if let Some(most) = most {
        at_most(&at, most, LARGE_JOB_LIMIT, &when, errors);
    }
}

fn at_most(path: &str, number: i64, limit: i64, when: &str, errors: &mut Errors) {
    if number > limit {
        let detail = format!("must be less than or equal to {limit}{when}");
        errors.push(FieldError::invalid(path, number, &detail));
    }
}

fn failure_policy(spec: &Value, policy: &Value, path: &str, errors: &mut Errors) {
    let at = join(path, "podFailurePolicy");
    let count = policy.list("rules").len();
    if count > MOST_RULES {
        errors.push(FieldError::too_many(&join(&at, "rules"), count, MOST_RULES));
    }
    for (at, rule) in each(policy, &at, "rules") {
        failure_rule(spec, rule, &at, errors);
    }
}

fn failure_rule(spec: &Value, rule: &Value, path: &str, errors: &mut Errors) {
    let known = ["Count", "FailIndex", "FailJob", "Ignore"];
    choice(rule, path, "action", &known, errors);
    if rule.text("action") == "FailIndex" && !spec.has("backoffLimitPerIndex") {
        let detail = "requires the backoffLimitPerIndex to be set";
        errors.push(FieldError::invalid(&join(path, "action"), "FailIndex", detail));
    }
    if rule.has("onExitCodes") {
        exit_codes(spec, &rule["onExitCodes"], &join(path, "onExitCodes"), errors);
    }
    conditions(rule, path, errors);
    let detail = match (rule.has("onExitCodes"), rule.list("onPodConditions").is_empty()) {
        (true, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, true) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    errors.push(FieldError::invalid_as_a_whole(path, detail));
}

fn conditions(rule: &Value, path: &str, errors: &mut Errors) {
    let count = rule.list("onPodConditions").len();
    if count > MOST_CONDITIONS {
        let at = join(path, "onPodConditions");
        errors.push(FieldError::too_many(&at, count, MOST_CONDITIONS));
    }
    for (at, pattern) in each(rule, path, "onPodConditions") {
        let kind = pattern.text("type");
        messages(&join(&at, "type"), kind, names::qualified(kind), errors);
        choice(pattern, &at, "status", &["False", "True", "Unknown"], errors);
    }
}

fn exit_codes(spec: &Value, rule: &Value, path: &str, errors: &mut Errors) {
    choice(rule, path, "operator", &["In", "NotIn"], errors);
    let name = rule.text("containerName");
    let pod = spec.at(&["template", "spec"]).unwrap_or(&Value::Null);
    let mut containers = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| pod.list(list));
    if rule.has("containerName") && !containers.any(|container| container.text("name") == name) {
        let detail = "must be one of the container or initContainer names in the pod template";
        errors.push(FieldError::invalid(&join(path, "containerName"), name, detail));
    }
    let at = join(path, "values");
    let values: Vec<i64> = rule.list("values").iter().filter_map(Value::as_i64).collect();
    if values.is_empty() {
        let detail = "at least one value is required";
        errors.push(FieldError::invalid(&at, rule["values"].clone(), detail));
    } else if values.len() > MOST_EXIT_CODES {
        errors.push(FieldError::too_many(&at, values.len(), MOST_EXIT_CODES));
    }
    let mut seen = HashSet::new();
    for (index, value) in values.iter().enumerate() {
        let at = nth(path, "values", index);
        if *value == 0 && rule.text("operator") == "In" {
            errors.push(FieldError::invalid(&at, 0, "must not be 0 for the In operator"));
        }
        if !seen.insert(value) {
            errors.push(FieldError::duplicate(&at, *value));
        }
    }
    if !values.is_sorted() {
        errors.push(FieldError::invalid(
            &at,
            rule["values"].clone(),
            "must be ordered",
        ));
    }
}

fn success_policy(spec: &Value, policy: &Value, path: &str, errors: &mut Errors) {
    let count = policy.list("rules").len();
    let rules = join(path, "rules");
    if count == 0 {
        let detail = "at least one rules must be specified when the successPolicy is specified";
        errors.push(FieldError::required(&rules, detail));
    }
    if count > MOST_RULES {
        errors.push(FieldError::too_many(&rules, count, MOST_RULES));
    }
    let completions = spec.int("completions").unwrap_or(0);
    for (at, rule) in each(policy, path, "rules") {
        success_rule(rule, &at, completions, errors);
    }
}

fn success_rule(rule: &Value, path: &str, completions: i64, errors: &mut Errors) {
    let indexes = rule.get("succeededIndexes").and_then(Value::as_str);
    if indexes.is_none() && !rule.has("succeededCount") {
        let detail = "at least one of succeededCount or succeededIndexes must be specified";
        errors.push(FieldError::required(path, detail));
    }
    let mut listed = None;
    if let Some(text) = indexes {
        let at = join(path, "succeededIndexes");
        if text.len() > LONGEST_INDEXES {
            errors.push(FieldError::too_long(&at, LONGEST_INDEXES));
        }
        match count_indexes(text, completions) {
            Ok(count) => listed = Some(count),
            Err(why) => {
                let detail = format!("error parsing succeededIndexes: {why}");
                errors.push(FieldError::invalid(&at, text, &detail));
            }
        }
    }
    let Some(count) = rule.int("succeededCount") else {
        return;
    };
    let at = join(path, "succeededCount");
    let mut refuse = |detail: &str| errors.push(FieldError::invalid(&at, count, detail));
    if count < 0 {
        refuse(NOT_NEGATIVE);
    }
    if count > completions {
        refuse(&format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        ));
    }
    if let Some(listed) = listed.filter(|listed| count > *listed) {
        refuse(&format!(
            "must be less than or equal to {listed} (the number of indexes in the specified succeededIndexes field)"
        ));
    }
}

/// How many indexes a list such as `0,2-5` has; or why it is none of a Job of that size.
pub(super) fn count_indexes(text: &str, completions: i64) -> Result<i64, String> {
    let mut last: Option<i64> = None;
    let mut count = 0;
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let mut bounds = part.split('-');
        let first = bound(bounds.next().unwrap_or_default(), completions)?;
        let end = bounds.next().map_or(Ok(first), |end| bound(end, completions))?;
        if bounds.next().is_some() {
            return Err(format!(
                "the fragment {part:?} violates the requirement that an index interval can have at most two parts separated by '-'"
            ));
        }
        if let Some(last) = last.filter(|last| first <= *last) {
            return Err(format!(
                "non-increasing order, previous: {last}, current: {first}"
            ));
        }
        if bounds_are_reversed(part, first, end) {
            return Err(format!("non-increasing order, previous: {first}, current: {end}"));
        }
        count += end - first + 1;
        last = Some(end);
    }
    Ok(count)
}

fn bounds_are_reversed(part: &str, first: i64, end: i64) -> bool {
    part.contains('-') && end <= first
}

fn bound(text: &str, completions: i64) -> Result<i64, String> {
    let number = text
        .parse::<i64>()
        .map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
    if number < 0 || number >= completions {
        return Err(format!("too large index: {text:?}"));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(spec: Value) -> Vec<String> {
        let mut whole = json!({"completions": 5, "completionMode": "Indexed", "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c"}],
        }}});
        if let (Value::Object(whole), Value::Object(spec)) = (&mut whole, spec) {
            whole.extend(spec);
        }
        let mut errors = Errors::new();
        validate(&whole, "spec", &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    fn failure(rule: &Value) -> Vec<String> {
        found(json!({"podReplacementPolicy": "Failed", "podFailurePolicy": {"rules": [rule]}}))
    }

    fn success(rule: &Value) -> Vec<String> {
        found(json!({"successPolicy": {"rules": [rule]}}))
    }

    #[test]
    fn takes_what_kubernetes_takes() {
        let codes = json!({"operator": "In", "values": [1, 5], "containerName": "c"});
        assert!(failure(&json!({"action": "FailJob", "onExitCodes": codes})).is_empty());
        let conditions = json!([{"type": "DisruptionTarget", "status": "True"}]);
        assert!(failure(&json!({"action": "Ignore", "onPodConditions": conditions})).is_empty());
        assert!(success(&json!({"succeededIndexes": "0,2-4", "succeededCount": 2})).is_empty());
        assert!(found(json!({"backoffLimitPerIndex": 1, "maxFailedIndexes": 2})).is_empty());
    }

    #[test]
    fn says_what_is_wrong() {
        let codes = json!({"operator": "In", "values": [5, 0]});
        let cases = [
            (
                failure(&json!({"action": "FailJob", "onExitCodes": codes})),
                vec![
                    "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator",
                    "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [5,0]: must be ordered",
                ],
            ),
            (
                success(&json!({"succeededIndexes": "3-1"})),
                vec![
                    "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"3-1\": error parsing succeededIndexes: non-increasing order, previous: 3, current: 1",
                ],
            ),
            (
                success(&json!({"succeededIndexes": "0-9"})),
                vec![
                    "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0-9\": error parsing succeededIndexes: too large index: \"9\"",
                ],
            ),
            (
                success(&json!({"succeededIndexes": "0", "succeededCount": 2})),
                vec![
                    "spec.successPolicy.rules[0].succeededCount: Invalid value: 2: must be less than or equal to 1 (the number of indexes in the specified succeededIndexes field)",
                ],
            ),
            (
                found(json!({"completionMode": "NonIndexed", "backoffLimitPerIndex": 1})),
                vec!["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
            ),
            (
                found(json!({"maxFailedIndexes": 1})),
                vec!["spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"],
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
    }
}
