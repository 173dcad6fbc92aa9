//! What kubectl looks for in the documents.

use super::*;

fn document(name: &str) -> Value {
    serde_json::from_slice(openapi_v3(name).unwrap()).unwrap()
}

#[test]
fn index_lists_every_group_version_with_a_hash() {
    let index = openapi_v3_index();
    for (path, name) in [
        ("api/v1", "v1"),
        ("apis/apps/v1", "apps/v1"),
        ("apis/policy/v1", "policy/v1"),
    ] {
        let address = index["paths"][path]["serverRelativeURL"].as_str().unwrap();
        assert!(
            address.starts_with(&format!("/openapi/v3/{path}?hash=")),
            "{address}"
        );
        assert!(openapi_v3(name).is_some());
    }
    assert!(openapi_v3("apps/v2").is_none());
}

#[test]
fn kinds_are_found_by_path_and_by_schema() {
    let apps = document("apps/v1");
    let list = &apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments"]["get"];
    let words = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
    assert_eq!(list["x-kubernetes-group-version-kind"], words);
    assert_eq!(list["x-kubernetes-action"], "list");
    let schema = &apps["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"];
    assert_eq!(schema["x-kubernetes-group-version-kind"], json!([words]));
    assert_eq!(
        schema["properties"]["spec"]["allOf"][0]["$ref"],
        "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"
    );
    assert!(
        !schema["required"]
            .as_array()
            .is_some_and(|names| names.contains(&"metadata".into()))
    );
}

#[test]
fn patch_says_that_it_validates_fields_and_can_run_dry() {
    let core = document("v1");
    let patch = &core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
    let names: Vec<&str> = patch["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    assert!(
        names.contains(&"fieldValidation") && names.contains(&"dryRun"),
        "{names:?}"
    );
}

#[test]
fn every_group_version_has_a_document_without_dangling_references() {
    for name in group_versions() {
        let text = String::from_utf8(openapi_v3(&name).unwrap().to_vec()).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let target = part.split('"').next().unwrap();
            assert!(schemas.contains_key(target), "{target} is missing in {name}");
        }
    }
}
