//! The front page: how the cluster is, and which tools have trouble.

use askama::Template;
use serde::Serialize;
use toolforge_model::ToolName;

use super::{Frame, Seen};
use crate::board::{chart, seen::NodeSeen, text, usage::Amount, verdict::Standing, world::all};

/// How many tools in trouble are listed; a page that lists a thousand helps nobody.
const LISTED: usize = 100;

#[derive(Template, Serialize)]
#[template(path = "board/overview.html", whitespace = "minimize")]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    version: Option<&'a str>,
    tools: usize,
    tools_active: usize,
    tools_up: usize,
    tools_down: usize,
    pods_running: usize,
    pods_pending: usize,
    nodes_ready: usize,
    nodes: usize,
    /// Role and number.
    roles: Vec<(String, usize)>,
    cpu: Gauge,
    memory: Gauge,
    troubles: Vec<Trouble<'a>>,
    #[serde(skip)]
    chart: Option<String>,
}

/// How much of what there is is used.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gauge {
    used: Option<i64>,
    total: i64,
    #[serde(skip)]
    used_text: String,
    #[serde(skip)]
    total_text: String,
    percent: Option<i64>,
    /// Of the last day.
    #[serde(skip)]
    chart: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trouble<'a> {
    namespace: &'a str,
    tool: String,
    standing: Standing,
    sentence: &'a str,
}

pub(super) fn overview(seen: Seen<'_>) -> Overview<'_> {
    let world = seen.world;
    let mut tally = Tally::default();
    for namespace in world.namespaces() {
        let name = namespace.meta.name.as_str();
        let Some(tool) = ToolName::of_namespace(name) else {
            continue;
        };
        tally.tools += 1;
        let glance = world.glance(name);
        let verdict = &glance.verdict;
        tally.active += usize::from(glance.is_active);
        match verdict.standing {
            Standing::Up | Standing::Starting => tally.up += 1,
            Standing::Down | Standing::Impaired => {
                tally.down += usize::from(verdict.standing == Standing::Down);
                tally.troubles.push(Trouble {
                    namespace: name,
                    tool: tool.to_string(),
                    standing: verdict.standing,
                    sentence: &verdict.sentence,
                });
            }
            Standing::NoWebservice | Standing::Idle => {}
        }
    }
    tally.troubles.sort_by(|one, other| {
        one.standing
            .cmp(&other.standing)
            .then_with(|| one.tool.cmp(&other.tool))
    });
    tally.troubles.truncate(LISTED);
    let phase = |phase: &str| all(&world.pods).filter(|pod| pod.phase == phase).count();
    let (cpu, memory) = gauges(seen);
    Overview {
        frame: Frame::new(seen, "Cluster", "overview"),
        version: world.version.as_deref(),
        tools: tally.tools,
        tools_active: tally.active,
        tools_up: tally.up,
        tools_down: tally.down,
        pods_running: phase("Running"),
        pods_pending: phase("Pending"),
        nodes_ready: world.nodes().filter(|node| node.ready).count(),
        nodes: world.nodes().count(),
        roles: roles(seen),
        cpu,
        memory,
        troubles: tally.troubles,
        chart: chart::day(&world.traffic.day(None, seen.moment.now.as_second())),
    }
}

#[derive(Default)]
struct Tally<'a> {
    tools: usize,
    active: usize,
    up: usize,
    down: usize,
    troubles: Vec<Trouble<'a>>,
}

fn roles(seen: Seen<'_>) -> Vec<(String, usize)> {
    let mut roles = std::collections::BTreeMap::new();
    for node in seen.world.nodes() {
        *roles.entry(node.role.clone()).or_default() += 1;
    }
    roles.into_iter().collect()
}

/// Used and allocatable CPU and memory of the nodes that run tools (facts section 10).
fn gauges(seen: Seen<'_>) -> (Gauge, Gauge) {
    let workers = seen.world.workers();
    let used = seen.world.in_use();
    let bars = seen.world.load.day(seen.moment.now.as_second());
    let gauge = |what: &str, part: fn(&Amount) -> i64, total: i64, text: fn(i64) -> String| {
        let used = used.as_ref().map(part);
        let bars: Vec<_> = bars.iter().map(|bar| bar.as_ref().map(part)).collect();
        Gauge {
            used,
            used_text: text(used.unwrap_or_default()),
            total_text: text(total),
            percent: used.filter(|_| total > 0).map(|used| used * 100 / total.max(1)),
            total,
            chart: chart::level(what, &bars, total),
        }
    };
    let total = |part: fn(&NodeSeen) -> i64| workers.iter().map(|node| part(node)).sum();
    (
        gauge(
            "CPU",
            |used| used.cpu_millis,
            total(|node| node.cpu_millis),
            text::cpus,
        ),
        gauge(
            "Memory",
            |used| used.memory_bytes,
            total(|node| node.memory_bytes),
            text::bytes,
        ),
    )
}
