use serde_json::json;

use super::*;

fn original() -> Value {
    json!({"apiVersion": "a.b/v1", "kind": "Crate", "spec": {"size": 1}, "metadata": {
        "name": "one", "namespace": "n", "uid": "u", "generation": 3, "labels": {"a": "b"}}})
}

/// What becomes of an object that a webhook has changed so.
fn accepted(change: impl FnOnce(&mut Value)) -> Result<Value, String> {
    let mut converted = original();
    converted["apiVersion"] = json!("a.b/v2");
    change(&mut converted);
    accept("a.b/v2", 0, &original(), converted).map_err(|error| error.to_string())
}

#[test]
fn labels_and_annotations_may_change_and_other_metadata_stays() {
    let found = accepted(|object| {
        object["metadata"] = json!({"name": "one", "namespace": "n", "uid": "u", "generation": 9,
            "finalizers": ["a.b/c"], "annotations": {"x": "y"}});
    })
    .unwrap();
    assert_eq!(
        found["metadata"],
        json!({"name": "one", "namespace": "n", "uid": "u", "generation": 3, "annotations": {"x": "y"}})
    );
}

#[test]
fn what_may_not_change_is_refused_in_the_words_of_kubernetes() {
    let refused = |change: &dyn Fn(&mut Value)| accepted(change).unwrap_err();
    for (field, value, expected) in [
        (
            "/metadata/name",
            json!("two"),
            "object: must have the same name: one != two",
        ),
        (
            "/metadata/uid",
            json!("v"),
            "object: must have the same UID: u != v",
        ),
        (
            "/kind",
            json!("Box"),
            "object at index 0: invalid kind (expected Crate, received Box)",
        ),
        (
            "/apiVersion",
            json!("a.b/v3"),
            "object at index 0: invalid groupVersion (expected a.b/v2, received a.b/v3)",
        ),
        (
            "/metadata/labels",
            json!("x"),
            "metadata: invalid metadata.labels of type string in converted object",
        ),
        (
            "/metadata/labels/a",
            json!(1),
            "metadata: metadata.labels[a] must be a string, but is int64 in converted object",
        ),
    ] {
        let found = refused(&|object| *object.pointer_mut(field).unwrap() = value.clone());
        assert_eq!(
            found,
            format!("conversion webhook for a.b/v1, Kind=Crate returned invalid {expected}")
        );
    }
    let label = refused(&|object| object["metadata"]["labels"]["a"] = json!("not ok"));
    assert!(
        label.contains(r#"returned invalid metadata: metadata.labels: Invalid value: "not ok""#),
        "{label}"
    );
    let none = refused(&|object| drop(object.as_object_mut().unwrap().remove("metadata")));
    assert!(none.contains("must have the same name: one != "), "{none}");
}

#[test]
fn answers_are_read_as_kubernetes_reads_them() {
    let read = |version, review: Value| {
        review::answer(version, review.to_string().as_bytes(), "u").map_err(|error| error.to_string())
    };
    let response = json!({"uid": "u", "convertedObjects": [{"a": 1}], "result": {"status": "Success"}});
    let review =
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response});
    assert_eq!(read(ReviewVersion::V1, review.clone()), Ok(vec![json!({"a": 1})]));
    let changed = |pointer: &str, value: Value| {
        let mut review = review.clone();
        *review.pointer_mut(pointer).unwrap() = value;
        review
    };
    for (pointer, value, expected) in [
        ("/response", json!(null), "no response provided"),
        (
            "/response/uid",
            json!("v"),
            r#"expected response.uid="u", got "v""#,
        ),
        (
            "/apiVersion",
            json!("apiextensions.k8s.io/v1beta1"),
            "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got apiextensions.k8s.io/v1beta1, Kind=ConversionReview",
        ),
        (
            "/response/result",
            json!({"status": "Failed", "message": "too old"}),
            "too old",
        ),
        (
            "/response/result",
            json!({}),
            "response.result.status was '', not 'Success'",
        ),
    ] {
        assert_eq!(
            read(ReviewVersion::V1, changed(pointer, value)),
            Err(expected.to_owned())
        );
    }
    let old = changed("/response/uid", json!(""));
    assert!(read(ReviewVersion::V1Beta1, old).is_ok());
}

#[test]
fn reviews_hold_a_bounded_number_of_objects_and_bytes() {
    let sizes = |objects: Vec<Value>| -> Vec<usize> {
        batches(objects.into_iter().map(Arc::new).collect())
            .iter()
            .map(Vec::len)
            .collect()
    };
    assert_eq!(sizes(Vec::new()), [0_usize; 0]);
    assert_eq!(sizes(vec![json!({}); BATCH_OBJECTS + 1]), [BATCH_OBJECTS, 1]);
    let large = json!("x".repeat(BATCH_BYTES / 2));
    assert_eq!(sizes(vec![large; 3]), [1, 1, 1]);
    let huge = json!("x".repeat(2 * BATCH_BYTES));
    assert_eq!(sizes(vec![json!(1), huge, json!(1), json!(2)]), [1, 1, 2]);
}

#[test]
fn only_the_strategy_webhook_has_a_webhook() {
    let webhook =
        json!({"conversionReviewVersions": ["v9", "v1beta1", "v1"], "clientConfig": {"url": "https://a/"}});
    let found =
        ConversionWebhook::of("d", &json!({"strategy": "Webhook", "webhook": webhook.clone()})).unwrap();
    assert_eq!(found.version, ReviewVersion::V1Beta1);
    assert!(ConversionWebhook::of("d", &json!({"strategy": "None"})).is_none());
}
