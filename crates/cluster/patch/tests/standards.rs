//! The examples of the documents that say what patches do: RFC 6902 (JSON patch) appendix A, RFC 7386 (merge patch)
//! appendix A, and Kubernetes' `strategic-merge-patch.md`.

use serde_json::{Value, json};
use toolforge_patch::{PatchError, TypeRef, json_patch, merge_patch, strategic_merge};

/// Section of appendix A, object, patch and what comes of it.
fn rfc_6902() -> Vec<(&'static str, Value, Value, Value)> {
    let slashes = json!({"/": 9, "~1": 10});
    vec![
        (
            "A.1 adding a member",
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux"}]),
            json!({"baz": "qux", "foo": "bar"}),
        ),
        (
            "A.2 adding an element",
            json!({"foo": ["bar", "baz"]}),
            json!([{"op": "add", "path": "/foo/1", "value": "qux"}]),
            json!({"foo": ["bar", "qux", "baz"]}),
        ),
        (
            "A.3 removing a member",
            json!({"baz": "qux", "foo": "bar"}),
            json!([{"op": "remove", "path": "/baz"}]),
            json!({"foo": "bar"}),
        ),
        (
            "A.4 removing an element",
            json!({"foo": ["bar", "qux", "baz"]}),
            json!([{"op": "remove", "path": "/foo/1"}]),
            json!({"foo": ["bar", "baz"]}),
        ),
        (
            "A.5 replacing a value",
            json!({"baz": "qux", "foo": "bar"}),
            json!([{"op": "replace", "path": "/baz", "value": "boo"}]),
            json!({"baz": "boo", "foo": "bar"}),
        ),
        (
            "A.6 moving a value",
            json!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}),
            json!([{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]),
            json!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
        ),
        (
            "A.7 moving an element",
            json!({"foo": ["all", "grass", "cows", "eat"]}),
            json!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]),
            json!({"foo": ["all", "cows", "eat", "grass"]}),
        ),
        (
            "A.8 a test that holds",
            json!({"baz": "qux", "foo": ["a", 2, "c"]}),
            json!([{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}]),
            json!({"baz": "qux", "foo": ["a", 2, "c"]}),
        ),
        (
            "A.10 adding a nested object",
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/child", "value": {"grandchild": {}}}]),
            json!({"foo": "bar", "child": {"grandchild": {}}}),
        ),
        (
            "A.11 unknown members of operations",
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}]),
            json!({"foo": "bar", "baz": "qux"}),
        ),
        (
            "A.14 the order of escapes",
            slashes.clone(),
            json!([{"op": "test", "path": "/~01", "value": 10}]),
            slashes,
        ),
        (
            "A.16 adding a list at the end",
            json!({"foo": ["bar"]}),
            json!([{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]),
            json!({"foo": ["bar", ["abc", "def"]]}),
        ),
        (
            "4.1 replacing the whole",
            json!({"foo": "bar"}),
            json!([{"op": "replace", "path": "", "value": {"a": 1}}]),
            json!({"a": 1}),
        ),
        (
            "4.5 copying",
            json!({"a": {"b": 1}}),
            json!([{"op": "copy", "from": "/a/b", "path": "/a/c"}]),
            json!({"a": {"b": 1, "c": 1}}),
        ),
    ]
}

#[test]
fn json_patch_does_what_rfc_6902_shows() {
    for (section, object, patch, expected) in rfc_6902() {
        assert_eq!(json_patch(&object, &patch), Ok(expected), "{section}");
    }
}

