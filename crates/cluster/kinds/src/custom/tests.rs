//! Tables of schemas, objects and what becomes of them.

use serde_json::{Value, json};

use super::*;
use crate::kind::Kind;
use crate::{by_kind, validate_create};

/// Where the schema of these tests stands in a definition.
const AT: &str = "spec.versions[0].schema.openAPIV3Schema.properties[spec]";

/// A definition whose only version has this schema for `spec`.
fn definition(spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "crontabs.example.org"},
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}},
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                    "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
                "selectableFields": [],
                "additionalPrinterColumns": [
                    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
                    {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp", "priority": 1},
                ],
            }],
        },
    });
    crate::apply_defaults(kind(), &mut object);
    object
}

fn kind() -> &'static Kind {
    by_kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition").unwrap()
}

fn custom(spec: &Value) -> std::sync::Arc<CustomKind> {
    Definition::of(&definition(spec)).unwrap().versions.remove(0)
}

#[expect(clippy::needless_pass_by_value, reason = "tables read better so")]
fn object(spec: Value) -> Value {
    json!({"apiVersion": "example.org/v1", "kind": "CronTab", "metadata": {"name": "a", "namespace": "n"}, "spec": spec})
}

fn problems(schema: &Value, spec: Value) -> Vec<String> {
    let found = custom(schema).validate(&object(spec), None);
    found.iter().map(ToString::to_string).collect()
}

fn changed(schema: &Value, old: Value, new: Value) -> Vec<String> {
    let found = custom(schema).validate(&object(new), Some(&object(old)));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_definition_has_no_problems_and_is_interned_once() {
    let schema = json!({"type": "object", "properties": {"replicas": {"type": "integer", "default": 1}}});
    assert_eq!(validate_create(kind(), &definition(&schema)), []);
    let (one, other) = (custom(&schema), custom(&json!({"type": "object"})));
    assert!(std::ptr::eq(one.kind, other.kind));
    assert_eq!(one.kind.qualified_resource(), "crontabs.example.org");
    assert_eq!(one.list_kind, "CronTabList");
    assert_eq!(one.kind.singular, "crontab");
}

#[test]
fn unknown_fields_go_unless_the_schema_preserves_them() {
    let schema = json!({"type": "object", "properties": {
        "known": {"type": "string"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
            "inner": {"type": "object"}}},
        "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        "map": {"type": "object", "additionalProperties": {"type": "object"}},
        "inside": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {"spec": {"type": "object"}}},
    }});
    let mut given = object(json!({
        "known": "x", "unknown": 1, "free": {"any": {"thing": 1}, "inner": {"gone": 1}},
        "list": [{"a": "x"}, {"a": "y", "b": 1}], "map": {"k": {"v": 1}},
        "inside": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {}, "other": 1},
    }));
    given["metadata"]["strange"] = json!(1);
    let told = custom(&schema).decode(&mut given).unwrap();
    assert_eq!(
        told,
        [
            "unknown field \"metadata.strange\"",
            "unknown field \"spec.free.inner.gone\"",
            "unknown field \"spec.inside.other\"",
            "unknown field \"spec.list[1].b\"",
            "unknown field \"spec.map.k.v\"",
            "unknown field \"spec.unknown\"",
        ]
    );
    assert_eq!(
        given["spec"],
        json!({
            "known": "x", "free": {"any": {"thing": 1}, "inner": {}}, "list": [{"a": "x"}, {"a": "y"}], "map": {"k": {}},
            "inside": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {}},
        })
    );
    let mut bad = object(json!({}));
    bad["metadata"]["labels"] = json!({"a": 1});
    let status = crate::Status::from(custom(&schema).decode(&mut bad).unwrap_err());
    assert!(
        status.message.starts_with("CronTab in version"),
        "{}",
        status.message
    );
}

