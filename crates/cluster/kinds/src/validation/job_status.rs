//! The status of Jobs (`pkg/apis/batch/validation/validation.go`, and `pkg/registry/batch/job/strategy.go` for which rule is
//! asked when: what was wrong before and stays as it was is not held against a change).

use std::collections::HashSet;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde_json::Value;

use super::job_policies::count_indexes;
use super::path::{Errors, join, not_negative};
use crate::FieldError;
use crate::value::Read as _;

const COUNTERS: &[&str] = &["active", "succeeded", "failed", "ready", "terminating"];
/// What says that a Job is over, or soon will be, and cannot be taken back.
const FOR_GOOD: &[&str] = &["Failed", "Complete", "FailureTarget"];

/// A change of a Job's status.
pub(super) fn validate(old: &Value, new: &Value, errors: &mut Errors) {
    let change = Change {
        spec: &new["spec"],
        old: &old["status"],
        new: &new["status"],
    };
    not_negative(change.new, "status", COUNTERS, errors);
    let mut problems = Vec::new();
    problems.extend(uncounted(change.new));
    problems.extend(change.ends());
    problems.extend(change.finished());
    problems.extend(change.indexes());
    problems.extend(change.criteria());
    problems.extend(change.history());
    errors.extend(problems);
}

struct Change<'a> {
    spec: &'a Value,
    old: &'a Value,
    new: &'a Value,
}

fn holds(status: &Value, condition: &str) -> bool {
    let conditions = status.list("conditions");
    conditions
        .iter()
        .any(|found| found["type"] == condition && found["status"] == "True")
}

fn is_finished(status: &Value) -> bool {
    holds(status, "Complete") || holds(status, "Failed")
}

fn conditions(detail: &str) -> FieldError {
    FieldError::invalid_as_a_whole("status.conditions", detail)
}

fn invalid(status: &Value, field: &str, detail: &str) -> FieldError {
    FieldError::invalid(&join("status", field), status[field].clone(), detail)
}

/// Each Pod is named once.
fn uncounted(status: &Value) -> Vec<FieldError> {
    let pods = &status["uncountedTerminatedPods"];
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for field in ["succeeded", "failed"] {
        for (index, uid) in pods.list(field).iter().enumerate() {
            let path = format!("status.uncountedTerminatedPods.{field}[{index}]");
            let uid = uid.as_str().unwrap_or_default();
            if uid.is_empty() {
                problems.push(FieldError::invalid(&path, uid, "must not be empty"));
            } else if !seen.insert(uid) {
                problems.push(FieldError::duplicate(&path, uid));
            }
        }
    }
    problems
}

