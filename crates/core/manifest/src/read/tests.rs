use proptest::prelude::*;
use serde_json::{Value, json};

use super::read;
use crate::Manifest;

fn objects(text: &str) -> Vec<Value> {
    let manifests = read(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?} in {text}"));
    manifests.into_iter().map(|manifest| manifest.object).collect()
}

fn one(text: &str) -> Manifest {
    read(text.as_bytes()).unwrap().remove(0)
}

fn refused(text: &str) -> (String, Option<(u64, u64)>) {
    let error = read(text.as_bytes()).unwrap_err();
    (error.problem, error.place.map(|place| (place.line, place.column)))
}

#[test]
fn reads_several_documents_and_leaves_empty_ones_out() {
    let text = "---\n# nothing\n---\nkind: A\n---\n---\nkind: B\n...\n";
    assert_eq!(objects(text), [json!({"kind": "A"}), json!({"kind": "B"})]);
    assert_eq!(objects(""), [] as [Value; 0]);
    assert_eq!(objects("\u{feff}kind: A\r\n"), [json!({"kind": "A"})]);
}

#[test]
fn reads_json_also_with_tabs_and_one_behind_the_other() {
    let pretty = "{\n\t\"kind\": \"A\",\n\t\"spec\": {\n\t\t\"a\": [1, 2.5, true, null, \"\\ud83d\\ude00\\/\"]\n\t}\n}\n";
    assert_eq!(
        objects(pretty),
        [json!({"kind": "A", "spec": {"a": [1, 2.5, true, null, "\u{1f600}/"]}})]
    );
    assert_eq!(one(pretty).places.of("spec.a[1]").unwrap().line, 4);
    let stream = "{\"kind\": \"A\"}\n{\"kind\": \"B\"} {\"kind\": \"C\"}\n";
    assert_eq!(
        objects(stream),
        [json!({"kind": "A"}), json!({"kind": "B"}), json!({"kind": "C"})]
    );
}

#[test]
fn knows_the_line_of_every_field() {
    let manifest = one(
        "# a comment\nkind: Ingress\nmetadata:\n  annotations:\n    a/b: c\nspec:\n  rules:\n  - host: x\n    http: {paths: []}\n  - host: y\n",
    );
    let line = |field: &str| manifest.places.of(field).unwrap().line;
    assert_eq!(manifest.places.start().unwrap().line, 2);
    assert_eq!(line("metadata.annotations[\"a/b\"]"), 5);
    assert_eq!(line("spec.rules[0].host"), 8);
    assert_eq!(line("spec.rules[1].host"), 10);
    assert_eq!(line("spec.rules[1].http.paths"), 10);
}

#[test]
fn takes_lists_apart_as_kubectl_does() {
    let text =
        "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a}\n- kind: Service\n  apiVersion: v1\n";
    assert_eq!(
        objects(text),
        [
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "kind": "Service"}),
        ]
    );
    let nested =
        "kind: List\napiVersion: v1\nitems:\n- {kind: List, items: [{kind: A}, {kind: B}]}\n- kind: C\n";
    assert_eq!(
        objects(nested),
        [json!({"kind": "A"}), json!({"kind": "B"}), json!({"kind": "C"})]
    );
    assert_eq!(
        read(nested.as_bytes()).unwrap()[2].places.start().unwrap().line,
        5
    );
}

#[test]
fn values_mean_what_they_mean_to_kubectl() {
    // As `kubectl label --local -f FILE -o json` 1.31 prints them.
    let text = "a: yes\nb: off\nc: y\nd: 010\ne: 0x10\nf: 0o10\ng: ~\nh: 1e3\ni: \"yes\"\nj: 1_000\nk: 09\nl: -2.50\nm: 1e30\n";
    assert_eq!(
        objects(text),
        [json!({
            "a": true, "b": false, "c": true, "d": 8, "e": 16, "f": 8, "g": null, "h": 1000, "i": "yes", "j": 1000,
            "k": 9, "l": -2.5, "m": 1e30,
        })]
    );
    assert_eq!(
        objects("x: &x {a: 1}\ny: *x\nz: {<<: *x, b: 2}\n"),
        [json!({"x": {"a": 1}, "y": {"a": 1}, "z": {"a": 1, "b": 2}})]
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused_with_its_place() {
    for text in [
        "kind: Pod\nspec:\n  a: 1\n  a: 2\n",
        "{\"kind\": \"Pod\",\n \"spec\": {\"a\": 1,\n\n  \"a\": 2}}",
        "{\"kind\": \"Pod\"}\n{\"spec\":\n {\"a\": 1,\n  \"\\u0061\": 2}}",
    ] {
        let (problem, place) = refused(text);
        assert_eq!(problem, "the key \"a\" is there twice");
        assert_eq!(place.unwrap().0, 4, "{problem} {place:?}");
    }
}

#[test]
fn what_is_no_object_is_refused_with_its_place() {
    assert_eq!(refused("kind: A\n---\n- a\n").1, Some((3, 1)));
    assert_eq!(refused("just words").1, Some((1, 1)));
    assert_eq!(refused("{\"kind\": \"A\"}\n7\n").1.unwrap().0, 2);
    assert!(refused("kind: [\n").1.is_some());
    assert_eq!(refused("a: 1\n b: 2\n").1.unwrap().0, 2);
    assert!(read(b"\xff\xfe").unwrap_err().problem.contains("UTF-8"));
}

#[test]
fn hostile_files_are_refused_soon() {
    // The stack of a program's main thread; tests have a quarter of it.
    std::thread::Builder::new()
        .stack_size(8 << 20)
        .spawn(|| {
            let laughs: Vec<String> = (1..10)
                .map(|i| format!("a{i}: &a{i} [{}]", vec![format!("*a{}", i - 1); 10].join(", ")))
                .collect();
            let laughs = format!("a0: &a0 [{}]\n{}\n", ["x"; 10].join(", "), laughs.join("\n"));
            let deep = "values lie deeper in each other than 64";
            for (text, problem) in [
                (laughs, "aliases repeat more than"),
                ("[".repeat(100_000), deep),
                ("{\"a\":".repeat(100_000), deep),
                ("- ".repeat(100_000), deep),
                ("---\na: 1\n".repeat(2_000), "more than 1000 documents"),
                (" ".repeat(super::LONGEST_BYTES + 1), "larger than 16 MiB"),
                ("a: .inf\n".to_owned(), "non-finite"),
                ("a: !include /etc/passwd\n".to_owned(), "unsupported tag"),
            ] {
                let found = refused(&text).0;
                assert!(found.contains(problem), "{found} is not {problem}");
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn json_is_read_as_it_is(text in "[\\PC\n\t\"\\\\]{0,20}", number in any::<i64>()) {
        let object = json!({"kind": "A", "text": text, "list": [number, {"k": text}]});
        prop_assert_eq!(objects(&object.to_string()), std::slice::from_ref(&object));
        prop_assert_eq!(objects(&format!("{object:#}")), std::slice::from_ref(&object));
    }
}
