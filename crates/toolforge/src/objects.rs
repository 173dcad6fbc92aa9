//! The objects that a cluster must hold before the components start: roles, bindings, the public
//! configuration, the ingress class, the webhook configurations. Pure: from settings to objects. Applied by
//! `up`, printed by `toolforge manifests`.

mod apply;
mod classes;
mod deployed;
mod k8s_status;
mod metrics;
mod pod_security;
mod prometheus;
mod public;
mod roles;

use serde_json::{Value, json};
use toolforge_model::names::{
    FOUROHFOUR_NAMESPACE, FOUROHFOUR_SERVICE, INGRESS_CONTROLLER, K8S_STATUS_NAMESPACE, PUBLIC_NAMESPACE,
};

pub(crate) use apply::{apply, is_ground};
pub(crate) use classes::retire_other_classes;
pub(crate) use deployed::{Certificate, Deployed, deployed};
pub(crate) use k8s_status::{K8S_STATUS_PORT, k8s_status_address, k8s_status_ingress};
pub(crate) use metrics::{USER as METRICS_USER, metrics};
pub(crate) use prometheus::USER as PROMETHEUS_USER;
pub(crate) use public::{Public, Registration, default_backend_address};
pub(crate) use roles::{SERVICE_NAMESPACE, certificate_rights};

/// Everything but the webhook configurations, which must not bite before the webhooks answer.
pub(crate) fn foundation(public: &Public) -> Vec<Value> {
    let mut objects = vec![
        namespace(PUBLIC_NAMESPACE),
        namespace(FOUROHFOUR_NAMESPACE),
        namespace(K8S_STATUS_NAMESPACE),
        namespace(SERVICE_NAMESPACE),
    ];
    objects.extend(pod_security::all());
    objects.extend(roles::all());
    objects.extend(prometheus::rights());
    objects.extend(public::all(public));
    objects.push(ingress_class(&public.policy.ingress_class));
    objects.push(fourohfour_service());
    objects.push(k8s_status::service());
    objects
}

/// The port of the fourohfour pages' Service.
pub(crate) const FOUROHFOUR_PORT: u16 = 8000;

fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": { "name": name } } })
}

/// The class by which Ingresses are the gateway's, and which those that name none get.
fn ingress_class(name: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {
            "name": name,
            "annotations": { classes::IS_DEFAULT: "true" },
        },
        "spec": { "controller": INGRESS_CONTROLLER },
    })
}

/// Without a selector: where its Pods are is written beside it.
fn fourohfour_service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": FOUROHFOUR_SERVICE, "namespace": FOUROHFOUR_NAMESPACE },
        "spec": { "ports": [{ "name": "http", "port": FOUROHFOUR_PORT, "protocol": "TCP" }] },
    })
}

#[cfg(test)]
mod tests {
    use toolforge_policy::PolicySettings;

    use super::*;

    fn public() -> Public {
        Public {
            domain: "toolforge.example".to_owned(),
            project: "tools".to_owned(),
            registry: "registry.example".to_owned(),
            policy: PolicySettings::with("toolforge.example", "registry.example"),
            url: "https://{tool}.toolforge.example/".to_owned(),
            gateway_address: None,
            ca_pem: None,
            registration: Registration::default(),
            images: None,
        }
    }

    #[test]
    fn every_object_has_what_identifies_it() {
        let public = public();
        for object in foundation(&public) {
            for field in ["/apiVersion", "/kind", "/metadata/name"] {
                assert!(
                    object.pointer(field).is_some_and(Value::is_string),
                    "{field} in {object}"
                );
            }
        }
    }

    #[test]
    fn the_class_is_the_one_of_the_policy_file() {
        let mut public = public();
        public.policy.ingress_class = "edge".to_owned();
        let objects = foundation(&public);
        let classes: Vec<&Value> = objects
            .iter()
            .filter(|object| object["kind"] == "IngressClass")
            .map(|class| &class["metadata"]["name"])
            .collect();
        assert_eq!(classes, [&json!("edge")]);
        let published = objects
            .iter()
            .find_map(|object| object.pointer("/data/ingress-class"));
        assert_eq!(published, Some(&json!("edge")));
    }

    #[test]
    fn the_published_policy_is_read_back_as_it_is() {
        let settings =
            "domains: [toolforge.example]\nregistries: [r.example]\nvolumes: {mounts: [{name: a, path: /a}]}";
        let public = Public {
            policy: PolicySettings::read(settings).unwrap(),
            ..public()
        };
        let published = foundation(&public);
        let text = published
            .iter()
            .find_map(|object| object.pointer("/data/policy.yaml")?.as_str());
        assert_eq!(PolicySettings::read(text.unwrap()).unwrap(), public.policy);
    }
}
