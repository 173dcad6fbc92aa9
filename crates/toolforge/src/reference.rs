//! The reference of metrics: every family that a component declares, as a page in Markdown.
//!
//! Printed by `toolforge metrics-reference`; the page in `docs` is that, and a test says when it is not any more.

use toolforge_exposition::{Declared, table};

/// A component with what it tells.
struct Component {
    name: &'static str,
    /// Where, and who may read it.
    place: &'static str,
    families: &'static [Declared],
}

const COMPONENTS: &[Component] = &[
    Component {
        name: "Process",
        place: "Of every component that runs as a process of its own, with its other figures. `toolforge up` is one process: its figures \
                stand with those of the API only.",
        families: toolforge_figures::PROCESS,
    },
    Component {
        name: "Gateway",
        place: "`/metrics` of `toolforge gateway --status ADDRESS:PORT`, of `toolforge up` at `--gateway-status-port`. Plain HTTP.",
        families: toolforge_gateway::FAMILIES,
    },
    Component {
        name: "Account service",
        place: "`/metrics` of `toolforge accounts --listen ADDRESS:PORT`. Plain HTTP. Names with `maintain_kubeusers` are those of the \
                service that it takes the place of.",
        families: toolforge_accounts::FAMILIES,
    },
    Component {
        name: "Admission",
        place: "`/metrics` beside the webhooks, over HTTPS with their certificate.",
        families: toolforge_admission::FAMILIES,
    },
    Component {
        name: "Pages for what is not there",
        place: "`/metrics` of `toolforge fourohfour --status ADDRESS:PORT`. Plain HTTP.",
        families: toolforge_status::FOUROHFOUR_FAMILIES,
    },
    Component {
        name: "Status pages",
        place: "`/metrics` of `toolforge k8s-status --status ADDRESS:PORT`. Plain HTTP.",
        families: toolforge_status::BOARD_FAMILIES,
    },
    Component {
        name: "Balancer",
        place: "`/metrics` of `toolforge balance --status ADDRESS:PORT`. Plain HTTP.",
        families: toolforge_balancer::FAMILIES,
    },
    Component {
        name: "Metrics server",
        place: "`/metrics` over HTTPS, behind the state of objects, whose families are in [metrics.md](metrics.md#state-of-objects). For \
                whom the API allows to get `/metrics`.",
        families: toolforge_metrics::FAMILIES,
    },
    Component {
        name: "API of the built-in Kubernetes",
        place: "`/metrics` of the API, for who may get it, such as the group `system:monitoring`.",
        families: toolforge_apiserver::FAMILIES,
    },
    Component {
        name: "Controllers and scheduler of the built-in Kubernetes",
        place: "`/metrics` over plain HTTP at a port of loopback, see `prometheus/targets.json` in the data folder of `toolforge up`.",
        families: toolforge_controllers::FAMILIES,
    },
    Component {
        name: "Directory",
        place: "`/metrics` over plain HTTP at a port of loopback, see `prometheus/targets.json` in the data folder of `toolforge up`.",
        families: toolforge_directory::FAMILIES,
    },
    Component {
        name: "Built-in node",
        place: "`/api/v1/nodes/NODE/proxy/metrics` of the API, for who may get `nodes/proxy`; `/metrics` at the node's own port, for who may get \
                `nodes/metrics`. What containers use is at `metrics/cadvisor` below it, see [metrics.md](metrics.md#usage-of-containers).",
        families: toolforge_node::FAMILIES,
    },
];

const HEAD: &str = "# Metrics, one by one

What every component tells at its `/metrics`, for Prometheus. This page is generated from the program: `toolforge metrics-reference`. How Prometheus \
reaches it all, and what to do with it, says [metrics.md](metrics.md).

On one machine every component tells its figures: `toolforge up` writes where into `prometheus/targets.json` of the data folder.

The number of series is bounded: values of labels are from fixed lists, or from objects that exist, and none is made up by visitors.
";

/// The whole page.
pub(crate) fn page() -> String {
    COMPONENTS.iter().fold(HEAD.to_owned(), |text, component| {
        let Component {
            name,
            place,
            families,
        } = component;
        text + &format!("\n## {name}\n\n{place}\n\n") + &table(families)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_page_in_the_documentation_is_this_one() {
        assert!(
            page() == include_str!("../../../docs/metrics-reference.md"),
            "docs/metrics-reference.md is not what the components declare; write it anew:\n\
             cargo run -p toolforge -- metrics-reference > docs/metrics-reference.md"
        );
    }

    #[test]
    fn each_name_is_declared_once_and_as_prometheus_would_have_it() {
        let mut names = BTreeSet::new();
        for family in COMPONENTS.iter().flat_map(|component| component.families) {
            assert!(names.insert(family.name), "{} is declared twice", family.name);
            let is_counter = family.kind == toolforge_exposition::Kind::Counter;
            assert_eq!(family.name.ends_with("_total"), is_counter, "{}", family.name);
            assert!(!family.help.ends_with('.'), "{}", family.name);
        }
    }
}
