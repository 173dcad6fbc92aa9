//! The messages of Kubernetes, word for word.

use super::*;
use crate::by_kind;

fn deployment() -> &'static Kind {
    by_kind("apps", "v1", "Deployment").unwrap()
}

fn pod() -> &'static Kind {
    by_kind("", "v1", "Pod").unwrap()
}

#[test]
fn messages_name_the_qualified_resource() {
    let cases = [
        (Status::not_found(pod(), "a"), 404, r#"pods "a" not found"#),
        (
            Status::not_found(deployment(), "a"),
            404,
            r#"deployments.apps "a" not found"#,
        ),
        (
            Status::already_exists(deployment(), "a"),
            409,
            r#"deployments.apps "a" already exists"#,
        ),
        (Status::forbidden(pod(), "", "no"), 403, "pods is forbidden: no"),
        (
            Status::forbidden(pod(), "a", "no"),
            403,
            r#"pods "a" is forbidden: no"#,
        ),
        (
            Status::modified(pod(), "a"),
            409,
            "Operation cannot be fulfilled on pods \"a\": the object has been modified; please apply your changes \
             to the latest version and try again",
        ),
        (
            Status::method_not_supported(pod(), "watch"),
            405,
            r#"watch is not supported on resources of kind "pods""#,
        ),
        (Status::internal("boom"), 500, "Internal error occurred: boom"),
    ];
    for (status, code, message) in cases {
        assert_eq!((status.code, status.message.as_str()), (code, message));
    }
}

#[test]
fn one_mistake_is_told_plainly_and_several_in_brackets() {
    let one = Status::invalid(deployment(), "a", vec![FieldError::required("spec.x", "")]);
    assert_eq!(
        one.message,
        r#"Deployment.apps "a" is invalid: spec.x: Required value"#
    );
    let two = vec![
        FieldError::required("spec.x", ""),
        FieldError::forbidden("spec.y", "no"),
    ];
    let two = Status::invalid(pod(), "a", two);
    assert_eq!(
        two.message,
        r#"Pod "a" is invalid: [spec.x: Required value, spec.y: Forbidden: no]"#
    );
    let details = two.details.unwrap();
    assert_eq!(
        details,
        json!({"name": "a", "kind": "Pod", "causes": [
            {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.x"},
            {"reason": "FieldValueForbidden", "message": "Forbidden: no", "field": "spec.y"},
        ]})
    );
}

#[test]
fn the_object_is_a_failure_with_code_and_reason() {
    let value = Status::not_found(deployment(), "a").to_value();
    assert_eq!(
        value,
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 404,
            "reason": "NotFound", "message": "deployments.apps \"a\" not found",
            "details": {"name": "a", "group": "apps", "kind": "deployments"},
        })
    );
}