impl Change<'_> {
    fn changes(&self, field: &str) -> bool {
        let value = |status: &Value| status.get(field).cloned().unwrap_or_default();
        value(self.old) != value(self.new)
    }

    fn turns(&self, condition: &str) -> bool {
        holds(self.old, condition) != holds(self.new, condition)
    }

    /// How the conditions of an end go together, and with its time.
    fn ends(&self) -> Vec<FieldError> {
        let (new, complete) = (self.new, holds(self.new, "Complete"));
        let completes = self.turns("Complete");
        let mut problems = Vec::new();
        if (completes || self.turns("Failed")) && complete && holds(new, "Failed") {
            problems.push(conditions("cannot set Complete=True and Failed=true conditions"));
        }
        if (completes || self.turns("FailureTarget")) && complete && holds(new, "FailureTarget") {
            problems.push(conditions(
                "cannot set Complete=True and FailureTarget=true conditions",
            ));
        }
        let times = self.changes("completionTime");
        if (completes || times) && new.has("completionTime") && !complete {
            let detail = "cannot set completionTime when there is no Complete=True condition";
            problems.push(invalid(new, "completionTime", detail));
        }
        if (completes || times) && !new.has("completionTime") && complete {
            let detail = "completionTime is required for Complete jobs";
            problems.push(FieldError::required("status.completionTime", detail));
        }
        let time = |field: &str| new.text(field).parse::<Timestamp>().ok();
        if (times || self.changes("startTime"))
            && let (Some(start), Some(end)) = (time("startTime"), time("completionTime"))
            && end < start
        {
            let detail = "completionTime cannot be set before startTime";
            problems.push(invalid(new, "completionTime", detail));
        }
        problems
    }

    /// What is no longer there when a Job is over.
    fn finished(&self) -> Vec<FieldError> {
        let new = self.new;
        let mut problems = Vec::new();
        if !is_finished(new) {
            return problems;
        }
        let finishes = !is_finished(self.old);
        if (finishes || self.changes("active")) && new.int("active").unwrap_or(0) > 0 {
            problems.push(invalid(new, "active", "active>0 is invalid for finished job"));
        }
        if (finishes || self.changes("startTime")) && !new.has("startTime") {
            let detail = "startTime is required for finished job";
            problems.push(FieldError::required("status.startTime", detail));
        }
        let pods = &new["uncountedTerminatedPods"];
        let left = pods.list("succeeded").len() + pods.list("failed").len();
        if (finishes || self.changes("uncountedTerminatedPods")) && left > 0 {
            let detail = "uncountedTerminatedPods needs to be empty for finished job";
            problems.push(invalid(new, "uncountedTerminatedPods", detail));
        }
        problems
    }

    /// Lists of indexes are those of a Job that has them.
    fn indexes(&self) -> Vec<FieldError> {
        let (spec, new) = (self.spec, self.new);
        let mut problems = Vec::new();
        let completions = spec.int("completions");
        let limited = spec.has("backoffLimitPerIndex");
        let mut format = |field: &str| {
            if let Some(completions) = completions
                && let Err(why) = count_indexes(new.text(field), completions)
            {
                problems.push(invalid(new, field, &format!("error parsing {field}: {why}")));
            }
        };
        let (completed, failed) = (self.changes("completedIndexes"), self.changes("failedIndexes"));
        if completed {
            format("completedIndexes");
        }
        if failed && limited && new.has("failedIndexes") {
            format("failedIndexes");
        }
        let is_indexed = spec.text("completionMode") == "Indexed";
        if completed && !new.text("completedIndexes").is_empty() && !is_indexed {
            let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
            problems.push(invalid(new, "completedIndexes", detail));
        }
        if failed && !limited && new.has("failedIndexes") {
            let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
            problems.push(invalid(new, "failedIndexes", detail));
        }
        if (completed || failed)
            && completions.is_some()
            && let Some(index) = overlap(new.text("completedIndexes"), new.text("failedIndexes"))
        {
            let detail = format!("failedIndexes and completedIndexes overlap at index: {index}");
            problems.push(invalid(new, "failedIndexes", &detail));
        }
        problems
    }

    /// How the criteria of success go together with ends.
    fn criteria(&self) -> Vec<FieldError> {
        let (old, new) = (self.old, self.new);
        let met = |status: &Value| holds(status, "SuccessCriteriaMet");
        let mut problems = Vec::new();
        let mut refuse = |wrong: bool, detail: &str| problems.extend(wrong.then(|| conditions(detail)));
        refuse(
            met(new) && holds(new, "Failed"),
            "cannot set SuccessCriteriaMet=True and Failed=true conditions",
        );
        refuse(
            met(new) && holds(new, "FailureTarget"),
            "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
        );
        refuse(
            self.spec.has("successPolicy") && !met(new) && holds(new, "Complete"),
            "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
        );
        refuse(
            met(old) && !met(new),
            "cannot disable the SuccessCriteriaMet=True condition",
        );
        refuse(
            holds(old, "Complete") && !met(old) && met(new),
            "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions",
        );
        problems
    }

    /// What cannot be taken back.
    fn history(&self) -> Vec<FieldError> {
        let (spec, old, new) = (self.spec, self.old, self.new);
        let mut problems = Vec::new();
        for condition in FOR_GOOD {
            if holds(old, condition) && !holds(new, condition) {
                problems.push(conditions(&format!(
                    "cannot disable the terminal {condition}=True condition"
                )));
            }
        }
        let falls = |field: &str| new.int(field).unwrap_or(0) < old.int(field).unwrap_or(0);
        if falls("failed") {
            let count = new.int("failed").unwrap_or(0);
            let detail = "cannot decrease the failed counter";
            problems.push(FieldError::invalid("status.failed", count, detail));
        }
        // Those with indexes can be made smaller, where that is what they are made by.
        let elastic =
            spec.text("completionMode") == "Indexed" && spec.get("completions") == spec.get("parallelism");
        if !elastic && falls("succeeded") {
            let count = new.int("succeeded").unwrap_or(0);
            let detail = "cannot decrease the succeeded counter";
            problems.push(FieldError::invalid("status.succeeded", count, detail));
        }
        let both = |field: &str| old.has(field) && new.has(field);
        if both("completionTime") && self.changes("completionTime") {
            problems.push(invalid(new, "completionTime", "completionTime cannot be mutated"));
        }
        // One that goes on after a pause has begun anew.
        if old.has("startTime") && !new.has("startTime") && !spec.flag("suspend") {
            let detail = "startTime cannot be removed for unsuspended job";
            problems.push(FieldError::required("status.startTime", detail));
        }
        problems
    }
}

/// The first index that is in both of two lists such as `0,2-5`; what is none is left out.
fn overlap(completed: &str, failed: &str) -> Option<i64> {
    let (completed, failed) = (ranges(completed), ranges(failed));
    let meetings = completed.iter().flat_map(|one| {
        failed.iter().filter_map(move |other| {
            let first = *one.start().max(other.start());
            (one.contains(&first) && other.contains(&first)).then_some(first)
        })
    });
    meetings.min()
}

