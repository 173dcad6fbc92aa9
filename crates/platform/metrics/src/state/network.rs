//! Services, their endpoints, and ingresses.

use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::lines::{Family, Lines, gauge, text};
use super::table::Rendered;

/// Where the class of an Ingress was named before it had a field.
const CLASS: &str = "kubernetes.io/ingress.class";

impl Rendered for Service {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_service_info", "The addresses of a Service."),
        gauge(
            "kube_service_created",
            "When a Service was created, in seconds since 1970.",
        ),
        gauge("kube_service_spec_type", "The type of a Service."),
        gauge(
            "kube_service_spec_external_ip",
            "Each external address of a Service.",
        ),
        gauge(
            "kube_service_status_load_balancer_ingress",
            "Each place at which a load balancer takes requests for a Service.",
        ),
        gauge("kube_service_ports", "Each port of a Service."),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("service", text(meta.name.as_ref())),
            ("uid", text(meta.uid.as_ref())),
        ]);
        lines.time("kube_service_created", meta.creation_timestamp.as_ref());
        let spec = self.spec.clone().unwrap_or_default();
        let info = [
            ("cluster_ip", text(spec.cluster_ip.as_ref())),
            ("external_name", text(spec.external_name.as_ref())),
            (
                "external_traffic_policy",
                text(spec.external_traffic_policy.as_ref()),
            ),
            ("load_balancer_ip", text(spec.load_balancer_ip.as_ref())),
        ];
        lines.put("kube_service_info", &info, 1);
        let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
        lines.put("kube_service_spec_type", &[("type", kind)], 1);
        for address in spec.external_ips.iter().flatten() {
            lines.put("kube_service_spec_external_ip", &[("external_ip", address)], 1);
        }
        for port in spec.ports.iter().flatten() {
            let number = port.port.to_string();
            let target = port.target_port.as_ref().map(port_text).unwrap_or_default();
            let node_port = port.node_port.map(|port| port.to_string()).unwrap_or_default();
            let labels = [
                ("port_name", text(port.name.as_ref())),
                ("port_protocol", text(port.protocol.as_ref())),
                ("port_number", &number),
                ("port_target", &target),
                ("port_app_protocol", text(port.app_protocol.as_ref())),
                ("port_node_number", &node_port),
            ];
            lines.put("kube_service_ports", &labels, 1);
        }
        let balancer = self
            .status
            .as_ref()
            .and_then(|status| status.load_balancer.as_ref());
        for place in balancer
            .and_then(|balancer| balancer.ingress.as_ref())
            .into_iter()
            .flatten()
        {
            let labels = [
                ("ip", text(place.ip.as_ref())),
                ("hostname", text(place.hostname.as_ref())),
            ];
            lines.put("kube_service_status_load_balancer_ingress", &labels, 1);
        }
    }
}

fn port_text(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}

impl Rendered for Endpoints {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_endpoint_info", "The endpoints of a Service."),
        gauge(
            "kube_endpoint_created",
            "When endpoints were created, in seconds since 1970.",
        ),
        gauge(
            "kube_endpoint_address",
            "Each address of endpoints, and whether it is ready.",
        ),
        gauge("kube_endpoint_ports", "Each port of endpoints."),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("endpoint", text(meta.name.as_ref())),
        ]);
        lines.put("kube_endpoint_info", &[], 1);
        lines.time("kube_endpoint_created", meta.creation_timestamp.as_ref());
        for subset in self.subsets.iter().flatten() {
            for (ready, addresses) in [
                ("true", &subset.addresses),
                ("false", &subset.not_ready_addresses),
            ] {
                for address in addresses.iter().flatten() {
                    lines.put(
                        "kube_endpoint_address",
                        &[("ip", &address.ip), ("ready", ready)],
                        1,
                    );
                }
            }
            for port in subset.ports.iter().flatten() {
                let number = port.port.to_string();
                let labels = [
                    ("port_name", text(port.name.as_ref())),
                    ("port_protocol", text(port.protocol.as_ref())),
                    ("port_number", &number),
                ];
                lines.put("kube_endpoint_ports", &labels, 1);
            }
        }
    }
}

impl Rendered for Ingress {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_ingress_info", "The class of an Ingress."),
        gauge(
            "kube_ingress_created",
            "When an Ingress was created, in seconds since 1970.",
        ),
        gauge(
            "kube_ingress_metadata_resource_version",
            "The version of an Ingress.",
        ),
        gauge(
            "kube_ingress_path",
            "Each path of an Ingress, and where it leads.",
        ),
        gauge(
            "kube_ingress_tls",
            "Each host of an Ingress that has a certificate.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("ingress", text(meta.name.as_ref())),
        ]);
        lines.time("kube_ingress_created", meta.creation_timestamp.as_ref());
        let version: Option<u64> = text(meta.resource_version.as_ref()).parse().ok();
        lines.maybe("kube_ingress_metadata_resource_version", version);
        let spec = self.spec.clone().unwrap_or_default();
        let annotated = meta.annotations.as_ref().and_then(|all| all.get(CLASS));
        let class = spec.ingress_class_name.as_ref().or(annotated);
        let class = class.map_or("_default", String::as_str);
        lines.put("kube_ingress_info", &[("ingressclass", class)], 1);
        for rule in spec.rules.iter().flatten() {
            for path in rule.http.iter().flat_map(|http| &http.paths) {
                let place = [
                    ("host", text(rule.host.as_ref())),
                    ("path", text(path.path.as_ref())),
                    ("path_type", path.path_type.as_str()),
                ];
                backend(lines, &place, &path.backend);
            }
        }
        for tls in spec.tls.iter().flatten() {
            for host in tls.hosts.iter().flatten() {
                let labels = [
                    ("tls_host", host.as_str()),
                    ("secret", text(tls.secret_name.as_ref())),
                ];
                lines.put("kube_ingress_tls", &labels, 1);
            }
        }
    }
}

fn backend(lines: &mut Lines<'_>, place: &[(&str, &str)], backend: &IngressBackend) {
    let mut labels = place.to_vec();
    let port;
    if let Some(service) = &backend.service {
        let named = service.port.as_ref();
        port = named
            .and_then(|port| {
                port.number
                    .map(|number| number.to_string())
                    .or_else(|| port.name.clone())
            })
            .unwrap_or_default();
        labels.extend([("service_name", service.name.as_str()), ("service_port", &port)]);
    } else if let Some(resource) = &backend.resource {
        labels.extend([
            ("resource_api_group", text(resource.api_group.as_ref())),
            ("resource_kind", &resource.kind),
            ("resource_name", &resource.name),
        ]);
    }
    lines.put("kube_ingress_path", &labels, 1);
}
