//! Kinds that users define: definitions, their objects under all verbs, and what becomes of both.

mod compressed;
mod controller;
pub(crate) mod conversion;
mod definitions;
mod objects;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Harness};

/// The group of the definitions of these tests.
pub(crate) const GROUP: &str = "stable.example.org";

/// A definition of `Crate`s in two versions, with most of what a definition can say.
pub(crate) fn crates() -> Value {
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage, "deprecated": !storage,
            "schema": {"openAPIV3Schema": {
                "type": "object", "description": "A crate of things.", "required": ["spec"],
                "properties": {
                    "spec": {
                        "type": "object", "description": "What is wanted.",
                        "x-kubernetes-validations": [
                            {"rule": "self.replicas <= self.most", "message": "more replicas than the most"},
                            {"rule": "self.color == oldSelf.color", "message": "the color stays", "fieldPath": ".color"},
                        ],
                        "properties": {
                            "color": {"type": "string", "enum": ["red", "blue"], "default": "red", "description": "The color."},
                            "replicas": {"type": "integer", "minimum": 0, "default": 1},
                            "most": {"type": "integer", "default": 10},
                            "port": {"x-kubernetes-int-or-string": true},
                            "items": {
                                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                                "items": {"type": "object", "required": ["name"], "properties": {
                                    "name": {"type": "string"}, "size": {"type": "integer", "default": 1}}},
                            },
                            "template": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                        },
                    },
                    "status": {"type": "object", "properties": {
                        "replicas": {"type": "integer"}, "selector": {"type": "string"}, "phase": {"type": "string"}}},
                },
            }},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
            "selectableFields": [{"jsonPath": ".spec.color"}],
            "additionalPrinterColumns": [
                {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
                {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
                {"name": "Phase", "type": "string", "jsonPath": ".status.phase", "priority": 1},
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            ],
        })
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("crates.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": "crates", "singular": "crate", "kind": "Crate", "shortNames": ["cr"], "categories": ["all"]},
            "versions": [version("v1", true), version("v1beta1", false)],
        },
    })
}

/// Makes a definition and waits until it serves.
pub(crate) async fn define(api: &Harness, definition: Value) -> Api<CustomResourceDefinition> {
    let all: Api<CustomResourceDefinition> = Api::all(api.admin());
    let definition: CustomResourceDefinition = serde_json::from_value(definition).unwrap();
    let name = definition.metadata.name.clone().unwrap();
    all.create(&PostParams::default(), &definition).await.unwrap();
    let established = await_condition(all.clone(), &name, conditions::is_crd_established());
    tokio::time::timeout(DEADLINE, established)
        .await
        .expect("the definition serves")
        .unwrap();
    all
}

/// The crates of a version in the default namespace.
pub(crate) fn of(client: kube::Client, version: &str) -> Api<DynamicObject> {
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, version, "Crate"), "crates");
    Api::namespaced_with(client, "default", &resource)
}

/// A crate.
pub(crate) fn one(name: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "Crate", "metadata": {"name": name}, "spec": spec,
    }))
    .unwrap()
}

/// What the API had against a request.
pub(crate) fn refusal(error: kube::Error) -> (u16, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("no answer of the API: {other}"),
    }
}
