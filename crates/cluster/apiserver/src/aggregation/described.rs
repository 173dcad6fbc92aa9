//! What another server offers, as discovery tells it. Pure.

use serde_json::{Value, json};

/// A version of a group that another server answers for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Described {
    pub(crate) group: String,
    pub(crate) version: String,
    /// What it offers, as aggregated discovery has it.
    pub(crate) resources: Value,
    /// Whether it answered when it was asked last.
    pub(crate) available: bool,
    /// Where its schemas are, with the hash of their content.
    pub(crate) openapi: Option<String>,
}

impl Described {
    /// `GROUP/VERSION`.
    pub(crate) fn group_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// The version in aggregated discovery.
    pub(crate) fn to_version(&self) -> Value {
        let freshness = if self.available { "Current" } else { "Stale" };
        json!({ "version": self.version, "resources": self.resources, "freshness": freshness })
    }
}

/// The resources of an `APIResourceList`, in the form of aggregated discovery.
pub(super) fn resources(group: &str, version: &str, list: &Value) -> Value {
    let all = list.get("resources").and_then(Value::as_array);
    let all = all.map_or(&[][..], Vec::as_slice);
    let text = |value: &Value, field: &str| {
        let found = value.get(field).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let kind_of = |value: &Value| {
        let own = |field: &str, usual: &str| {
            let said = text(value, field);
            if said.is_empty() { usual.to_owned() } else { said }
        };
        json!({ "group": own("group", group), "version": own("version", version), "kind": text(value, "kind") })
    };
    let resources = all.iter().filter(|one| !text(one, "name").contains('/'));
    let resources = resources.map(|one| {
        let name = text(one, "name");
        let namespaced = one.get("namespaced").and_then(Value::as_bool) == Some(true);
        let mut resource = json!({
            "resource": name,
            "responseKind": kind_of(one),
            "scope": if namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": text(one, "singularName"),
            "verbs": one.get("verbs").cloned().unwrap_or_else(|| json!([])),
        });
        for field in ["shortNames", "categories"] {
            if let Some(value) = one.get(field) {
                resource[field] = value.clone();
            }
        }
        let below: Vec<Value> = all
            .iter()
            .filter_map(|sub| {
                let sub_name = text(sub, "name");
                let (of, subresource) = sub_name.split_once('/')?;
                (of == name).then(|| {
                    json!({
                        "subresource": subresource,
                        "responseKind": kind_of(sub),
                        "verbs": sub.get("verbs").cloned().unwrap_or_else(|| json!([])),
                    })
                })
            })
            .collect();
        if !below.is_empty() {
            resource["subresources"] = json!(below);
        }
        resource
    });
    Value::Array(resources.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_resources_is_told_in_the_newer_form() {
        let list = json!({"resources": [
            {"name": "nodes", "singularName": "", "namespaced": false, "kind": "NodeMetrics", "verbs": ["get", "list"]},
            {"name": "pods", "singularName": "pod", "namespaced": true, "kind": "PodMetrics", "verbs": ["get"], "shortNames": ["p"]},
            {"name": "pods/scale", "namespaced": true, "kind": "Scale", "group": "autoscaling", "version": "v1", "verbs": ["get"]},
        ]});
        let found = resources("metrics.k8s.io", "v1beta1", &list);
        assert_eq!(found.as_array().map(Vec::len), Some(2));
        assert_eq!(found[0]["scope"], "Cluster");
        assert_eq!(
            found[0]["responseKind"],
            json!({"group": "metrics.k8s.io", "version": "v1beta1", "kind": "NodeMetrics"})
        );
        assert_eq!(found[1]["shortNames"], json!(["p"]));
        assert_eq!(found[1]["subresources"][0]["subresource"], "scale");
        assert_eq!(
            found[1]["subresources"][0]["responseKind"]["group"],
            "autoscaling"
        );
        assert_eq!(resources("g", "v", &json!({})), json!([]));
    }
}
