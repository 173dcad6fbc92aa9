//! Objects as the API gives them, and what is left of strange ones.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    AppProtocol, EndpointSlice, Ingress, IngressClass, PathKind, PortRef, Service, ServicePort, Unreadable,
};

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn ingress_is_read_with_its_class_paths_and_ports() {
    let by_name = json!({ "service": { "name": "web", "port": { "name": "http" } } });
    let by_number = json!({ "service": { "name": "web", "port": { "number": 8000 } } });
    let bucket = json!({ "resource": { "kind": "Bucket", "name": "files" } });
    let ingress = object(json!({
        "metadata": { "namespace": "tool-a", "name": "web", "creationTimestamp": "2026-11-25T16:00:00Z" },
        "spec": {
            "ingressClassName": "toolforge",
            "rules": [
                { "host": "a.example.org", "http": { "paths": [
                    { "path": "/x", "pathType": "Exact", "backend": by_name },
                    { "path": "/y", "pathType": "ImplementationSpecific", "backend": by_number },
                    { "pathType": "Prefix", "backend": bucket },
                ] } },
                { "host": "b.example.org" },
            ],
        },
    }));
    let ingress = Ingress::read(&ingress, None).unwrap();
    assert_eq!(ingress.class.as_deref(), Some("toolforge"));
    assert_eq!(ingress.created_seconds, 1_795_622_400);
    let paths = &ingress.rules[0].paths;
    assert_eq!(
        paths.iter().map(|path| path.kind).collect::<Vec<_>>(),
        [PathKind::Exact, PathKind::Prefix, PathKind::Prefix]
    );
    assert_eq!(
        paths[0].target.as_ref().unwrap().port,
        PortRef::Name("http".into())
    );
    assert_eq!(paths[1].target.as_ref().unwrap().port, PortRef::Number(8000));
    assert_eq!(paths[2].target, None);
    assert!(ingress.rules[1].paths.is_empty());
}

#[test]
fn class_may_still_be_an_annotation() {
    let annotations = json!({ "kubernetes.io/ingress.class": "toolforge" });
    let ingress =
        object(json!({ "metadata": { "namespace": "a", "name": "b", "annotations": annotations } }));
    assert_eq!(
        Ingress::read(&ingress, None).unwrap().class.as_deref(),
        Some("toolforge")
    );
    let annotations = json!({ "ingressclass.kubernetes.io/is-default-class": "true" });
    let class = object(json!({
        "metadata": { "name": "toolforge", "annotations": annotations },
        "spec": { "controller": "toolforge.org/gateway" },
    }));
    assert!(IngressClass::read(&class).unwrap().is_default);
}

#[test]
fn service_keeps_its_tcp_ports_and_an_external_one_has_none() {
    let ports = json!([
        { "name": "dns", "port": 53, "protocol": "UDP" },
        { "name": "http", "port": 8000, "protocol": "TCP" },
        { "name": "plain", "port": 9000 },
        { "name": "odd", "port": 70000 },
    ]);
    let service = |kind: &str| {
        let spec = json!({ "type": kind, "ports": ports, "externalName": "intern.example" });
        let service = object(json!({ "metadata": { "namespace": "a", "name": "b" }, "spec": spec }));
        let ports = Service::read(&service).unwrap().ports;
        ports
            .into_iter()
            .map(|port| (port.name.to_string(), port.port))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        service("ClusterIP"),
        [("http".to_owned(), 8000), ("plain".to_owned(), 9000)]
    );
    assert!(service("ExternalName").is_empty());
}

#[test]
fn slice_is_read_with_the_meaning_of_missing_conditions() {
    let slice = object(json!({
        "metadata": { "namespace": "a", "name": "b", "labels": { "kubernetes.io/service-name": "web" } },
        "addressType": "IPv4",
        "ports": [{ "name": "http", "port": 8080 }, { "name": "all" }],
        "endpoints": [
            { "addresses": ["127.64.0.1"] },
            { "addresses": ["127.64.0.2"], "conditions": { "ready": false } },
            { "addresses": ["127.64.0.3"], "conditions": { "ready": false, "serving": true, "terminating": true } },
            { "addresses": ["no.address.example"] },
        ],
    }));
    let slice = EndpointSlice::read(&slice).unwrap();
    assert_eq!((slice.service.as_str(), slice.ports.len()), ("web", 1));
    let states: Vec<_> = slice
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.ready, endpoint.serving, endpoint.terminating))
        .collect();
    assert_eq!(
        states,
        [(true, true, false), (false, false, false), (false, true, true)]
    );
}

#[test]
fn object_without_name_or_service_says_which_field_is_missing() {
    let nameless = object(json!({ "metadata": { "namespace": "a" } }));
    assert_eq!(
        Ingress::read(&nameless, None),
        Err(Unreadable {
            field: "metadata.name"
        })
    );
    let loose = object(
        json!({ "metadata": { "namespace": "a", "name": "b" }, "addressType": "IPv4", "endpoints": [] }),
    );
    assert!(
        EndpointSlice::read(&loose)
            .unwrap_err()
            .field
            .contains("service-name")
    );
}

#[test]
fn port_that_speaks_http_2_is_known_by_its_application_protocol() {
    let ports = json!([
        { "name": "grpc", "port": 1, "appProtocol": "kubernetes.io/h2c" },
        { "name": "socket", "port": 2, "appProtocol": "kubernetes.io/ws" },
        { "name": "own", "port": 3, "appProtocol": "example.org/h2c" },
        { "name": "plain", "port": 4 },
    ]);
    let service = json!({ "metadata": { "name": "web", "namespace": "tool-a" }, "spec": { "ports": ports } });
    let service = Service::read(&object(service)).unwrap();
    let protocols: Vec<AppProtocol> = service.ports.iter().map(|port| port.protocol).collect();
    let http1 = AppProtocol::Http1;
    assert_eq!(protocols, [AppProtocol::H2c, http1, http1, http1]);
    // A table that was kept before there was such a field.
    let kept = json!({ "name": "http", "port": 8000 });
    let kept: ServicePort = object(kept);
    assert_eq!(kept.protocol, http1);
    let mut service = service;
    service.ports.truncate(2);
    let kept = serde_json::to_value(&service.ports).unwrap();
    assert_eq!(kept[0]["protocol"], "H2c");
    assert_eq!(kept[1], json!({ "name": "socket", "port": 2 }));
}
