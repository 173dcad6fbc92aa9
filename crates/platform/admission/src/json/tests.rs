use proptest::prelude::*;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::Document;

fn read(text: &str) -> Document<'_> {
    Document::read(text.as_bytes()).unwrap()
}

fn as_value(document: &Document<'_>) -> Value {
    Value::deserialize(document.value()).unwrap()
}

#[test]
fn names_a_key_that_is_there_twice_wherever_it_is() {
    for (text, key) in [
        (r#"{"a": 1, "a": 1}"#, Some("a")),
        (
            r#"{"request": {"object": {"spec": [{"host": "x", "host": "y"}]}}}"#,
            Some("host"),
        ),
        (r#"{"a": {"b": 1}, "b": {"a": 1}}"#, None),
        (r#"{"b": 1, "a": 1, "c": 1, "b": 2}"#, Some("b")),
        // One that was read before a deeper object, and one after it.
        (r#"{"a": 1, "b": {"a": {"c": 1}, "c": 1}, "a": 2}"#, Some("a")),
        // The same key, once escaped: what counts is what it means.
        (r#"{"host": "x", "h\u006fst": "y"}"#, Some("host")),
    ] {
        let document = read(text);
        assert_eq!(document.twice(), key, "{text}");
        // The last one stays, for those who read on.
        assert_eq!(as_value(&document), serde_json::from_str::<Value>(text).unwrap());
    }
}

#[test]
fn leaves_out_managed_fields_of_objects_and_nothing_else() {
    let of = |object: Value| json!({"request": {"object": object, "managedFields": 1}});
    let review = of(json!({"metadata": {"name": "a", "managedFields": [{"f:x": {}}]}, "managedFields": 2}));
    let expected = of(json!({"metadata": {"name": "a"}, "managedFields": 2}));
    assert_eq!(as_value(&read(&review.to_string())), expected);
}

#[test]
fn finds_by_key() {
    let document = read(r#"{"b": {"a": [{}, [1]], "c": [2]}, "a": null}"#);
    let value = document.value();
    assert_eq!(value.at(&["b", "c", "0"]), None);
    assert_eq!(value.at(&["b", "x"]), None);
    let found = value.at(&["b", "c"]).unwrap();
    assert_eq!(Value::deserialize(found).unwrap(), json!([2]));
    assert_eq!(value.at(&["a"]), Some(super::Json::default()));
}

#[test]
fn refuses_what_nests_too_deep_and_what_goes_on_after_the_end() {
    assert!(Document::read("[".repeat(200_000).as_bytes()).is_err());
    assert!(Document::read(b"{} {}").is_err());
}

#[test]
fn values_are_the_same_in_whatever_order_their_fields_come() {
    let document =
        read(r#"{"a": {"x": 1, "y": [{"p": 1, "q": 2}]}, "b": {"y": [{"q": 2, "p": 1}], "x": 1}}"#);
    let [one, other] = ["a", "b"].map(|key| document.value().at(&[key]).unwrap());
    assert_eq!(one, other);
    let [one, other] = [one, other].map(|value| value.fields().unwrap());
    assert!(one.clone().equal_but(other.clone(), &[]));
    for text in [
        r#"{"x": 1, "y": [{"p": 1, "q": 3}]}"#,
        r#"{"x": 2, "y": [{"p": 1, "q": 2}]}"#,
        r#"{"y": [{"p": 1, "q": 2}]}"#,
        r#"{"x": 1, "y": [{"p": 1, "q": 2}, 1]}"#,
    ] {
        let changed = read(text);
        let changed = changed.value().fields().unwrap();
        assert!(!changed.clone().equal_but(one.clone(), &[]), "{text}");
    }
    let without = read(r#"{"y": [{"p": 1, "q": 2}]}"#);
    assert!(without.value().fields().unwrap().equal_but(other, &["x"]));
}

/// JSON as it comes, with keys that are there twice now and then.
fn values() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "-1",
        "1.5",
        "18446744073709551615",
        r#""a""#,
        r#""\n\u00e4""#,
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(4, 32, 5, |inner| {
        let key = prop::sample::select(vec!["a", "b", r"\u0061", "c"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key, inner), 0..4).prop_map(|fields| {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(key, value)| format!(r#""{key}": {value}"#))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_serde_reads(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let ours = Document::read(&body).ok().map(|document| as_value(&document));
        prop_assert_eq!(ours, serde_json::from_slice::<Value>(&body).ok());
    }

    #[test]
    fn reads_all_values_as_serde_does_and_compares_them_so((one, other) in (values(), values())) {
        let documents = [read(&one), read(&other)];
        let ours = documents.each_ref().map(as_value);
        let theirs = [&one, &other].map(|text| serde_json::from_str::<Value>(text).unwrap());
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(documents[0].value() == documents[1].value(), theirs[0] == theirs[1]);
    }
}