#[test]
fn json_patch_refuses_what_rfc_6902_refuses() {
    for (section, object, patch) in [
        (
            "A.9 a test that fails",
            json!({"baz": "qux"}),
            json!([{"op": "test", "path": "/baz", "value": "bar"}]),
        ),
        (
            "A.12 adding to what is not there",
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz/bat", "value": "qux"}]),
        ),
        (
            "A.13 an operation said twice: the last one counts, and there is nothing to remove",
            json!({"foo": "bar"}),
            serde_json::from_str(r#"[{"op": "add", "path": "/baz", "value": "qux", "op": "remove"}]"#)
                .unwrap(),
        ),
        (
            "A.15 a text is no number",
            json!({"/": 9, "~1": 10}),
            json!([{"op": "test", "path": "/~01", "value": "10"}]),
        ),
        (
            "4.1 an index beyond the end",
            json!({"foo": [1]}),
            json!([{"op": "add", "path": "/foo/2", "value": 1}]),
        ),
        (
            "4.2 removing what is not there",
            json!({"foo": 1}),
            json!([{"op": "remove", "path": "/bar"}]),
        ),
        (
            "4.3 replacing what is not there",
            json!({"foo": 1}),
            json!([{"op": "replace", "path": "/bar", "value": 1}]),
        ),
        (
            "4.4 moving into itself",
            json!({"foo": {"bar": {}}}),
            json!([{"op": "move", "from": "/foo", "path": "/foo/bar/x"}]),
        ),
        (
            "RFC 6901 4 an index with leading zero",
            json!({"foo": [1, 2]}),
            json!([{"op": "remove", "path": "/foo/01"}]),
        ),
    ] {
        let refused = json_patch(&object, &patch);
        assert!(
            matches!(refused, Err(PatchError::Rejected(_))),
            "{section}: {refused:?}"
        );
    }
}

#[test]
fn merge_patch_does_what_rfc_7386_shows() {
    for (object, patch, expected) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (
            json!({"a": {"b": "c"}}),
            json!({"a": {"b": "d", "c": null}}),
            json!({"a": {"b": "d"}}),
        ),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "b"}), json!(["c"]), json!(["c"])),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (json!({"a": "foo"}), json!("bar"), json!("bar")),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (
            json!({}),
            json!({"a": {"bb": {"ccc": null}}}),
            json!({"a": {"bb": {}}}),
        ),
        // The example of section 3.
        (
            json!({"title": "Goodbye!", "author": {"givenName": "John", "familyName": "Doe"}, "tags": ["example", "sample"], "content": "This will be unchanged"}),
            json!({"title": "Hello!", "phoneNumber": "+01-123-456-7890", "author": {"familyName": null}, "tags": ["example"]}),
            json!({"title": "Hello!", "author": {"givenName": "John"}, "tags": ["example"], "content": "This will be unchanged", "phoneNumber": "+01-123-456-7890"}),
        ),
    ] {
        assert_eq!(merge_patch(&object, &patch), expected, "{object} with {patch}");
    }
}

fn containers(names: &[&str]) -> Value {
    let list: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "image": format!("{name}-1.0")}))
        .collect();
    json!({"spec": {"containers": list}})
}

#[track_caller]
fn assert_pod(what: &str, object: &Value, patch: &Value, expected: Value) {
    let merged = strategic_merge(TypeRef::of("", "v1", "Pod"), object, patch);
    assert_eq!(merged, Ok(expected), "{what}");
}