#[test]
fn defaults_go_in_at_any_depth() {
    let schema = json!({"type": "object", "properties": {
        "replicas": {"type": "integer", "default": 2},
        "policy": {"type": "object", "default": {}, "properties": {"kind": {"type": "string", "default": "Always"}}},
        "list": {"type": "array", "items": {"type": "object", "properties": {"port": {"type": "integer", "default": 80}}}},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {
            "on": {"type": "boolean", "default": true}}}},
        "maybe": {"type": "string", "nullable": true, "default": "x"},
    }});
    let mut given =
        object(json!({"list": [{}, {"port": 1}], "map": {"a": {}}, "maybe": null, "replicas": null}));
    custom(&schema).apply_defaults(&mut given);
    assert_eq!(
        given["spec"],
        json!({
            "replicas": 2, "policy": {"kind": "Always"}, "list": [{"port": 80}, {"port": 1}], "map": {"a": {"on": true}},
            "maybe": null,
        })
    );
    let once = given.clone();
    custom(&schema).apply_defaults(&mut given);
    assert_eq!(given, once);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn values_are_checked_in_the_words_of_kubernetes() {
    let field = |schema: Value| json!({"type": "object", "properties": {"x": schema}});
    for (schema, value, expected) in [
        (
            json!({"type": "integer"}),
            json!("3"),
            r#"spec.x: Invalid value: "string": spec.x in body must be of type integer: "string""#,
        ),
        (
            json!({"type": "string"}),
            json!(null),
            r#"spec.x: Invalid value: "null": spec.x in body must be of type string: "null""#,
        ),
        (
            json!({"type": "integer"}),
            json!(1.5),
            r#"spec.x: Invalid value: "number": spec.x in body must be of type integer: "number""#,
        ),
        (
            json!({"type": "integer", "maximum": 10}),
            json!(11),
            "spec.x: Invalid value: 11: spec.x in body should be less than or equal to 10",
        ),
        (
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
            json!(1),
            "spec.x: Invalid value: 1: spec.x in body should be greater than 1",
        ),
        (
            json!({"type": "integer", "multipleOf": 5}),
            json!(7),
            "spec.x: Invalid value: 7: spec.x in body should be a multiple of 5",
        ),
        (
            json!({"type": "string", "pattern": "^a+$"}),
            json!("b"),
            r#"spec.x: Invalid value: "b": spec.x in body should match '^a+$'"#,
        ),
        (
            json!({"type": "string", "minLength": 2}),
            json!("b"),
            r#"spec.x: Invalid value: "b": spec.x in body should be at least 2 chars long"#,
        ),
        (
            json!({"type": "string", "maxLength": 2}),
            json!("abc"),
            "spec.x: Too long: may not be more than 2 bytes",
        ),
        (
            json!({"type": "string", "enum": ["a", "b"]}),
            json!("c"),
            r#"spec.x: Unsupported value: "c": supported values: "a", "b""#,
        ),
        (
            json!({"type": "string", "format": "date-time"}),
            json!("x"),
            r#"spec.x: Invalid value: "x": spec.x in body must be of type date-time: "x""#,
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 1}),
            json!(["a", "b"]),
            "spec.x: Too many: 2: must have at most 1 item",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}}),
            json!(["a", 1]),
            r#"spec.x[1]: Invalid value: "integer": spec.x[1] in body must be of type string: "integer""#,
        ),
        (
            json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}),
            json!({}),
            "spec.x.a: Required value",
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            json!({"k": "v"}),
            r#"spec.x.k: Invalid value: "string": spec.x.k in body must be of type integer: "string""#,
        ),
        (
            json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}),
            json!(["a", "a"]),
            r#"spec.x[1]: Duplicate value: "a""#,
        ),
        (
            json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"], "items": {"type": "object", "properties": {"n": {"type": "string", "default": "z"}}}}),
            json!([{"n": "z"}, {}]),
            r#"spec.x[1]: Duplicate value: {"n":"z"}"#,
        ),
        (
            json!({"type": "string", "anyOf": [{"pattern": "a"}, {"pattern": "b"}]}),
            json!("c"),
            r#"<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)"#,
        ),
        (
            json!({"type": "string", "oneOf": [{"pattern": "a"}, {"pattern": "b"}]}),
            json!("ab"),
            r#"<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
        ),
        (
            json!({"type": "string", "not": {"enum": ["a"]}}),
            json!("a"),
            r#"<nil>: Invalid value: "": "spec.x" must not validate the schema (not)"#,
        ),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!(true),
            r#"spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean""#,
        ),
        (
            json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}),
            json!({"kind": "X"}),
            "spec.x.apiVersion: Required value: must not be empty",
        ),
    ] {
        let schema = field(schema);
        assert_eq!(validate_create(kind(), &definition(&schema)), [], "{schema}");
        let found = problems(&schema, json!({"x": value}));
        assert_eq!(found.first().map(String::as_str), Some(expected), "{schema}");
    }
    for (schema, value) in [
        (json!({"type": "string", "nullable": true}), json!(null)),
        (json!({"x-kubernetes-int-or-string": true}), json!("50%")),
        (json!({"type": "number"}), json!(1)),
        (json!({"type": "string", "format": "ipv4"}), json!("10.0.0.1")),
        (
            json!({"type": "string", "oneOf": [{"pattern": "a"}, {"pattern": "b"}]}),
            json!("a"),
        ),
    ] {
        assert_eq!(
            problems(&field(schema), json!({"x": value})),
            Vec::<String>::new()
        );
    }
}

