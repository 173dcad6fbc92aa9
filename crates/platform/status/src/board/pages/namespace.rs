//! One namespace: is the tool up, and if not, why; then all that is in it.

use std::cmp::Reverse;

use askama::Template;
use serde::Serialize;
use toolforge_model::{Maintainer, ToolName, labels};

use super::{Frame, Seen};
use crate::board::{
    chart,
    seen::{EventSeen, IngressSeen, NamespaceSeen, PodSeen, QuotaSeen, ServiceSeen, WorkloadSeen},
    text,
    traffic::Bucket,
    usage::Amount,
    verdict::Verdict,
    world::on,
};

/// How many events are shown, the newest.
const EVENTS: usize = 50;

#[derive(Template, Serialize)]
#[template(path = "board/namespace.html", whitespace = "minimize")]
#[serde(rename_all = "camelCase")]
pub(super) struct Namespace<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    name: &'a str,
    tool: Option<String>,
    url: Option<String>,
    /// Of a tool.
    verdict: Option<&'a Verdict>,
    maintainers: Vec<String>,
    links: Vec<Outward<'a>>,
    quotas: Vec<&'a QuotaSeen>,
    traffic: Option<Vec<Bucket>>,
    #[serde(skip)]
    chart: Option<String>,
    pods: Vec<Row<'a>>,
    workloads: Vec<&'a WorkloadSeen>,
    services: Vec<&'a ServiceSeen>,
    ingresses: Vec<&'a IngressSeen>,
    events: Vec<&'a EventSeen>,
    #[serde(skip)]
    itself: &'a NamespaceSeen,
}

/// A link to another site.
#[derive(Serialize)]
struct Outward<'a> {
    label: &'a str,
    url: String,
}

/// A Pod in a line.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(flatten)]
    pod: &'a PodSeen,
    usage: Option<Amount>,
}

impl Row<'_> {
    fn ready(&self) -> String {
        let main = self
            .pod
            .containers
            .iter()
            .filter(|container| container.role == crate::board::seen::Role::Main);
        let (ready, all) = main.fold((0, 0), |(ready, all), container| {
            (ready + usize::from(container.ready), all + 1)
        });
        format!("{ready} of {all}")
    }

    fn cpu(&self) -> String {
        self.usage
            .map_or_else(|| "unknown".to_owned(), |usage| text::cpus(usage.cpu_millis))
    }

    fn memory(&self) -> String {
        self.usage
            .map_or_else(|| "unknown".to_owned(), |usage| text::bytes(usage.memory_bytes))
    }
}

pub(super) fn namespace<'a>(seen: Seen<'a>, name: &str) -> Option<Namespace<'a>> {
    let Seen {
        world,
        config,
        moment,
    } = seen;
    let namespace = world.namespace(name)?;
    let name = namespace.meta.name.as_str();
    let tool = ToolName::of_namespace(name);
    let shown = tool.as_ref().map_or(name, ToolName::as_str);
    let day = world.traffic.day(Some(name), moment.now.as_second());
    let mut events: Vec<&EventSeen> = on(&world.events, name).collect();
    events.sort_by_key(|event| Reverse(event.last));
    events.truncate(EVENTS);
    Some(Namespace {
        frame: Frame::new(seen, shown, "namespaces"),
        name,
        url: tool.as_ref().map(|tool| url(seen, tool)),
        verdict: tool.as_ref().map(|_| &world.glance(name).verdict),
        maintainers: maintainers(namespace),
        links: config
            .links
            .iter()
            .filter_map(|link| {
                let url = link.url(&config.project, name, tool.as_ref().map(ToolName::as_str))?;
                Some(Outward {
                    label: link.label(),
                    url,
                })
            })
            .collect(),
        quotas: on(&world.quotas, name).collect(),
        chart: chart::day(&day),
        traffic: world.traffic.known.then_some(day),
        pods: on(&world.pods, name)
            .map(|pod| Row {
                usage: world.usage.of_pod(name, &pod.meta.name),
                pod,
            })
            .collect(),
        workloads: world.workloads(name).collect(),
        services: on(&world.services, name).collect(),
        ingresses: on(&world.ingresses, name).collect(),
        events,
        tool: tool.map(|tool| tool.to_string()),
        itself: namespace,
    })
}

fn url(seen: Seen<'_>, tool: &ToolName) -> String {
    let host = seen.config.domain.host_of(tool);
    match seen.config.https_port {
        443 => format!("https://{host}/"),
        port => format!("https://{host}:{port}/"),
    }
}

fn maintainers(namespace: &NamespaceSeen) -> Vec<String> {
    let listed = namespace.meta.annotations.get(labels::MAINTAINERS);
    let people: Vec<Maintainer> = listed
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let mut names: Vec<String> = people.into_iter().map(|person| person.name).collect();
    names.sort_by_cached_key(|name| name.to_lowercase());
    names
}
