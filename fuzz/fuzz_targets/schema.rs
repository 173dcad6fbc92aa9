//! The schema of a user's kind, and an object of it: two JSON documents, separated by a zero byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use toolforge_kinds::{Definition, by_kind, validate_create};

fuzz_target!(|data: &[u8]| {
    let mut documents = data.splitn(2, |byte| *byte == 0);
    let mut next = || serde_json::from_slice::<Value>(documents.next()?).ok();
    let (Some(schema), Some(mut object)) = (next(), next()) else {
        return;
    };
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "crates.example.org" },
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": { "plural": "crates", "singular": "crate", "kind": "Crate", "listKind": "CrateList" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        },
    });
    let Some(kind) = by_kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition") else {
        return;
    };
    // Only what has been validated is ever compiled.
    if !validate_create(kind, &definition).is_empty() {
        return;
    }
    let Some(definition) = Definition::of(&definition) else { return };
    for version in &definition.versions {
        if version.decode(&mut object).is_err() {
            return;
        }
        version.apply_defaults(&mut object);
        version.validate(&object, Some(&object));
        let presented = version.present(object.clone());
        version.validate(&presented, None);
    }
});
