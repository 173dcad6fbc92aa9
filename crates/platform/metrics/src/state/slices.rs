//! Endpoint slices, network policies, and classes of ingresses.

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::api::networking::v1::{IngressClass, NetworkPolicy};

use super::lines::{Family, Lines, gauge, text};
use super::table::Rendered;

impl Rendered for EndpointSlice {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_endpointslice_info", "The type of a slice's addresses."),
        gauge(
            "kube_endpointslice_created",
            "When a slice was created, in seconds since 1970.",
        ),
        gauge(
            "kube_endpointslice_endpoints",
            "Each address of a slice, and what it is good for.",
        ),
        gauge("kube_endpointslice_ports", "Each port of a slice."),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("endpointslice", text(meta.name.as_ref())),
        ]);
        let kind = [("addresstype", self.address_type.as_str())];
        lines.put("kube_endpointslice_info", &kind, 1);
        lines.time("kube_endpointslice_created", meta.creation_timestamp.as_ref());
        for endpoint in self.endpoints.iter().flatten() {
            endpoint_lines(lines, endpoint);
        }
        for port in self.ports.iter().flatten() {
            let number = port.port.map(|port| port.to_string()).unwrap_or_default();
            let labels = [
                ("port_name", text(port.name.as_ref())),
                ("port_protocol", text(port.protocol.as_ref())),
                ("port_number", &number),
            ];
            lines.put("kube_endpointslice_ports", &labels, 1);
        }
    }
}

/// What is not said of an endpoint is no label.
fn endpoint_lines(lines: &mut Lines<'_>, endpoint: &Endpoint) {
    let mut labels: Vec<(&str, &str)> = Vec::new();
    if let Some(conditions) = &endpoint.conditions {
        let told = [
            ("ready", conditions.ready),
            ("serving", conditions.serving),
            ("terminating", conditions.terminating),
        ];
        let told = told.into_iter().filter_map(|(name, is)| Some((name, is?)));
        labels.extend(told.map(|(name, is)| (name, if is { "true" } else { "false" })));
    }
    let target = endpoint.target_ref.as_ref();
    let told = [
        ("hostname", endpoint.hostname.as_ref()),
        ("targetref_kind", target.and_then(|target| target.kind.as_ref())),
        ("targetref_name", target.and_then(|target| target.name.as_ref())),
        (
            "targetref_namespace",
            target.and_then(|target| target.namespace.as_ref()),
        ),
        ("nodename", endpoint.node_name.as_ref()),
        ("endpoint_zone", endpoint.zone.as_ref()),
    ];
    let told = told
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.as_str())));
    labels.extend(told);
    for address in &endpoint.addresses {
        let mut labels = labels.clone();
        labels.push(("address", address));
        lines.put("kube_endpointslice_endpoints", &labels, 1);
    }
}

impl Rendered for NetworkPolicy {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_networkpolicy_created",
            "When a network policy was created, in seconds since 1970.",
        ),
        gauge(
            "kube_networkpolicy_spec_egress_rules",
            "Rules of a network policy on what goes out.",
        ),
        gauge(
            "kube_networkpolicy_spec_ingress_rules",
            "Rules of a network policy on what comes in.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("networkpolicy", text(meta.name.as_ref())),
        ]);
        lines.time("kube_networkpolicy_created", meta.creation_timestamp.as_ref());
        let spec = self.spec.as_ref();
        let egress = spec.and_then(|spec| spec.egress.as_ref()).map_or(0, Vec::len);
        let ingress = spec.and_then(|spec| spec.ingress.as_ref()).map_or(0, Vec::len);
        lines.put("kube_networkpolicy_spec_egress_rules", &[], egress);
        lines.put("kube_networkpolicy_spec_ingress_rules", &[], ingress);
    }
}

impl Rendered for IngressClass {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_ingressclass_info", "Who serves a class of ingresses."),
        gauge(
            "kube_ingressclass_created",
            "When a class of ingresses was created, in seconds since 1970.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[("ingressclass", text(meta.name.as_ref()))]);
        let controller = self.spec.as_ref().and_then(|spec| spec.controller.as_ref());
        lines.put("kube_ingressclass_info", &[("controller", text(controller))], 1);
        lines.time("kube_ingressclass_created", meta.creation_timestamp.as_ref());
    }
}
