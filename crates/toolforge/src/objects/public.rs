//! What everybody who is let in may read: how the platform is configured, and which types of webservice
//! there are.

mod types;

use serde_json::{Value, json};
use toolforge_model::names::{
    FOUROHFOUR_NAMESPACE, FOUROHFOUR_SERVICE, IMAGE_CONFIG_MAP, PLATFORM_CONFIG_MAP, POLICY_CONFIG_MAP,
    POLICY_KEY, PUBLIC_NAMESPACE,
};
use toolforge_policy::PolicySettings;

/// What maintainers' commands need to know of the platform.
#[derive(Debug, Clone)]
pub(crate) struct Public {
    pub(crate) domain: String,
    pub(crate) project: String,
    pub(crate) registry: String,
    /// What the guards go by, with everything that the policy file leaves out.
    pub(crate) policy: PolicySettings,
    /// Where a tool is served, with `{tool}` for its name.
    pub(crate) url: String,
    /// Where the gateway is, when the name of a tool does not lead there for everybody.
    pub(crate) gateway_address: Option<String>,
    /// The authority of the gateway's certificate, when it is not one that everybody trusts.
    pub(crate) ca_pem: Option<String>,
    /// Where webservices outside of Kubernetes register, if anywhere.
    pub(crate) registration: Registration,
    /// The types of webservice, where they are not those that are built in.
    pub(crate) images: Option<String>,
}

/// Where webservices outside of Kubernetes register, as their runners see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registration {
    /// The API, `https://HOST:PORT`.
    pub(crate) url: Option<String>,
    /// The lines of the original, `HOST:PORT`.
    pub(crate) lines: Option<String>,
}

pub(super) fn all(public: &Public) -> Vec<Value> {
    vec![
        platform(public),
        policy(public),
        images(public),
        reader(),
        reader_binding(),
    ]
}

/// Where the fourohfour pages listen on this machine, written beside their Service.
pub(crate) fn default_backend_address(address: std::net::SocketAddr) -> Value {
    endpoints(FOUROHFOUR_NAMESPACE, FOUROHFOUR_SERVICE, address)
}

/// The one address of a Service without Pods.
pub(super) fn endpoints(namespace: &str, service: &str, address: std::net::SocketAddr) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": service,
            "namespace": namespace,
            "labels": {
                "kubernetes.io/service-name": service,
                "endpointslice.kubernetes.io/managed-by": "toolforge-up",
            },
        },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": [address.ip().to_string()], "conditions": { "ready": true } }],
        "ports": [{ "name": "http", "port": address.port(), "protocol": "TCP" }],
    })
}

fn platform(public: &Public) -> Value {
    let mut data = json!({
        "domain": public.domain,
        "project": public.project,
        "registry": public.registry,
        "url": public.url,
        "ingress-class": public.policy.ingress_class,
    });
    if let Some(address) = &public.gateway_address {
        data["gateway-address"] = json!(address);
    }
    if let Some(pem) = &public.ca_pem {
        data["ca.crt"] = json!(pem);
    }
    if let Some(url) = &public.registration.url {
        data["register-url"] = json!(url);
    }
    if let Some(place) = &public.registration.lines {
        data["register-lines"] = json!(place);
    }
    config_map(PLATFORM_CONFIG_MAP, &data)
}

/// The policy file, from which everybody can tell beforehand what the guards will say.
fn policy(public: &Public) -> Value {
    let text = serde_saphyr::to_string(&public.policy).expect("settings are plain data");
    config_map(POLICY_CONFIG_MAP, &json!({ POLICY_KEY: text }))
}

/// The types of webservice, as they are configured or built in.
fn images(public: &Public) -> Value {
    let text = public
        .images
        .clone()
        .unwrap_or_else(|| format!("{:#}\n", types::built_in(&public.registry)));
    config_map(IMAGE_CONFIG_MAP, &json!({ "images-v1.yaml": text }))
}

fn config_map(name: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": PUBLIC_NAMESPACE },
        "data": data,
    })
}

fn reader() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": { "name": "reader", "namespace": PUBLIC_NAMESPACE },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"] }],
    })
}

fn reader_binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": { "name": "reader", "namespace": PUBLIC_NAMESPACE },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" },
        "subjects": [
            { "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated" },
        ],
    })
}