fn ranges(text: &str) -> Vec<RangeInclusive<i64>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.split(',').filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const START: &str = "2026-01-01T00:00:00Z";
    const END: &str = "2026-01-01T00:01:00Z";

    fn problems(spec: &Value, old: &Value, new: &Value) -> Vec<String> {
        let mut errors = Errors::new();
        let job = |status: &Value| json!({"spec": spec, "status": status});
        validate(&job(old), &job(new), &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    fn with(names: &[&str], rest: Value) -> Value {
        let mut status = rest;
        let conditions = names.iter().map(|name| json!({"type": name, "status": "True"}));
        status["conditions"] = conditions.collect();
        status
    }

    #[test]
    fn a_job_goes_its_way() {
        let spec = json!({"completions": 2, "parallelism": 1});
        let running = json!({"startTime": START, "active": 1, "succeeded": 1,
            "uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["b"]}});
        let met = with(
            &["SuccessCriteriaMet"],
            json!({"startTime": START, "succeeded": 2}),
        );
        let done = with(
            &["SuccessCriteriaMet", "Complete"],
            json!({"startTime": START, "completionTime": END, "succeeded": 2}),
        );
        for (old, new) in [
            (&json!({}), &running),
            (&running, &met),
            (&met, &done),
            (&done, &done),
        ] {
            assert_eq!(problems(&spec, old, new), [""; 0]);
        }
        let failed = with(
            &["FailureTarget", "Failed"],
            json!({"startTime": START, "failed": 1, "succeeded": 1}),
        );
        assert_eq!(problems(&spec, &running, &failed), [""; 0]);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let spec = json!({"completions": 3, "parallelism": 1, "completionMode": "Indexed"});
        let limited = json!({"completions": 3, "parallelism": 1, "completionMode": "Indexed", "backoffLimitPerIndex": 1});
        for (spec, old, new, expected) in [
            (
                &spec,
                json!({}),
                with(
                    &["Complete", "Failed"],
                    json!({"startTime": START, "completionTime": END}),
                ),
                "status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions",
            ),
            (
                &spec,
                json!({}),
                with(&["Complete"], json!({"startTime": START})),
                "status.completionTime: Required value: completionTime is required for Complete jobs",
            ),
            (
                &spec,
                json!({}),
                with(&["Failed"], json!({"startTime": START, "active": 1})),
                "status.active: Invalid value: 1: active>0 is invalid for finished job",
            ),
            (
                &spec,
                json!({}),
                with(&["Failed"], json!({})),
                "status.startTime: Required value: startTime is required for finished job",
            ),
            (
                &spec,
                json!({}),
                json!({"uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["a"]}}),
                r#"status.uncountedTerminatedPods.failed[0]: Duplicate value: "a""#,
            ),
            (
                &spec,
                json!({}),
                json!({"completedIndexes": "2,1"}),
                r#"status.completedIndexes: Invalid value: "2,1": error parsing completedIndexes: non-increasing order, previous: 2, current: 1"#,
            ),
            (
                &spec,
                json!({}),
                json!({"failedIndexes": ""}),
                r#"status.failedIndexes: Invalid value: "": cannot set non-null failedIndexes when backoffLimitPerIndex is null"#,
            ),
            (
                &limited,
                json!({}),
                json!({"completedIndexes": "0-1", "failedIndexes": "1,2"}),
                r#"status.failedIndexes: Invalid value: "1,2": failedIndexes and completedIndexes overlap at index: 1"#,
            ),
            (
                &spec,
                with(&["FailureTarget"], json!({})),
                json!({}),
                "status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition",
            ),
            (
                &spec,
                json!({"failed": 2}),
                json!({"failed": 1}),
                "status.failed: Invalid value: 1: cannot decrease the failed counter",
            ),
            (
                &spec,
                json!({"startTime": START}),
                json!({}),
                "status.startTime: Required value: startTime cannot be removed for unsuspended job",
            ),
            (
                &spec,
                json!({}),
                json!({"completionTime": END, "startTime": END}),
                r#"status.completionTime: Invalid value: "2026-01-01T00:01:00Z": cannot set completionTime when there is no Complete=True condition"#,
            ),
        ] {
            assert_eq!(problems(spec, &old, &new), [expected]);
        }
    }

    #[test]
    fn what_was_wrong_before_is_not_held_against_other_changes() {
        let old = with(&["Complete"], json!({"active": 1}));
        let new = with(&["Complete"], json!({"active": 1, "ready": 1}));
        assert_eq!(problems(&json!({}), &old, &new), [""; 0]);
    }
}
