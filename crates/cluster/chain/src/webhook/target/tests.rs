//! From client configurations to hosts, ports and addresses.

use std::sync::Arc;

use serde_json::json;

use super::*;

fn config(config: &Value) -> ClientConfig {
    serde_json::from_value(config.clone()).unwrap()
}

#[test]
fn a_url_is_taken_apart() {
    for (url, host, port, path) in [
        ("https://127.0.0.1:9443/validate", "127.0.0.1", 9443, "/validate"),
        ("https://example.org", "example.org", 443, "/"),
        ("https://[::1]:1/a", "::1", 1, "/a"),
    ] {
        let target = Target::of(&config(&json!({ "url": url }))).unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.path.as_str()),
            (host, port, path)
        );
        assert!(target.server_name().is_ok());
    }
}

#[test]
fn other_urls_are_refused() {
    for url in [
        "http://example.org",
        "https://",
        "example.org",
        "https://u:p@example.org",
        "https://e.org/?q",
        "https://e.org/#f",
    ] {
        assert!(
            matches!(
                Target::of(&config(&json!({ "url": url }))),
                Err(TargetError::Url { .. })
            ),
            "{url}"
        );
    }
    assert!(matches!(
        Target::of(&config(&json!({}))),
        Err(TargetError::Nowhere)
    ));
}

/// A Service `guard` with two endpoints, one of them ready.
struct Guarded;

impl World for Guarded {
    fn list(&self, _: &str, plural: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        assert_eq!((plural, namespace), ("endpointslices", Some("tf")));
        let slice = |service: &str, address: &str, ready: bool| {
            Arc::new(json!({
                "metadata": {"labels": {"kubernetes.io/service-name": service}},
                "ports": [{"name": "metrics", "port": 1}, {"name": "https", "port": 9443}],
                "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}],
            }))
        };
        vec![
            slice("other", "127.64.0.1", true),
            slice("guard", "127.64.0.2", false),
            slice("guard", "127.64.0.3", true),
        ]
    }

    fn get(&self, _: &str, _: &str, _: Option<&str>, name: &str) -> Option<Arc<Value>> {
        (name == "guard").then(|| Arc::new(json!({"spec": {"ports": [{"name": "https", "port": 443}]}})))
    }
}

#[test]
fn a_service_is_its_ready_endpoints_under_its_own_name() {
    let target = Target::of(&config(
        &json!({"service": {"namespace": "tf", "name": "guard", "path": "v"}}),
    ))
    .unwrap();
    assert_eq!(target.url(10), "https://guard.tf.svc:443/v?timeout=10s");
    assert_eq!(
        target.addresses(&Guarded).unwrap(),
        [("127.64.0.3".to_owned(), 9443)]
    );
}

#[test]
fn what_a_service_lacks_is_said() {
    for (service, problem) in [
        (
            json!({"namespace": "tf", "name": "gone"}),
            "service \"gone\" not found in namespace \"tf\"",
        ),
        (
            json!({"namespace": "tf", "name": "guard", "port": 80}),
            "no service port 80 found for service \"guard\"",
        ),
    ] {
        let target = Target::of(&config(&json!({ "service": service }))).unwrap();
        assert_eq!(target.addresses(&Guarded).unwrap_err().to_string(), problem);
    }
}
