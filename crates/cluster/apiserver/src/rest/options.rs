//! The options of a request, checked as Kubernetes does before it looks at anything else.
//!
//! Pure: reads the query, gives a 422 that names the options' kind and the parameter.

use toolforge_kinds::{FieldError, Status};

use crate::query::Query;

/// Longest name of a field manager in bytes.
const MANAGER_LENGTH: usize = 128;

/// Checks the options of a write; `verb` is the one of the API, `applies` says whether it is server-side apply.
pub(super) fn check_write(verb: &str, query: &Query, applies: bool) -> Result<(), Status> {
    let kind = match verb {
        "create" => "CreateOptions",
        "update" => "UpdateOptions",
        "patch" => "PatchOptions",
        _ => return Ok(()),
    };
    let mut problems = Vec::new();
    if verb == "patch" {
        check_patch(query, applies, &mut problems);
    }
    let manager = query.get("fieldManager").unwrap_or_default();
    check_manager(manager, &mut problems);
    check_dry_run(query, &mut problems);
    let validation = query.get("fieldValidation").unwrap_or_default();
    if !matches!(validation, "" | "Ignore" | "Strict" | "Warn") {
        let known = ["", "Ignore", "Strict", "Warn"];
        problems.push(FieldError::not_supported("fieldValidation", validation, &known));
    }
    refuse(kind, problems)
}

fn check_patch(query: &Query, applies: bool, problems: &mut Vec<FieldError>) {
    if !applies && query.switch("force").is_some() {
        let why = "may not be specified for non-apply patch";
        problems.push(FieldError::forbidden("force", why));
    }
    if applies && query.get("fieldManager").is_none() {
        problems.push(FieldError::required(
            "fieldManager",
            "is required for apply patch",
        ));
    }
}

fn check_manager(manager: &str, problems: &mut Vec<FieldError>) {
    if manager.len() > MANAGER_LENGTH {
        problems.push(FieldError::too_long("fieldManager", MANAGER_LENGTH));
    }
    for (at, character) in manager.char_indices() {
        if character.is_control() || (character.is_whitespace() && character != ' ') {
            let why = format!(
                "invalid character U+{:04X} (at position {at})",
                u32::from(character)
            );
            problems.push(FieldError::invalid("fieldManager", manager, &why));
        }
    }
}

fn check_dry_run(query: &Query, problems: &mut Vec<FieldError>) {
    let values: Vec<&str> = query.all("dryRun").filter(|value| !value.is_empty()).collect();
    if values.iter().any(|value| *value != "All") {
        problems.push(FieldError::not_supported("dryRun", values, &["All"]));
    }
}

/// Checks the options of a list or a watch.
pub(crate) fn check_list(query: &Query, watches: bool) -> Result<(), Status> {
    let mut problems = Vec::new();
    if watches {
        check_watch(query, &mut problems);
        return refuse("ListOptions", problems);
    }
    if let Some(matching) = query.get("resourceVersionMatch") {
        let version = query.get("resourceVersion");
        let mut forbid = |why: &str| problems.push(FieldError::forbidden("resourceVersionMatch", why));
        if version.is_none() {
            forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if query.get("continue").is_some() {
            forbid("resourceVersionMatch is forbidden when continue is provided");
        }
        if matching == "Exact" && version == Some("0") {
            forbid("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
        check_match(matching, &["Exact", "NotOlderThan", ""], &mut problems);
    }
    if query.switch("sendInitialEvents").is_some() {
        let why = "sendInitialEvents is forbidden for list";
        problems.push(FieldError::forbidden("sendInitialEvents", why));
    }
    refuse("ListOptions", problems)
}

fn check_watch(query: &Query, problems: &mut Vec<FieldError>) {
    let matching = query.get("resourceVersionMatch");
    let initial = query.switch("sendInitialEvents").is_some();
    let mut forbid = |why: &str| problems.push(FieldError::forbidden("resourceVersionMatch", why));
    if initial && matching != Some("NotOlderThan") {
        forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    let Some(matching) = matching else { return };
    if !initial {
        forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    }
    if query.get("continue").is_some() {
        forbid("resourceVersionMatch is forbidden when continue is provided");
    }
    check_match(matching, &["NotOlderThan"], problems);
}

fn check_match(matching: &str, known: &[&str], problems: &mut Vec<FieldError>) {
    if !known.contains(&matching) {
        problems.push(FieldError::not_supported("resourceVersionMatch", matching, known));
    }
}

/// The 422 of wrong options.
pub(super) fn refuse(kind: &str, problems: Vec<FieldError>) -> Result<(), Status> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(Status::invalid_of("meta.k8s.io", kind, "", problems))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_wrong_options_in_the_words_of_kubernetes() {
        for (verb, applies, query, expected) in [
            (
                "create",
                false,
                "dryRun=Some",
                r#"CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All""#,
            ),
            (
                "update",
                false,
                "fieldValidation=Loose",
                r#"UpdateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Loose": supported values: "", "Ignore", "Strict", "Warn""#,
            ),
            (
                "patch",
                false,
                "force=true",
                r#"PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch"#,
            ),
            (
                "patch",
                true,
                "",
                r#"PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch"#,
            ),
            (
                "create",
                false,
                "fieldManager=a%07",
                "CreateOptions.meta.k8s.io \"\" is invalid: fieldManager: Invalid value: \"a\\u0007\": invalid character U+0007 (at position 1)",
            ),
        ] {
            let refused = check_write(verb, &Query::parse(query), applies).unwrap_err();
            assert_eq!((refused.code, refused.message.as_str()), (422, expected));
        }
        let long = format!("fieldManager={}", "a".repeat(129));
        assert!(check_write("create", &Query::parse(&long), false).is_err());
        let right = "dryRun=All&fieldManager=me%20too&fieldValidation=Strict&force=true";
        assert!(check_write("patch", &Query::parse(right), true).is_ok());
    }

    /// <https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list>
    #[test]
    fn knows_which_list_options_go_together() {
        for (watches, query, fits) in [
            (false, "", true),
            (false, "resourceVersion=5", true),
            (false, "resourceVersion=0&resourceVersionMatch=NotOlderThan", true),
            (false, "resourceVersion=5&resourceVersionMatch=Exact", true),
            (false, "resourceVersion=0&resourceVersionMatch=Exact", false),
            (false, "resourceVersionMatch=Exact", false),
            (false, "resourceVersion=5&resourceVersionMatch=Newer", false),
            (
                false,
                "resourceVersion=5&resourceVersionMatch=Exact&continue=x",
                false,
            ),
            (false, "sendInitialEvents=true", false),
            (true, "", true),
            (true, "resourceVersionMatch=NotOlderThan", false),
            (true, "sendInitialEvents=true", false),
            (true, "sendInitialEvents=false", false),
            (
                true,
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                true,
            ),
            (true, "sendInitialEvents=true&resourceVersionMatch=Exact", false),
        ] {
            let checked = check_list(&Query::parse(query), watches);
            assert_eq!(checked.is_ok(), fits, "{query}");
        }
    }
}