#[test]
fn strategic_merge_does_what_its_documentation_shows_of_lists_of_maps() {
    let nginx = containers(&["nginx"]);
    assert_pod(
        "background: containers are merged by name",
        &nginx,
        &containers(&["log-tailer"]),
        containers(&["log-tailer", "nginx"]),
    );
    let both = containers(&["nginx", "log-tailer"]);
    assert_pod(
        "replace, wherever the directive stands",
        &both,
        &json!({"spec": {"containers": [{"name": "nginx", "image": "nginx-2.0"}, {"$patch": "replace"}]}}),
        json!({"spec": {"containers": [{"name": "nginx", "image": "nginx-2.0"}]}}),
    );
    assert_pod(
        "replace ignores further directives in its list",
        &both,
        &json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "a", "image": "a-1.0"}, {"$patch": "delete", "name": "nginx"}]}}),
        containers(&["a"]),
    );
    assert_pod(
        "delete, beside a change",
        &both,
        &json!({"spec": {"containers": [{"name": "nginx", "image": "nginx-1.0"}, {"$patch": "delete", "name": "log-tailer"}]}}),
        nginx,
    );
    assert_pod(
        "delete takes every item of that key",
        &containers(&["a", "b", "a"]),
        &json!({"spec": {"containers": [{"$patch": "delete", "name": "a"}]}}),
        containers(&["b"]),
    );
    assert_pod(
        "the order of maps",
        &containers(&["a", "b", "c"]),
        &json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}]}}),
        containers(&["b", "c", "a"]),
    );
    assert_pod(
        "the order of maps, with a change in one",
        &containers(&["a", "b", "c"]),
        &json!({"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": [{"name": "a", "image": "a-2.0"}]}}),
        json!({"spec": {"containers": [{"name": "b", "image": "b-1.0"}, {"name": "c", "image": "c-1.0"}, {"name": "a", "image": "a-2.0"}]}}),
    );
}

#[test]
fn strategic_merge_does_what_its_documentation_shows_of_primitive_lists() {
    let with = |names: &[&str]| json!({"metadata": {"finalizers": names}});
    let patch = |patch: Value| json!({ "metadata": patch });
    assert_pod(
        "delete from a list",
        &with(&["a", "b", "c"]),
        &patch(json!({"$deleteFromPrimitiveList/finalizers": ["b", "c"]})),
        with(&["a"]),
    );
    assert_pod(
        "delete every double",
        &with(&["a", "b", "a"]),
        &patch(json!({"$deleteFromPrimitiveList/finalizers": ["a"]})),
        with(&["b"]),
    );
    assert_pod(
        "the order of a list",
        &with(&["a", "b", "c"]),
        &patch(json!({"$setElementOrder/finalizers": ["b", "c", "a"]})),
        with(&["b", "c", "a"]),
    );
    assert_pod(
        "add, delete and order at once",
        &with(&["a", "b", "c"]),
        &patch(
            json!({"$setElementOrder/finalizers": ["d", "c", "a"], "$deleteFromPrimitiveList/finalizers": ["b"], "finalizers": ["d"]}),
        ),
        with(&["d", "c", "a"]),
    );
    assert_pod(
        "doubles of a patch are added once",
        &with(&["a"]),
        &patch(json!({"finalizers": ["a", "b", "b"]})),
        with(&["a", "b"]),
    );
}

#[test]
fn strategic_merge_does_what_its_documentation_shows_of_maps() {
    let of = |strategy: Value| json!({"spec": {"replicas": 1, "strategy": strategy}});
    let rolling = of(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}));
    for (what, patch, expected) in [
        (
            "replace takes the map as it is",
            json!({"$patch": "replace", "type": "Recreate"}),
            json!({"type": "Recreate"}),
        ),
        (
            "delete empties the map",
            json!({"type": "Recreate", "rollingUpdate": {"$patch": "delete"}}),
            json!({"type": "Recreate", "rollingUpdate": {}}),
        ),
        (
            "null removes the map",
            json!({"type": "Recreate", "rollingUpdate": null}),
            json!({"type": "Recreate"}),
        ),
        (
            "merge is what happens anyway",
            json!({"$patch": "merge", "rollingUpdate": {"maxSurge": 2}}),
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}),
        ),
        (
            "retainKeys clears what it does not name",
            json!({"$retainKeys": ["type"], "type": "Recreate"}),
            json!({"type": "Recreate"}),
        ),
        (
            "retainKeys goes together with a merge of what it names",
            json!({"$retainKeys": ["type", "rollingUpdate"], "rollingUpdate": {"maxSurge": 3}}),
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 0}}),
        ),
    ] {
        let patch = json!({"spec": {"strategy": patch}});
        let merged = strategic_merge(TypeRef::of("apps", "v1", "Deployment"), &rolling, &patch);
        assert_eq!(merged, Ok(of(expected)), "{what}");
    }
}