#[test]
fn rules_are_kept() {
    let schema = json!({"type": "object", "x-kubernetes-validations": [
        {"rule": "self.min <= self.max", "message": "min is above max", "fieldPath": ".min"},
        {"rule": "self.max == oldSelf.max", "messageExpression": "'max was ' + string(oldSelf.max)"},
        {"rule": "!has(self.odd__name) || self.odd__name"},
        {"rule": "!has(self.locked) || oldSelf.hasValue() || self.locked == false", "optionalOldSelf": true, "reason": "FieldValueForbidden", "message": "not at birth"},
    ], "properties": {
        "min": {"type": "integer"}, "max": {"type": "integer"}, "locked": {"type": "boolean"},
        "x-y": {"type": "string", "x-kubernetes-validations": [{"rule": "self.startsWith('a')"}]},
        "odd__name": {"type": "boolean"},
        "when": {"type": "string", "format": "duration"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}},
            "x-kubernetes-validations": [{"rule": "self.n * 2.0 < 10.0"}]}},
    }});
    let escaped = json!(
        schema
            .to_string()
            .replace("odd__name)", "odd__underscores__name)")
            .replace("self.odd__name\"", "self.odd__underscores__name\"")
    );
    let schema: Value = serde_json::from_str(escaped.as_str().unwrap()).unwrap();
    let found = validate_create(kind(), &definition(&schema));
    assert_eq!(found, [], "{found:?}");
    assert_eq!(
        problems(&schema, json!({"min": 2, "max": 1})),
        [r#"spec.min: Invalid value: "object": min is above max"#]
    );
    assert_eq!(
        problems(
            &schema,
            json!({"min": 1, "max": 1, "items": [{"n": 1}, {"n": 5}]})
        ),
        [r#"spec.items[1]: Invalid value: "object": failed rule: self.n * 2.0 < 10.0"#]
    );
    assert_eq!(
        problems(&schema, json!({"min": 1, "max": 1, "x-y": "b"})),
        [r#"spec.x-y: Invalid value: "string": failed rule: self.startsWith('a')"#]
    );
    assert_eq!(
        problems(&schema, json!({"min": 1, "max": 1, "locked": true})),
        ["spec: Forbidden: not at birth"]
    );
    assert_eq!(
        problems(&schema, json!({"max": 1})),
        [r#"spec: Invalid value: "object": no such key: min evaluating rule: min is above max"#]
    );
    assert_eq!(
        changed(&schema, json!({"min": 1, "max": 1}), json!({"min": 1, "max": 2})),
        [r#"spec: Invalid value: "object": max was 1"#]
    );
    assert_eq!(
        changed(
            &schema,
            json!({"min": 1, "max": 1}),
            json!({"min": 1, "max": 1, "locked": true})
        ),
        Vec::<String>::new()
    );
}

#[test]
fn what_was_wrong_before_is_not_held_against_a_change_elsewhere() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "integer", "maximum": 1}, "b": {"type": "string"}}});
    assert_eq!(
        changed(&schema, json!({"a": 5, "b": "x"}), json!({"a": 5, "b": "y"})),
        Vec::<String>::new()
    );
    assert_eq!(changed(&schema, json!({"a": 5}), json!({"a": 6})).len(), 1);
}

