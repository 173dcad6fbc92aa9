//! Namespaces with their quotas and limits, and nodes.

use k8s_openapi::api::core::v1::{LimitRange, Namespace, Node, ResourceQuota};

use super::lines::{Family, Lines, gauge, number, text};
use super::table::Rendered;

/// Labels by which nodes say what they are for.
const ROLE: &str = "node-role.kubernetes.io/";

impl Rendered for Namespace {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_namespace_created",
            "When a namespace was created, in seconds since 1970.",
        ),
        gauge(
            "kube_namespace_status_phase",
            "Whether a namespace is in a phase.",
        ),
        gauge(
            "kube_namespace_status_condition",
            "The conditions of a namespace that is going.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[("namespace", text(meta.name.as_ref()))]);
        lines.time("kube_namespace_created", meta.creation_timestamp.as_ref());
        let Some(status) = &self.status else { return };
        let phases = ["Active", "Terminating"];
        lines.one_of(
            "kube_namespace_status_phase",
            "phase",
            &phases,
            text(status.phase.as_ref()),
        );
        for condition in status.conditions.iter().flatten() {
            let labels = [("condition", condition.type_.as_str())];
            lines.condition(
                "kube_namespace_status_condition",
                "status",
                &labels,
                &condition.status,
            );
        }
    }
}

impl Rendered for ResourceQuota {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_resourcequota_created",
            "When a quota was created, in seconds since 1970.",
        ),
        gauge(
            "kube_resourcequota",
            "What a namespace may have, and what it has.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("resourcequota", text(meta.name.as_ref())),
        ]);
        lines.time("kube_resourcequota_created", meta.creation_timestamp.as_ref());
        let Some(status) = &self.status else { return };
        for (kind, amounts) in [("hard", &status.hard), ("used", &status.used)] {
            for (resource, amount) in amounts.iter().flatten() {
                if let Some(value) = number(amount) {
                    lines.put(
                        "kube_resourcequota",
                        &[("resource", resource), ("type", kind)],
                        value,
                    );
                }
            }
        }
    }
}

impl Rendered for LimitRange {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_limitrange_created",
            "When a limit range was created, in seconds since 1970.",
        ),
        gauge(
            "kube_limitrange",
            "What containers and Pods of a namespace may have.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("limitrange", text(meta.name.as_ref())),
        ]);
        lines.time("kube_limitrange_created", meta.creation_timestamp.as_ref());
        for limit in self.spec.iter().flat_map(|spec| &spec.limits) {
            for (constraint, amounts) in [
                ("min", &limit.min),
                ("max", &limit.max),
                ("default", &limit.default),
                ("defaultRequest", &limit.default_request),
                ("maxLimitRequestRatio", &limit.max_limit_request_ratio),
            ] {
                for (resource, amount) in amounts.iter().flatten() {
                    let labels = [
                        ("resource", resource.as_str()),
                        ("type", &limit.type_),
                        ("constraint", constraint),
                    ];
                    if let Some(value) = number(amount) {
                        lines.put("kube_limitrange", &labels, value);
                    }
                }
            }
        }
    }
}

impl Rendered for Node {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_node_info", "What a node is."),
        gauge(
            "kube_node_created",
            "When a node was created, in seconds since 1970.",
        ),
        gauge(
            "kube_node_deletion_timestamp",
            "When a node that is being deleted was told to go, in seconds since 1970.",
        ),
        gauge("kube_node_role", "What a node is for."),
        gauge(
            "kube_node_spec_unschedulable",
            "Whether a node takes no new Pods.",
        ),
        gauge("kube_node_spec_taint", "Each taint of a node."),
        gauge("kube_node_status_addresses", "Each address of a node."),
        gauge("kube_node_status_allocatable", "What of a node Pods can have."),
        gauge("kube_node_status_capacity", "What a node has."),
        gauge("kube_node_status_condition", "The conditions of a node."),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[("node", text(meta.name.as_ref()))]);
        lines.time("kube_node_created", meta.creation_timestamp.as_ref());
        lines.time("kube_node_deletion_timestamp", meta.deletion_timestamp.as_ref());
        for role in meta
            .labels
            .iter()
            .flatten()
            .filter_map(|(label, _)| label.strip_prefix(ROLE))
        {
            lines.put("kube_node_role", &[("role", role)], 1);
        }
        let spec = self.spec.clone().unwrap_or_default();
        let closed = u8::from(spec.unschedulable == Some(true));
        lines.put("kube_node_spec_unschedulable", &[], closed);
        for taint in spec.taints.iter().flatten() {
            let labels = [
                ("key", taint.key.as_str()),
                ("value", text(taint.value.as_ref())),
                ("effect", &taint.effect),
            ];
            lines.put("kube_node_spec_taint", &labels, 1);
        }
        let Some(status) = &self.status else { return };
        let addresses = status.addresses.as_deref().unwrap_or_default();
        for address in addresses {
            let labels = [("type", address.type_.as_str()), ("address", &address.address)];
            lines.put("kube_node_status_addresses", &labels, 1);
        }
        lines.amounts(
            "kube_node_status_allocatable",
            &[],
            status.allocatable.iter().flatten(),
        );
        lines.amounts("kube_node_status_capacity", &[], status.capacity.iter().flatten());
        for condition in status.conditions.iter().flatten() {
            let labels = [("condition", condition.type_.as_str())];
            lines.condition("kube_node_status_condition", "status", &labels, &condition.status);
        }
        let Some(machine) = &status.node_info else { return };
        let internal = addresses.iter().find(|address| address.type_ == "InternalIP");
        let info = [
            ("kernel_version", machine.kernel_version.as_str()),
            ("os_image", &machine.os_image),
            ("container_runtime_version", &machine.container_runtime_version),
            ("kubelet_version", &machine.kubelet_version),
            ("kubeproxy_version", &machine.kube_proxy_version),
            ("provider_id", text(spec.provider_id.as_ref())),
            ("pod_cidr", text(spec.pod_cidr.as_ref())),
            ("system_uuid", &machine.system_uuid),
            ("internal_ip", internal.map_or("", |address| &address.address)),
        ];
        lines.put("kube_node_info", &info, 1);
    }
}