#[test]
fn definitions_are_checked() {
    assert_eq!(
        refused(&|object| object["metadata"]["name"] = json!("x.y")),
        r#"metadata.name: Invalid value: "x.y": must be spec.names.plural+"."+spec.group"#
    );
    assert_eq!(
        refused(&|object| object["spec"]["scope"] = json!("Both")),
        r#"spec.scope: Unsupported value: "Both": supported values: "Cluster", "Namespaced""#
    );
    assert!(
        refused(&|object| object["spec"]["versions"][0]["storage"] = json!(false))
            .ends_with("must have exactly one version marked as storage version")
    );
    assert_eq!(
        refused(&|object| object["spec"]["versions"][0]["schema"] = json!(null)),
        "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"
    );
    for (conversion, expected) in [
        (
            json!({"strategy": "Other"}),
            r#"spec.conversion.strategy: Unsupported value: "Other": supported values: "None", "Webhook""#,
        ),
        (
            json!({"strategy": "Webhook"}),
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        ),
        (
            json!({"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}),
            "spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook",
        ),
        (
            json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {}}}),
            "spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required",
        ),
        (
            json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v7"],
                "clientConfig": {"url": "https://a.b/c"}}}),
            r#"spec.conversion.conversionReviewVersions: Invalid value: ["v7"]: must include at least one of v1, v1beta1"#,
        ),
        (
            json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"],
                "clientConfig": {"url": "https://a.b/c", "caBundle": "YWJj"}}}),
            r#"spec.conversion.webhookClientConfig.caBundle: Invalid value: "YWJj": unable to load root certificates: unable to parse bytes as PEM block"#,
        ),
    ] {
        assert_eq!(
            refused(&|object| object["spec"]["conversion"] = conversion.clone()),
            expected
        );
    }
}

/// The first problem of a definition that was changed so.
fn refused(change: &dyn Fn(&mut Value)) -> String {
    let mut object = definition(&json!({"type": "object"}));
    change(&mut object);
    let found = validate_create(kind(), &object);
    found.first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn schemas_are_checked() {
    let schema = |schema: Value| {
        move |object: &mut Value| {
            object["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = schema.clone();
        }
    };
    for (given, expected) in [
        (
            json!({"properties": {}}),
            format!("{AT}.type: Required value: must not be empty for specified object fields"),
        ),
        (
            json!({"type": "array"}),
            format!("{AT}.items: Required value: must be specified"),
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
            format!(
                "{AT}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"
            ),
        ),
        (
            json!({"type": "object", "anyOf": [{"type": "object"}]}),
            format!("{AT}.anyOf[0].type: Forbidden: must be empty to be structural"),
        ),
        (
            json!({"type": "object", "anyOf": [{"properties": {"a": {"minimum": 1}}}]}),
            format!(
                "{AT}.properties[a]: Required value: because it is defined in {AT}.anyOf[0].properties[a]"
            ),
        ),
        (
            json!({"type": "integer", "default": "x"}),
            format!(
                "{AT}.default: Invalid value: \"string\": {AT}.default in body must be of type integer: \"string\""
            ),
        ),
        (
            json!({"type": "object", "$ref": "#/x"}),
            format!("{AT}.$ref: Forbidden: $ref is not supported"),
        ),
        (
            json!({"type": "string", "pattern": "("}),
            format!(
                "{AT}.pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: regex parse error:\\n"
            ),
        ),
        (
            json!({"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}}),
            format!(
                "{AT}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"
            ),
        ),
        (
            json!({"type": "object", "x-kubernetes-validations": [{"rule": "self.a ==="}]}),
            format!(
                "{AT}.x-kubernetes-validations[0].rule: Invalid value: \"self.a ===\": compilation failed: ERROR: <input>:1:10: Syntax error"
            ),
        ),
        (
            json!({"type": "object", "x-kubernetes-validations": [{"rule": "other == 1"}]}),
            format!(
                "{AT}.x-kubernetes-validations[0].rule: Invalid value: \"other == 1\": compilation failed: undeclared reference to 'other'"
            ),
        ),
        (
            json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
            String::new(),
        ),
    ] {
        let found = refused(&schema(given.clone()));
        let fits = if expected.is_empty() {
            found.is_empty()
        } else {
            found.replace('\n', "\\n").starts_with(&expected)
        };
        assert!(fits, "{given}\n{found}\n{expected}");
    }
}

#[test]
fn tables_scales_and_fields_follow_the_paths() {
    let mut defined = definition(&json!({"type": "object", "properties": {
        "replicas": {"type": "integer"}, "color": {"type": "string"}}}));
    defined["spec"]["versions"][0]["selectableFields"] = json!([{"jsonPath": ".spec.color"}]);
    assert_eq!(validate_create(kind(), &defined), []);
    let custom = Definition::of(&defined).unwrap().versions.remove(0);
    let mut given = object(json!({"replicas": 3, "color": "red"}));
    given["status"] = json!({"replicas": 2, "selector": "a=b"});
    given["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let table = custom.table(
        &[&given],
        "2026-01-01T00:05:00Z".parse().unwrap(),
        IncludeObject::None,
    );
    assert_eq!(table["rows"][0]["cells"], json!(["a", 3, "5m"]));
    assert_eq!(table["columnDefinitions"][2]["priority"], 1);
    let scale = custom.scale_of(&given).unwrap();
    assert_eq!(
        (&scale["spec"]["replicas"], &scale["status"]),
        (&json!(3), &json!({"replicas": 2, "selector": "a=b"}))
    );
    let scaled = custom.scale_to(&object(json!({})), &json!({"spec": {"replicas": 7}}));
    assert_eq!(scaled["spec"]["replicas"], 7);
    assert_eq!(custom.field_value(&given, "spec.color").as_deref(), Some("red"));
    assert_eq!(
        custom.field_value(&given, "metadata.namespace").as_deref(),
        Some("n")
    );
    assert_eq!(custom.field_value(&given, "spec.replicas"), None);
}

#[test]
fn a_definition_is_established_when_its_names_are_free() {
    let defined = definition(&json!({"type": "object"}));
    let status = conditions(&defined, |_| None, "2026-01-01T00:00:00Z");
    assert_eq!(status["conditions"][0]["type"], "NamesAccepted");
    assert_eq!(status["conditions"][1]["status"], "True");
    assert_eq!(status["acceptedNames"]["listKind"], "CronTabList");
    assert_eq!(status["storedVersions"], json!(["v1"]));
    let mut again = defined.clone();
    again["status"] = status.clone();
    assert_eq!(conditions(&again, |_| None, "2027-01-01T00:00:00Z"), status);
    let taken = |name: &str| (name == "ct").then(|| "other".to_owned());
    let status = conditions(&defined, taken, "2026-01-01T00:00:00Z");
    assert_eq!(status["conditions"][0]["reason"], "ShortNamesConflict");
    assert_eq!(status["conditions"][0]["message"], "\"ct\" is already in use");
    assert_eq!(status["conditions"][1]["status"], "False");
}

#[test]
fn versions_are_preferred_as_kubernetes_prefers_them() {
    let mut defined = definition(&json!({"type": "object"}));
    let version = defined["spec"]["versions"][0].clone();
    let names = ["v1alpha1", "foo", "v1", "v2beta1", "v10", "v2"];
    defined["spec"]["versions"] = names
        .iter()
        .map(|name| {
            let mut version = version.clone();
            version["name"] = json!(name);
            version["storage"] = json!(*name == "v1");
            version
        })
        .collect();
    let compiled = Definition::of(&defined).unwrap();
    let order: Vec<&str> = compiled
        .versions
        .iter()
        .map(|version| version.kind.version)
        .collect();
    assert_eq!(order, ["v10", "v2", "v1", "v2beta1", "v1alpha1", "foo"]);
    assert_eq!(compiled.stored.version, "v1");
}

#[test]
fn documents_have_the_schema_and_the_operations() {
    let custom = custom(&json!({"type": "object", "description": "what is wanted"}));
    let document = custom_openapi(&[&custom]);
    let schema = &document["components"]["schemas"]["org.example.v1.CronTab"];
    assert_eq!(schema["properties"]["spec"]["description"], "what is wanted");
    let path = "/apis/example.org/v1/namespaces/{namespace}/crontabs/{name}";
    assert_eq!(
        document["paths"][path]["patch"]["x-kubernetes-group-version-kind"]["kind"],
        "CronTab"
    );
    assert!(
        document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
            .any(|name| name.ends_with(".ObjectMeta"))
    );
}
